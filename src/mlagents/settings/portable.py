"""A configuration as the original toolkit reads it too: no null, none of our own keys that say nothing new.

The original completes every behavior by `default_settings`, and nothing can be taken back there: hyperparameters of
another trainer, reward signals and sections such as `memory` that only the defaults have would all be added. Defaults
that would do this are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlagents.settings.schema import (
    BehavioralCloningSettings,
    BehaviorSettings,
    CurriculumSettings,
    GAILSettings,
    MemorySettings,
    POCASettings,
    PPOSettings,
    RaySettings,
    RunSettings,
    SACSettings,
    SelfPlaySettings,
    Settings,
)

_RUN_SECTIONS = ("env_settings", "engine_settings", "checkpoint_settings", "torch_settings")
_OWN = {
    "env_settings": (
        "resampling_interval",
        "bind",
        "attach",
        "tls_cert",
        "tls_key",
        "tls_ca",
        "token_file",
        "insecure",
    ),
    "checkpoint_settings": ("jsonl", "track", "export_profile", "export_format", "keep_best"),
}
_OWN_OF_BEHAVIORS: Mapping[type[Settings], tuple[str, ...]] = {
    BehavioralCloningSettings: ("demo_pairing", "observation_noise", "weight_decay"),
    GAILSettings: ("demo_pairing",),
    MemorySettings: ("burn_in_ratio",),
    POCASettings: ("advantage_normalization", "value_clip"),
    PPOSettings: ("advantage_normalization", "value_clip"),
    SACSettings: ("demo_replay_ratio",),
    SelfPlaySettings: ("opponent_sampling", "baselines", "baseline_episodes", "inherit_rating"),
}
_TRAINERS = ("ppo", "sac", "poca")
_OPTIONAL = ("self_play", "behavioral_cloning")


def portable(settings: RunSettings) -> tuple[dict[str, Any], list[str]]:
    """Return the modern mapping that the original toolkit reads too, and what it cannot say, in sentences."""
    tree: dict[str, Any] = {}
    notes: list[str] = []
    default, behaviors = settings.default_settings, dict(settings.behaviors)
    if default is not None and (problem := _cannot_complete(default, behaviors)):
        behaviors |= dict.fromkeys(_measured(settings) - behaviors.keys(), default)
        notes.append(f"default_settings are left out, as {problem}; behaviors without a section are then refused")
    elif default is not None:
        tree["default_settings"] = _behavior(default, "default_settings", notes)
    tree["behaviors"] = {name: _behavior(each, f"behaviors.{name}", notes) for name, each in behaviors.items()}
    tree |= _run_sections(settings, notes)
    if settings.environment_parameters:
        tree["environment_parameters"] = {
            name: _without_nothing(parameter.model_dump(mode="json", exclude=_defaults_of_ours(parameter)))
            for name, parameter in settings.environment_parameters.items()
        }
    if settings.debug:
        tree["debug"] = True
    return tree, notes


def _run_sections(settings: RunSettings, notes: list[str]) -> dict[str, Any]:
    """Return what is not at its default in the sections of the run."""
    sections = {}
    for name in _RUN_SECTIONS:
        section = getattr(settings, name).model_dump(mode="json", exclude_defaults=True)
        if section.pop("save_freq", 0):
            notes.append(
                "checkpoints come every checkpoint_interval trainer steps, as the original has no rate in environment"
                " steps, which files of 2020 mean; set checkpoint_interval if that is too seldom"
            )
        own = [key for key in _OWN.get(name, ()) if key in section]
        notes += [f"{name}.{key} is a key of this toolkit; the original refuses it" for key in own]
        if "device" in section:
            section["device"] = section["device"].replace("gpu", "cuda")
        if section:
            sections[name] = section
    if settings.search:
        notes.append("the section search is left out: the original does not search")
    if settings.ray_settings != RaySettings():
        notes.append("ray_settings are left out: the original has no samplers on several machines")
    return sections


def _behavior(behavior: BehaviorSettings, where: str, notes: list[str]) -> dict[str, Any]:
    if behavior.trainer_type not in _TRAINERS:
        notes.append(f"{where}.trainer_type: {behavior.trainer_type} is no trainer of the original, which refuses it")
    tree: dict[str, Any] = _without_nothing(_section(behavior, where, notes))
    return tree


def _section(section: Settings, where: str, notes: list[str]) -> dict[str, Any]:
    """Return a section of a behavior, and all below it, without those of our own keys that are at their defaults."""
    tree = section.model_dump(mode="json")
    for key, value in section:
        if isinstance(value, Settings):
            tree[key] = _section(value, f"{where}.{key}", notes)
        elif isinstance(value, Mapping):
            tree[key] = {name: _section(each, f"{where}.{key}.{name}", notes) for name, each in value.items()}
    for key in _OWN_OF_BEHAVIORS.get(type(section), ()):
        if getattr(section, key) == type(section).model_fields[key].get_default(call_default_factory=True):
            del tree[key]
        else:
            notes.append(f"{where}.{key} is a key of this toolkit; the original refuses it or knows nothing of it")
    return tree


def _measured(settings: RunSettings) -> set[str]:
    """Return the behaviors that curricula measure."""
    curricula = [each for each in settings.environment_parameters.values() if isinstance(each, CurriculumSettings)]
    criteria = [lesson.completion_criteria for each in curricula for lesson in each.curriculum]
    return {each.behavior for each in criteria if each is not None}


def _defaults_of_ours(parameter: object) -> set[str]:
    return {"initial_lesson"} if isinstance(parameter, CurriculumSettings) and not parameter.initial_lesson else set()


def _cannot_complete(default: BehaviorSettings, behaviors: Mapping[str, BehaviorSettings]) -> str:
    """Say what the original would add to a behavior that has it otherwise; empty if nothing."""
    for name, behavior in behaviors.items():
        if behavior.trainer_type != default.trainer_type:
            return f"{name} has another trainer ({behavior.trainer_type} instead of {default.trainer_type})"
        if lacking := [signal for signal in default.reward_signals if signal not in behavior.reward_signals]:
            return f"{name} does without their reward signal {lacking[0]}"
        if default.network_settings.memory is not None and behavior.network_settings.memory is None:
            return f"{name} does without their memory"
        for key in _OPTIONAL:
            if getattr(default, key) is not None and getattr(behavior, key) is None:
                return f"{name} does without their {key}"
    return ""


def _without_nothing(tree: Any) -> Any:
    """Return a tree without entries that are null."""
    if isinstance(tree, dict):
        return {key: _without_nothing(value) for key, value in tree.items() if value is not None}
    return [_without_nothing(value) for value in tree] if isinstance(tree, list) else tree
