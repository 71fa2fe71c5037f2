"""Plug-ins: what other packages offer under an entry-point group, by name."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any


class PluginError(Exception):
    """A plug-in cannot be used. The message names its entry point and package, and says what to do."""


def names(group: str) -> list[str]:
    """Return the names of a group's plug-ins. None is loaded."""
    return list(dict.fromkeys(entry_point.name for entry_point in _installed(group)))


def find(group: str, name: str) -> EntryPoint | None:
    """Return the entry point of a plug-in, None if there is none of that name. It is not loaded.

    Raises:
      PluginError: several packages offer one of that name.
    """
    found = [entry_point for entry_point in _installed(group) if entry_point.name == name]
    if len(found) > 1:
        offers = " and ".join(f"{entry_point.value!r} of {package(entry_point)}" for entry_point in found)
        raise PluginError(
            f"Several plug-ins have the name {name!r} (group {group}): {offers}. Uninstall one of these packages."
        )
    return found[0] if found else None


def load(entry_point: EntryPoint) -> Any:
    """Import what an entry point names.

    Raises:
      PluginError: that fails; the cause is chained.
    """
    try:
        return entry_point.load()
    except Exception as error:
        raise PluginError(
            f"{described(entry_point)} cannot be loaded: {type(error).__name__}: {error}. Repair it, or uninstall"
            f" {package(entry_point)}; --debug shows where it fails."
        ) from error


def described(entry_point: EntryPoint) -> str:
    """Return how messages name a plug-in."""
    where = f"{entry_point.name} = {entry_point.value}"
    return f"The plug-in {where!r} of {package(entry_point)} (group {entry_point.group})"


def package(entry_point: EntryPoint) -> str:
    """Return the name of the package that offers a plug-in."""
    return entry_point.dist.name if entry_point.dist else "an unknown package"


@cache
def _installed(group: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=group))
