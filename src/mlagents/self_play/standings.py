"""What is known of how good everybody is: ratings, results of each pair, and lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from mlagents.data.segments import NEWEST, WeightsId
from mlagents.self_play.ratings import LEARNER_DEVIATION, Rating, Score

RECENT_GAMES = 100
"""Games over which the win rate goes."""
_MEMORY = 0.98
"""By how much less an older game against the same opponent counts when opponents are drawn by difficulty."""


def player(weights: WeightsId) -> str:
    """Return the name under which weights are rated: `Tennis` for the newest, `Tennis:3` for a snapshot."""
    return weights.behavior if weights.snapshot == NEWEST else f"{weights.behavior}:{weights.snapshot}"


def baseline_player(behavior: str, baseline: str) -> str:
    """Return the name under which a fixed opponent of a behavior is rated."""
    return f"{behavior}:{baseline}"


class Standings:
    """Ratings of all players, and the results that they follow from.

    Attributes:
      ratings: by player.
      results: (player, opponent) -> results. Newest weights play under the name of their behavior's latest snapshot.
    """

    def __init__(self) -> None:
        self.ratings: dict[str, Rating] = {}
        self.results: dict[tuple[str, str], Score] = {}
        self._phase: dict[str, str] = {}
        self._recent: dict[str, deque[float]] = {}
        self._lately: dict[tuple[str, str], tuple[float, float]] = {}
        self._first: dict[str, Rating] = {}

    def add(self, behavior: str, first: Rating) -> None:
        """Take in a behavior, whose rating begins here unless it is known."""
        self.ratings.setdefault(behavior, first)
        self._first[behavior] = first
        self._recent.setdefault(behavior, deque(maxlen=RECENT_GAMES))

    def take_snapshot(self, weights: WeightsId) -> None:
        """Rate a snapshot as the newest weights, of which it is a copy."""
        self.ratings[player(weights)] = self.ratings[weights.behavior]
        self._phase[weights.behavior] = player(weights)

    def record(self, learner: str, opponent: WeightsId, score: float) -> None:
        """Take in a game of a behavior's newest weights: 1 if they won, 0.5 for a draw, 0 if they lost.

        A game against themselves says nothing.
        """
        if player(opponent) != learner:
            self._count(learner, player(opponent), score)
            self._recent[learner].append(score)

    def record_match(self, learner: str, baseline: str, score: Score) -> None:
        """Take in games against a fixed opponent, which learn nothing and leave the recent win rate alone."""
        opponent = baseline_player(learner, baseline)
        self.ratings.setdefault(opponent, Rating(self._first[learner].elo))
        for result, times in ((1.0, score.wins), (0.5, score.draws), (0.0, score.losses)):
            for _ in range(times):
                self._count(learner, opponent, result)

    def _count(self, learner: str, opponent: str, score: float) -> None:
        ours, theirs = self.ratings[learner], self.ratings[opponent]
        self.ratings[learner] = ours.after(theirs, score, LEARNER_DEVIATION)
        changes = opponent in self._recent  # the newest weights of another behavior
        self.ratings[opponent] = theirs.after(ours, 1.0 - score, *([LEARNER_DEVIATION] if changes else []))
        pair = self._phase.get(learner, learner), opponent
        self.results[pair] = self.results.get(pair, Score()).plus(score)
        points, games = self._lately.get((learner, opponent), (0.0, 0.0))
        self._lately[learner, opponent] = points * _MEMORY + score, games * _MEMORY + 1.0

    def win_rates(self, learner: str, opponents: Iterable[WeightsId]) -> dict[int, float]:
        """Return the learner's recent share of points against snapshots, by number; 0.5 where nothing is known yet.

        Two draws are added to each, so that one game settles nothing.
        """
        found = {}
        for opponent in opponents:
            points, games = self._lately.get((learner, player(opponent)), (0.0, 0.0))
            found[opponent.snapshot] = (points + 1.0) / (games + 2.0)
        return found

    def win_rate(self, behavior: str) -> float | None:
        """Return the share of points in the latest games against others than itself; None without."""
        recent = self._recent.get(behavior)
        return sum(recent) / len(recent) if recent else None

    def statistics(self, behavior: str, opponents: Collection[WeightsId]) -> Iterator[tuple[str, float]]:
        """Yield tags and values of what is worth a curve.

        Args:
          behavior: whose.
          opponents: the snapshots that it may meet.
        """
        rating = self.ratings[behavior]
        yield "Self-play/ELO", rating.elo
        yield "Self-play/ELO Deviation", rating.deviation
        if opponents:
            elos = np.array([self.ratings[player(o)].elo for o in opponents])
            yield "Self-play/Mean Opponent ELO", float(elos.mean())
            yield "Self-play/Std Opponent ELO", float(elos.std())
        if (rate := self.win_rate(behavior)) is not None:
            yield "Self-play/Win Rate", rate

    def state_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "ratings": {name: list(rating) for name, rating in self.ratings.items()},
            "results": [[*pair, *score] for pair, score in self.results.items()],
            "phase": dict(self._phase),
            "recent": {name: list(scores) for name, scores in self._recent.items()},
            "lately": [[*pair, *seen] for pair, seen in self._lately.items()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.ratings = {name: Rating(*rating) for name, rating in state["ratings"].items()}
        self.results = {(a, b): Score(*score) for a, b, *score in state["results"]}
        self._phase = dict(state["phase"])
        self._recent = {name: deque(scores, RECENT_GAMES) for name, scores in state["recent"].items()}
        self._lately = {(a, b): (points, games) for a, b, points, games in state["lately"]}
