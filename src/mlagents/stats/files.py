"""Files that grow line by line and survive a crash, and errors that name their file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put `path` into an OSError that does not name its file: those of a full disk do not."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def append_line(path: Path, line: str) -> None:
    """Append one line (given with its newline) and leave none of it in a buffer of ours.

    Raises:
      OSError: the folder or file cannot be made or written; its `filename` is set.
    """
    with naming(path), path.open("a", encoding="utf-8", newline="") as file:
        file.write(line)


def start_file(path: Path, keep: bool) -> bool:
    """Make the folder of `path` and see to it that the file, if there is one, ends with a whole line.

    Args:
      path: a text file that grows line by line.
      keep: go on behind the lines that are there (less one that a crash cut short), else empty the file.

    Returns: whether there is something in the file.

    Raises:
      OSError: the folder or file cannot be made or written; its `filename` is set.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not keep or not path.exists():
            path.write_bytes(b"")
            return False
        content = path.read_bytes()
        end = content.rfind(b"\n") + 1
        if end < len(content):
            os.truncate(path, end)
        return end > 0
