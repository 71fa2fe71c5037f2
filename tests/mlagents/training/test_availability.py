"""What this version lacks, and sections that fit no behavior, are said clearly."""

from __future__ import annotations

import re

import pytest

from mlagents.settings import BehaviorSettings, RunSettings, SettingsError, parse_run_settings
from mlagents.training.availability import (
    Coverage,
    refuse_hopeless,
    refuse_idle,
    refuse_untrainable,
    unavailable,
    warn_of_unknown_parameters,
)
from mlagents.training.sizes import needs_with, row_bytes
from toys.specs import behavior, observation

TRAINERS = ("ppo",)
LACKING = {
    "trainer_type": {"trainer_type": "poca"},
}


def run(default=None, **behaviors):
    return RunSettings.model_validate(
        {"behaviors": behaviors} | ({} if default is None else {"default_settings": default})
    )


@pytest.mark.parametrize("key", LACKING)
def test_every_key_is_named(key):
    ((path, problem),) = unavailable(BehaviorSettings.model_validate(LACKING[key]), TRAINERS)
    assert ".".join(path) == key
    message = re.escape(f"behaviors.B.{key}: {problem}")
    assert "not available in this version" in problem
    with pytest.raises(SettingsError, match=message):
        refuse_hopeless(run(B=LACKING[key]), TRAINERS)
    with pytest.raises(SettingsError, match=message):
        Coverage(run(B=LACKING[key]), TRAINERS, lambda: ["B"]).settings_of("B")


MODERN = """\
default_settings:
  trainer_type: poca
behaviors:
  A:
    trainer_type: sac
  B: {}
"""


def test_the_place_is_that_of_what_was_written():
    """Inherited things are where the defaults are, and said once."""
    with pytest.raises(SettingsError) as error:
        refuse_hopeless(parse_run_settings(MODERN, "run.yaml"), TRAINERS)
    assert str(error.value).splitlines() == [
        "run.yaml:5:19: behaviors.A.trainer_type: 'sac' is not available in this version (available: ppo)",
        "run.yaml:2:17: default_settings.trainer_type: 'poca' is not available in this version (available: ppo)",
    ]
    with pytest.raises(SettingsError, match=r"^run.yaml:2:17: default_settings.trainer_type: 'poca' is not available"):
        Coverage(parse_run_settings(MODERN, "run.yaml"), TRAINERS, lambda: ["A", "B", "C"]).settings_of("C")


def test_what_is_there_passes():
    assert not list(unavailable(BehaviorSettings(threaded=True, self_play={}), TRAINERS))
    refuse_hopeless(run(), TRAINERS)


def test_a_file_for_many_environments_is_refused_only_for_the_behavior_that_comes():
    settings = run(Good={}, Bad=LACKING["trainer_type"])
    refuse_hopeless(settings, TRAINERS)
    coverage = Coverage(settings, TRAINERS, lambda: ["Good", "Bad"])
    assert coverage.settings_of("Good") == BehaviorSettings()
    with pytest.raises(SettingsError, match=r"behaviors\.Bad\.trainer_type"):
        coverage.settings_of("Bad")


def test_a_behavior_without_a_section_is_said_with_both_lists():
    coverage = Coverage(run(Strikr={}, Goalie={}), TRAINERS, lambda: ["Goalie", "Striker"])
    with pytest.raises(SettingsError) as error:
        coverage.settings_of("Goalie")
    text = str(error.value)
    assert "no section covers Striker" in text
    assert "behaviors of the environment: Goalie, Striker" in text
    assert "behaviors of the configuration: Strikr, Goalie" in text
    assert "did you write 'Strikr' for 'Striker'?" in text


def test_a_section_without_a_behavior_is_said_once_with_both_lists(caplog):
    coverage = Coverage(run(A={}, B={}, C={}), TRAINERS, lambda: ["A"])
    coverage.settings_of("A")
    coverage.settings_of("A")
    assert caplog.messages == ["No agents (so far) for the sections B, C; the environment has the behaviors A."]


def test_default_settings_cover_the_rest(caplog):
    coverage = Coverage(run(default={"max_steps": 7}), TRAINERS, lambda: ["A"])
    assert coverage.settings_of("A").max_steps == 7
    assert not caplog.messages


def test_many_sections_are_counted(caplog):
    coverage = Coverage(run(**{name: {} for name in "ABCDEFGHIJ"}), TRAINERS, lambda: ["A"])
    coverage.settings_of("A")
    assert caplog.messages == [
        "No agents (so far) for the sections B, C, D, E, F and 4 more; the environment has the behaviors A."
    ]


CURRICULUM = """\
default_settings: {}
environment_parameters:
  mas: 3
  size:
    curriculum:
      - {name: small, value: 1, completion_criteria: {behavior: Here, threshold: 1}}
      - {name: big, value: 2, completion_criteria: {behavior: Elsewhere, threshold: 1}}
      - {name: huge, value: 3}
"""


def test_a_curriculum_on_a_behavior_that_is_not_there_is_said_at_start_with_its_line(caplog):
    coverage = Coverage(parse_run_settings(CURRICULUM, "run.yaml"), TRAINERS, lambda: ["Here"])
    coverage.settings_of("Here")
    coverage.settings_of("Here")
    assert caplog.messages == [
        "run.yaml:7:63: environment_parameters.size.curriculum[1].completion_criteria.behavior: the environment has no"
        " behavior 'Elsewhere' (so far; it has Here), so that lesson 'big' is never passed, and what follows it"
        " ('huge') never begins"
    ]


