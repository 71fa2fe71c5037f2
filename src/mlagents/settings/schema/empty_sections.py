"""Sections with nothing in them: `engine_settings:` and no more is an empty section, not a wrong value."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from mlagents.settings.schema.base import Settings
from mlagents.settings.schema.reward_signals import RewardSignalSettings
from mlagents.settings.schema.run import RunSettings
from mlagents.settings.source.sections import Section, sections_of


def fill_empty_sections(tree: Section, schema: type[Settings] = RunSettings) -> None:
    """Put an empty section wherever nothing was written and a section belongs, in place.

    Nothing stays where it means "none", as under `memory`, and under the name of a reward signal, where a behavior
    takes back a signal of `default_settings` by it.
    """
    for key in [key for key in schema.model_fields if key in tree]:
        kind = _plain(schema.model_fields[key].annotation)
        if get_origin(kind) is dict:
            _fill(tree, key)
            below = _plain(get_args(kind)[1])
            if _is_settings(below):
                _fill_table(tree[key], below)
        elif _is_settings(kind):
            _fill(tree, key)
            _descend(tree[key], kind)
        else:
            for form in filter(_is_settings, map(_plain, get_args(kind))):
                _descend(tree[key], form)


def fill_empty_signals(tree: Section) -> None:
    """Put an empty section under each reward signal with nothing, in place, once none is taken back any more."""
    for behavior in [*sections_of(tree.get("behaviors")), *sections_of(tree, "default_settings")]:
        for signals in sections_of(behavior, "reward_signals"):
            for name in signals:
                _fill(signals, name)


def _fill_table(table: object, schema: type[Settings]) -> None:
    if isinstance(table, Section):
        for name in table:
            if not issubclass(schema, RewardSignalSettings):
                _fill(table, name)
            _descend(table[name], schema)


def _fill(section: Section, key: str) -> None:
    if section[key] is None:
        section[key] = Section(section.keys_at[key])


def _descend(value: object, schema: type[Settings]) -> None:
    if isinstance(value, Section):
        fill_empty_sections(value, schema)


def _plain(annotation: Any) -> Any:
    """Return a type without what `Annotated` adds to it."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _is_settings(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Settings)
