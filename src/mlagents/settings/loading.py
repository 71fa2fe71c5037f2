"""From files and flags to settings, and from settings to a file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter

from mlagents.settings.curricula import impassable
from mlagents.settings.flags import apply_flags, settle_start
from mlagents.settings.legacy.files import KINDS, Kind, kind_of, read_parameters
from mlagents.settings.parser import validate
from mlagents.settings.portable import portable
from mlagents.settings.schema import BehaviorSettings, CurriculumSettings, GAILSettings, RunSettings
from mlagents.settings.search import extremes, substituted
from mlagents.settings.sizes import oversized
from mlagents.settings.source.faults import FaultReport, KeyPath, Place, SettingsError
from mlagents.settings.source.sections import Section, find
from mlagents.settings.source.yaml_source import parse, read
from mlagents.settings.upgrade import is_of_2020, upgrade
from mlagents_envs.logging_util import get_logger

_logger = get_logger(__name__)
_NO_FLAGS: Mapping[str, object] = MappingProxyType({})


class _Representer(RoundTripRepresenter):
    """Writes null as a word, for nothing at all looks forgotten, and text that cannot be printed with escapes."""


def _null(representer: _Representer, _: None) -> ScalarNode:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _text(representer: _Representer, text: str) -> ScalarNode:
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Representer.add_representer(type(None), _null)
_Representer.add_representer(str, _text)


def load_run_settings(
    path: Path | None,
    flags: Mapping[str, object] = _NO_FLAGS,
    *,
    check_files: bool = True,
    strict: bool = False,
    trial: Mapping[str, object] | None = None,
) -> RunSettings:
    """Return the configuration of a run from its trainer file and the flags that were typed. Warnings are logged.

    Args:
        path: trainer file of any generation; None: every behavior gets the built-in defaults.
        flags: flag destinations (`env_path`, `curriculum_config_path`, ...) and values; they win over files.
        check_files: demonstrations must exist. (For files of 2020, which often serve many environments, a warning
            says what is missing.)
        strict: refuse what is only tolerated in files of 2020, such as misspelt keys, which were ignored then.
        trial: values that take the place of those in the file, by the keys of its `search` section, which then is gone.
            What there is to warn of was said when the file was loaded without.

    Raises:
        SettingsError: every fault of the files and flags at once.
    """
    report = FaultReport(strict=strict)
    trainer = _built_in_defaults(report) if path is None else _read_trainer(path, report)
    if trainer is not None and trial is not None:
        trainer = substituted(trainer, trial, report)
    curriculum, sampler = (
        read_parameters(kind, Path(str(flags[kind.flag])), report) if flags.get(kind.flag) else None for kind in KINDS
    )
    return _settings(trainer, curriculum, sampler, flags, report, check_files, warns=trial is None)


def parse_run_settings(
    text: str,
    source: str = "configuration",
    *,
    flags: Mapping[str, object] = _NO_FLAGS,
    check_files: bool = False,
    strict: bool = False,
) -> RunSettings:
    """Return the configuration in a YAML text; `source` names it in messages, the rest is as above.

    Raises:
        SettingsError: every fault of the text at once.
    """
    report = FaultReport(strict=strict)
    trainer = parse(text, source, report)
    report.settle_repeated(tolerated=trainer is not None and is_of_2020(trainer))
    return _settings(trainer, None, None, flags, report, check_files)


def dump(settings: RunSettings) -> str:
    """Return the effective configuration as modern YAML, every key written out; it parses back to equal settings."""
    tree = settings.model_dump(mode="json")
    if settings.default_settings is None:
        del tree["default_settings"]
    else:
        for behavior in tree["behaviors"].values():
            for signal in settings.default_settings.reward_signals:
                behavior["reward_signals"].setdefault(signal, None)
    return _yaml(tree)


def convert(settings: RunSettings) -> tuple[str, list[str]]:
    """Return the configuration as modern YAML that the original toolkit reads too, and what that cannot say."""
    tree, notes = portable(settings)
    return _yaml(tree), notes


def _yaml(tree: object) -> str:
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.width = 1_000_000  # no folded lines
    stream = io.StringIO()
    yaml.dump(tree, stream)
    return stream.getvalue()


def check_parameters(path: Path, *, strict: bool = False) -> Kind | None:
    """Check a curriculum or sampler file by itself; return which of the two it is, None if it is another file.

    Raises:
        SettingsError: every fault of the file at once.
    """
    report = FaultReport(strict=strict)
    tree = read(path, FaultReport()) if path.is_file() else None
    kind = None if tree is None else kind_of(tree)
    if kind is None:
        return None
    found = read_parameters(kind, path, report)
    trainer = Section(Place(str(path), ()))
    trainer.subsection("default_settings")
    curriculum, sampler = (found if kind is other else None for other in KINDS)
    _settings(trainer, curriculum, sampler, _NO_FLAGS, report, check_files=False)
    return kind


def missing_demonstrations(settings: RunSettings) -> Iterator[tuple[KeyPath, str]]:
    """Return where a `demo_path` names nothing that can be read, and what was expected there."""
    behaviors: list[tuple[KeyPath, BehaviorSettings]] = [
        (("behaviors", name), behavior) for name, behavior in settings.behaviors.items()
    ]
    if settings.default_settings is not None:
        behaviors.append((("default_settings",), settings.default_settings))
    for path, behavior in behaviors:
        for name, signal in behavior.reward_signals.items():
            if isinstance(signal, GAILSettings) and (problem := _demonstration_problem(signal.demo_path)):
                yield (*path, "reward_signals", name, "demo_path"), problem
        cloning = behavior.behavioral_cloning
        if cloning is not None and (problem := _demonstration_problem(cloning.demo_path)):
            yield (*path, "behavioral_cloning", "demo_path"), problem


def _demonstration_problem(demo_path: str) -> str:
    path = Path(demo_path).absolute()
    if path.is_dir():
        return "" if any(path.glob("*.demo")) else f"no `.demo` file in the folder {str(path)!r}"
    if path.is_file():
        return "" if path.suffix == ".demo" else f"not a `.demo` file: {str(path)!r}"
    return f"demonstration not found (expected a `.demo` file, or a folder of them, at {str(path)!r})"


def _built_in_defaults(report: FaultReport) -> Section:
    place = Place("no configuration file", ())
    report.warn(place, "every behavior gets the built-in defaults")
    tree = Section(place)
    tree.subsection("default_settings")
    return tree


def _read_trainer(path: Path, report: FaultReport) -> Section | None:
    trainer = read(path, report)
    report.settle_repeated(tolerated=trainer is not None and is_of_2020(trainer))
    if trainer is not None and (kind := kind_of(trainer)) is not None:
        report.fault(trainer.place, f"a {kind.name} file; pass it with {kind.typed} {path}, beside a trainer file")
        return None
    return trainer


def _settings(
    trainer: Section | None,
    curriculum: Section | None,
    sampler: Section | None,
    flags: Mapping[str, object],
    report: FaultReport,
    check_files: bool,
    warns: bool = True,
) -> RunSettings:
    if trainer is None:
        raise SettingsError(*report.faults)
    tree = upgrade(trainer, curriculum, sampler, report)
    apply_flags(tree, flags, report)
    settings = validate(tree, report)
    if settings is not None and check_files:
        for path, problem in oversized(settings):
            place, depth = find(tree, path)
            report.fault(place.below(*path[depth:]), problem)
        note = report.warn if is_of_2020(trainer) else report.fault
        for path, problem in missing_demonstrations(settings):
            note(find(tree, path)[0], problem)
    for key, value in extremes(settings.search) if settings is not None else ():
        tried = FaultReport(strict=report.strict)
        there = upgrade(substituted(trainer, {key: value}, tried), curriculum, sampler, tried)
        apply_flags(there, flags, tried)
        validate(there, tried)
        report.adopt(tried)
    report.raise_faults()
    assert settings is not None  # or there are faults
    _advise(settings, tree, report)
    checkpoints = settle_start(settings.checkpoint_settings, flags, report)
    for warning in report.warnings if warns else ():
        _logger.warning(warning)
    return settings.model_copy(update={"checkpoint_settings": checkpoints}).written_in(tree)


def _advise(settings: RunSettings, tree: Section, report: FaultReport) -> None:
    """Warn of what has no effect."""
    for name, parameter in settings.environment_parameters.items():
        if isinstance(parameter, CurriculumSettings) and parameter.curriculum[-1].completion_criteria:
            last = ("environment_parameters", name, "curriculum", len(parameter.curriculum) - 1)
            at, _ = find(tree, (*last, "completion_criteria"))
            report.warn(at, "without effect: this is the last lesson")
    for path, problem in impassable(settings):
        place, depth = find(tree, path)
        report.warn(place.below(*path[depth:]), problem)
    for name, behavior in settings.behaviors.items():
        for signal_name, signal in behavior.reward_signals.items():
            if signal.network_settings.memory is not None:
                path = ("behaviors", name, "reward_signals", signal_name, "network_settings", "memory")
                report.warn(find(tree, path)[0], "ignored: networks of reward signals have no memory")
