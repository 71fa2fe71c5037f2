"""Values of a search space in their places: keys of a trainer file, written with dots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlagents.settings.schema import SearchSettings
from mlagents.settings.source.faults import FaultReport, KeyPath, Place, did_you_mean
from mlagents.settings.source.sections import Section, copied

_NAMED = ("behaviors", "environment_parameters")
_SEARCHABLE = (*_NAMED, "default_settings", "env_settings", "engine_settings")


def substituted(tree: Section, values: Mapping[str, Any], report: FaultReport) -> Section:
    """Return a copy of a trainer file without its search section, with these values under their keys.

    Args:
        tree: as it was read.
        values: key of the search section (`behaviors.3DBall.max_steps`) -> value; each counts as written where the
            search section has its key.
        report: told of keys that cannot be searched.
    """
    copy: Section = copied(tree)
    space = copy.pop("search", None)
    for key, value in values.items():
        at = space.keys_at[key] if isinstance(space, Section) and key in space else Place("search", (key,))
        if path := _path(key, copy, at, report):
            _put(copy, path, value, at)
    return copy


def extremes(space: Mapping[str, SearchSettings]) -> Iterator[tuple[str, Any]]:
    """Yield each key with each of its values that says whether all are good: both ends, or every choice."""
    for key, search in space.items():
        for value in search.form[1]:
            yield key, value


def _path(key: str, tree: Section, at: Place, report: FaultReport) -> KeyPath:
    """Return where a key stands; nothing, and a fault, if it cannot be searched. Names may have dots themselves."""
    head, _, rest = key.partition(".")
    if head not in _SEARCHABLE or not rest:
        report.fault(at, f"cannot be searched (expected a key below {', '.join(_SEARCHABLE)}, written with dots)")
        return ()
    if head not in _NAMED:
        return (head, *rest.split("."))
    names = list(tree[head]) if isinstance(tree.get(head), Section) else []
    fitting = [name for name in names if rest == name or rest.startswith(f"{name}.")]
    if not fitting:
        report.fault(at, f"there is no {rest.partition('.')[0]!r} below {head}{did_you_mean(names[:3])}")
        return ()
    name = max(fitting, key=len)
    below = rest.removeprefix(name).removeprefix(".")
    if head == "behaviors" and not below:
        report.fault(at, "cannot be searched: it is a whole section (expected a key of it)")
        return ()
    return (head, name, *below.split(".")) if below else (head, name)


def _put(tree: Section, path: KeyPath, value: Any, at: Place) -> None:
    """Set what stands under a path; sections on the way that are not there are made."""
    node = tree
    for key in map(str, path[:-1]):
        if not isinstance(node.get(key), Section):
            node.put(key, Section(at), at)
        node = node[key]
    node.put(str(path[-1]), value, at)
