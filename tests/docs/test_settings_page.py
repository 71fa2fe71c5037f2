"""docs/settings.md has every key of the schema, with its default, and no other."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from mlagents.settings.schema import base, behavior, hyperparameters, network, parameters, reward_signals, run, search

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "settings.md").read_text()
MODULES = (base, behavior, hyperparameters, network, parameters, reward_signals, run, search)
HEADINGS = {
    run.RunSettings: "The file",
    behavior.BehaviorSettings: "A behavior",
    hyperparameters.HyperparameterSettings: "Hyperparameters of all trainers",
    hyperparameters._ClippedPolicySettings: "Hyperparameters of ppo and poca",
    hyperparameters.PPOSettings: "Hyperparameters of ppo",
    hyperparameters.SACSettings: "Hyperparameters of sac",
    hyperparameters.BCSettings: "Hyperparameters of bc",
    network.NetworkSettings: "Networks",
    network.MemorySettings: "Memory",
    reward_signals.RewardSignalSettings: "Reward signals",
    reward_signals.CuriositySettings: "Reward signal curiosity",
    reward_signals.GAILSettings: "Reward signal gail",
    reward_signals.RNDSettings: "Reward signal rnd",
    behavior.BehavioralCloningSettings: "Behavioral cloning",
    behavior.SelfPlaySettings: "Self-play",
    run.EnvSettings: "Environments",
    run.RaySettings: "Several machines",
    search.SearchSettings: "A search",
    run.EngineSettings: "The Unity engine",
    run.CheckpointSettings: "The run",
    run.TorchSettings: "The device",
    parameters.SamplerSettings: "Environment parameters",
    parameters.SamplerParameters: "Samplers",
    parameters.ConstantParameters: "Sampler constant",
    parameters.UniformParameters: "Sampler uniform",
    parameters.GaussianParameters: "Sampler gaussian",
    parameters.MultiRangeUniformParameters: "Sampler multirangeuniform",
    parameters.CurriculumSettings: "A curriculum",
    parameters.LessonSettings: "A lesson",
    parameters.CompletionCriteriaSettings: "The end of a lesson",
}


def own_fields(cls: type[base.Settings]) -> dict[str, FieldInfo]:
    """The keys that a section has, without those of the section that it extends."""
    return {name: cls.model_fields[name] for name in inspect.get_annotations(cls) if name in cls.model_fields}


def rows_under(heading: str) -> dict[str, list[str]]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row for row in rows}


def all_sections() -> set[type[base.Settings]]:
    classes = {value for module in MODULES for value in vars(module).values() if isinstance(value, type)}
    return {cls for cls in classes if issubclass(cls, base.Settings) and own_fields(cls)}


def test_every_section_of_the_schema_has_a_table():
    assert all_sections() == set(HEADINGS)


@pytest.mark.parametrize("cls", HEADINGS, ids=lambda cls: cls.__name__)
def test_the_table_has_the_keys_of_the_section_in_their_order(cls):
    assert list(rows_under(HEADINGS[cls])) == list(own_fields(cls))


def is_told(field: FieldInfo, told: str) -> bool:
    """Whether a cell says the default of a key."""
    default = field.default
    if field.is_required():
        return told == "required"
    if field.validate_default and default is None:  # computed from other keys
        return re.search("`[a-z_]+`|of the trainer", told) is not None
    if isinstance(default, int | float) and not isinstance(default, bool):
        return float(told) == default
    words = {True: "true", False: "false", None: "null", (): "none", ((0.0, 1.0),): "[[0, 1]]"}
    if isinstance(default, base.Settings):
        return told == "below"
    if isinstance(default, dict):
        return told == (", ".join(default) or "{}")
    return told == words.get(default, default)


@pytest.mark.parametrize("cls", HEADINGS, ids=lambda cls: cls.__name__)
def test_defaults_are_those_of_the_schema_and_every_key_is_explained(cls):
    rows = rows_under(HEADINGS[cls])
    for key, field in own_fields(cls).items():
        _, told, _, meaning = rows[key]
        assert is_told(field, told), f"{key}: {told!r} is not {field.default!r}"
        assert len(meaning) > 5, key
