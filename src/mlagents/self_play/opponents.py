"""How opponents are drawn: the newest weights, or a snapshot of the window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from mlagents.data.segments import NEWEST

_HARDNESS = 2.0
"""Exponent of prioritised sampling: weight (1 - win rate)^2, "f_hard" of Vinyals et al., Nature 575 (2019)."""
_LEAST_WEIGHT = 1e-3
"""Of an opponent that always loses: it is met now and then, so that what was forgotten is noticed."""

Sampling = Literal["uniform", "pfsp"]


def draw(
    rng: np.random.Generator,
    window: Sequence[int],
    newest_ratio: float,
    sampling: Sampling,
    win_rates: Mapping[int, float],
) -> int:
    """Return the number of a snapshot, or `NEWEST`.

    Args:
      rng: the only source of randomness.
      window: numbers of the snapshots there are; if none, the newest weights play.
      newest_ratio: probability of the newest weights.
      sampling: "uniform" over the window; "pfsp", prioritised fictitious self-play: the harder, the more often.
      win_rates: of the learner against the snapshots, by number; those that are missing count as 0.5.
    """
    is_newest, place = rng.random() < newest_ratio, rng.random()  # always two, whatever is drawn
    if is_newest or not window:
        return NEWEST
    weights = np.ones(len(window))
    if sampling == "pfsp":
        rates = np.array([win_rates.get(number, 0.5) for number in window])
        weights = np.maximum((1.0 - rates) ** _HARDNESS, _LEAST_WEIGHT)
    cumulative = np.cumsum(weights)
    return window[min(int(np.searchsorted(cumulative, place * cumulative[-1], side="right")), len(window) - 1)]
