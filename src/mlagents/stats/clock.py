"""When each summary was written, and what it had cost until then: `clock.csv`."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from mlagents.files import write_atomically
from mlagents.stats.files import append_line, naming, start_file
from mlagents.stats.summary import Summary
from mlagents.stats.text import Text

COLUMNS = ("behavior", "step", "wall_s", "cpu_s")
_LOOK_FOR_CHILDREN_S = 5.0


class ClockWriter:
    """Appends a row per write: behavior, step, seconds and CPU seconds of the run so far.

    CPU seconds are those of this process and of all that it started, on this machine. A resumed run goes on counting
    where its checkpoint was.

    Args:
      path: the file.
      resumed_at: behavior -> step of the checkpoint with which it goes on (without: 0); None to begin anew.
      clock: seconds, from any start.
      cpu: CPU seconds, from any start; None for those of this process and its children.
    """

    def __init__(
        self,
        path: Path,
        resumed_at: Mapping[str, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] | None = None,
    ) -> None:
        self._path = path
        self._resumed_at = resumed_at
        self._clock = clock
        self._cpu = cpu or CpuSeconds()
        self._start = (clock(), self._cpu())
        self._before = (0.0, 0.0)
        self._is_started = False

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Append one row.

        Raises:
          OSError: the file cannot be written.
        """
        if not self._is_started:
            self._begin()
        wall = self._before[0] + self._clock() - self._start[0]
        cpu = self._before[1] + self._cpu() - self._start[1]
        append_line(self._path, _line((behavior, str(step), f"{wall:.3f}", f"{cpu:.3f}")))

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Leave the text out."""

    def close(self) -> None:
        """Do nothing: every row is in its file already."""

    def _begin(self) -> None:
        self._is_started = True
        if start_file(self._path, keep=self._resumed_at is not None) and self._resumed_at is not None:
            rows = read_clock(self._path)
            kept = [row for row in rows if row[1] <= self._resumed_at.get(row[0], 0)]
            if len(kept) < len(rows):
                lines = [COLUMNS, *((name, str(step), f"{w:.3f}", f"{c:.3f}") for name, step, w, c in kept)]
                with naming(self._path):
                    write_atomically(self._path, "".join(map(_line, lines)).encode())
            if kept:
                self._before = (max(row[2] for row in kept), max(row[3] for row in kept))
        else:
            append_line(self._path, _line(COLUMNS))


class CpuSeconds:
    """CPU seconds of this process, its living children and those that it has waited for."""

    def __init__(self) -> None:
        self._children: list[psutil.Process] = []
        self._next_look = 0.0

    def __call__(self) -> float:
        """Return them; children are looked for every few seconds, as that costs milliseconds."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_FOR_CHILDREN_S
            with suppress(psutil.Error):
                self._children = psutil.Process().children(recursive=True)
        own = os.times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in self._children:
            with suppress(psutil.Error):
                times = child.cpu_times()
                total += times.user + times.system
        return total


def read_clock(path: Path) -> list[tuple[str, int, float, float]]:
    """Return behavior, step, wall seconds and CPU seconds of each row; rows that a crash cut short are left out.

    Raises:
      OSError: the file is not there, or cannot be read.
    """
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            with suppress(ValueError):
                name, step, wall, cpu = row
                found.append((name, int(step), float(wall), float(cpu)))
    return found


def _line(cells: tuple[str, ...]) -> str:
    quoted = ('"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\r\n') else cell for cell in cells)
    return ",".join(quoted) + "\n"
