"""The classes by which programs and plug-ins of the original write statistics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlagents.stats.summary import Aggregation, Summary
from mlagents.stats.text import Text


class StatsSummary(NamedTuple):
    """The values that a statistic took since the last write."""

    full_dist: list[float]
    aggregation_method: Aggregation

    @staticmethod
    def empty() -> StatsSummary:
        """Return a summary of no values."""
        return StatsSummary([], Aggregation.AVERAGE)

    @property
    def aggregated_value(self) -> float:
        """The sum for SUM, the mean for all others."""
        return self.sum if self.aggregation_method is Aggregation.SUM else self.mean

    @property
    def mean(self) -> float:
        """NaN without a value."""
        return float(np.mean(self.full_dist)) if self.full_dist else float("nan")

    @property
    def std(self) -> float:
        """Population standard deviation; NaN without a value."""
        return float(np.std(self.full_dist)) if self.full_dist else float("nan")

    @property
    def num(self) -> int:
        """How many values."""
        return len(self.full_dist)

    @property
    def sum(self) -> float:
        """0 without a value."""
        return float(np.sum(self.full_dist))


class StatsPropertyType(Enum):
    """What is told once: hyperparameters, or that there is self-play."""

    HYPERPARAMETERS = "hyperparameters"
    SELF_PLAY = "selfplay"


class StatsWriter(ABC):
    """Somewhere for statistics to go; a category is a behavior's name."""

    def on_add_stat(  # noqa: B027  # most writers do not care
        self, category: str, key: str, value: float, aggregation: Aggregation = Aggregation.AVERAGE
    ) -> None:
        """Hear of a value as it comes; only what a `StatsReporter` adds is told."""

    @abstractmethod
    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        """Take the summaries of a category, by tag."""

    def add_property(self, category: str, property_type: StatsPropertyType, value: Any) -> None:  # noqa: B027
        """Take a property of a category."""


class StatsReporter:
    """Collects values of one category, and hands their summaries to the writers that all reporters share.

    Args:
      category: a behavior's name.
    """

    writers: ClassVar[list[StatsWriter]] = []
    _values: ClassVar[dict[str, dict[str, list[float]]]] = {}
    _aggregations: ClassVar[dict[tuple[str, str], Aggregation]] = {}

    def __init__(self, category: str) -> None:
        self.category = category

    @staticmethod
    def add_writer(writer: StatsWriter) -> None:
        """Add a writer for all reporters."""
        StatsReporter.writers.append(writer)

    def add_property(self, property_type: StatsPropertyType, value: Any) -> None:
        """Tell all writers a property."""
        for writer in self.writers:
            writer.add_property(self.category, property_type, value)

    def add_stat(self, key: str, value: float, aggregation: Aggregation = Aggregation.AVERAGE) -> None:
        """Add one value."""
        self._of_category().setdefault(key, []).append(value)
        self._note(key, value, aggregation)

    def set_stat(self, key: str, value: float) -> None:
        """Add a value of which only the latest counts."""
        self._of_category()[key] = [value]
        self._note(key, value, Aggregation.MOST_RECENT)

    def write_stats(self, step: int) -> None:
        """Hand the summaries of all values to the writers, and start anew."""
        values = {key: self.get_stats_summaries(key) for key in self._of_category()}
        for writer in self.writers:
            writer.write_stats(self.category, values, step)
        self._values.pop(self.category, None)

    def get_stats_summaries(self, key: str) -> StatsSummary:
        """Return the summary of one statistic since the last write."""
        values = list(self._of_category().get(key, []))
        return StatsSummary(values, self._aggregations[self.category, key]) if values else StatsSummary.empty()

    def _of_category(self) -> dict[str, list[float]]:
        return self._values.setdefault(self.category, {})

    def _note(self, key: str, value: float, aggregation: Aggregation) -> None:
        self._aggregations[self.category, key] = aggregation
        for writer in self.writers:
            writer.on_add_stat(self.category, key, value, aggregation)


class AdaptedWriter:
    """A `StatsWriter` of a plug-in, as a writer of a run."""

    def __init__(self, writer: StatsWriter) -> None:
        self._writer = writer

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Hand the summaries on."""
        values = {tag: StatsSummary(each.values.tolist(), each.aggregation) for tag, each in summaries.items()}
        self._writer.write_stats(behavior, values, step)

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Hand hyperparameters on; other texts have no place there."""
        if not isinstance(value, str):
            self._writer.add_property(behavior, StatsPropertyType.HYPERPARAMETERS, value)

    def close(self) -> None:
        """Do nothing: these writers have no end."""
