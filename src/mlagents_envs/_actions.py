"""Actions, and what a behavior's actions look like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.exception import UnityActionException


class _ActionTupleBase(ABC):
    """A continuous and a discrete part, one row per agent; the subclass says what the discrete numbers are.

    Args:
      continuous: float32 [n, continuous size], converted if it is not.
      discrete: `discrete_dtype` [n, branches], converted if it is not.

    A side that is left out becomes [n, 0]; with none given both are None until `add_continuous` or
    `add_discrete`. An array that has the right dtype is kept, not copied.
    """

    _continuous: NDArray[np.float32]
    _discrete: NDArray[Any]

    def __init__(self, continuous: ArrayLike | None = None, discrete: ArrayLike | None = None) -> None:
        self._continuous = None  # type: ignore[assignment]  # None only until the first side comes, see above
        self._discrete = None  # type: ignore[assignment]
        if continuous is not None:
            self.add_continuous(continuous)
        if discrete is not None:
            self.add_discrete(discrete)

    @property
    def continuous(self) -> NDArray[np.float32]:
        """float32 [n, continuous size]."""
        return self._continuous

    @property
    def discrete(self) -> NDArray[Any]:
        """`discrete_dtype` [n, branches]."""
        return self._discrete

    @property
    @abstractmethod
    def discrete_dtype(self) -> type[np.generic]:
        """The dtype of `discrete`."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(continuous={self._continuous!r}, discrete={self._discrete!r})"

    def add_continuous(self, continuous: ArrayLike) -> None:
        """Set the continuous side; the discrete side becomes [n, 0] if there is none yet."""
        self._continuous = np.asarray(continuous, np.float32)
        if self._discrete is None:
            self._discrete = np.zeros((len(self._continuous), 0), self.discrete_dtype)

    def add_discrete(self, discrete: ArrayLike) -> None:
        """Set the discrete side; the continuous side becomes [n, 0] if there is none yet."""
        self._discrete = np.asarray(discrete, self.discrete_dtype)
        if self._continuous is None:
            self._continuous = np.zeros((len(self._discrete), 0), np.float32)


class ActionTuple(_ActionTupleBase):
    """Actions of n agents: float32 [n, continuous size] and int32 [n, branches]."""

    @property
    def discrete_dtype(self) -> type[np.int32]:
        """Discrete actions are indices: int32."""
        return np.int32


class ActionType(Enum):
    """The two kinds of action spaces of releases before hybrid actions."""

    DISCRETE = 0
    CONTINUOUS = 1


class ActionSpec(NamedTuple):
    """The actions of a behavior.

    Attributes:
      continuous_size: how many numbers, each in [-1, 1] as policies give them.
      discrete_branches: the number of choices of each branch.
    """

    continuous_size: int
    discrete_branches: tuple[int, ...]

    def __str__(self) -> str:
        return f"Continuous: {self.continuous_size}, Discrete: {self.discrete_branches}"

    @property
    def discrete_size(self) -> int:
        """The number of branches."""
        return len(self.discrete_branches)

    def is_discrete(self) -> bool:
        """Return True if there are branches and nothing continuous."""
        return self.continuous_size == 0 and len(self.discrete_branches) > 0

    def is_continuous(self) -> bool:
        """Return True if there is a continuous part and no branch."""
        return self.continuous_size > 0 and len(self.discrete_branches) == 0

    def empty_action(self, n_agents: int) -> ActionTuple:
        """Return zeros for n agents."""
        return ActionTuple(
            np.zeros((n_agents, self.continuous_size), np.float32),
            np.zeros((n_agents, len(self.discrete_branches)), np.int32),
        )

    def random_action(self, n_agents: int) -> ActionTuple:
        """Return uniform actions for n agents, drawn from numpy's global generator: continuous ones in [-1, 1)."""
        continuous = np.random.uniform(-1.0, 1.0, (n_agents, self.continuous_size))
        discrete = np.zeros((n_agents, len(self.discrete_branches)), np.int32)
        for branch, size in enumerate(self.discrete_branches):
            discrete[:, branch] = np.random.randint(0, size, n_agents, np.int32)
        return ActionTuple(continuous, discrete)

    def _validate_action(self, actions: ActionTuple | NDArray[Any], n_agents: int, name: str) -> ActionTuple:
        """Return the actions if they fit this spec and n agents of the behavior `name`.

        A bare array, as user code of 2020 passes it, is taken as the only side that the spec has.

        Raises:
          UnityActionException: the shapes are not [n, continuous size] and [n, branches].
        """
        if isinstance(actions, np.ndarray):
            actions = self._from_array(actions, n_agents, name)
        continuous, discrete = actions.continuous, actions.discrete
        if continuous is None or discrete is None:
            raise UnityActionException(
                f"The actions for behavior {name!r} are an empty ActionTuple; expected continuous "
                f"{(n_agents, self.continuous_size)} and discrete {(n_agents, self.discrete_size)}."
            )
        if continuous.shape != (n_agents, self.continuous_size):
            raise self._misfit("continuous", continuous.shape, (n_agents, self.continuous_size), name)
        if discrete.shape != (n_agents, len(self.discrete_branches)):
            raise self._misfit("discrete", discrete.shape, (n_agents, self.discrete_size), name)
        return actions

    def _from_array(self, array: NDArray[Any], n_agents: int, name: str) -> ActionTuple:
        if self.continuous_size and self.discrete_branches:
            raise UnityActionException(
                f"Behavior {name!r} has continuous and discrete actions ({self}); pass an ActionTuple, not one array."
            )
        if array.ndim == 1 and n_agents == 1:  # set_action_for_agent took one agent's row
            array = array[np.newaxis]
        return ActionTuple(discrete=array) if self.is_discrete() else ActionTuple(continuous=array)

    @staticmethod
    def _misfit(side: str, found: tuple[int, ...], expected: tuple[int, ...], name: str) -> UnityActionException:
        return UnityActionException(
            f"The {side} actions for behavior {name!r} have shape {found}; expected {expected}: one row per "
            "agent in the last DecisionSteps, in its order."
        )

    @staticmethod
    def create_continuous(continuous_size: int) -> ActionSpec:
        """Return a spec without branches."""
        return ActionSpec(continuous_size, ())

    @staticmethod
    def create_discrete(discrete_branches: tuple[int, ...]) -> ActionSpec:
        """Return a spec of branches alone."""
        return ActionSpec(0, discrete_branches)

    @staticmethod
    def create_hybrid(continuous_size: int, discrete_branches: tuple[int, ...]) -> ActionSpec:
        """Return a spec of both kinds."""
        return ActionSpec(continuous_size, discrete_branches)
