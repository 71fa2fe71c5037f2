"""What this version lacks, and sections that fit no behavior, are said clearly."""

from __future__ import annotations

import re

import pytest

from mlagents.settings import BehaviorSettings, RunSettings, SettingsError, parse_run_settings
from mlagents.training.availability import (
    Coverage,
    refuse_hopeless,
    refuse_idle,
    unavailable,
    warn_of_unknown_parameters,
)
from toys.specs import behavior

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
        " behavior 'Elsewhere' (so far; it has Here), so that this lesson cannot end."
    ]


def test_parameters_that_the_environment_does_not_have_are_said_with_their_line(caplog):
    warn_of_unknown_parameters(parse_run_settings(CURRICULUM, "run.yaml"), "Game", {"mass": "kg", "size": "m"})
    assert caplog.messages == [
        "run.yaml:3:8: environment_parameters.mas: Game has no such parameter, it is ignored (it has mass, size);"
        " did you mean 'mass'?"
    ]


def test_agents_that_cannot_act_are_refused():
    with pytest.raises(SettingsError, match=r"^Stone: its agents have no actions"):
        refuse_idle("Stone", behavior(2))
    refuse_idle("Runner", behavior(2, continuous=1))
    refuse_idle("Chooser", behavior(2, branches=(2,)))
