"""Checks of keys in the sections of 2020, by the names that their authors know."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from mlagents.settings.source.faults import FaultReport, Place, did_you_mean
from mlagents.settings.source.sections import Section


def correct_keys(section: Section, known: Iterable[str], report: FaultReport) -> None:
    """Report unknown keys; read each as the one that it resembles, or leave it out, in place."""
    names = list(known)
    for key in [key for key in section if key not in names]:
        near = get_close_matches(key, names, n=1)
        hint = did_you_mean(near) or f" (expected one of {', '.join(names)})"
        report.fault(section.keys_at[key], f"unknown key {key!r}{hint}")
        if near and near[0] not in section:
            section.rename(key, near[0])
        else:
            del section[key]


def leave_out_unknown(
    section: Section,
    known: Iterable[str],
    report: FaultReport,
    needed: Collection[str] = (),
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Leave out unknown keys, which 2020 ignored, with a warning, in place.

    Args:
        section: of a file of 2020.
        known: keys that it may have.
        report: takes warnings and faults.
        needed: keys without which the section says nothing; a slip in the name of one is a fault all the same.
        renamed: what became of keys of other versions.
    """
    names = list(known)
    for key in [key for key in section if key not in names]:
        near = get_close_matches(key, names, n=1)
        if near and near[0] in needed and near[0] not in section and key not in renamed:
            report.fault(section.keys_at[key], f"unknown key {key!r}{did_you_mean(near)}")
            section.rename(key, near[0])
            continue
        hint = f"; {renamed[key]}" if key in renamed else did_you_mean(near)
        report.tolerate(section.keys_at[key], f"unknown key {key!r}{hint}", "ignored, as in 2020")
        del section[key]


def require(section: Section, keys: Iterable[str], at: Place, report: FaultReport) -> None:
    """Report missing keys."""
    for key in keys:
        if key not in section:
            report.fault(at, f"missing key {key!r}")
