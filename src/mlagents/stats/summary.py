"""What became of one statistic between two writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod

Aggregation = StatsAggregationMethod


@dataclass(frozen=True, eq=False)
class Summary:
    """All values that one statistic took since the last write; at least one.

    Attributes:
      values: float64 [count], in the order in which they came; for histograms.
      std: population standard deviation (divided by count), as the reference prints it.
      aggregation: which of the numbers is *the* value of this statistic.
    """

    values: npt.NDArray[np.float64]
    aggregation: Aggregation
    mean: float
    std: float
    min: float
    max: float
    sum: float
    count: int

    @property
    def value(self) -> float:
        """The latest value for MOST_RECENT, the sum for SUM, the mean for AVERAGE and HISTOGRAM."""
        if self.aggregation is Aggregation.MOST_RECENT:
            return float(self.values[-1])
        return self.sum if self.aggregation is Aggregation.SUM else self.mean


def summarize(chunks: Iterable[npt.ArrayLike], aggregation: Aggregation) -> Summary | None:
    """Join numbers and arrays of any shape into one summary; None when there is no number at all.

    NaN and infinities are not taken out: they show in mean, std and sum.
    """
    flat = [np.ravel(np.asarray(chunk, dtype=np.float64)) for chunk in chunks]
    values = np.concatenate(flat) if flat else np.empty(0)
    if not values.size:
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        return Summary(
            values=values,
            aggregation=aggregation,
            mean=float(values.mean()),
            std=float(values.std()),
            min=float(values.min()),
            max=float(values.max()),
            sum=float(values.sum()),
            count=values.size,
        )
