"""What this version lacks, and sections that fit no behavior, are said clearly."""

from __future__ import annotations

import pytest

from mlagents.settings import BehaviorSettings, RunSettings, SettingsError
from mlagents.training.availability import Coverage, refuse_hopeless, unavailable

TRAINERS = ("ppo",)
LACKING = {
    "trainer_type 'poca'": {"trainer_type": "poca"},
    "reward_signals.curiosity": {"reward_signals": {"extrinsic": {}, "curiosity": {}}},
    "reward_signals.rnd": {"reward_signals": {"rnd": {}}},
    "behavioral_cloning": {"behavioral_cloning": {"demo_path": "x.demo"}},
    "self_play": {"self_play": {}},
}


def run(default=None, **behaviors):
    return RunSettings.model_validate(
        {"behaviors": behaviors} | ({} if default is None else {"default_settings": default})
    )


@pytest.mark.parametrize("key", LACKING)
def test_every_key_is_named(key):
    (found,) = unavailable(BehaviorSettings.model_validate(LACKING[key]), TRAINERS)
    assert found.startswith(key)
    with pytest.raises(SettingsError, match=f"behaviors.B.{key}"):
        refuse_hopeless(run(B=LACKING[key]), TRAINERS)
    with pytest.raises(SettingsError, match=f"behaviors.B.{key}"):
        Coverage(run(B=LACKING[key]), TRAINERS, lambda: ["B"]).settings_of("B")


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
