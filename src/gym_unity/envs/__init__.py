"""`UnityToGymWrapper` as programs of before Gymnasium use it: `reset()` returns 1 value, `step()` 4.

New programs use `mlagents_envs.envs.unity_gym_env.UnityToGymWrapper`, which follows Gymnasium.
"""

from __future__ import annotations

from typing import Any

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.envs import unity_gym_env
from mlagents_envs.envs.unity_gym_env import ActionFlattener, UnityGymException

__all__ = ["ActionFlattener", "GymStepResult", "UnityGymException", "UnityToGymWrapper"]

GymStepResult = tuple[Any, float, bool, dict[str, Any]]
"""Observation, reward, done, info."""


class UnityToGymWrapper(unity_gym_env.UnityToGymWrapper):
    """One agent of one behavior in the form of gym before 0.26.

    Args:
      unity_env: the environment.
      uint8_visual: images are uint8 in [0, 255] instead of float32 in [0, 1].
      flatten_branched: several discrete branches become one `Discrete`.
      allow_multiple_obs: observe a list of all images, in order, then all vectors as one.
      action_space_seed: of `action_space`.
      use_visual: argument of 0.16, which has no effect: an image is taken if there is one.
      allow_multiple_visual_obs: older name of `allow_multiple_obs`.

    Raises:
      UnityGymException: see `mlagents_envs.envs.unity_gym_env.UnityToGymWrapper`.
    """

    metadata = {"render.modes": ["rgb_array"], "render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    reward_range = (-float("inf"), float("inf"))

    def __init__(
        self,
        unity_env: BaseEnv,
        uint8_visual: bool = False,
        flatten_branched: bool = False,
        allow_multiple_obs: bool = False,
        action_space_seed: int | None = None,
        *,
        use_visual: bool | None = None,
        allow_multiple_visual_obs: bool | None = None,
    ) -> None:
        several = allow_multiple_obs or bool(allow_multiple_visual_obs)
        super().__init__(unity_env, uint8_visual, flatten_branched, several, action_space_seed)

    def reset(self, **_: Any) -> Any:
        """Begin an episode and return its first observation."""
        return _as_list(super().reset()[0])

    def step(self, action: Any) -> GymStepResult:  # type: ignore[override]  # the form of before
        """Act, and go on until the agent reports.

        Returns: observation, reward, whether the episode ended or was cut, `{"step": DecisionSteps or TerminalSteps}`.

        Raises:
          UnityGymException: the episode is over.
        """
        observation, reward, terminated, truncated, info = super().step(action)
        return _as_list(observation), reward, terminated or truncated, info

    def render(self, mode: str = "rgb_array") -> Any:
        """Return the last first image as it was observed; None if there is none."""
        return self.visual_obs

    def seed(self, seed: Any = None) -> None:
        """Say that it has no effect: the environment gets its seed when it is made."""
        unity_gym_env.logger.warning("seed() changes nothing: give the seed to the environment when it is made.")


def _as_list(observation: Any) -> Any:
    return list(observation) if isinstance(observation, tuple) else observation


def __getattr__(name: str) -> Any:
    if name == "UnityEnv":
        raise ImportError(
            "gym_unity.envs.UnityEnv, which made its environment itself, was removed in 2020. Make one with "
            "mlagents_envs.environment.UnityEnvironment(file_name), and wrap it in UnityToGymWrapper."
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
