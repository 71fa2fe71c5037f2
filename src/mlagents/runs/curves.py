"""The statistics of a run as arrays, from what is on disk."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from mlagents.artifacts.layout import Layout
from mlagents.artifacts.status import Status, StatusError
from mlagents.stats.clock import read_clock
from mlagents.stats.event_files import read_scalars

_EVENTS = "events.out.tfevents*"


@dataclass(frozen=True)
class Curves:
    """The summaries of one behavior of a run, in their order.

    Attributes:
      behavior: its name.
      steps: int64 [summaries].
      values: tag -> float64 [summaries], NaN where the summary has none.
      wall_s: seconds since the run began, float64 [summaries]; None if not known.
      cpu_s: CPU seconds, likewise.
    """

    behavior: str
    steps: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    wall_s: NDArray[np.float64] | None = None
    cpu_s: NDArray[np.float64] | None = None

    def value(self, tag: str) -> NDArray[np.float64]:
        """Return the curve of a tag, NaN throughout if there is none."""
        return self.values.get(tag, np.full(len(self.steps), np.nan))

    def last(self, tag: str) -> float | None:
        """Return the last number of a tag, None if there is none."""
        curve = self.value(tag)
        found = curve[np.isfinite(curve)]
        return float(found[-1]) if found.size else None

    def steps_per_second(self) -> float | None:
        """Return the mean speed, None if it is not known.

        From the first summary to the last, so that neither the start nor the compilation of the first update counts;
        of a run with a single summary, that one.
        """
        if self.wall_s is None or not len(self.steps):
            return None
        first = (self.steps[0], self.wall_s[0]) if len(self.steps) > 1 else (0, 0.0)
        steps, seconds = self.steps[-1] - first[0], self.wall_s[-1] - first[1]
        return float(steps / seconds) if seconds > 0 else None


def behaviors_of(layout: Layout) -> list[str]:
    """Return the names of the behaviors of a run, from its list of checkpoints and from its statistics."""
    names: dict[str, None] = {}
    with suppress(OSError, StatusError):
        names |= dict.fromkeys(Status.read(layout.status).behaviors())
    if layout.results_dir is not None:
        folders = [f for f in layout.run.iterdir() if f.is_dir()] if layout.run.is_dir() else []
        found = [f.name for f in folders if (f / "statistics.csv").is_file() or next(f.glob(_EVENTS), None)]
    else:
        found = [name for name in _beside(layout) if layout.checkpoint(unquote(name), 0, "").parent.is_dir()]
    return sorted(names | dict.fromkeys(map(unquote, found)))


def _beside(layout: Layout) -> list[str]:
    """Return what may be behaviors of a run of 2020, by the names of its files in `summaries/`."""
    summaries, start = layout.timers.parent, f"{layout.run_id}_"
    there = summaries.iterdir() if summaries.is_dir() else ()
    return [
        path.name.removeprefix(start).removesuffix(".csv")
        for path in there
        if path.name.startswith(start) and (path.is_dir() or path.suffix == ".csv") and path != layout.clock
    ]


def read_curves(layout: Layout, behavior: str) -> Curves:
    """Return the summaries of a behavior; from TensorBoard's files where there is no CSV file. There may be none."""
    table = _read_csv(layout.csv(behavior))
    scalars = None
    if table is None:
        scalars = read_scalars(layout.events(behavior))
        table = _joined({tag: {p.step: p.value for p in points} for tag, points in scalars.items()})
    steps, values = table
    wall, cpu = _clock(layout.clock, behavior, steps)
    if wall is None and len(steps):
        scalars = read_scalars(layout.events(behavior)) if scalars is None else scalars
        wall = _written_at({p.step: p.wall_time for points in scalars.values() for p in points}, steps)
    return Curves(behavior, steps, values, wall, cpu)


Table = tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]


def _read_csv(path: Path) -> Table | None:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
    except (OSError, ValueError):
        return None
    whole = [row for row in rows if len(row) == len(header) and row[0].isdigit()]
    columns = {tag: np.array([_number(row[i]) for row in whole]) for i, tag in enumerate(header) if i > 0}
    return np.array([int(row[0]) for row in whole], np.int64), columns


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # None
        return float("nan")


def _joined(points: Mapping[str, Mapping[int, float]]) -> Table:
    """Return curves with the steps of all of them."""
    steps = sorted({step for curve in points.values() for step in curve})
    nothing = float("nan")
    values = {tag: np.array([curve.get(step, nothing) for step in steps]) for tag, curve in points.items()}
    return np.array(steps, np.int64), values


def _clock(
    path: Path, behavior: str, steps: NDArray[np.int64]
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    try:
        rows = {step: (wall, cpu) for name, step, wall, cpu in read_clock(path) if name == behavior}
    except OSError:
        return None, None
    if not rows.keys() >= set(steps.tolist()):  # a run that was begun by a version without a clock
        return None, None
    found = np.array([rows[step] for step in steps.tolist()]).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _written_at(written: Mapping[int, float], steps: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Return seconds since the first event, None if summaries are without."""
    if not written.keys() >= set(steps.tolist()):
        return None
    return np.array([written[step] for step in steps.tolist()]) - min(written.values())
