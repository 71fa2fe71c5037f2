"""Copies of one Gymnasium environment, stepped one after another, for little more than their own steps cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array
from numpy.typing import NDArray

_Flags = NDArray[np.bool_]


class Copies(SyncVectorEnv):
    """A `SyncVectorEnv` with autoreset in the same step, whose `step` does without its bookkeeping.

    Observations are joined in fresh arrays instead of being copied out of kept ones, and infos without an entry are
    not looked at; that halves what a step costs beside the environment's own.

    Args:
      makers: make the copies.
    """

    def __init__(self, makers: Sequence[Callable[[], gymnasium.Env[Any, Any]]]) -> None:
        super().__init__(makers, autoreset_mode=AutoresetMode.SAME_STEP)

    def step(self, actions: Any) -> tuple[Any, NDArray[np.float64], _Flags, _Flags, dict[str, Any]]:
        """Do as the base class: observations, rewards, what terminated, what was truncated, infos.

        An episode that ended leaves `final_obs` and `final_info` in the infos; the observation is the next one's first.

        Args:
          actions: an array with an action of each copy, as all spaces but `Dict` and `Tuple` are batched.
        """
        rewards, infos = np.zeros(self.num_envs), dict[str, Any]()
        terminated, truncated = np.zeros((2, self.num_envs), np.bool_)
        observations = []
        for i, (env, action) in enumerate(zip(self.envs, actions, strict=True)):
            observation, rewards[i], is_over, is_cut, info = env.step(action)
            if is_over or is_cut:
                terminated[i], truncated[i] = is_over, is_cut
                infos = self._add_info(infos, {"final_obs": observation, "final_info": info}, i)
                observation, info = env.reset()
            if info:
                infos = self._add_info(infos, info, i)
            observations.append(observation)
        return self._joined(observations), rewards, terminated, truncated, infos

    def _joined(self, observations: list[Any]) -> Any:
        """Return the observations of all copies as one value of the batched space, in memory of its own."""
        space = self.single_observation_space
        if isinstance(space, spaces.Box):
            return np.array(observations, space.dtype)
        empty: Any = create_empty_array(space, self.num_envs, np.empty)
        return concatenate(space, observations, empty)
