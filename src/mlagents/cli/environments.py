"""Environments as the command line names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlagents.errors import UsageError

if TYPE_CHECKING:
    from mlagents_envs.registry import BaseRegistryEntry


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
