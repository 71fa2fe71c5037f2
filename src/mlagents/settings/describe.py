"""What the schema says of itself: a JSON Schema for editors; every key with type, bounds and default."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pydantic.json_schema import models_json_schema

from mlagents.settings.schema import REWARD_SIGNALS, SAMPLERS, TRAINER_TYPES, RunSettings, Settings
from mlagents.settings.schema.base import MOST
from mlagents.settings.source.faults import KeyPath, SettingsError, did_you_mean, dotted

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEFS = "#/$defs/"
_NAMES = {"behaviors": "<behavior>", "environment_parameters": "<parameter>", "search": "<key>"}
_BOUNDS = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}

_Table = Mapping[str, type[Settings]]
_References = Mapping[type[Settings], dict[str, Any]]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the modern form, with trainers, signals and samplers registered so far."""
    tables: tuple[_Table, ...] = (TRAINER_TYPES, REWARD_SIGNALS, SAMPLERS)
    classes: list[type[Settings]] = [RunSettings, *(cls for table in tables for cls in table.values())]
    keyed, schema = models_json_schema([(cls, "validation") for cls in classes])
    refer: _References = {cls: keyed[(cls, "validation")] for cls in classes}
    definitions: dict[str, Any] = schema["$defs"]
    for definition in definitions.values():
        for node in definition.get("properties", {}).values():
            if node.get("default", 0) is None and {"type": "null"} not in node.get("anyOf", []):
                del node["default"]  # computed from other fields
    behavior, sampler = definitions["BehaviorSettings"], definitions["SamplerSettings"]
    _choose(behavior, "trainer_type", "hyperparameters", TRAINER_TYPES, refer)
    _choose(sampler, "sampler_type", "sampler_parameters", SAMPLERS, refer)
    named = sampler["properties"]["sampler_type"].pop("enum")
    sampler["properties"]["sampler_type"]["anyOf"] = [{"enum": named}, {"type": "string", "pattern": ":"}]
    definitions["SamplerSettings"] = {"anyOf": [{"type": "number"}, sampler]}
    signals = behavior["properties"]["reward_signals"]
    signals["properties"] = {name: {"anyOf": [refer[cls], {"type": "null"}]} for name, cls in REWARD_SIGNALS.items()}
    signals["additionalProperties"] = False
    return {"$schema": _DIALECT, **refer[RunSettings], **schema}


def _choose(section: dict[str, Any], key: str, chosen: str, table: _Table, refer: _References) -> None:
    """Say that the value of `key` chooses the class of `chosen`."""
    properties = section["properties"]
    properties[key]["enum"] = list(table)
    del properties[chosen]["$ref"]
    properties[chosen]["anyOf"] = [{**refer[cls], "title": name} for name, cls in table.items()]
    section["allOf"] = [
        {
            "if": {"properties": {key: {"const": name}}, "required": [key]},
            "then": {"properties": {chosen: refer[cls]}},
        }
        for name, cls in table.items()
    ]


@dataclass(frozen=True)
class KeyDescription:
    """One key of the configuration."""

    path: KeyPath
    """Where it stands; `<behavior>`, `<parameter>` stand for names, 0 for the items of a list."""
    choice: str
    """The trainer or sampler that has it; empty: all."""
    kind: str
    """Type and bounds in words."""
    default: str
    """Its default as YAML; empty: it is required, or computed from other keys."""
    description: str

    def __str__(self) -> str:
        choice = f" ({self.choice})" if self.choice else ""
        default = f", default {self.default}" if self.default else ""
        return f"{dotted(self.path)}{choice}: {self.kind}{default}. {self.description}"


def explain(key: str) -> tuple[KeyDescription, ...]:
    """Return every place of the schema where a key stands, by its name or the end of its dotted path.

    Raises:
        SettingsError: no such key; with the nearest names.
    """
    wanted = tuple(key.split("."))
    found = tuple(entry for entry in _index() if _names(entry.path)[-len(wanted) :] == wanted)
    if not found:
        names = {_names(entry.path)[-1] for entry in _index()}
        raise SettingsError(f"no key {key!r}{did_you_mean(get_close_matches(wanted[-1], names, n=3))}")
    return found


