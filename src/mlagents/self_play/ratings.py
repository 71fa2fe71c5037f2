"""How good players are: ratings with uncertainty on Elo's scale, and scores of matches.

Ratings are openskill's, by the full-pair Bradley-Terry model of Weng & Lin, *A Bayesian approximation method for online
ranking*, JMLR 12, 2011 (algorithm 1), a game at a time: Elo with a K that follows from how well both sides are known.
Weights that learn change all the time, so their deviation never falls below `LEARNER_DEVIATION`, which makes their K
about 14 against a well-known opponent of equal strength; snapshots never change, and their deviation falls to
`LEAST_DEVIATION`.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from openskill.models import BradleyTerryFull

FIRST_DEVIATION = 350.0
"""Of a player of whom nothing is known."""
LEARNER_DEVIATION = 50.0
LEAST_DEVIATION = 20.0
SCALE = 400.0 / math.log(10.0)
"""Between players who are well known, a difference of 400 is odds of 10 to 1."""


class Rating(NamedTuple):
    """How good a player is, as far as is known.

    Attributes:
      elo: expected strength.
      deviation: standard deviation of the belief.
    """

    elo: float
    deviation: float = FIRST_DEVIATION

    def after(self, opponent: Rating, score: float, least_deviation: float = LEAST_DEVIATION) -> Rating:
        """Return the rating after a game.

        Args:
          opponent: the rating before the game of who was played against.
          score: 1 for a win, 0.5 for a draw, 0 for a loss.
          least_deviation: lowest standard deviation of the new belief.
        """
        model = _model()
        teams = [[model.rating(mu=each.elo, sigma=each.deviation)] for each in (self, opponent)]
        (own,), _ = model.rate(teams, ranks=[1.0 - score, score])  # the lower rank wins
        return Rating(own.mu, max(own.sigma, least_deviation))


@functools.cache
def _model() -> BradleyTerryFull:
    from openskill.models import BradleyTerryFull  # not above: only self-play needs it

    return BradleyTerryFull(beta=SCALE / math.sqrt(2.0), tau=0.0, gamma=lambda *_: 1.0)


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
