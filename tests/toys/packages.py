"""Packages with entry points, as pip leaves them, for the time of a test."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlagents import plugins
from mlagents.settings import TRAINER_TYPES
from mlagents.settings.schema import trainer_types


def write_package(folder: Path, name: str, group: str, entry_points: Mapping[str, str]) -> None:
    """Write the description of an installed package; its modules are up to the caller."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{key} = {value}" for key, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))


@contextmanager
def on_the_path(folder: Path) -> Iterator[None]:
    """Let this process see the packages in a folder; what they brought is gone afterwards."""
    before, registered = set(sys.modules), dict(TRAINER_TYPES)
    sys.path.insert(0, str(folder))
    _look_again()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
                del sys.modules[name]
        for name in TRAINER_TYPES.keys() - registered.keys():
            del TRAINER_TYPES[name]
        trainer_types._loaded.clear()
        _look_again()


def _look_again() -> None:
    importlib.invalidate_caches()
    plugins._installed.cache_clear()
