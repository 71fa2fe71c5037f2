"""Runs as the command line names them."""

from __future__ import annotations

from pathlib import Path

from mlagents.errors import UsageError
from mlagents.files import RUN_FOLDERS


def find_folder(where: Path) -> Path:
    """Return a folder: itself, or that of the run of this id.

    Raises:
      UsageError: there is neither.
    """
    candidates = [where, *(base / where for base in RUN_FOLDERS)]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    places = ", ".join(str(candidate) for candidate in candidates)
    raise UsageError(f"there is no model or run {str(where)!r}; looked for the folders {places}")
