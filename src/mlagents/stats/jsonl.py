"""Statistics as lines of JSON, for programs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path

from mlagents.files import write_atomically
from mlagents.stats.files import append_line, naming, start_file
from mlagents.stats.summary import Summary
from mlagents.stats.text import Text

_NUMBERS = ("value", "mean", "std", "min", "max", "sum", "count")


class JsonlWriter:
    """One file for a run, one object per line.

    A write is `{"time", "behavior", "step", "stats": {<tag>: {"value", "mean", "std", "min", "max", "sum",
    "count", "aggregation"}}}`; a text is `{"time", "behavior", "text": {<name>: <string or mapping>}}`.
    The time is in seconds since 1970. Numbers that are not finite become null. A resumed run goes on behind
    the lines that are there, but for writes behind its checkpoint.
    """

    def __init__(self, path: Path, resumed_at: Mapping[str, int] | None = None) -> None:
        """Write nothing yet.

        Args:
          path: the file.
          resumed_at: behavior -> step of the checkpoint with which it goes on (without: 0); None to overwrite a file
            that is there.
        """
        self._path = path
        self._resumed_at = resumed_at
        self._is_started = False

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Append one object.

        Raises:
          OSError: the file cannot be written.
        """
        stats = {tag: _plain(summary) for tag, summary in summaries.items()}
        self._append({"time": time.time(), "behavior": behavior, "step": step, "stats": stats})

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Append one object. Values that JSON does not know are written as their `str`."""
        self._append({"time": time.time(), "behavior": behavior, "text": {name: value}})

    def close(self) -> None:
        """Do nothing: every line is in its file already."""

    def _append(self, record: Mapping[str, object]) -> None:
        if not self._is_started:
            if start_file(self._path, keep=self._resumed_at is not None) and self._resumed_at is not None:
                _cut(self._path, self._resumed_at)
            self._is_started = True
        append_line(self._path, json.dumps(record, ensure_ascii=False, default=str) + "\n")


def _cut(path: Path, last_steps: Mapping[str, int]) -> None:
    """Take the writes of each behavior behind its step out of a file."""
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not _is_behind(line, last_steps)]
    if len(kept) < len(lines):
        with naming(path):
            write_atomically(path, b"".join(kept))


def _is_behind(line: bytes, last_steps: Mapping[str, int]) -> bool:
    try:
        record = json.loads(line)
        return bool(record["step"] > last_steps.get(record["behavior"], 0))
    except (ValueError, KeyError, TypeError):  # a text, or nothing of ours
        return False


def _plain(summary: Summary) -> dict[str, object]:
    numbers = {name: getattr(summary, name) for name in _NUMBERS}
    finite = {name: number if math.isfinite(number) else None for name, number in numbers.items()}
    return {**finite, "aggregation": summary.aggregation.name}
