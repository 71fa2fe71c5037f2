"""Command-line flags: which key of the modern mapping each one sets. Only flags that were typed come here."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from mlagents.settings.schema import CheckpointSettings
from mlagents.settings.source.faults import FaultReport, Place, did_you_mean, shown
from mlagents.settings.source.scalars import whole
from mlagents.settings.source.sections import Items, Section, located, sections_of

_SECTIONS = {
    "env_settings": (
        "env_path",
        "env_args",
        "base_port",
        "num_envs",
        "num_areas",
        "timeout_wait",
        "seed",
        "max_lifetime_restarts",
        "restarts_rate_limit_n",
        "restarts_rate_limit_period_s",
        "bind",
        "attach",
        "tls_cert",
        "tls_key",
        "tls_ca",
        "token_file",
        "insecure",
    ),
    "ray_settings": ("address", "num_samplers", "envs_per_sampler", "max_staleness"),
    "engine_settings": (
        "width",
        "height",
        "quality_level",
        "time_scale",
        "target_frame_rate",
        "capture_frame_rate",
        "no_graphics",
        "no_graphics_monitor",
    ),
    "checkpoint_settings": (
        "run_id",
        "save_freq",
        "initialize_from",
        "load_model",
        "resume",
        "force",
        "train_model",
        "inference",
        "results_dir",
        "jsonl",
        "track",
        "export_profile",
        "export_format",
        "keep_best",
    ),
}
_SECTION_OF = {key: section for section, keys in _SECTIONS.items() for key in keys}
_OF_SAMPLERS = {"num_samplers", "envs_per_sampler", "max_staleness"}
_DEVICES = ("cpu", "device", "torch_device")
_BEHAVIOR_KEYS = {
    "keep_checkpoints": ("keep_checkpoints",),
    "deterministic": ("network_settings", "deterministic"),
}
_FILES = ("trainer_config_path", "curriculum_config_path", "sampler_file_path")
_IGNORED = {
    "docker_target_name": "only mlagents-learn itself enters the mounted folder",
    "torch": "there is only one framework",
    "tensorflow": "there is only one framework",
}
_KNOWN = {*_SECTION_OF, *_DEVICES, *_BEHAVIOR_KEYS, *_FILES, *_IGNORED, "lesson", "debug", "view"}
_SHORT = {
    "address": "ray",
    "env_path": "env",
    "load_model": "load",
    "train_model": "train",
    "curriculum_config_path": "curriculum",
    "sampler_file_path": "sampler",
}


def place_of(flag: str) -> Place:
    """Return the place of a flag in messages, by its destination."""
    return Place("command line", (f"--{_SHORT.get(flag, flag).replace('_', '-')}",))


def apply_flags(tree: Section, flags: Mapping[str, object], report: FaultReport) -> None:
    """Set what the flags say in a modern mapping whose behaviors are complete, in place."""
    for flag, value in flags.items():
        at = place_of(flag)
        if flag not in _KNOWN:
            report.fault(at, f"unknown flag{did_you_mean(get_close_matches(flag, _KNOWN, n=1))}")
        elif flag in _SECTION_OF:
            tree.subsection(_SECTION_OF[flag]).put(flag, located(value, at), at)
        elif flag in _BEHAVIOR_KEYS:
            _set_in_behaviors(tree, _BEHAVIOR_KEYS[flag], value, at)
        elif flag in _IGNORED:
            report.warn(at, f"ignored: {_IGNORED[flag]}")
        elif flag == "debug":
            tree.put("debug", value, at)
    if "lesson" in flags:
        _set_lesson(tree, flags["lesson"], report)
    _set_device(tree, flags, report)
    if all(section.get("address") is None for section in sections_of(tree, "ray_settings")):
        for flag in sorted(_OF_SAMPLERS & flags.keys()):
            report.warn(place_of(flag), "without effect: everything plays on this machine (expected --ray, too)")


def _set_in_behaviors(tree: Section, path: tuple[str, ...], value: object, at: Place) -> None:
    """Set one key in every behavior and in the defaults."""
    behaviors = [*sections_of(tree.get("behaviors")), *sections_of(tree, "default_settings")]
    for section in behaviors:
        for key in path[:-1]:
            section = section.subsection(key)
        section.put(path[-1], value, at)


def _set_lesson(tree: Section, lesson: object, report: FaultReport) -> None:
    """Let all curricula start at this lesson, or at their nearest one."""
    at = place_of("lesson")
    curricula = [
        parameter
        for parameter in sections_of(tree.get("environment_parameters"))
        if isinstance(parameter.get("curriculum"), Items)
    ]
    if not curricula:
        report.warn(at, "without effect: there is no curriculum")
    for parameter in curricula:
        try:
            last = len(parameter["curriculum"]) - 1
            parameter.put("initial_lesson", max(0, min(whole(lesson), last)), at)
        except ValueError:
            report.fault(at, f"wrong type (got {shown(lesson)}, expected a whole number)")


def _set_device(tree: Section, flags: Mapping[str, object], report: FaultReport) -> None:
    given: dict[str, Any] = {flag: flags[flag] for flag in _DEVICES if flags.get(flag)}
    if "cpu" in given:
        given["cpu"] = "cpu"
    devices = {str(device).replace("cuda", "gpu", 1) for device in given.values()}
    if len(devices) > 1:
        flag, *others = given
        named = " and ".join(place_of(other).path[0] for other in others)  # type: ignore[misc]
        report.fault(place_of(flag), f"names another device than {named} ({' and '.join(sorted(devices))})")
    for flag, device in given.items():
        tree.subsection("torch_settings").put("device", device, place_of(flag))


def settle_start(settings: CheckpointSettings, flags: Mapping[str, object], report: FaultReport) -> CheckpointSettings:
    """Return what the run starts from when file and flags say several things; deprecated switches are used up."""
    resume, initialize_from = settings.resume or settings.load_model, settings.initialize_from
    at = Place("checkpoint_settings", ())
    if settings.load_model:
        report.warn(at, "load_model (--load) is deprecated: write resume (--resume)")
    if settings.train_model:
        report.warn(at, "train_model (--train) is deprecated and without effect: training is the default")
    if settings.inference and not (resume or initialize_from):
        report.warn(
            at, "inference without resume: behaviors without an init_path act with random weights (add --resume)"
        )
    if resume and initialize_from is not None:
        from_flag = "initialize_from" in flags and not {"resume", "load_model"} & flags.keys()
        if from_flag:
            report.warn(at, "--initialize-from wins over `resume` in the file")
            resume = False
        else:
            report.warn(at, f"resume wins: the run continues, and initialize_from {initialize_from!r} is ignored")
            initialize_from = None
    return settings.model_copy(
        update={
            "resume": resume,
            "initialize_from": initialize_from,
            "load_model": False,
            "train_model": False,
        }
    )
