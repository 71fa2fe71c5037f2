"""How good a run is, from what it wrote of itself, while it runs and when it is over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from mlagents.stats.tags import CUMULATIVE_REWARD, ELO

_LAST_PART = 5
"""The end of a curve is its last fifth: single summaries say little."""

_REACHED_BY = 3
"""Summaries in a row whose mean is as good as the benchmark, when a run has come to it."""


@dataclass(frozen=True)
class Metric:
    """What is searched for.

    Attributes:
      name: one of `METRICS` of this room. behavior: whose.
      benchmark: mean reward that counts as solved, for `steps-to-benchmark`.
    """

    name: str
    behavior: str
    benchmark: float | None = None

    @property
    def tag(self) -> str:
        """The statistic that it is made from."""
        return ELO if self.name == "rating" else CUMULATIVE_REWARD

    @property
    def direction(self) -> str:
        """Whether more is better."""
        return "minimize" if self.name == "steps-to-benchmark" else "maximize"

    def progress(self, curve: Curve) -> float | None:
        """Return how far a run is, as runs of equal length are compared with; None if it says nothing yet.

        It has the sign of the search's direction, though no other likeness to the steps that a benchmark takes.
        """
        level = curve.level()
        return None if level is None else -level if self.direction == "minimize" else level

    def value(self, curve: Curve) -> float | None:
        """Return the result of a run that is over, None if it has none: a benchmark that was not reached."""
        return curve.level() if self.benchmark is None else self.reached(curve)

    def reached(self, curve: Curve) -> int | None:
        """Return the step at which a run came to the benchmark, None if it has not."""
        if self.benchmark is None:
            return None
        for last in range(_REACHED_BY, len(curve.values) + 1):
            if fmean(curve.values[last - _REACHED_BY : last]) >= self.benchmark:
                return curve.steps[last - 1]
        return None


class Curve:
    """One statistic of a run, read from its JSON lines as they come.

    Args:
      path: of the file; it need not be there yet.
      metric: what to read.

    Attributes:
      steps: of the trainer. values: at these.
    """

    def __init__(self, path: Path, metric: Metric) -> None:
        self._path, self._metric = path, metric
        self._offset = 0
        self.steps: list[int] = []
        self.values: list[float] = []

    def read(self) -> bool:
        """Take in the whole lines that were added; return whether the curve has grown.

        A file that became shorter was cut by a run that goes on from a checkpoint: it is read anew.
        """
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._offset:
                    self._offset = 0
                    self.steps.clear()
                    self.values.clear()
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return False
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        before = len(self.values)
        for line in whole.splitlines():
            self._take(json.loads(line))
        return len(self.values) > before

    def _take(self, record: dict[str, object]) -> None:
        stats, step = record.get("stats"), record.get("step")
        if record.get("behavior") != self._metric.behavior or not isinstance(stats, dict) or not isinstance(step, int):
            return
        value = stats.get(self._metric.tag, {}).get("value")
        if value is not None:
            self.steps.append(step)
            self.values.append(float(value))

    def first(self, count: int) -> Curve:
        """Return the curve as it was after so many values."""
        part = Curve(self._path, self._metric)
        part.steps, part.values = self.steps[:count], self.values[:count]
        return part

    def level(self) -> float | None:
        """Return the mean of the last fifth, None without any value."""
        last = max(1, len(self.values) // _LAST_PART)
        return fmean(self.values[-last:]) if self.values else None
