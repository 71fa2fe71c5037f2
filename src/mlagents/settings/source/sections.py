"""Mappings and lists that remember where each of their entries was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlagents.settings.source.faults import KeyPath, Place


class Section(dict[str, Any]):
    """A mapping with the places of its entries: of each key, and of each value."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.keys_at: dict[str, Place] = {}
        self.values_at: dict[str, Place] = {}

    def put(self, key: str, value: Any, key_at: Place, value_at: Place | None = None) -> None:
        """Set an entry and where it comes from."""
        self[key] = value
        self.keys_at[key] = key_at
        self.values_at[key] = value_at or key_at

    def take(self, source: Section, key: str, new_key: str | None = None, value: Any = None) -> None:
        """Set an entry from that of another section, under another key or with another value if given."""
        taken = source[key] if value is None else value
        self.put(new_key or key, taken, source.keys_at[key], source.values_at[key])

    def rename(self, key: str, new_key: str) -> None:
        """Give an entry another key; the place keeps the key that the author wrote."""
        self.take(self, key, new_key)
        del self[key]

    def subsection(self, key: str) -> Section:
        """Return the section under `key`; an empty one is put there when the key is absent.

        Anything else that stands there is left to validation, and a section apart is returned.
        """
        if key not in self:
            self.put(key, Section(self.place.below(key)), self.place.below(key))
        found = self[key]
        return found if isinstance(found, Section) else Section(self.place.below(key))


class Items(list[Any]):
    """A list with the places of its items."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.items_at: list[Place] = []

    def add(self, value: Any, place: Place) -> None:
        """Append an item and where it comes from."""
        self.append(value)
        self.items_at.append(place)


def located(value: Any, place: Place) -> Any:
    """Return plain nested mappings and lists, with places that name their keys."""
    if isinstance(value, Mapping) and not isinstance(value, Section):
        section = Section(place)
        for key, entry in value.items():
            at = place.below(str(key))
            section.put(str(key), located(entry, at), at)
        return section
    if isinstance(value, list | tuple) and not isinstance(value, Items):
        items = Items(place)
        for index, entry in enumerate(value):
            items.add(located(entry, place.below(index)), place.below(index))
        return items
    return value


def copied(value: Any) -> Any:
    """Return a tree of its own: what aliases share in the file is no longer shared."""
    if isinstance(value, Section):
        section = Section(value.place)
        for key, entry in value.items():
            section.put(key, copied(entry), value.keys_at[key], value.values_at[key])
        return section
    if isinstance(value, Items):
        items = Items(value.place)
        for entry, place in zip(value, value.items_at, strict=True):
            items.add(copied(entry), place)
        return items
    return value


def sections_of(value: Any, *keys: str) -> list[Section]:
    """Return the sections among the values of a mapping, or among those under `keys` if given."""
    if not isinstance(value, Section):
        return []
    return [value[key] for key in keys or list(value) if isinstance(value.get(key), Section)]


def find(tree: Section, path: KeyPath) -> tuple[Place, int]:
    """Return where the entry at `path`, or the nearest thing above it, was written; and how much of the path exists.

    The place is that of the value if it is a scalar; a mapping or list is where its key is.
    """
    node: Any = tree
    place = tree.place
    for depth, key in enumerate(path):
        if isinstance(node, Section) and key in node:
            below = node[str(key)]
            place = (node.keys_at if isinstance(below, Section | Items) else node.values_at)[str(key)]
            node = below
        elif isinstance(node, Items) and isinstance(key, int) and key < len(node):
            place = node.items_at[key]
            node = node[key]
        else:
            return place, depth
    return place, len(path)


class Origin:
    """Where everything in a configuration was written. Any two are equal: settings do not depend on their places."""

    def __init__(self, tree: Section | None = None) -> None:
        self._tree = Section(Place("", ())) if tree is None else tree

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin)

    __hash__ = object.__hash__

    def of(self, path: KeyPath) -> Place:
        """Return the place of an entry, named by all of its keys even if only its section was written."""
        place, depth = find(self._tree, path)
        return place.below(*path[depth:])


def parent_of(tree: Section, path: KeyPath) -> Any:
    """Return what contains the entry at a path that exists."""
    node: Any = tree
    for key in path[:-1]:
        node = node[key]
    return node


def drop(tree: Section, path: KeyPath) -> KeyPath:
    """Remove the entry at `path`, or the nearest one above it; returns the path removed, or ()."""
    path = path[: find(tree, path)[1]]
    if path:
        parent, key = parent_of(tree, path), path[-1]
        del parent[key]
        if isinstance(parent, Items):
            del parent.items_at[int(key)]
    return path