@pytest.mark.parametrize(("written", "meant"), [("'Here?team=1'", "Here"), ("'Here?team='", "Here"), ("Hre", "Here")])
def test_the_behavior_that_was_meant_is_named(written, meant, caplog):
    coverage = Coverage(
        parse_run_settings(CURRICULUM.replace("Elsewhere", written), "run.yaml"), TRAINERS, lambda: ["Here", "There"]
    )
    coverage.settings_of("Here")
    (line,) = caplog.messages
    assert line.endswith(f"; did you mean {meant!r}?")


def test_lessons_that_are_over_or_last_wait_for_nobody(caplog):
    text = CURRICULUM.replace("    curriculum:", "    initial_lesson: 2\n    curriculum:")
    Coverage(parse_run_settings(text, "run.yaml"), TRAINERS, lambda: ["Here"]).settings_of("Here")
    last = CURRICULUM.replace("- {name: huge, value: 3}\n", "").replace("      \n", "")
    Coverage(parse_run_settings(last, "run.yaml"), TRAINERS, lambda: ["Here"]).settings_of("Here")
    assert [line for line in caplog.messages if "never" in line] == []


def test_parameters_that_the_environment_does_not_have_are_said_with_their_line(caplog):
    warn_of_unknown_parameters(parse_run_settings(CURRICULUM, "run.yaml"), "Game", {"mass": "kg", "size": "m"})
    assert caplog.messages == [
        "run.yaml:3:8: environment_parameters.mas: Game has no such parameter, it is ignored (it has mass, size);"
        " did you mean 'mass'?"
    ]


PIXELS = """\
default_settings:
  network_settings: {vis_encode_type: fully_connected}
behaviors:
  Pixels:
    trainer_type: sac
    time_horizon: 100
    hyperparameters:
      buffer_size: 1000000
"""
SEEN = behavior(observation(3, 84, 84), 5, continuous=2)


def test_an_experience_is_as_large_as_its_columns():
    """An image of bytes; 5 + 2 + 2 + 1 + 1 floats: vector, action, log-probabilities, reward, group's reward; 3 numbers
    of 32 bits about groups; 16 floats of memory."""
    assert row_bytes(SEEN, 16) == 3 * 84 * 84 + 4 * (5 + 2 + 2 + 1 + 1) + 4 * 3 + 4 * 16


def test_a_replay_buffer_of_images_is_refused_before_it_is_allocated(monkeypatch):
    """A million experiences of 21,224 bytes, twice because of closing rows: 42.4 GB."""
    settings = parse_run_settings(PIXELS, "run.yaml")
    monkeypatch.setattr("mlagents.settings.sizes.memory_bytes", lambda: 42_448_000_000)
    refuse_untrainable(settings, "Pixels", SEEN)
    monkeypatch.setattr("mlagents.settings.sizes.memory_bytes", lambda: 42_447_999_999)
    with pytest.raises(SettingsError) as error:
        refuse_untrainable(settings, "Pixels", SEEN)
    assert str(error.value) == (
        "run.yaml:8:20: behaviors.Pixels.hyperparameters.buffer_size: needs at least 42.4 GB of memory (21,224 bytes"
        " for each experience of this behavior); this machine has 42.4 GB: choose a smaller value"
    )


@pytest.mark.parametrize(
    ("trainer", "workers", "needed"), [("sac", 1, 101), ("sac", 4, 404), ("ppo", 1, 201), ("ppo", 4, 804)]
)
def test_the_grid_has_a_horizon_for_every_worker_and_ppos_buffer_another(trainer, workers, needed):
    text = PIXELS.replace("sac", trainer)
    (section,) = parse_run_settings(text, "run.yaml").behaviors.values()
    assert ("time_horizon",) in [
        path for path, size, _ in needs_with(section, SEEN, workers) if size == needed * 21_224
    ]


def test_a_dense_layer_on_pixels_counts_with_them():
    """(21,168 + 5 inputs + 2 outputs) x 128 units x 4 bytes x 4: weight, gradient, two averages."""
    (section,) = parse_run_settings(PIXELS, "run.yaml").behaviors.values()
    sizes = {path: size for path, size, _ in needs_with(section, SEEN, 1)}
    assert sizes["network_settings", "hidden_units"] == 21_175 * 128 * 16


def test_a_behavior_of_the_default_settings_is_refused_where_they_are(monkeypatch):
    monkeypatch.setattr("mlagents.settings.sizes.memory_bytes", lambda: 10**6)
    text = "default_settings:\n  trainer_type: sac\n  hyperparameters: {buffer_size: 10000}\n"
    with pytest.raises(SettingsError, match=r"^run.yaml:3:34: default_settings.hyperparameters.buffer_size: needs"):
        refuse_untrainable(parse_run_settings(text, "run.yaml"), "Any", behavior(9, continuous=1))


def test_agents_that_cannot_act_are_refused():
    with pytest.raises(SettingsError, match=r"^Stone: its agents have no actions"):
        refuse_idle("Stone", behavior(2))
    refuse_idle("Runner", behavior(2, continuous=1))
    refuse_idle("Chooser", behavior(2, branches=(2,)))
