"""Lessons that can never be passed are said as the configuration is read, with their lines."""

from __future__ import annotations

import pytest

from mlagents.settings import parse_run_settings

CONFIG = """\
default_settings: {max_steps: 1000, self_play: {}}
behaviors:
  Solo: {self_play: }
environment_parameters:
  size:
    curriculum:
      - {name: small, value: 1, completion_criteria: {behavior: Solo, threshold: 0.5}}
      - {name: big, value: 2, completion_criteria: {CRITERIA}}
      - {name: huge, value: 3, completion_criteria: {behavior: Solo, threshold: 0.5}}
      - {name: vast, value: 4}
"""
NEVER = "so that lesson 'big' is never passed, and what follows it ('huge', 'vast') never begins"


def warnings(criteria, caplog, config=CONFIG):
    parse_run_settings(config.replace("CRITERIA", criteria), "run.yaml")
    return [line for line in caplog.messages if "never" in line]


@pytest.mark.parametrize(
    ("criteria", "where", "why"),
    [
        (
            "behavior: Solo, measure: elo, threshold: 1300",
            "8:78: environment_parameters.size.curriculum[1].completion_criteria.measure",
            "only behaviors with self_play have the measure elo, and 'Solo' has none",
        ),
        (
            "behavior: Solo, measure: win_rate, threshold: 0.6",
            "8:78: environment_parameters.size.curriculum[1].completion_criteria.measure",
            "only behaviors with self_play have the measure win_rate, and 'Solo' has none",
        ),
        (
            "behavior: Any, measure: win_rate, threshold: 1",
            "8:98: environment_parameters.size.curriculum[1].completion_criteria.threshold",
            "no win rate is above 1",
        ),
        (
            "behavior: Solo, measure: progress, threshold: 1.0",
            "8:99: environment_parameters.size.curriculum[1].completion_criteria.threshold",
            "progress is not above 1 before the training of 'Solo' is over",
        ),
        (
            "behavior: Solo, min_lesson_length: 1001",
            "8:88: environment_parameters.size.curriculum[1].completion_criteria.min_lesson_length",
            "1,001 episodes take more than the 1,000 steps that 'Solo' is trained for (max_steps)",
        ),
    ],
)
def test_a_lesson_that_cannot_be_passed(criteria, where, why, caplog):
    assert warnings(criteria, caplog) == [f"run.yaml:{where}: {why}, {NEVER}"]


@pytest.mark.parametrize(
    "criteria",
    [
        "behavior: Any, measure: elo, threshold: 1300",
        "behavior: Any, measure: win_rate, threshold: 0.99",
        "behavior: Solo, measure: progress, threshold: 0.99",
        "behavior: Solo, min_lesson_length: 1000",
    ],
)
def test_a_lesson_that_can_be_passed(criteria, caplog):
    assert warnings(criteria, caplog) == []


def test_what_is_never_played_does_not_count(caplog):
    """Neither lessons before the first one that is played, nor the criteria of the last one."""
    criteria = "behavior: Solo, measure: elo, threshold: 1300"
    later = CONFIG.replace("    curriculum:", "    initial_lesson: 2\n    curriculum:")
    assert warnings(criteria, caplog, later) == []
    last = CONFIG.replace("value: 4}", "value: 4, completion_criteria: {CRITERIA}}").replace("{CRITERIA}", "{}", 1)
    last = last.replace("completion_criteria: {}}", "completion_criteria: {behavior: Solo}}")
    assert warnings(criteria, caplog, last) == []
