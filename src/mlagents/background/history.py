"""What a run has told so far, as arrays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.stats import Summary
from mlagents.stats.tags import CUMULATIVE_REWARD
from mlagents.stats.text import Text

STEP, WALL_S = "Step", "Wall Time"
"""Columns besides those of statistics: agent decisions, and seconds since the run was started."""


class Progress(NamedTuple):
    """How far a behavior is.

    Attributes:
      step: agent decisions so far.
      max_steps: when its training ends.
      reward: mean return of the last summary; None before one.
    """

    step: int
    max_steps: int
    reward: float | None


class _Told:
    def __init__(self) -> None:
        self.step = 0
        self.max_steps = 0
        self.rows: list[dict[str, float]] = []


class History:
    """Collects what a run tells: an observer of it, which another thread may read at any time.

    Args:
      clock: seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._told: dict[str, _Told] = {}
        self._lock = threading.Lock()

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Take the summaries of a behavior."""
        self.add(behavior, step, {tag: summary.value for tag, summary in summaries.items()})

    def add(self, behavior: str, step: int, values: Mapping[str, float]) -> None:
        """Take the values of a summary."""
        row = {**values, STEP: float(step), WALL_S: self._clock() - self._start}
        with self._lock:
            self._of(behavior).rows.append(row)

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Take what a behavior's settings say of its end."""
        if isinstance(value, Mapping) and isinstance(limit := value.get("max_steps"), int):
            self.limit(behavior, limit)

    def limit(self, behavior: str, max_steps: int) -> None:
        """Take the step at which training ends."""
        with self._lock:
            self._of(behavior).max_steps = max_steps

    def progress(self, behavior: str, step: int) -> None:
        """Take the step of a behavior."""
        with self._lock:
            self._of(behavior).step = step

    def close(self) -> None:
        """Do nothing: what was told stays."""

    @property
    def behaviors(self) -> list[str]:
        """Names of the behaviors seen so far."""
        with self._lock:
            return list(self._told)

    def current(self) -> dict[str, Progress]:
        """Return how far every behavior is."""
        with self._lock:
            return {name: Progress(told.step, told.max_steps, _last_reward(told)) for name, told in self._told.items()}

    def arrays(self, behavior: str) -> dict[str, NDArray[np.float64]]:
        """Return tag -> float64 [summaries] of a behavior, NaN where a summary had no such value."""
        with self._lock:
            rows = list(self._told[behavior].rows) if behavior in self._told else []
        tags = dict.fromkeys([STEP, WALL_S, *(tag for row in rows for tag in row)])
        return {tag: np.array([row.get(tag, np.nan) for row in rows], np.float64) for tag in tags}

    def _of(self, behavior: str) -> _Told:
        return self._told.setdefault(behavior, _Told())


def _last_reward(told: _Told) -> float | None:
    return next((row[CUMULATIVE_REWARD] for row in reversed(told.rows) if CUMULATIVE_REWARD in row), None)
