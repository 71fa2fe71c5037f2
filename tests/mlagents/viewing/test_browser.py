"""`mlagents view` in a real browser: Chromium without a screen opens the page, clicks, and holds keys."""

from __future__ import annotations

import json
import signal
import time

import numpy as np
import pytest

from mlagents_envs.demonstrations import load_demonstration

pytest.importorskip("viser")
ActionChains = pytest.importorskip("selenium.webdriver").ActionChains
browser = pytest.importorskip("toys.browser")
Page, changed, wait_for = browser.Page, browser.changed, browser.wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(browser.CHROMIUM is None or browser.DRIVER is None, reason="needs Chromium and its driver"),
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
    assert large > 0.02  # of what is in the picture
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
    runs = r"action 0[^\n]*\n(\+0\.50)"  # what D means: to the net
    assert page.number(runs) is None
    ActionChains(chromium).key_down("d").perform()
    wait_for(lambda: page.number(runs) == 0.5, "racket that runs")
    ActionChains(chromium).key_up("d").perform()
    wait_for(lambda: page.number(runs) is None, "racket that stands")


def test_the_scene_moves_with_an_agent_that_is_followed(chromium, view):
    address, _ = view("PushBlock", "--deterministic")
    page = Page(chromium, address)
    wait_for(lambda: page.decision() >= 1, "decision")
    page.click("Pause")
    page.click("Reset")
    wait_for(lambda: page.decision() == 0, "reset")
    page.tick("its rays")  # some are blue, as the agent is
    far = len(blue(page.still_scene()))
    page.tick("follow it")
    anchor = blue(page.still_scene())
    assert len(anchor) > 2 * far, "the camera has not come near"
    page.step(3)
    followed = blue(page.still_scene())
    page.tick("follow it")
    left = blue(page.still_scene())
    # The agent has turned, and the block may hide some of it; it had run on by metres, perhaps out of the picture.
    assert np.linalg.norm(followed.mean(axis=0) - anchor.mean(axis=0)) < 8.0
    assert not len(left) or np.linalg.norm(left.mean(axis=0) - followed.mean(axis=0)) > 16.0


def blue(scene):
    """Where the agent is in the picture: row and column of each of its pixels."""
    red, green, blue = np.moveaxis(scene, 2, 0)
    return np.argwhere((blue > red + 60.0) & (blue > 1.3 * green))


LIVE = """
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 256}
    network_settings: {hidden_units: 20, num_layers: 1}
    max_steps: 100000000
    time_horizon: 3
    summary_freq: 1000
    checkpoint_interval: 2000
"""


def test_a_run_is_followed_while_it_trains(chromium, start, view, tmp_path):
    (tmp_path / "live.yaml").write_text(LIVE)
    address, training = start("mlagents-learn", "live.yaml", "--env=Basic", "--run-id=live", "--view")
    step = r"Basic, agent 0 played by run live, step ([\d,]+)"

    def follow(page):
        first = wait_for(lambda: page.number(step), "checkpoint of the run")
        return wait_for(lambda: (newer := page.number(step)) and newer > first and newer, "newer checkpoint")

    seen = follow(Page(chromium, address))  # the page beside the run
    later, _ = view("Basic", "--model", "live")
    page = Page(chromium, later)  # another one, that follows the same run from outside
    assert follow(page) > seen
    training.send_signal(signal.SIGINT)
    assert training.wait(60) == 0
    status = json.loads((tmp_path / "models" / "live" / "training_status.json").read_text())
    last = status["Basic"]["final_checkpoint"]["steps"]
    wait_for(lambda: page.number(step) == last, f"last checkpoint, {last}")
    assert not [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]
