"""What this version lacks, and sections that fit no behavior, are said clearly."""

from __future__ import annotations

import re

import pytest

from mlagents.settings import BehaviorSettings, RunSettings, SettingsError, parse_run_settings
from mlagents.training.availability import Coverage, refuse_hopeless, unavailable

TRAINERS = ("ppo",)
LACKING = {
    "trainer_type": {"trainer_type": "poca"},
    "self_play": {"self_play": {}},
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
  self_play: {window: 3}
behaviors:
  A:
    trainer_type: poca
  B: {}
"""


def test_the_place_is_that_of_what_was_written():
    """Inherited things are where the defaults are, and said once."""
    with pytest.raises(SettingsError) as error:
        refuse_hopeless(parse_run_settings(MODERN, "run.yaml"), TRAINERS)
    assert str(error.value).splitlines() == [
        "run.yaml:5:19: behaviors.A.trainer_type: 'poca' is not available in this version (available: ppo)",
        "run.yaml:2:3: default_settings.self_play: not available in this version",
    ]
    with pytest.raises(SettingsError, match=r"^run.yaml:2:3: default_settings.self_play: not available"):
        Coverage(parse_run_settings(MODERN, "run.yaml"), TRAINERS, lambda: ["A", "B", "C"]).settings_of("C")


def test_what_is_there_passes():
    assert not list(unavailable(BehaviorSettings(threaded=True), TRAINERS))
    refuse_hopeless(run(), TRAINERS)


def test_a_file_for_many_environments_is_refused_only_for_the_behavior_that_comes():
    settings = run(Good={}, Bad=LACKING["self_play"])
    refuse_hopeless(settings, TRAINERS)
    coverage = Coverage(settings, TRAINERS, lambda: ["Good", "Bad"])
    assert coverage.settings_of("Good") == BehaviorSettings()
    with pytest.raises(SettingsError, match=r"behaviors\.Bad\.self_play"):
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