def expected_at(path: KeyPath, *, described: bool = False) -> str:
    """Say in words what may stand at a path of the configuration."""
    if path[0] == "default_settings":
        path = ("behaviors", "", *path[1:])
    for entry in _index():
        if len(entry.path) == len(path) and all(map(_matches, entry.path, path)):
            return f"{entry.kind}: {entry.description.rstrip('.')}" if described else entry.kind
    return "another value"


def sections_with(key: str) -> list[str]:
    """Return the names of the sections that have a key."""
    parents = (str(entry.path[-2]) for entry in _index() if entry.path[-1] == key and len(entry.path) > 1)
    return list(dict.fromkeys(parents))


def _names(path: KeyPath) -> tuple[str, ...]:
    return tuple(key for key in path if isinstance(key, str))


def _matches(pattern: str | int, key: str | int) -> bool:
    return pattern == key or str(pattern).startswith("<") or (pattern == 0 and isinstance(key, int))


def _index() -> tuple[KeyDescription, ...]:
    return _index_of(*(tuple(table.items()) for table in (TRAINER_TYPES, REWARD_SIGNALS, SAMPLERS)))


@lru_cache(maxsize=2)
def _index_of(*_tables: tuple[tuple[str, type[Settings]], ...]) -> tuple[KeyDescription, ...]:
    schema = json_schema()
    return tuple(_walk(schema, (), "", schema["$defs"]))


def _walk(node: dict[str, Any], path: KeyPath, choice: str, defs: dict[str, Any]) -> Iterator[KeyDescription]:
    for variant in _variants(node, defs):
        chosen = variant.pop("choice", choice)
        for key, below in _below(variant, path):
            kind = _words(below, defs)
            default = json.dumps(below["default"]) if "default" in below and kind != "a mapping" else ""
            yield KeyDescription((*path, key), chosen, kind, default, below.get("description", ""))
            yield from _walk(below, (*path, key), chosen, defs)


def _below(variant: dict[str, Any], path: KeyPath) -> Iterator[tuple[str | int, dict[str, Any]]]:
    """Return keys, named entries and items of one form of a value."""
    for key, below in variant.get("properties", {}).items():
        if key != "default_settings":  # the same keys as under a behavior
            yield key, below
    if isinstance(variant.get("additionalProperties"), dict):
        yield _NAMES.get(str(path[-1]), "<name>"), variant["additionalProperties"]
    if "items" in variant:
        yield 0, variant["items"]


def _variants(node: dict[str, Any], defs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the forms that a value may have, without references."""
    if "$ref" in node:
        target = {**defs[node["$ref"].removeprefix(_DEFS)]}
        if "title" in node:
            target["choice"] = node["title"]
        yield from _variants(target, defs)
    elif "anyOf" in node:
        for form in node["anyOf"]:
            yield from _variants(form, defs)
    else:
        yield {**node}


def _words(node: dict[str, Any], defs: dict[str, Any]) -> str:
    forms = dict.fromkeys(_form(variant) for variant in _variants(node, defs))
    return " or ".join(forms)


def number(value: float) -> str:
    """Return a bound as people write it: whole numbers with all their digits, unless these are many."""
    return str(int(value)) if value == int(value) and abs(value) < 1e12 else f"{value:g}"


def _form(variant: dict[str, Any]) -> str:
    if "enum" in variant:
        return f"one of {', '.join(map(str, variant['enum']))}"
    bounds = [f"{sign} {number(variant[name])}" for name, sign in _BOUNDS.items() if variant.get(name, MOST) != MOST]
    words = " ".join([_TYPES.get(variant.get("type", ""), "a value"), " and ".join(bounds)]).strip()
    return f"{words}, a multiple of {variant['multipleOf']}" if "multipleOf" in variant else words
