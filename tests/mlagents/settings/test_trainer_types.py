"""Plug-in trainers in the configuration: their hyperparameters are checked like those of the built-in ones."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mlagents.plugins import PluginError
from mlagents.settings import (
    HyperparameterSettings,
    PPOSettings,
    SettingsError,
    hyperparameters_of,
    parse_run_settings,
    trainer_type_names,
)
from toys.packages import on_the_path, write_package

PLUGIN = '''
from mlagents.settings import HyperparameterSettings, TrainerType
from mlagents.settings.schema.base import Fraction

class Hyperparameters(HyperparameterSettings):
    zeal: Fraction = 0.5
    """How hard it tries."""

def make_learner(behavior, spec, settings, seed):
    raise NotImplementedError

TRAINER = TrainerType(Hyperparameters, make_learner)
NO_CLASS = TrainerType({"zeal": 0.5}, make_learner)
'''
POINTS = {
    "keen": "trainer_plugin_for_test:TRAINER",
    "ppo": "trainer_plugin_for_test:TRAINER",
    "class_only": "trainer_plugin_for_test:Hyperparameters",
    "no_class": "trainer_plugin_for_test:NO_CLASS",
    "broken": "trainer_plugin_for_test:NOTHING",
}


@pytest.fixture
def offered(tmp_path, request):
    (tmp_path / "trainer_plugin_for_test.py").write_text(PLUGIN)
    names = getattr(request, "param", ["keen"])
    write_package(tmp_path, "zealots", "mlagents.trainer_type", {name: POINTS[name] for name in names})
    with on_the_path(tmp_path):
        yield tmp_path


def behavior(text):
    return parse_run_settings(f"behaviors: {{B: {{{text}}}}}", "file.yaml").behaviors["B"]


def test_hyperparameters_are_of_the_class_of_the_plug_in(offered):
    assert behavior("trainer_type: keen, hyperparameters: {zeal: 0.75}").hyperparameters.zeal == 0.75
    assert behavior("trainer_type: keen").hyperparameters.zeal == 0.5
    assert issubclass(hyperparameters_of("keen"), HyperparameterSettings)
    assert hyperparameters_of("ppo") is PPOSettings
    assert hyperparameters_of("nobody") is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("trainer_type: keen, hyperparameters: {zea: 1}", "unknown key 'zea'; did you mean 'zeal'?"),
        ("trainer_type: keen, hyperparameters: {zeal: 2}", "(got 2.0, expected a number >= 0 and <= 1)"),
        ("trainer_type: kene", "(got 'kene', expected one of ppo, sac, poca, bc, keen); did you mean 'keen'?"),
        ("hyperparameters: {zeal: 1}", "expected trainer_type beside them: one of ppo, sac, poca, bc, keen"),
    ],
)
def test_faults_have_line_and_column(offered, text, fault):
    with pytest.raises(SettingsError) as caught:
        behavior(text)
    assert "file.yaml:1:" in str(caught.value)
    assert fault in str(caught.value)


def test_defaults_for_many_keep_what_the_plug_in_has(offered):
    settings = parse_run_settings(
        "default_settings: {trainer_type: ppo, hyperparameters: {beta: 0.5, learning_rate: 0.25}}\n"
        "behaviors: {B: {trainer_type: keen}}"
    )
    assert settings.behaviors["B"].hyperparameters.learning_rate == 0.25


def test_a_flat_file_may_name_it(offered):
    text = (
        "B: {trainer: keen, normalize: false, hidden_units: 8, num_layers: 1, max_steps: 9, time_horizon: 4,"
        " summary_freq: 5, batch_size: 2, buffer_size: 4, learning_rate: 0.5,"
        " reward_signals: {extrinsic: {strength: 1, gamma: 0.9}}}"
    )
    assert parse_run_settings(text).behaviors["B"].hyperparameters.learning_rate == 0.5


@pytest.mark.parametrize(
    ("offered", "trainer_type", "reason"),
    [
        (["ppo"], "ppo", "has the name of another trainer: PPOSettings belongs to 'ppo'. Give the entry point another"),
        (["class_only"], "class_only", "expected a mlagents.settings.TrainerType"),
        (["no_class"], "no_class", "has the hyperparameters {'zeal': 0.5}; expected a class"),
        (["broken"], "broken", "cannot be loaded: AttributeError"),
    ],
    indirect=["offered"],
)
def test_a_plug_in_that_cannot_be_used_is_named(offered, trainer_type, reason):
    with pytest.raises(PluginError) as caught:
        behavior(f"trainer_type: {trainer_type}")
    assert reason in str(caught.value)
    assert f"'{trainer_type} = {POINTS[trainer_type]}' of zealots (group mlagents.trainer_type)" in str(caught.value)


def test_plug_ins_are_loaded_only_if_a_configuration_names_them(offered):
    assert trainer_type_names() == ["ppo", "sac", "poca", "bc", "keen"]
    behavior("trainer_type: sac")
    assert "trainer_plugin_for_test" not in sys.modules


def test_a_fault_of_a_plug_in_is_a_message_of_the_command_line(tmp_path):
    write_package(tmp_path / "site", "zealots", "mlagents.trainer_type", {"keen": "nowhere_for_test:TRAINER"})
    (tmp_path / "c.yaml").write_text("behaviors: {Basic: {trainer_type: keen}}")
    done = subprocess.run(
        [sys.executable, "-m", "mlagents.cli.learn", "c.yaml", "--env=Basic"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: The plug-in 'keen = nowhere_for_test:TRAINER' of zealots")
    assert "Traceback" not in done.stderr
