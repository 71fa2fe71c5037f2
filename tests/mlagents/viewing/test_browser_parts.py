"""The parts of the page that need no page: pace, keys, and what is written on it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mlagents.viewing import hands as hands_module
from mlagents.viewing.browser_html import (
    action_html,
    choice_meanings,
    observations_html,
    read_rays,
    recordings_markdown,
    status_markdown,
)
from mlagents.viewing.browser_keys import inline_script
from mlagents.viewing.browser_tabs import title_of
from mlagents.viewing.explanation import Explanation
from mlagents.viewing.hands import Hands, key_name
from mlagents.viewing.pace import FrameClock, Pace
from mlagents.viewing.session import AgentName, Score
from mlagents.viewing.teaching import RecordedFile
from mlagents_envs.base_env import ActionSpec, ActionTuple, DimensionProperty, ObservationSpec, ObservationType
from mlagents_envs.spectating import RayFan


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0.0
        self.now += seconds


def test_real_time_and_slower():
    clock = Clock()
    pace = Pace(clock, clock.sleep)
    for _ in range(50):
        clock.now += 0.005  # what a step itself costs
        pace.wait(0.02)
    assert clock.now == pytest.approx(101.0)
    pace.speed = 0.5
    pace.wait(0.02)
    assert clock.now == pytest.approx(101.04)


def test_lost_time_is_made_up_for_only_in_part():
    clock = Clock()
    pace = Pace(clock, clock.sleep)
    clock.now += 10.0
    for _ in range(20):
        pace.wait(0.02)
    # At the first 0.3 s stay owed, which the next 15 do not wait for; the last 4 take 20 ms each.
    assert clock.now - 110.0 == pytest.approx(0.08)


def test_as_fast_as_it_goes_never_waits():
    clock = Clock()
    pace = Pace(clock, clock.sleep)
    pace.speed = math.inf
    for _ in range(100):
        pace.wait(1.0)
    assert clock.now == 100.0
    pace.speed = 1.0
    pace.wait(1.0)
    assert clock.now == 101.0  # nothing is owed from before


def test_single_steps():
    pace = Pace()
    assert pace.may_step()
    pace.ask_step()
    pace.ask_step()
    assert [pace.may_step() for _ in range(3)] == [True, True, False]
    pace.paused = False
    assert pace.may_step()


def test_frames_are_due_as_often_as_wanted_whatever_the_steps():
    clock = Clock()
    frames = FrameClock(30.0, clock)
    for _ in range(500):  # 10 s of steps of 20 ms
        frames.is_due()
        clock.now += 0.02
    assert frames.frames == pytest.approx(300, abs=2)
    clock.now += 60.0
    assert frames.is_due()
    assert sum(frames.is_due() for _ in range(10)) <= 1  # what was missed is not sent all at once


def test_keys_are_held_tapped_and_let_go():
    hands = Hands()
    hands.hold(["up"])
    hands.hold(["up", "left"])
    assert hands.take() == ["up", "left"]
    hands.hold(["left"])
    assert hands.take() == ["left"]
    hands.hold(["left", "space"])
    hands.hold(["left"])
    assert hands.take() == ["space", "left"]  # tapped between two decisions
    hands.release()
    assert hands.take() == []


def test_keys_one_by_one():
    hands = Hands()
    hands.hold(["up"])
    hands.hold([])
    hands.hold(["down"])
    assert hands.has_pressed
    assert [hands.take_one(), hands.take_one(), hands.take_one()] == [["up"], ["down"], []]
    assert not hands.has_pressed


def test_a_button_holds_for_a_moment_after_each_sign(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(hands_module.time, "monotonic", clock)
    hands = Hands()
    for _ in range(5):
        hands.touch("w")
        assert hands.take() == ["w"]
        clock.now += 0.1
    clock.now += 0.3
    assert hands.take() == []
    hands.touch("w")
    clock.now += 1.0
    assert hands.take() == ["w"]  # a click shorter than a decision still counts, once
    assert hands.take() == []


@pytest.mark.parametrize(
    ("browser", "ours"), [("ArrowUp", "up"), ("ArrowLeft", "left"), (" ", "space"), ("W", "w"), ("1", "1")]
)
def test_names_of_keys(browser, ours):
    assert key_name(browser) == ours


def test_a_script_survives_being_an_attribute():
    from html.parser import HTMLParser

    found = {}

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found.update(attributes)

    Reader().feed(inline_script('if (a < 1 && b["x"]) {\n  alert("hi");\n}'))
    assert found["onerror"] == 'if (a < 1 && b["x"]) { alert("hi"); }'


FAN = RayFan(0.0, np.array(((0.0, 0.0, 10.0), (10.0, 0.0, 0.0), (-10.0, 0.0, 0.0))), ("wall", "goal"))
SEEN = np.array((0, 1, 0, 0.25, 0, 0, 1, 1, 0, 0, 0, 0.5), np.float32)


def test_rays_are_read():
    assert read_rays(FAN, SEEN) == [("goal", 0.25), (None, 1.0), ("?", 0.5)]
    stacked = np.append(np.ones(12, np.float32), SEEN)  # oldest first
    assert read_rays(FAN, stacked) == read_rays(FAN, SEEN)


def spec(name, *shape):
    return ObservationSpec(shape, (DimensionProperty.NONE,) * len(shape), ObservationType.DEFAULT, name)


def test_observations_are_shown_by_name_and_kind():
    image = np.full((3, 4, 5), 0.5, np.float32)
    numbers = np.linspace(-1, 1, 70, dtype=np.float32)
    text = observations_html(
        [spec("rays", 12), spec("<camera>", 3, 4, 5), spec("", 70)], [SEEN, image, numbers], {0: FAN}, [1.0, 1.0, 1.0]
    )
    assert "<b>rays</b>" in text
    assert "+0° goal" in text
    assert "2.5 m" in text
    assert text.index("-90°") < text.index("+0° goal") < text.index("+90°")
    assert "&lt;camera&gt;" in text
    assert "<camera>" not in text
    assert text.count("data:image/png;base64,") == 1
    assert "<b>observation 2</b>" in text
    assert "-1.00" in text
    assert "and 6 more numbers" in text


def test_channels_that_are_no_colours_are_shown_side_by_side():
    text = observations_html([spec("grid", 6, 4, 4)], [np.zeros((6, 4, 4), np.float32)], {}, [1.0])
    assert text.count("<img") == 6


def test_numbers_that_are_not_finite_do_not_break_the_page():
    text = observations_html([spec("v", 2)], [np.array((np.nan, np.inf), np.float32)], {}, [np.inf])
    assert "nan" in text
    assert "inf" in text


def test_actions_are_shown_with_their_chances():
    keys = [type("Key", (), {"choice": (0, 1), "meaning": "jump"})(), type("Key", (), {"choice": None})()]
    action = ActionTuple(np.array(((0.5,),), np.float32), np.array(((1,),), np.int32))
    why = Explanation((np.array((0.1, 0.9)),), np.array((0.25,)), np.array((0.125,)), {}, 0)
    text = action_html(ActionSpec(1, (2,)), action, why, choice_meanings(keys))
    assert "action 0: +0.25 ± 0.12" in text
    assert "+0.50" in text
    assert "▶ jump" in text
    assert "90 %" in text
    assert "no key" in text
    assert "10 %" in text
    assert "samples" not in text
    assert "from 64 samples" in action_html(ActionSpec(1, (2,)), action, why._replace(samples=64), {})
    assert "does not tell" in action_html(ActionSpec(1, (2,)), action, None, {})
    assert ">you act<" in action_html(ActionSpec(1, (2,)), action, None, {}, by_person=True)


def test_recordings_are_listed():
    recordings = [RecordedFile(Path("/x/a_1.demo"), "B", 2, 30, 1.5), RecordedFile(Path("/x/a_2.demo"), "B", 0, 4, 0.0)]
    lines = recordings_markdown(recordings, True).splitlines()
    assert lines[2] == r"| a\_1.demo | 2 | 30 | 1.50 |"
    assert lines[3] == r"| a\_2.demo ● | 0 | 4 | 0.00 |"
    assert "●" not in recordings_markdown(recordings, False)
    assert "nothing" in recordings_markdown([], False)


def test_status_counts_group_rewards():
    text = status_markdown("Striker, agent 3", Score(1.0, 0.5, 7), [Score(1.0, 1.0), Score(0.0, 0.0)], "you")
    assert "decision 7, reward 1.000, of its group 0.500" in text
    assert "last 2 episodes of the behavior: mean reward 1.00" in text


def test_agents_are_called_by_behavior_team_and_number():
    assert title_of(AgentName("Tennis?team=1", 3)) == "Tennis (team 1), agent 3"
    assert title_of(AgentName("3DBall?team=0", 0)) == "3DBall, agent 0"
