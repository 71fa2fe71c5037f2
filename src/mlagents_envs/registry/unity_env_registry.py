"""A mapping from names to environments that can be made."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from mlagents_envs._imported_names import names_of
from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry
from mlagents_envs.registry.binary_utils import load_local_manifest, load_remote_manifest
from mlagents_envs.registry.foreign_entry import ForeignEntry, is_foreign
from mlagents_envs.registry.python_file import file_and_object, load_entry
from mlagents_envs.registry.remote_registry_entry import entries_from_manifest

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


_Source = Callable[[], Mapping[str, "BaseRegistryEntry | EntryPoint"]]


class UnityEnvRegistry(Mapping[str, BaseRegistryEntry]):
    """Name -> `BaseRegistryEntry`. Of two entries with one name the one registered later counts.

    Nothing is read when it is registered: manifests and the list of entry points are read at the first look
    into the registry, and the module behind an entry point is imported when its item is asked for.

    Python files need no registration: `registry["my_game.py"]` is the object `ENTRY` in that file, and
    `registry["my_game.py:HARD"]` the object `HARD`. Neither do environments of other libraries:
    `registry["gym:CartPole-v1"]`, `registry["pettingzoo:pettingzoo.butterfly.pistonball_v6"]`.
    """

    def __init__(self) -> None:
        self._sources: list[_Source] = []
        self._known: dict[str, BaseRegistryEntry | EntryPoint] = {}
        self._of_files: dict[str, BaseRegistryEntry] = {}

    def register(self, entry: BaseRegistryEntry) -> None:
        """Add one entry under its identifier."""
        self._sources.append(lambda: {entry.identifier: entry})

    def register_from_yaml(self, path_to_yaml: str) -> None:
        """Add the environments of a manifest, a file or an http(s) address."""
        remote = path_to_yaml.startswith("http")
        load = partial(load_remote_manifest if remote else load_local_manifest, path_to_yaml)
        self._sources.append(lambda: entries_from_manifest(load(), path_to_yaml))

    def register_entry_points(self, group: str) -> None:
        """Add the environments that installed packages offer under an entry-point group."""
        self._sources.append(lambda: {point.name: point for point in entry_points(group=group)})

    def clear(self) -> None:
        """Forget all entries."""
        self._sources.clear()
        self._known.clear()
        self._of_files.clear()

    def suggest(self, name: str) -> list[str]:
        """Return the registered names nearest to a misspelt one, best first; case does not count."""
        by_lower = {known.lower(): known for known in self}
        return [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower)]

    def _entries(self) -> dict[str, BaseRegistryEntry | EntryPoint]:
        while self._sources:
            self._known.update(self._sources[0]())
            del self._sources[0]  # after it was read: a source that fails says so again at the next look
        return self._known

    def __getitem__(self, identifier: str) -> BaseRegistryEntry:
        """Return the entry of that name.

        Raises:
          KeyError: there is none.
          ImportError, TypeError: its entry point cannot be loaded, or is no `BaseRegistryEntry`.
        """
        entries = self._entries()
        if identifier not in entries:
            if is_foreign(identifier):
                return ForeignEntry(identifier)
            if (found := file_and_object(identifier)) is not None:
                if identifier not in self._of_files:
                    self._of_files[identifier] = load_entry(*found)
                return self._of_files[identifier]
            near = self.suggest(identifier)
            hint = f"Did you mean {', '.join(near)}?" if near else f"Registered: {', '.join(entries) or 'none'}."
            raise KeyError(f"No environment {identifier!r} is registered. {hint}")
        entry = entries[identifier]
        if isinstance(entry, EntryPoint):
            entry = entries[identifier] = _load(entry)
        return entry

    def __contains__(self, identifier: object) -> bool:
        if identifier in self._entries():
            return True
        return isinstance(identifier, str) and (is_foreign(identifier) or file_and_object(identifier) is not None)

    def __repr__(self) -> str:
        try:
            return f"UnityEnvRegistry({', '.join(self._entries()) or 'empty'})"
        except Exception as error:  # of a manifest that cannot be read
            return f"UnityEnvRegistry(not readable: {error})"

    def __len__(self) -> int:
        return len(self._entries())

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())


def _load(point: EntryPoint) -> BaseRegistryEntry:
    distribution = f" of the package {point.dist.name}" if point.dist else ""
    where = f"The entry point {point.name} = {point.value!r} in group {point.group}{distribution}"
    try:
        entry = point.load()
    except Exception as error:
        raise ImportError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(entry, BaseRegistryEntry):
        raise TypeError(f"{where} should be a BaseRegistryEntry, but is a {type(entry).__name__}.")
    return entry
