"""Our 3DBall as a vector environment of twelve, and the progress lines that the observer reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from official import SUMMARY_STEPS

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.registry import default_registry

FloatArray = NDArray[np.float32]

ACTION_LIMIT = 3.0
"""Actions are clipped to [-3, 3] and divided by 3, as our own trainer does: equal exploration for all."""


class Step(NamedTuple):
    """What one decision of every agent led to.

    Attributes:
      observations: float32 [agents, n], of the next episode where one ended.
      reward: float32 [agents].
      done: bool [agents], the episode ended.
      truncated: bool [agents], it was cut by the step limit.
      last_observations: row -> float32 [n], the last one of an episode that ended.
    """

    observations: FloatArray
    reward: FloatArray
    done: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    last_observations: dict[int, FloatArray]


class Balls:
    """3DBall, arrays in and arrays out; prints `Step: N. Mean Reward: r.` like the others."""

    def __init__(self, agents: int, seed: int) -> None:
        self.agents = agents
        self._env = default_registry["3DBall"].make(seed=seed, num_areas=agents)
        self._behavior = next(iter(self._env.behavior_specs))
        spec = self._env.behavior_specs[self._behavior]
        self.observation_size = spec.observation_specs[0].shape[0]
        self.action_size = spec.action_spec.continuous_size
        self._steps = 0
        self._returns = np.zeros(agents)
        self._finished: list[float] = []

    def reset(self) -> FloatArray:
        """Begin anew and return the observations."""
        self._env.reset()
        self._returns[:] = 0.0
        return self._env.get_steps(self._behavior)[0].obs[0]

    def step(self, actions: FloatArray) -> Step:
        """Take one decision for every agent; actions are float32 [agents, 2] before clipping."""
        clipped = np.minimum(np.maximum(actions, -ACTION_LIMIT), ACTION_LIMIT) / ACTION_LIMIT
        self._env.set_actions(self._behavior, ActionTuple(clipped))
        done = np.zeros(self.agents, np.bool_)
        truncated = np.zeros(self.agents, np.bool_)
        last: dict[int, FloatArray] = {}
        ends: list[tuple[NDArray[np.int32], FloatArray]] = []
        while True:
            self._env.step()
            decision, terminal = self._env.get_steps(self._behavior)
            if len(terminal):
                rows = terminal.agent_id
                done[rows] = True
                truncated[rows] = terminal.interrupted
                last.update(zip(rows.tolist(), terminal.obs[0], strict=True))
                ends.append((rows, terminal.reward))
            if len(decision):
                break
        reward = decision.reward
        for rows, earned in ends:  # what the new episode earned before its first decision belongs to nobody
            reward[rows] = earned
        self._count(reward, done)
        return Step(decision.obs[0], reward, done, truncated, last)

    def _count(self, reward: FloatArray, done: NDArray[np.bool_]) -> None:
        self._returns += reward
        if done.any():
            self._finished.extend(self._returns[done].tolist())
            self._returns[done] = 0.0
        self._steps += self.agents
        if self._steps % SUMMARY_STEPS < self.agents:
            mean = f" Mean Reward: {np.mean(self._finished):.3f}." if self._finished else ""
            print(f"Step: {self._steps}.{mean}", flush=True)
            self._finished.clear()
