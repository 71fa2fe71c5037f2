"""Who plays with what, and who learns: what the training loop asks of self-play."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from mlagents.data.segments import WeightsId
from mlagents.data.trajectories import Episode
from mlagents.rollout.collected import Assignment, Weights
from mlagents_envs.behavior_id import BehaviorId


class Move(NamedTuple):
    """What changes by a round.

    Attributes:
      assignment: who plays with what from the next episode on.
      publish: weights that the assignment names and that nobody has been given yet.
    """

    assignment: Assignment = Assignment()
    publish: Mapping[WeightsId, Weights] = {}


class League(Protocol):
    """Chooses opponents, and says whose experience is learned from."""

    def learns(self, behavior: BehaviorId) -> bool:
        """Return whether experience of this team goes to the learner now."""

    def record(self, episodes: Iterable[Episode]) -> None:
        """Take in the results of episodes."""

    def due(self, steps: Mapping[str, int]) -> Collection[str]:
        """Return the behaviors of which `advance` wants the newest weights, at these steps of their learners."""

    def advance(self, steps: Mapping[str, int], newest: Mapping[str, Weights]) -> Move:
        """Take in a round, and return what changes by it.

        Args:
          steps: of the learners, by behavior.
          newest: weights of the behaviors that were `due`.
        """

    def statistics(self) -> Iterator[tuple[str, str, float]]:
        """Yield behavior, tag and value of what is worth a curve."""

    def state_dict(self) -> dict[str, Any]:
        """Return what must survive, as arrays and plain values."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""


_NOTHING = Move()


class SoloPlay:
    """The `League` of a run without self-play: everybody learns, and plays with its behavior's newest weights."""

    def learns(self, behavior: BehaviorId) -> bool:
        """Return True."""
        return True

    def record(self, episodes: Iterable[Episode]) -> None:
        """Ignore results."""

    def due(self, steps: Mapping[str, int]) -> Collection[str]:
        """Return nothing."""
        return ()

    def advance(self, steps: Mapping[str, int], newest: Mapping[str, Weights]) -> Move:
        """Return that nothing changes."""
        return _NOTHING

    def statistics(self) -> Iterator[tuple[str, str, float]]:
        """Yield nothing."""
        yield from ()

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over nothing."""
