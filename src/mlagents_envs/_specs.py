"""What the agents of a behavior observe and do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, IntFlag
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_envs._actions import ActionSpec, ActionType
from mlagents_envs.exception import UnityActionException

AgentId = int
GroupId = int
BehaviorName = str


class DimensionProperty(IntFlag):
    """What may be assumed about one axis of an observation."""

    UNSPECIFIED = 0
    NONE = 1
    TRANSLATIONAL_EQUIVARIANCE = 2
    VARIABLE_SIZE = 4


class ObservationType(Enum):
    """What an observation is for."""

    DEFAULT = 0
    GOAL_SIGNAL = 1


class ObservationSpec(NamedTuple):
    """One observation of a behavior.

    Attributes:
      shape: without the batch axis; images are (channels, height, width).
      dimension_property: one per axis.
      observation_type: a goal conditions the policy instead of being one more input.
      name: as the environment's author called it; may be empty.
    """

    shape: tuple[int, ...]
    dimension_property: tuple[DimensionProperty, ...]
    observation_type: ObservationType
    name: str


class BehaviorSpec(NamedTuple):
    """What the agents of one behavior observe and do; beside the two fields there are their older names."""

    observation_specs: list[ObservationSpec]
    action_spec: ActionSpec

    def _empty_obs(self) -> list[NDArray[np.float32]]:
        return [np.zeros((0, *spec.shape), np.float32) for spec in self.observation_specs]

    @property
    def observation_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each observation."""
        return [spec.shape for spec in self.observation_specs]

    @property
    def action_type(self) -> ActionType:
        """The only kind of action there is.

        Raises:
          UnityActionException: there are both kinds, or none; ask `action_spec`.
        """
        if self.action_spec.is_discrete():
            return ActionType.DISCRETE
        if self.action_spec.is_continuous():
            return ActionType.CONTINUOUS
        raise UnityActionException(
            f"action_type names one kind of action; this behavior has {self.action_spec}. Use action_spec."
        )

    @property
    def action_shape(self) -> int | tuple[int, ...]:
        """The continuous size, or the branch sizes."""
        discrete = self.action_type is ActionType.DISCRETE
        return self.action_spec.discrete_branches if discrete else self.action_spec.continuous_size

    @property
    def action_size(self) -> int:
        """The continuous size, or the number of branches."""
        discrete = self.action_type is ActionType.DISCRETE
        return self.action_spec.discrete_size if discrete else self.action_spec.continuous_size

    @property
    def discrete_action_branches(self) -> tuple[int, ...] | None:
        """The branch sizes; None for continuous actions."""
        return self.action_spec.discrete_branches if self.is_action_discrete() else None

    def is_action_discrete(self) -> bool:
        """Return what is now `action_spec.is_discrete()`."""
        return self.action_spec.is_discrete()

    def is_action_continuous(self) -> bool:
        """Return what is now `action_spec.is_continuous()`."""
        return self.action_spec.is_continuous()

    def create_empty_action(self, n_agents: int) -> NDArray[Any]:
        """Return zeros, float32 [n, continuous size] or int32 [n, branches]; now `action_spec.empty_action(n)`."""
        actions = self.action_spec.empty_action(n_agents)
        return actions.discrete if self.action_type is ActionType.DISCRETE else actions.continuous

    def create_random_action(self, n_agents: int) -> NDArray[Any]:
        """Return uniform actions, float32 [n, size] or int32 [n, branches]; now `action_spec.random_action(n)`."""
        actions = self.action_spec.random_action(n_agents)
        return actions.discrete if self.action_type is ActionType.DISCRETE else actions.continuous


class BehaviorMapping(Mapping[BehaviorName, BehaviorSpec]):
    """A read-only view of a dict of specs: behaviors that come later appear in it."""

    def __init__(self, specs: dict[BehaviorName, BehaviorSpec]) -> None:
        self._dict = specs

    def __len__(self) -> int:
        return len(self._dict)

    def __getitem__(self, behavior: BehaviorName) -> BehaviorSpec:
        return self._dict[behavior]

    def __iter__(self) -> Iterator[BehaviorName]:
        return iter(self._dict)

    def __repr__(self) -> str:
        return f"BehaviorMapping({self._dict!r})"
