"""CSV files in the layout of 2020."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mlagents.stats.files import append_line, start_file
from mlagents.stats.summary import Summary
from mlagents.stats.tags import CUMULATIVE_REWARD, EPISODE_LENGTH, STEP
from mlagents.stats.text import Text


class CsvWriter:
    """One file per behavior: a header `Steps,<tag>,...`, then one row per write.

    The header is fixed by the first summaries that hold both the cumulative reward and the episode length;
    nothing is written before. Later rows hold these tags only, a missing one as `None`. A resumed run goes on
    behind the rows that are there, under their header; a row that a crash cut short is taken out.
    """

    def __init__(self, path: Callable[[str], Path], resume: bool = False) -> None:
        """Write nothing yet.

        Args:
          path: behavior -> its file.
          resume: go on with the files that are there, else overwrite them.
        """
        self._path = path
        self._resume = resume
        self._tags: dict[str, list[str]] = {}

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Append one row.

        Raises:
          OSError: the file cannot be written.
        """
        path = self._path(behavior)
        if behavior not in self._tags and not self._start(behavior, path, summaries):
            return
        cells = [str(summaries[tag].value) if tag in summaries else "None" for tag in self._tags[behavior]]
        append_line(path, _row([str(step), *cells]))

    def text(self, behavior: str, name: str, value: Text) -> None:
        """A table has no place for texts."""

    def close(self) -> None:
        """Every row is in its file already."""

    def _start(self, behavior: str, path: Path, summaries: Mapping[str, Summary]) -> bool:
        if self._resume and path.exists() and start_file(path, keep=True):
            with path.open(encoding="utf-8", newline="") as file:
                self._tags[behavior] = next(csv.reader(file))[1:]
            return True
        if CUMULATIVE_REWARD not in summaries or EPISODE_LENGTH not in summaries:
            return False
        self._tags[behavior] = [tag for tag in summaries if tag != STEP]
        start_file(path, keep=False)
        append_line(path, _row(["Steps", *self._tags[behavior]]))
        return True


def _row(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
