"""Curriculum and sampler files of 2020, as `environment_parameters`."""

from __future__ import annotations

from difflib import get_close_matches

from mlagents.settings.legacy.keys import correct_keys, leave_out_unknown, require
from mlagents.settings.schema import SAMPLERS
from mlagents.settings.source.faults import FaultReport, did_you_mean, shown
from mlagents.settings.source.scalars import whole
from mlagents.settings.source.sections import Items, Section
from mlagents_envs.sampler_class import SamplerFactory

_CURRICULUM_KEYS = ("measure", "thresholds", "min_lesson_length", "signal_smoothing", "parameters")
_CRITERIA = ("measure", "min_lesson_length", "signal_smoothing")
_INTERVAL = "resampling-interval"
_KIND = "sampler-type"
_NEW_NAMES = {"multirange_uniform": "multirangeuniform"}


def upgrade_curricula(file: Section, parameters: Section, report: FaultReport) -> None:
    """Add the parameters of a curriculum file (behavior -> curriculum) to `parameters`."""
    taught: set[str] = set()
    for behavior, curriculum in file.items():
        if not isinstance(curriculum, Section):
            report.fault(file.values_at[behavior], f"expected a curriculum (got {shown(curriculum)})")
            continue
        for name, lessons in _lessons(behavior, curriculum, report).items():
            at = curriculum["parameters"].keys_at[name]
            if name in parameters:
                what = "another curriculum of it" if name in taught else "the sampler of the same name"
                report.warn(at, f"replaces {what}")
            taught.add(name)
            section = Section(at)
            section.put("curriculum", lessons, at)
            parameters.put(name, section, at)


def _lessons(behavior: str, curriculum: Section, report: FaultReport) -> dict[str, Items]:
    """Return per parameter its lessons; empty when the curriculum is not usable."""
    if not _has_its_keys(curriculum, report):
        return {}
    thresholds, parameters = curriculum["thresholds"], curriculum["parameters"]
    found: dict[str, Items] = {}
    for name, values in parameters.items():
        at = parameters.keys_at[name]
        if not isinstance(values, Items) or len(values) != len(thresholds) + 1:
            got = f"{len(values)} values" if isinstance(values, Items) else shown(values)
            report.fault(at, f"expected a list of {len(thresholds) + 1} values, one more than thresholds (got {got})")
            continue
        found[name] = Items(at)
        for index in range(len(values)):
            found[name].add(_lesson(behavior, curriculum, values, index), values.items_at[index])
    return found


def _has_its_keys(curriculum: Section, report: FaultReport) -> bool:
    leave_out_unknown(curriculum, _CURRICULUM_KEYS, report, _CURRICULUM_KEYS)
    require(curriculum, _CURRICULUM_KEYS, curriculum.place, report)
    usable = True
    for key, kind, words in (
        ("thresholds", Items, "a list of numbers"),
        ("parameters", Section, "a mapping"),
    ):
        if key in curriculum and not isinstance(curriculum[key], kind):
            report.fault(curriculum.values_at[key], f"wrong type (got {shown(curriculum[key])}, expected {words})")
        usable = usable and isinstance(curriculum.get(key), kind)
    return usable


def _lesson(behavior: str, curriculum: Section, values: Items, index: int) -> Section:
    at = values.items_at[index]
    lesson = Section(at)
    lesson.put("name", f"Lesson{index}", at)
    lesson.put("value", values[index], at)
    thresholds = curriculum["thresholds"]
    if index < len(thresholds):
        criteria = Section(curriculum.place)
        criteria.put("behavior", behavior, curriculum.place)
        for key in _CRITERIA:
            if key in curriculum:
                criteria.take(curriculum, key)
        criteria.put("threshold", thresholds[index], thresholds.items_at[index])
        lesson.put("completion_criteria", criteria, curriculum.place)
    return lesson


def upgrade_samplers(file: Section, tree: Section, report: FaultReport) -> None:
    """Add the parameters and the interval of a sampler file to the modern mapping."""
    _check_interval(file, report)
    if _INTERVAL in file:
        tree.subsection("env_settings").take(file, _INTERVAL, "resampling_interval")
    parameters = tree.subsection("environment_parameters")
    for name, old in file.items():
        if name == _INTERVAL:
            continue
        if not isinstance(old, Section):
            at = file.values_at[name]
            report.fault(at, f"wrong type (got {shown(old)}, expected a mapping with {_KIND!r})")
            continue
        if name in parameters:
            report.warn(file.keys_at[name], "replaces the parameter of the same name")
        _check_kind(name, old, report)
        parameters.put(name, _sampler(old, report), file.keys_at[name], file.values_at[name])


def _check_interval(file: Section, report: FaultReport) -> None:
    if _INTERVAL not in file:
        near = get_close_matches(_INTERVAL, file, n=1)
        report.fault(file.place, f"missing key {_INTERVAL!r}{did_you_mean(near)}")
        for key in near:
            file.rename(key, _INTERVAL)
    if _INTERVAL not in file:
        return
    try:
        valid = whole(file[_INTERVAL]) > 0
    except ValueError:
        valid = False
    if not valid:
        got = shown(file[_INTERVAL])
        report.fault(file.values_at[_INTERVAL], f"out of bounds (got {got}, expected a whole number > 0)")


def _check_kind(name: str, sampler: Section, report: FaultReport) -> None:
    """Report a sampler that is not registered; one with a slip in its name is left to validation."""
    kind = str(sampler.get(_KIND, ""))
    registered = SamplerFactory.names()
    if not kind or ":" in kind or get_close_matches(kind, registered, n=1):
        return
    report.fault(
        sampler.values_at[_KIND],
        f"no sampler {kind!r} is registered (there are {', '.join(registered)}). For one of your own, call"
        " SamplerFactory.register_sampler(name, class) before the run, or name its class by its path,"
        " `my_package.module:Class`",
    )
    report.doubtful.add(("environment_parameters", name))


def _sampler(old: Section, report: FaultReport) -> Section:
    if _KIND not in old:
        arguments = {argument for sampler in SAMPLERS.values() for argument in sampler.model_fields}
        correct_keys(old, (_KIND, *sorted(arguments)), report)
        require(old, (_KIND,), old.place, report)
    written = str(old.get(_KIND))
    kind = _NEW_NAMES.get(written, written)
    if kind in SAMPLERS:
        known = SAMPLERS[kind].model_fields
        correct_keys(old, (_KIND, *known), report)
        require(old, [key for key in known if key != "seed"], old.place, report)
    sampler, parameters = Section(old.place), Section(old.place)
    for key in old:
        if key == _KIND:
            sampler.take(old, key, "sampler_type", _NEW_NAMES.get(written))
        else:
            parameters.take(old, key)
    sampler.put("sampler_parameters", parameters, old.place)
    return sampler
