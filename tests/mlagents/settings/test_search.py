"""The section `search`: where its values land, and what is said of those that are no good."""

from __future__ import annotations

import re

import pytest

from mlagents.settings import SettingsError, convert, dump, load_run_settings, parse_run_settings

CONFIG = """\
default_settings:
  trainer_type: ppo
  hyperparameters: {batch_size: 64, buffer_size: 1024}
behaviors:
  Ball: {max_steps: 1000, network_settings: {hidden_units: 32}}
  Ball.v2: {max_steps: 2000}
environment_parameters:
  gravity: 9.81
search:
"""


@pytest.fixture
def load(tmp_path):
    def load(*lines, **options):
        path = tmp_path / "search.yaml"
        path.write_text(CONFIG + "".join(f"  {line}\n" for line in lines))
        return load_run_settings(path, **options)

    return load


FORMS = (
    "behaviors.Ball.hyperparameters.learning_rate: {log_uniform: [1.0e-5, 1.0e-3]}",
    "behaviors.Ball.v2.hyperparameters.num_epoch: {int: [1, 8]}",
    "default_settings.hyperparameters.lambd: {uniform: [0.9, 0.99]}",
    "behaviors.Ball.network_settings.normalize: {choice: [true, false]}",
    "environment_parameters.gravity: {choice: [4, 9.81]}",
)


def test_a_trial_has_its_values_in_their_places(load):
    assert [search.form[0] for search in load(*FORMS).search.values()] == [
        "log_uniform",
        "int",
        "uniform",
        "choice",
        "choice",
    ]
    trial = {
        "behaviors.Ball.hyperparameters.learning_rate": 2e-4,
        "behaviors.Ball.v2.hyperparameters.num_epoch": 7,
        "default_settings.hyperparameters.lambd": 0.93,
        "behaviors.Ball.network_settings.normalize": True,
        "environment_parameters.gravity": 4,
    }
    settings = load(*FORMS, trial=trial)
    ball, second = settings.behavior("Ball"), settings.behavior("Ball.v2")
    assert (ball.hyperparameters.learning_rate, second.hyperparameters.learning_rate) == (2e-4, 3e-4)
    assert (ball.hyperparameters.num_epoch, second.hyperparameters.num_epoch) == (3, 7)
    assert ball.hyperparameters.lambd == second.hyperparameters.lambd == 0.93  # behaviors inherit it
    assert (ball.network_settings.normalize, second.network_settings.normalize) == (True, False)
    assert ball.network_settings.hidden_units == 32
    assert settings.environment_parameters["gravity"].sampler_parameters.value == 4
    assert settings.search == {}


def test_a_search_survives_being_written(load):
    settings = load(*FORMS)
    assert parse_run_settings(dump(settings)).search == settings.search


def test_the_original_is_not_given_a_search(load):
    text, notes = convert(load(FORMS[0]))
    assert "search" not in text
    assert any("search is left out" in note for note in notes)


FAULTS = {
    "no such behavior": (
        "behaviors.Bell.max_steps: {int: [1, 2]}",
        "search.behaviors.Bell.max_steps: there is no 'Bell' below behaviors; did you mean 'Ball' or 'Ball.v2'?",
    ),
    "a misspelt key": (
        "behaviors.Ball.hyperparameters.learning_rat: {uniform: [0.1, 0.2]}",
        "unknown key 'learning_rat'; did you mean 'learning_rate'?",
    ),
    "an end out of bounds": (
        "behaviors.Ball.hyperparameters.lambd: {uniform: [0.9, 1.5]}",
        "search.behaviors.Ball.hyperparameters.lambd: out of bounds (got 1.5",
    ),
    "a choice of the wrong type": (
        "behaviors.Ball.network_settings.vis_encode_type: {choice: [simple, resnat]}",
        "unknown value (got 'resnat'",
    ),
    "what a search may not change": (
        "checkpoint_settings.run_id: {choice: [a, b]}",
        "cannot be searched (expected a key",
    ),
    "a whole section": ("behaviors.Ball: {choice: [a, b]}", "cannot be searched: it is a whole section"),
    "two forms": (
        "env_settings.num_areas: {int: [1, 2], choice: [1, 2]}",
        "expected one of log_uniform, uniform, int, choice",
    ),
    "no form": ("env_settings.num_areas: {}", "expected one of log_uniform, uniform, int, choice; got nothing"),
    "ends that are swapped": (
        "env_settings.num_areas: {int: [2, 1]}",
        "expected [low, high] with low < high; got [2, 1]",
    ),
    "three ends": ("env_settings.num_areas: {int: [1, 2, 3]}", "expected [low, high] with low < high"),
    "no logarithm": ("behaviors.Ball.max_steps: {log_uniform: [0, 5]}", "out of bounds (got 0"),
    "one choice": ("env_settings.num_areas: {choice: [1]}", "expected at least two numbers, words or switches"),
    "an unknown form": ("env_settings.num_areas: {normal: [1, 2]}", "unknown key 'normal'"),
}


@pytest.mark.parametrize(("line", "said"), FAULTS.values(), ids=FAULTS)
def test_faults_are_said_with_their_line(load, line, said):
    with pytest.raises(SettingsError) as error:
        load(line)
    assert len(error.value.faults) == 1
    (fault,) = error.value.faults
    assert re.search(r"search\.yaml:10:\d+: ", fault)
    assert said in fault


def test_a_value_that_is_no_good_is_said_of_its_trial(load):
    with pytest.raises(SettingsError, match=r"search\.yaml:10:3: search\.behaviors\.Ball\.max_steps: out of bounds"):
        load("behaviors.Ball.max_steps: {int: [1, 9]}", trial={"behaviors.Ball.max_steps": -1})
