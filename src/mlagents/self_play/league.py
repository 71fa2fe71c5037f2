"""Who plays with what, and who learns: what the training loop asks of self-play."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from mlagents.data.segments import WeightsId
from mlagents.data.trajectories import Episode
from mlagents.rollout.collected import Assignment, Weights
from mlagents.self_play.ratings import Score
from mlagents_envs.behavior_id import BehaviorId


class Move(NamedTuple):
    """What changes by a round.

    Attributes:
      assignment: who plays with what from the next episode on.
      publish: weights that the assignment names and that the sampler may not have.
      snapshots: weights that were set aside in this round, to be kept.
      learning: the team that learns from now on, if that changes.
      messages: for the log. warnings: likewise, of what is probably not meant.
    """

    assignment: Assignment = Assignment()
    publish: Mapping[WeightsId, Weights] = {}
    snapshots: Mapping[WeightsId, Weights] = {}
    learning: int | None = None
    messages: Sequence[str] = ()
    warnings: Sequence[str] = ()


class BaselineResult(NamedTuple):
    """Results of a behavior's newest weights against a fixed opponent, from which nothing was learned."""

    behavior: str
    baseline: str
    score: Score


class League(Protocol):
    """Chooses opponents, and says whose experience is learned from."""

    def meet(self, full_names: Iterable[str]) -> None:
        """Take in the behaviors and teams that environments have shown, by fully qualified name."""

    def learns(self, behavior: BehaviorId) -> bool:
        """Return whether experience of this team goes to the learner now."""

    def record(self, episodes: Sequence[Episode]) -> None:
        """Take in the results of episodes; all that ended in one tick of a worker come together."""

    def record_baselines(self, results: Iterable[BaselineResult]) -> None:
        """Take in the results of games against fixed opponents."""

    def due(self, steps: Mapping[str, int]) -> Collection[str]:
        """Return the behaviors of which `advance` wants the newest weights, at these steps of their learners."""

    def advance(self, steps: Mapping[str, int], newest: Mapping[str, Weights]) -> Move:
        """Take in a round, and return what changes by it; a second time in the same round, nothing more changes.

        Args:
          steps: of the learners, by behavior.
          newest: weights of the behaviors that were `due`.
        """

    def measures(self, behavior: str) -> Mapping[str, float]:
        """Return what lessons and checkpoints may be judged by: `elo` and `win_rate`, as far as they are known."""

    def statistics(self) -> Iterator[tuple[str, str, float]]:
        """Yield behavior, tag and value of what is worth a curve."""

    def kept(self) -> Collection[WeightsId]:
        """Return the snapshots that may still be played with from the next episode on."""

    def state_dict(self) -> dict[str, Any]:
        """Return what must survive besides the snapshots, as plain values."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""

    def restore(self, behavior: str, snapshots: Mapping[int, Weights]) -> None:
        """Take over the kept snapshots of a behavior, by number, after `load_state_dict`."""


_NOTHING = Move()


class SoloPlay:
    """The `League` of a run without self-play: everybody learns, and plays with its behavior's newest weights."""

    def meet(self, full_names: Iterable[str]) -> None:
        """Ignore teams."""

    def learns(self, behavior: BehaviorId) -> bool:
        """Return True."""
        return True

    def record(self, episodes: Sequence[Episode]) -> None:
        """Ignore results."""

    def record_baselines(self, results: Iterable[BaselineResult]) -> None:
        """Ignore results."""

    def due(self, steps: Mapping[str, int]) -> Collection[str]:
        """Return nothing."""
        return ()

    def advance(self, steps: Mapping[str, int], newest: Mapping[str, Weights]) -> Move:
        """Return that nothing changes."""
        return _NOTHING

    def measures(self, behavior: str) -> Mapping[str, float]:
        """Return nothing."""
        return {}

    def statistics(self) -> Iterator[tuple[str, str, float]]:
        """Yield nothing."""
        yield from ()

    def kept(self) -> Collection[WeightsId]:
        """Return nothing."""
        return ()

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over nothing."""

    def restore(self, behavior: str, snapshots: Mapping[int, Weights]) -> None:
        """Take over nothing."""
