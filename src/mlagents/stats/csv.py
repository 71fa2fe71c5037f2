"""CSV files in the layout of 2020."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mlagents.files import write_atomically
from mlagents.stats.files import append_line, naming, start_file
from mlagents.stats.summary import Summary
from mlagents.stats.tags import CUMULATIVE_REWARD, EPISODE_LENGTH, STEP
from mlagents.stats.text import Text

_MISSING = "None"


class CsvWriter:
    """One file per behavior: a header `Steps,<tag>,...`, then one row per write.

    The header begins with the tags of the first summaries that hold both the cumulative reward and the episode length;
    nothing is written before. A tag that comes later gets a column at the right, and the file is written anew as a
    whole. A missing value is `None`. A resumed run goes on behind the rows that are there, but for those behind its
    checkpoint and one that a crash cut short.
    """

    def __init__(self, path: Callable[[str], Path], resumed_at: Mapping[str, int] | None = None) -> None:
        """Write nothing yet.

        Args:
          path: behavior -> its file.
          resumed_at: behavior -> step of the checkpoint with which it goes on (without: 0); None to overwrite files
            that are there.
        """
        self._path = path
        self._resumed_at = resumed_at
        self._tags: dict[str, list[str]] = {}

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Append one row.

        Raises:
          OSError: the file cannot be written.
        """
        path = self._path(behavior)
        if behavior not in self._tags and not self._start(behavior, path, summaries):
            return
        tags = self._tags[behavior]
        new = [tag for tag in summaries if tag not in (*tags, STEP)]
        if new:
            _add_columns(path, new)
            tags += new
        cells = [str(summaries[tag].value) if tag in summaries else _MISSING for tag in tags]
        append_line(path, _row([str(step), *cells]))

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Leave the text out: a table has no place for it."""

    def close(self) -> None:
        """Do nothing: every row is in its file already."""

    def _start(self, behavior: str, path: Path, summaries: Mapping[str, Summary]) -> bool:
        if self._resumed_at is not None and path.exists() and start_file(path, keep=True):
            self._tags[behavior] = _cut(path, self._resumed_at.get(behavior, 0))
            return True
        if CUMULATIVE_REWARD not in summaries or EPISODE_LENGTH not in summaries:
            return False
        self._tags[behavior] = [tag for tag in summaries if tag != STEP]
        start_file(path, keep=False)
        append_line(path, _row(["Steps", *self._tags[behavior]]))
        return True


def _cut(path: Path, last_step: int) -> list[str]:
    """Take the rows behind a step out of a file, and return the tags of its header."""
    header, *rows = _read(path)
    kept = [row for row in rows if not (row and row[0].isdigit() and int(row[0]) > last_step)]
    if len(kept) < len(rows):
        _write(path, [header, *kept])
    return header[1:]


def _add_columns(path: Path, tags: list[str]) -> None:
    header, *rows = _read(path)
    _write(path, [header + tags, *(row + [_MISSING] * len(tags) for row in rows)])


def _read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def _write(path: Path, rows: Iterable[list[str]]) -> None:
    with naming(path):
        write_atomically(path, "".join(map(_row, rows)).encode())


def _row(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
