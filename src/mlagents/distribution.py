"""The distribution that all this is installed as, and others that own the same import names."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final

NAME: Final = "mlagents-jax"
OTHERS: Final = ("mlagents", "mlagents-envs", "gym-unity")
"""Distributions of the original toolkit; their packages `mlagents` and `mlagents_envs` have the names of ours."""


def others_installed() -> list[str]:
    """Return the distributions beside ours that own the same import names, with their versions.

    One of our own version is what an editable installation from before ours had its name has left behind.
    """
    return [f"{name} {found}" for name in OTHERS if (found := version_of(name)) not in (None, version_of(NAME))]


def version_of(name: str) -> str | None:
    """Return the version of an installed distribution, None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def warn_of_others() -> None:
    """Say on stderr which distributions beside ours own the same import names, if any do."""
    if others := others_installed():
        names = " ".join(other.partition(" ")[0] for other in others)
        print(
            f"[WARNING] {' and '.join(others)} installed beside {NAME}: both own the packages `mlagents` and"
            f" `mlagents_envs`, and which files are there is chance. Run `pip uninstall {names}` and then"
            f" `pip install --force-reinstall --no-deps {NAME}`, or give each an environment of its own.",
            file=sys.stderr,
        )
