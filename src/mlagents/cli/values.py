"""What words on the command line stand for: whole numbers, environments, runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.errors import UsageError
from mlagents.files import RUN_FOLDERS

if TYPE_CHECKING:
    from mlagents_envs.registry import BaseRegistryEntry


def whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return a parser of whole numbers from `lowest` to `highest`, for argparse's `type`."""
    limits = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"

    def parse(text: str) -> int:
        if not text.isdecimal() or not lowest <= int(text) <= (int(text) if highest is None else highest):
            raise argparse.ArgumentTypeError(f"expected a whole number {limits}, got {text!r}")
        return int(text)

    return parse


def find_environment(name: str) -> BaseRegistryEntry:
    """Return the entry of a registered environment.

    Raises:
      UsageError: there is none of that name, or the package that offers it cannot be loaded.
    """
    from mlagents_envs.registry import default_registry

    if name not in default_registry:
        near = default_registry.suggest(name)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(default_registry)}."
        raise UsageError(f"there is no environment {name!r}; {hint} `mlagents envs` lists them all.")
    try:
        return default_registry[name]
    except (ImportError, TypeError) as error:
        raise UsageError(str(error)) from error


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
