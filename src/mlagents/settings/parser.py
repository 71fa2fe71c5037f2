"""Validation of the modern mapping: every fault at once, each with its line and what was expected.

Pydantic finds the faults of fields; rules between fields only run on a section whose fields are valid. So
faulty entries are taken out (or read as the name they resemble) and the rest is validated again, until
nothing is left to find. A rule that looked at a repaired entry judges what nobody wrote: it stays silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import takewhile
from typing import Any

from pydantic import ValidationError

from mlagents.settings.describe import expected_at, number, sections_with
from mlagents.settings.schema import BehaviorSettings, RunSettings
from mlagents.settings.schema.base import Violation
from mlagents.settings.source.faults import FaultReport, KeyPath, did_you_mean, shown
from mlagents.settings.source.sections import Section, copied, drop, find, parent_of


@dataclass(frozen=True)
class _Finding:
    """One fault at a path of the tree."""

    path: KeyPath
    problem: str
    judged: tuple[KeyPath, ...] = ()
    """What a rule between fields looked at."""
    key_is_wrong: bool = False
    """The key is at fault rather than its value."""
    meant: str | None = None
    """The key or value that was probably meant."""


def validate(tree: Section, report: FaultReport) -> RunSettings | None:
    """Return the settings in a modern mapping, or None when the report has faults."""
    tree = copied(tree)
    while True:
        try:
            settings = RunSettings.model_validate(tree)
        except ValidationError as error:
            details = error.errors(include_url=False)
            findings = [finding for detail in details for finding in _findings(dict(detail), tree)]
            for finding in findings:
                _note(finding, tree, report)
            if not _repair(findings, tree, report):
                return None
        else:
            return None if report.faults else settings


def _note(finding: _Finding, tree: Section, report: FaultReport) -> None:
    """Report a finding, unless it may come from an earlier repair."""
    if any(_related(path, doubt) for path in finding.judged or [finding.path] for doubt in report.doubtful):
        return
    place, depth = find(tree, finding.path)
    if finding.key_is_wrong:
        place = parent_of(tree, finding.path).keys_at[finding.path[-1]]
    problem = finding.problem
    if finding.judged and finding.path[0] == "behaviors" and finding.path[1] not in place.path:
        problem += f", in behavior {finding.path[1]!r}"
    report.fault(place.below(*finding.path[depth:]), problem)


def _repair(findings: list[_Finding], tree: Section, report: FaultReport) -> bool:
    """Take the faults out of the tree; False when nothing could be taken out."""
    dropped: list[KeyPath] = []
    respelled = False
    for finding in sorted(findings, key=_order, reverse=True):  # from the end: items of lists keep their numbers
        for path in finding.judged or [finding.path]:
            report.doubtful.add(path)
            if any(_related(path, gone) for gone in dropped):
                continue
            if _read_as_meant(finding, tree):
                respelled = True
            elif not finding.judged or find(tree, path)[1] == len(path):
                dropped.append(drop(tree, path))
    return respelled or any(dropped)


def _order(finding: _Finding) -> list[tuple[int, str]]:
    return [(key, "") if isinstance(key, int) else (-1, key) for key in finding.path]


def _read_as_meant(finding: _Finding, tree: Section) -> bool:
    """Read an unknown key or value as the one it resembles, unless that key is there too."""
    parent, key = parent_of(tree, finding.path), finding.path[-1]
    if finding.meant is None or not isinstance(parent, Section):
        return False
    if not finding.key_is_wrong:
        parent[str(key)] = finding.meant
    elif finding.meant in parent:
        return False
    else:
        parent.rename(str(key), finding.meant)
    return True


def _related(path: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(path), len(other))
    return path[:shorter] == other[:shorter]


def _findings(detail: dict[str, Any], tree: Section) -> Iterator[_Finding]:
    """Put one error of pydantic into our words."""
    path: KeyPath = tuple(detail["loc"])
    context = detail.get("ctx", {})
    match detail["type"]:
        case "unknown_keys":
            for key in context["unknown"]:
                yield _unknown_key((*path, key), context["allowed"], detail["input"][key])
        case "rules":
            for violation in context["violations"]:
                yield _broken_rule(path, violation, tree)
        case "missing":
            yield _Finding(path, f"missing key {path[-1]!r} (expected {expected_at(path, described=True)})")
        case "unknown_trainer":
            yield _unknown_trainer(path, context, str(detail["input"]))
        case "unknown_choice" | "literal_error":
            allowed = context.get("allowed") or re.findall(r"'([^']*)'", context["expected"])
            yield _unknown_value(path, allowed, detail["input"])
        case _:
            yield _Finding(path, _problem(detail, path))


def _broken_rule(path: KeyPath, violation: Violation, tree: Section) -> _Finding:
    judged = tuple((*path, *below) for below in violation.paths)
    written = [path for path in judged if find(tree, path)[1] == len(path)]
    return _Finding((written or judged)[0], violation.problem, judged)


def _unknown_key(path: KeyPath, allowed: list[str], value: object) -> _Finding:
    key = str(path[-1])
    near = get_close_matches(key, allowed, n=1)
    elsewhere = [] if near else sections_with(key)
    if near:
        hint = did_you_mean(near)
    elif elsewhere:
        hint = f"; it belongs under {' or '.join(elsewhere)}"
    elif len(path) == 1 and isinstance(value, Section) and not value.keys().isdisjoint(BehaviorSettings.model_fields):
        hint = f"; a behavior belongs under `behaviors`: behaviors.{key}"
    else:
        hint = f" (expected one of {', '.join(allowed)})"
    return _Finding(path, f"unknown key {key!r}{hint}", key_is_wrong=True, meant=near[0] if near else None)


def _unknown_value(path: KeyPath, allowed: list[str], value: object, near: list[str] | None = None) -> _Finding:
    near = get_close_matches(str(value), allowed, n=1) if near is None else near
    problem = f"unknown value (got {shown(value)}, expected one of {', '.join(allowed)}){did_you_mean(near)}"
    return _Finding(path, problem, meant=near[0] if near else None)


def _unknown_trainer(path: KeyPath, context: dict[str, Any], name: str) -> _Finding:
    """Read a name with a slip of the fingers as the one that was meant; any other is a plug-in's."""
    meant = next((other for other in context["allowed"] if _one_slip(name.lower(), other)), None)
    if meant is None:
        return _Finding(path, context["problem"])
    return _unknown_value(path, context["allowed"], name, [meant])


def _one_slip(typed: str, meant: str) -> bool:
    """Return whether one letter was added, left out or replaced, or two neighbours were swapped."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(typed, meant, strict=False)))
    a, b = typed[same:], meant[same:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


_BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of"}
_EMPTY = {"too_short", "string_too_short"}


def _problem(detail: dict[str, Any], path: KeyPath) -> str:
    kind, value = detail["type"], detail["input"]
    described = kind == "string_pattern_mismatch"
    expected, by_its_type = expected_at(path, described=described), detail.get("ctx", {}).get("expected", "")
    if not expected.startswith(by_its_type):
        expected = by_its_type
    if value is None:
        expected = expected.removesuffix(" or null")
    if kind == "less_than_equal" and "<=" not in expected:
        expected = f"at most {number(detail['ctx']['le'])}"
    if kind in _EMPTY:
        return f"empty (expected {expected})"
    what = "out of bounds" if kind in _BOUNDS else "unknown value" if described else "wrong type"
    quotes = "; put it in quotes" if kind == "string_type" and isinstance(value, int | float) else ""
    return f"{what} (got {shown(value)}, expected {expected}){quotes}"
