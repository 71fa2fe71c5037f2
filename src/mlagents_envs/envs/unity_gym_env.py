"""Any environment with one agent as a Gymnasium environment."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlagents_envs._imported_names import names_of
from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.envs.reseedable import MakeEnv, Reseedable
from mlagents_envs.logging_util import get_logger

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


logger = get_logger(__name__)

_Array = NDArray[Any]


class UnityGymException(gymnasium.error.Error):
    """The environment does not fit Gymnasium, or the wrapper was used in the wrong order."""


GymStepResult = tuple[Any, float, bool, bool, dict[str, Any]]
"""What `step` returns: observation, reward, terminated, truncated, info."""

_Steps = DecisionSteps | TerminalSteps


class UnityToGymWrapper(gymnasium.Env[Any, Any]):
    """One agent of one behavior as a `gymnasium.Env`.

    ```
    env = UnityToGymWrapper(lambda seed: default_registry["Basic"].make(seed=seed, num_areas=1))
    observation, info = env.reset(seed=1)
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    ```

    An episode that the environment interrupts is truncated, not terminated. `info["step"]` is the agent's
    `DecisionSteps` or `TerminalSteps` of one row. Reports without the agent are stepped over.

    Args:
      unity_env: the environment, or a function seed -> environment. Only with the function `reset(seed=...)` has an
        effect: it makes the environment anew.
      uint8_visual: images are uint8 in [0, 255] instead of float32 in [0, 1].
      flatten_branched: several discrete branches become one `Discrete`, see `ActionFlattener`.
      allow_multiple_obs: observe a tuple of all images, in order, then all vectors as one, instead of the first image
        or, without images, all vectors as one.
      action_space_seed: of `action_space`.

    Attributes:
      name: of the behavior.
      group_spec: its `BehaviorSpec`.
      action_size: the continuous size, or the number of branches.
      uint8_visual: as given.
      visual_obs: the last first image as observed, or None.
      game_over: the episode ended; call `reset()`.

    Raises:
      UnityGymException: not one behavior, not one agent, no observation of rank 1 or 3, or both kinds of actions.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012  # declared so by the base class

    def __init__(
        self,
        unity_env: BaseEnv | MakeEnv,
        uint8_visual: bool = False,
        flatten_branched: bool = False,
        allow_multiple_obs: bool = False,
        action_space_seed: int | None = None,
    ) -> None:
        self._source = Reseedable(unity_env)
        self.uint8_visual = uint8_visual
        self._allow_multiple_obs = allow_multiple_obs
        self.visual_obs: _Array | None = None
        self.game_over = False
        self._env.reset()
        self.name, self.group_spec = self._only_behavior()
        shapes = [spec.shape for spec in self.group_spec.observation_specs]
        self._visual = [index for index, shape in enumerate(shapes) if len(shape) == 3]
        self._vector = [index for index, shape in enumerate(shapes) if len(shape) == 1]
        self.observation_space = self._make_observation_space(shapes)
        self.action_size = self.group_spec.action_spec.continuous_size or self.group_spec.action_spec.discrete_size
        self._flattener: ActionFlattener | None = None
        self.action_space = self._make_action_space(flatten_branched)
        self.action_space.seed(action_space_seed)
        self.render_mode = "rgb_array" if self._visual else None
        self._begin()

    @property
    def _env(self) -> BaseEnv:
        return self._source.env

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Args:
          seed: see `unity_env`.
          options: not used.

        Returns: the first observation, and `{"step": DecisionSteps}`.
        """
        super().reset(seed=seed)
        if seed is not None:
            self._source.reseed(seed)
        self._env.reset()
        steps = self._begin()
        self.game_over = False
        return self._observation(steps), {"step": steps}

    def step(self, action: Any) -> GymStepResult:
        """Act, and go on until the agent reports.

        Returns: observation, reward, terminated, truncated, and `{"step": DecisionSteps or TerminalSteps}`.

        Raises:
          UnityGymException: the episode is over.
        """
        if self.game_over:
            raise UnityGymException("The episode is over; call reset() before the next step().")
        self._env.set_actions(self.name, self._action_tuple(action))
        steps = self._advance()
        interrupted = isinstance(steps, TerminalSteps) and bool(steps.interrupted[0])
        self.game_over = isinstance(steps, TerminalSteps)
        reward = float(steps.reward[0])
        return self._observation(steps), reward, self.game_over and not interrupted, interrupted, {"step": steps}

    def render(self) -> _Array | None:
        """Return the first image as uint8 [height, width, 3]; None if there is none."""
        if self.visual_obs is None:
            return None
        image = self.visual_obs if self.uint8_visual else np.rint(255 * self.visual_obs).astype(np.uint8)
        channels = image[:3] if len(image) >= 3 else np.repeat(image[:1], 3, axis=0)
        return np.moveaxis(channels, 0, 2).copy()

    def close(self) -> None:
        """Close the environment; may be called again."""
        self._source.close()

    def _only_behavior(self) -> tuple[str, BehaviorSpec]:
        behaviors = dict(self._env.behavior_specs)
        if len(behaviors) != 1:
            raise UnityGymException(
                f"Gymnasium knows one agent, so there must be one behavior; there are {list(behaviors)}. "
                "The PettingZoo wrappers take several."
            )
        return behaviors.popitem()

    def _make_observation_space(self, shapes: list[tuple[int, ...]]) -> spaces.Space[Any]:
        low, high, dtype = (0, 255, np.uint8) if self.uint8_visual else (0.0, 1.0, np.float32)
        boxes: list[spaces.Space[Any]] = [spaces.Box(low, high, shapes[i], dtype) for i in self._visual]
        if self._vector:
            boxes.append(spaces.Box(-np.inf, np.inf, (sum(shapes[i][0] for i in self._vector),), np.float32))
        if not boxes:
            raise UnityGymException(f"Expected a vector or an image among the observations, found shapes {shapes}.")
        used = len(self._visual) + len(self._vector)
        if not self._allow_multiple_obs and len(boxes) > 1:
            logger.warning(f"The agent has {used} observations, of which only the first image is used.")
        if used < len(shapes):
            logger.warning(f"{len(shapes) - used} observations are neither vectors nor images and are left out.")
        return spaces.Tuple(boxes) if self._allow_multiple_obs else boxes[0]

    def _make_action_space(self, flatten_branched: bool) -> spaces.Space[Any]:
        size, branches = self.group_spec.action_spec
        if size and branches:
            raise UnityGymException(
                f"Behavior {self.name!r} has continuous and discrete actions ({self.group_spec.action_spec}), which "
                "most users of Gymnasium cannot take. The PettingZoo wrappers give them a Tuple space."
            )
        if not branches:
            return spaces.Box(-1.0, 1.0, (size,), np.float32)
        if len(branches) == 1:
            return spaces.Discrete(branches[0])
        if flatten_branched:
            self._flattener = ActionFlattener(branches)
            return self._flattener.action_space
        return spaces.MultiDiscrete(list(branches))

    def _action_tuple(self, action: Any) -> ActionTuple:
        if self._flattener is not None:
            action = self._flattener.lookup_action(int(action))
        row = np.reshape(action, (1, self.action_size))
        return ActionTuple(discrete=row) if self.group_spec.action_spec.is_discrete() else ActionTuple(row)

    def _begin(self) -> DecisionSteps:
        """Go on to the agent's first decision after a reset."""
        while not len(decisions := self._reported()[0]):
            self._env.step()
        return decisions

    def _advance(self) -> _Steps:
        """Step until the agent reports."""
        while True:
            self._env.step()
            if (steps := self._report()) is not None:
                return steps

    def _report(self) -> _Steps | None:
        """Return what the agent reports; its end, if it ended and began anew at once."""
        decisions, terminals = self._reported()
        if len(terminals):
            return terminals
        return decisions if len(decisions) else None

    def _reported(self) -> tuple[DecisionSteps, TerminalSteps]:
        decisions, terminals = self._env.get_steps(self.name)
        if (agents := max(len(decisions), len(terminals))) > 1:
            raise UnityGymException(
                f"Gymnasium knows one agent, there are {agents}. Make the environment with num_areas=1; if each "
                "area has several agents, use the PettingZoo wrappers."
            )
        return decisions, terminals

    def _observation(self, steps: _Steps) -> Any:
        parts: list[_Array] = [steps.obs[index][0] for index in self._visual]
        if self.uint8_visual:
            parts = [np.rint(255 * part).astype(np.uint8) for part in parts]
        self.visual_obs = parts[0] if parts else None
        if self._vector:
            parts.append(np.concatenate([steps.obs[index][0] for index in self._vector]))
        return tuple(parts) if self._allow_multiple_obs else parts[0]


class ActionFlattener:
    """All combinations of the choices of several branches as one list; the last branch varies fastest.

    Args:
      branched_action_space: the number of choices of each branch.

    Attributes:
      action_space: `Discrete`, one number per combination.
      action_lookup: number -> one choice per branch.
    """

    def __init__(self, branched_action_space: tuple[int, ...] | list[int] | _Array) -> None:
        combinations = itertools.product(*map(range, branched_action_space))
        self.action_lookup = {number: list(choices) for number, choices in enumerate(combinations)}
        self.action_space = spaces.Discrete(len(self.action_lookup))

    def lookup_action(self, action: int) -> list[int]:
        """Return one choice per branch."""
        return self.action_lookup[action]
