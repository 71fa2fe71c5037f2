"""Fully qualified names of behaviors."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlagents_envs.behavior_id import BehaviorId


@pytest.mark.parametrize(
    ("full_name", "name", "team"),
    [
        ("Striker?team=1", "Striker", 1),
        ("Striker", "Striker", 0),
        ("My Game/3D Ball?team=12", "My Game/3D Ball", 12),
        ("What? Ball?team=0", "What? Ball", 0),
        ("Odd?team=-1", "Odd", -1),
        ("?team=2", "", 2),
    ],
)
def test_names_are_taken_apart(full_name, name, team):
    assert BehaviorId.parse(full_name) == (name, team)


@pytest.mark.parametrize("team", ["", "x", "1.0", " 1", "1?agent_id=4", "1&side=2", "\u0661", "0?team=1"])
def test_a_team_that_is_no_number_is_refused(team):
    with pytest.raises(ValueError, match=re.escape(f"Behavior 'Ball?team={team}'")):
        BehaviorId.parse(f"Ball?team={team}")


def test_the_team_is_always_written():
    assert str(BehaviorId("Ball")) == "Ball?team=0"
    assert f"{BehaviorId('Ball', 3)}" == "Ball?team=3"


@given(st.text().filter(lambda name: "?team=" not in name), st.integers())
def test_what_is_written_is_read(name, team):
    assert BehaviorId.parse(str(BehaviorId(name, team))) == BehaviorId(name, team)
