"""How good players are: ratings with uncertainty on Elo's scale, and scores of matches.

Glicko (Glickman, *Parameter estimation in large dynamic paired comparison experiments*, Applied Statistics 48, 1999),
one game at a time. It is Elo with a K that follows from how well a player is known: large at first, small after many
games. Weights that learn change all the time, so their deviation never falls below `LEARNER_DEVIATION`, which makes
their K about 14 against a well-known opponent of equal strength; snapshots never change, and their deviation falls
to `LEAST_DEVIATION`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

FIRST_DEVIATION = 350.0
"""Of a player of whom nothing is known."""
LEARNER_DEVIATION = 50.0
LEAST_DEVIATION = 20.0
_Q = math.log(10.0) / 400.0


class Rating(NamedTuple):
    """How good a player is, as far as is known.

    Attributes:
      elo: expected strength; a difference of 400 is odds of 10 to 1.
      deviation: standard deviation of the belief.
    """

    elo: float
    deviation: float = FIRST_DEVIATION

    def expected(self, opponent: Rating) -> float:
        """Return the expected score of a game against an opponent, 1 for a win, 0.5 for a draw."""
        return 1.0 / (1.0 + math.exp(-_Q * _discount(opponent.deviation) * (self.elo - opponent.elo)))

    def after(self, opponent: Rating, score: float, least_deviation: float = LEAST_DEVIATION) -> Rating:
        """Return the rating after a game.

        Args:
          opponent: the rating before the game of who was played against.
          score: 1 for a win, 0.5 for a draw, 0 for a loss.
          least_deviation: lowest standard deviation of the new belief.
        """
        discount, expected = _discount(opponent.deviation), self.expected(opponent)
        information = _Q**2 * discount**2 * expected * (1.0 - expected)
        variance = 1.0 / (1.0 / self.deviation**2 + information)
        elo = self.elo + _Q * variance * discount * (score - expected)
        return Rating(elo, max(math.sqrt(variance), least_deviation))


def _discount(deviation: float) -> float:
    """Return by how much less a game says because the opponent is not well known (Glickman's g)."""
    return 1.0 / math.sqrt(1.0 + 3.0 * (_Q * deviation / math.pi) ** 2)


class Score(NamedTuple):
    """Results of games, seen from one side."""

    wins: int = 0
    draws: int = 0
    losses: int = 0

    @property
    def games(self) -> int:
        """Number of games."""
        return self.wins + self.draws + self.losses

    @property
    def rate(self) -> float:
        """Share of points, a draw being half a win; NaN without games."""
        return (self.wins + 0.5 * self.draws) / self.games if self.games else math.nan

    def plus(self, score: float) -> Score:
        """Return the results with one game more: 1 won, 0.5 drawn, 0 lost."""
        return Score(self.wins + (score == 1.0), self.draws + (score == 0.5), self.losses + (score == 0.0))

    def interval(self, z: float = 1.96) -> tuple[float, float]:
        """Return Wilson's confidence interval of `rate`, for 95 % unless `z` says otherwise.

        Draws make scores vary less than wins and losses of the same rate would, so with draws it is on the safe side.
        """
        n = self.games
        if n == 0:
            return 0.0, 1.0
        centre = (self.rate + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * math.sqrt(self.rate * (1 - self.rate) / n + z**2 / (4 * n**2))
        return max(0.0, centre - half), min(1.0, centre + half)
