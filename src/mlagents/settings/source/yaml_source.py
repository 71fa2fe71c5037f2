"""Reading a YAML file into sections that know the line and column of everything in them."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from mlagents.settings.source.faults import FaultReport, KeyPath, Place, did_you_mean
from mlagents.settings.source.scalars import switch
from mlagents.settings.source.sections import Items, Section

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = (f"{_TAG}str", f"{_TAG}timestamp")
_SUFFIXES = (".yaml", ".yml", ".json")

_MOST_BYTES = 10_000_000
_MOST_ENTRIES = 100_000
"""More than any configuration has; aliases of aliases of aliases reach it in a few lines."""

_FAULTY = object()
"""Stands for a value that cannot be built; it is reported, and then left out."""


def read(path: Path, report: FaultReport) -> Section | None:
    """Return the mapping in a file (YAML 1.2), or None when there is none: the report then says why."""
    place = Place(str(path), ())
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            report.fault(place, f"more than {_MOST_BYTES:,} bytes; is this a configuration?")
            return None
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        report.fault(place, _not_found(path))
    except UnicodeDecodeError as error:
        report.fault(place, f"not UTF-8 (byte {error.start} is {error.object[error.start]:#04x}); save it as UTF-8")
    except (OSError, ValueError) as error:
        report.fault(place, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    else:
        return parse(text, str(path), report)
    return None


def parse(text: str, source: str, report: FaultReport) -> Section | None:
    """Return the mapping in a YAML text; `source` names the text in messages."""
    place = Place(source, ())
    try:
        return _root(YAML(typ="safe", pure=True).compose(text), source, report)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Place(source, (), mark.line + 1, mark.column + 1) if mark else place
        said = " ".join(part for part in (error.context, error.problem) if part)
        report.fault(at, f"not valid YAML: {said}")
    except (YAMLError, ValueError) as error:
        report.fault(place, f"not valid YAML: {' '.join(str(error).split())}")
    except RecursionError:
        report.fault(place, "nested too deeply (expected a few levels)")
    return None


def _root(root: Node | None, source: str, report: FaultReport) -> Section | None:
    if root is None:
        report.fault(Place(source, ()), "empty file (expected sections such as `behaviors:`)")
        return None
    if not isinstance(root, MappingNode):
        report.fault(_place(root, source, ()), "expected a mapping of sections, such as `behaviors:`")
        return None
    section = _Builder(source, report).build(root, (), _place(root, source, ()))
    return section if isinstance(section, Section) else None


def _not_found(path: Path) -> str:
    if not path.parent.is_dir():
        return f"file not found: there is no folder {str(path.parent)!r}"
    names = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix in _SUFFIXES)
    return f"file not found{did_you_mean(get_close_matches(path.name, names, n=3))}"


def _place(node: Node, source: str, path: KeyPath) -> Place:
    return Place(source, path, node.start_mark.line + 1, node.start_mark.column + 1)


class _Builder:
    """Turns the nodes of one file into values; an aliased node becomes one value."""

    def __init__(self, source: str, report: FaultReport) -> None:
        self.source = source
        self.report = report
        self.built: dict[int, Any] = {}
        self.entries: dict[int, int] = {}
        self.open: set[int] = set()

    def build(self, node: Node, path: KeyPath, at: Place) -> Any:
        """Return the value of a node; `at` is where its key stands, or itself if it has none."""
        if isinstance(node, ScalarNode):
            return self.scalar(node, path)
        key = id(node)
        if key in self.open:
            self.report.fault(_place(node, self.source, path), "an alias to something that contains it")
            return _FAULTY
        if key not in self.built:
            self.open.add(key)
            self.built[key] = self.collection(node, path, at)
            self.open.discard(key)
            self.entries[key] = self.count(node)
            if self.entries[key] > _MOST_ENTRIES:
                self.report.fault(
                    _place(node, self.source, path),
                    f"{self.entries[key]:,} entries, counted through aliases (expected at most {_MOST_ENTRIES:,})",
                )
                self.built[key], self.entries[key] = _FAULTY, 0
        return self.built[key]

    def count(self, node: Node) -> int:
        """Return the entries below a built collection if every alias were written out."""
        below = node.value if isinstance(node.value, list) else []
        values = [entry[1] if isinstance(entry, tuple) else entry for entry in below]
        return sum(1 + self.entries.get(id(value), 0) for value in values)

    def collection(self, node: Node, path: KeyPath, at: Place) -> Section | Items:
        if isinstance(node, MappingNode):
            return self.mapping(node, path, at)
        items = Items(at)
        for index, item in enumerate(node.value):
            item_at = _place(item, self.source, (*path, index))
            value = self.build(item, (*path, index), item_at)
            if value is not _FAULTY:
                items.add(value, item_at)
        return items

    def mapping(self, node: MappingNode, path: KeyPath, at: Place) -> Section:
        section = Section(at)
        merged: list[Section] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self.report.fault(_place(key_node, self.source, path), "a mapping or list cannot be a key")
            elif key_node.tag == f"{_TAG}merge":
                merged += self.merge(value_node, path)
            else:
                self.entry(section, key_node, value_node, path)
        for base in merged:
            for key in base:
                if key not in section:
                    section.take(base, key)
        return section

    def entry(self, section: Section, key_node: ScalarNode, value_node: Node, path: KeyPath) -> None:
        key = str(key_node.value)
        below = (*path, key)
        at = _place(key_node, self.source, below)
        if key in section:
            self.report.repeat(at, section.keys_at[key].line)
        value = self.build(value_node, below, at)
        if value is not _FAULTY:
            section.put(key, value, at, _place(value_node, self.source, below))

    def merge(self, node: Node, path: KeyPath) -> list[Section]:
        """Return the mappings that `<<:` names."""
        value = self.build(node, (*path, "<<"), _place(node, self.source, path))
        found = value if isinstance(value, Items) else [value]
        sections = [entry for entry in found if isinstance(entry, Section)]
        if len(sections) != len(found):
            self.report.fault(_place(node, self.source, path), "`<<:` takes a mapping, or a list of them")
        return sections

    def scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        text = str(node.value)
        if node.tag in _TEXT_TAGS:
            return text
        try:
            return _SCALARS[str(node.tag)](text)
        except KeyError:
            self.report.fault(_place(node, self.source, path), f"unknown tag {str(node.tag)!r}; leave it out")
        except ValueError:
            kind = str(node.tag).removeprefix(_TAG)
            self.report.fault(_place(node, self.source, path), f"{text!r} is not of the kind `!!{kind}`")
        return _FAULTY


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower().lstrip("+")
    sign, digits = (-1, digits[1:]) if digits.startswith("-") else (1, digits)
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2], 10)
    return sign * int(digits[2:] if base != 10 else digits, base)


def _real(text: str) -> float:
    return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS: dict[str, Callable[[str], Any]] = {
    f"{_TAG}int": _integer,
    f"{_TAG}float": _real,
    f"{_TAG}bool": switch,
    f"{_TAG}null": lambda text: None,
}
