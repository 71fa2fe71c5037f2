"""Writing files that are whole or not there at all, and the folders that runs are kept in."""

from __future__ import annotations

import os
from pathlib import Path

RUN_FOLDERS = (Path("models"), Path("results"))
"""Where a run is looked for by its id."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, flush it to disk, and rename it into place.

    Whatever stood at `path` stays whole until the new file is.

    Raises:
      OSError: the disk is full or the folder not writable; no partial file is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say which file
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows neither needs nor allows it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
