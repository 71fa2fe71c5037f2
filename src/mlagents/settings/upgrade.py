"""From a trainer file of any generation to one modern mapping in which every behavior is complete.

Three generations are known: flat files of 2020 (0.15, 0.16), the intermediate form (0.17, 0.18: `behaviors`
as today, `curriculum` and `parameter_randomization` as in the separate files of 2020), and the modern form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlagents.settings.legacy.behaviors import is_flat, upgrade_behaviors
from mlagents.settings.legacy.parameters import upgrade_curricula, upgrade_samplers
from mlagents.settings.modern import inherit, normalise
from mlagents.settings.schema import RunSettings
from mlagents.settings.schema.empty_sections import fill_empty_sections
from mlagents.settings.source.faults import FaultReport, Place, shown
from mlagents.settings.source.sections import Section, copied, located

_OLD_SECTIONS = ("parameter_randomization", "curriculum")


def upgrade(
    trainer: Mapping[str, Any],
    curriculum: Mapping[str, Any] | None = None,
    sampler: Mapping[str, Any] | None = None,
    report: FaultReport | None = None,
) -> Section:
    """Return the modern mapping of a trainer file, with the curriculum and sampler files of 2020 merged in.

    Args:
        trainer: the trainer file, of any generation; left as it is.
        curriculum: behavior -> curriculum, as in 2020.
        sampler: parameter -> sampler, as in 2020.
        report: takes faults and warnings; without it faults are raised, and warnings are lost.

    Raises:
        SettingsError: faults of the old forms, without a report. The modern mapping is not validated here.
    """
    findings = report or FaultReport()
    tree: Section = copied(located(trainer, Place("trainer configuration", ())))
    if is_of_2020(tree):
        tree = upgrade_behaviors(tree, findings)
    else:
        fill_empty_sections(tree)
        normalise(tree, findings)
        inherit(tree)
    samplers = [_taken(tree, "parameter_randomization", findings), located(sampler, Place("samplers", ()))]
    curricula = [_taken(tree, "curriculum", findings), located(curriculum, Place("curricula", ()))]
    for file in samplers:
        if file is not None:
            upgrade_samplers(file, tree, findings)
    for file in curricula:
        if file is not None:
            upgrade_curricula(file, tree.subsection("environment_parameters"), findings)
    if report is None:
        findings.raise_faults()
    return tree


def is_of_2020(trainer: Mapping[str, Any]) -> bool:
    """Return whether a trainer file is a flat one, which often has sections of more behaviors than one run uses."""
    return is_flat(trainer, {*RunSettings.model_fields, *_OLD_SECTIONS})


def _taken(tree: Section, key: str, report: FaultReport) -> Section | None:
    """Return a top-level section of the intermediate form, taken out of the tree."""
    section = tree.pop(key, None)
    if section is None or isinstance(section, Section):
        return section
    report.fault(tree.values_at[key], f"wrong type (got {shown(section)}, expected a mapping)")
    return None
