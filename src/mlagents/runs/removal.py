"""Deleting runs, and packing them into one file. Neither touches a run that a process is writing."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlagents.artifacts.layout import Layout
from mlagents.artifacts.run_lock import RunLock
from mlagents.errors import UsageError
from mlagents.runs.records import files_of


def delete(layout: Layout) -> int:
    """Delete all files of a run, and return how many bytes that were.

    Raises:
      RunInUse: a process is writing into it.
      OSError: a file cannot be deleted.
    """
    with _owned(layout):
        return _delete(layout)


def archive(layout: Layout, folder: Path, *, keep: bool = False) -> Path:
    """Pack a run into `folder/<run id>.tar.gz`, and delete it unless it is to be kept; return the file.

    The file is whole and was read back before anything is deleted. Its names are as seen from the present folder, so
    that `tar -xzf` there brings the run back.

    Raises:
      RunInUse: a process is writing into it.
      UsageError: the file exists.
      OSError: the file cannot be written, or a file of the run not be read or deleted.
    """
    target = folder / f"{layout.run_id}.tar.gz"
    with _owned(layout):
        if target.exists():
            raise UsageError(f"{target} exists; move it away, or choose another folder with --output")
        files = [path for path in files_of(layout) if path != layout.lock]
        _pack(files, target)
        if not keep:
            _delete(layout)
    return target


def _pack(files: list[Path], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w:gz") as packed:
                for path in files:
                    packed.add(path, _name_inside(path), recursive=False)
            raw.flush()
            os.fsync(raw.fileno())
        with tarfile.open(temporary, "r:gz") as packed:
            sizes = {member.name: member.size for member in packed}
        wrong = [path for path in files if path.is_file() and sizes.get(_name_inside(path)) != path.stat().st_size]
        if wrong:
            raise OSError(f"{target}: {wrong[0]} was not packed as it is; nothing was deleted")
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _name_inside(path: Path) -> str:
    """Return a path as seen from the present folder; of one elsewhere, without what leads to its root."""
    with suppress(ValueError):
        return path.resolve().relative_to(Path.cwd()).as_posix()
    return path.resolve().as_posix().lstrip("/")


@contextmanager
def _owned(layout: Layout) -> Iterator[None]:
    lock = RunLock(layout.lock)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            layout.run.rmdir()  # of a run that was deleted; another has files in it


def _delete(layout: Layout) -> int:
    files = [path for path in files_of(layout) if path != layout.lock]
    size = sum(path.lstat().st_size for path in files)
    for path in files:
        path.unlink()
    for folder in sorted((f for f in layout.run.rglob("*") if f.is_dir()), reverse=True):
        folder.rmdir()
    for folder in {path.parent for path in files} - {layout.run}:
        with suppress(OSError):
            folder.rmdir()  # those beside the run's, if nothing else is in them
    return size
