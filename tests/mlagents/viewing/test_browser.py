"""`mlagents view` in a real browser: Chromium without a screen opens the page, clicks, and holds keys."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest

from mlagents_envs.demonstrations import load_demonstration
from toys.browser import CHROMIUM, DRIVER, Page, changed, wait_for

pytest.importorskip("viser")
ActionChains = pytest.importorskip("selenium.webdriver").ActionChains

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs Chromium and its driver"),
]


def test_a_person_looks_takes_over_and_teaches(chromium, view, tmp_path):
    address, process = view("PushBlock", "--model", "random", "--record", "taught.demo")
    page = Page(chromium, address)
    wait_for(lambda: "PushBlock, agent 0" in page.text(), "agent")
    wait_for(lambda: page.decision() >= 3, "decision")
    assert "StackingSensor_size3_OffsetRayPerceptionSensor" in page.text().replace("\n", "")
    assert "run ahead" in page.text()

    page.click("Teach")
    page.click("Take over")
    wait_for(lambda: "keys held" in page.text(), "field of keys")
    before = page.still_scene()
    page.click("Record")
    page.hold(ActionChains, "w", 3.0)
    recorded = r"taught\.demo ●\s+\d+\s+(\d+)"  # behind the number of episodes
    wait_for(lambda: (page.number(recorded) or 0) >= 3, "recorded decision")
    after = page.still_scene()
    assert changed(before, after) > 1e-4, "the agent has not moved"

    first = page.number(recorded)
    wait_for(lambda: page.number(recorded) > first, "growing recording")
    page.click("Stop recording")
    wait_for(lambda: (tmp_path / "taught.demo").is_file(), "demonstration")
    assert not [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]

    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    episodes = load_demonstration(tmp_path / "taught.demo").episodes
    choices = np.concatenate([episode.action.discrete[:, 0] for episode in episodes]).tolist()
    assert set(choices) == {0, 1}  # nothing, and "run ahead" while W was held
    held = [step for step, choice in enumerate(choices) if choice == 1]
    assert held == list(range(held[0], held[-1] + 1))  # without a gap


def test_time_is_stopped_and_goes_on_step_by_step(chromium, view):
    address, _ = view("3DBall", "--num-areas", "2")
    page = Page(chromium, address)
    wait_for(lambda: page.decision() >= 3, "decision")
    page.click("Pause")
    wait_for(lambda: "Go on" in page.text(), "pause")
    time.sleep(1.0)
    stopped = page.decision()
    time.sleep(1.0)
    assert page.decision() == stopped
    page.click("Step")
    wait_for(lambda: page.decision() == stopped + 1, "single step")
    page.click("Reset")
    wait_for(lambda: page.decision() == 0, "reset")
    page.click("World")
    wait_for(lambda: "gravity" in page.text(), "parameters")


def test_speed_is_chosen(chromium, view):
    address, _ = view("3DBall")
    page = Page(chromium, address)
    wait_for(lambda: page.decision() >= 3, "decision")
    page.pick("speed", "0.1 x")  # a decision in 1.0 s
    time.sleep(1.0)
    first, began = page.decision(), time.monotonic()
    wait_for(lambda: page.decision() >= first + 2, "slow decision")
    assert time.monotonic() - began > 0.9  # two decisions are at least one whole second apart
    page.pick("speed", "as fast as it goes")
    page.tick("most likely actions")
    most = first

    def most_in_a_second():
        nonlocal most
        before = page.decision()
        time.sleep(1.0)
        most = max(most, page.decision() - before)
        return most > 20  # 10 would be real time

    wait_for(most_in_a_second, "decisions faster than in real time")


def test_a_parameter_is_changed_by_its_slider_and_set_back(chromium, view):
    address, _ = view("3DBall")
    page = Page(chromium, address)
    wait_for(lambda: page.decision() >= 1, "decision")
    page.click("Pause")

    def anew():
        page.click("Watch")
        page.click("Reset")
        wait_for(lambda: page.decision() == 0, "reset")
        return page.still_scene()

    before = grey(anew())
    page.click("World")
    assert page.field("scale", "[role=slider]").get_attribute("aria-valuenow") == "1"
    page.slide("scale", "\ue010")  # End: a ball of 5 m instead of 1
    wait_for(lambda: page.field("scale", "[role=slider]").get_attribute("aria-valuenow") == "5", "slider at its end")
    large = grey(anew())
    page.click("World")
    page.click("Defaults")
    wait_for(lambda: page.field("scale", "[role=slider]").get_attribute("aria-valuenow") == "1", "slider set back")
    small = grey(anew())
    assert before < 0.01
    assert large > 0.05
    assert small < 0.01


def grey(scene):
    """The share of pixels that are grey, as the ball is and nothing else."""
    return float(((np.ptp(scene, axis=2) < 12.0) & (scene.mean(axis=2) > 60.0)).mean())


def test_models_are_chosen_for_each_team_and_a_person_plays_against_one(chromium, view):
    address, _ = view("Tennis", "--model", "random")
    page = Page(chromium, address)
    wait_for(lambda: page.decision() >= 1, "decision")
    assert "Tennis, agent 0 played by random actions" in page.text()
    page.pick("speed", "as fast as it goes")
    page.click("Players")
    page.pick("Tennis team 0", "the model that comes with it")
    told = "Tennis team 0: the model that comes with it\nTennis team 1: random actions"
    wait_for(lambda: told in page.text(), "players of both teams")
    page.click("Watch")
    mean = r"mean reward (-?[\d.]+)"
    wait_for(lambda: (page.number(mean) or 0.0) > 0.5, "wins of the model")
    page.pick("agent", "Tennis (team 1), agent 1")
    wait_for(lambda: "Tennis (team 1), agent 1 played by random actions" in page.text(), "the other team")
    assert page.number(mean) < 0.0

    page.click("Players")
    page.pick("Tennis team 0", "random actions")
    page.pick("Tennis team 1", "the model that comes with it")
    page.click("Watch")
    wait_for(lambda: (page.number(mean) or 0.0) > 0.5, "wins of the model on the other side")

    page.pick("agent", "Tennis, agent 0")
    page.pick("speed", "1 x")
    page.click("Teach")
    page.click("Take over")
    wait_for(lambda: "keys held" in page.text(), "field of keys")
    page.click("Watch")
    wait_for(lambda: "Tennis, agent 0 played by you" in page.text(), "person who plays")
    page.click("Players")
    assert "Tennis team 1: the model that comes with it" in page.text()
    runs = "action 0\n+1.00"  # to the net
    assert runs not in page.text()
    ActionChains(chromium).key_down("d").perform()
    wait_for(lambda: runs in page.text(), "racket that runs")
    ActionChains(chromium).key_up("d").perform()
    wait_for(lambda: runs not in page.text(), "racket that stands")


def test_the_scene_moves_with_an_agent_that_is_followed(chromium, view):
    address, _ = view("PushBlock", "--deterministic")
    page = Page(chromium, address)
    wait_for(lambda: page.decision() >= 1, "decision")
    page.click("Pause")
    page.click("Reset")
    wait_for(lambda: page.decision() == 0, "reset")
    far = page.still_scene()
    page.tick("follow it")
    near = page.still_scene()
    assert blue(near)[0] > 2.0 * blue(far)[0], "the camera has not come near"
    page.step(12)
    followed = page.still_scene()
    page.tick("follow it")
    left = page.still_scene()
    agent, goal = (np.linalg.norm(find(followed)[1] - find(near)[1]) for find in (blue, green))
    assert agent < 8.0
    assert goal > 3.0 * max(agent, 4.0)
    assert np.linalg.norm(blue(left)[1] - blue(near)[1]) > 15.0


def blue(scene):
    """How many pixels the agent has, and their middle."""
    red, green, blue = np.moveaxis(scene, 2, 0)
    return _found((blue > red + 60.0) & (blue > 1.3 * green))


def green(scene):
    """The same of the goal."""
    red, green, blue = np.moveaxis(scene, 2, 0)
    return _found((green > red + 30.0) & (green > blue + 30.0))


def _found(mask):
    assert mask.any()
    return int(mask.sum()), np.argwhere(mask).mean(axis=0)
