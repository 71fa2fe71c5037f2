"""CrawlerStatic against a recording made in Unity: the beginnings of seven episodes, 126 observations each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.demonstrations import Demonstration, load_demonstration
from mlagents_sim.examples.crawler import PARAMETERS, CrawlerWorld
from mlagents_sim.parameters import EnvironmentParameters

HEIGHT = np.array([0])
DIRECTIONS = np.arange(1, 7)
PARTS = [7, *range(14, 126, 14)]  # where a part begins: contact, velocity, angular velocity, for legs place and drive
VELOCITY = np.concatenate([np.arange(first + 1, first + 4) for first in PARTS])
ANGULAR = np.concatenate([np.arange(first + 4, first + 7) for first in PARTS])
PLACE = np.concatenate([np.arange(first + 7, first + 10) for first in PARTS[1:]])
DRIVES = np.concatenate([np.arange(first + 10, first + 14) for first in PARTS[1:]])


@pytest.fixture(scope="module")
def demonstration(shared_data: Path) -> Demonstration:
    return load_demonstration(shared_data / "demos" / "ExpertCrawlerSta.demo")


def one_area() -> CrawlerWorld:
    world = CrawlerWorld(1, np.random.default_rng(0), EnvironmentParameters("CrawlerStatic", PARAMETERS))
    world.agents[0].begin_all_episodes()
    return world


def seen_by(world: CrawlerWorld) -> np.ndarray:
    return np.array(world.agents[0].observe(slice(None)))[0, 0]


def first_decisions(demonstration: Demonstration, decisions: int) -> np.ndarray:
    """float64 [episodes, decisions, 126]: errors after so many decisions of the seven episodes, open loop.

    Every episode begins at rest, and drives are set at once: what they were before does not matter.
    """
    errors = []
    for episode in demonstration.episodes:
        world, found = one_area(), []
        agents = world.agents[0]
        for t in range(decisions):
            agents.decide(ActionTuple(episode.action.continuous[t : t + 1]))
            assert world.advance(5) == (5, False)
            found.append(seen_by(world) - episode.obs[0][t + 1])
        errors.append(found)
    return np.array(errors)


def rms(errors: np.ndarray) -> float:
    return float(np.sqrt((errors**2).mean()))


def test_the_first_observation_value_by_value(demonstration: Demonstration) -> None:
    """At rest, before anybody acted, in all 126 values; the recorded one looks up to the target by 0.08 degrees."""
    np.testing.assert_allclose(seen_by(one_area()), demonstration.episodes[0].obs[0][0], atol=1e-4)


def test_drives_are_observed_as_they_were_set(demonstration: Demonstration) -> None:
    """Actions of the recording give the recorded targets and strengths, in their places."""
    for episode in demonstration.episodes:
        world = one_area()
        for t in range(1, 8):
            world.agents[0].decide(ActionTuple(episode.action.continuous[t : t + 1]))
            np.testing.assert_allclose(seen_by(world)[DRIVES], episode.obs[0][t + 1][DRIVES], atol=1e-5)


def test_one_decision_reproduces(demonstration: Demonstration) -> None:
    errors = first_decisions(demonstration, 1)[:, 0]
    assert rms(errors[:, PLACE]) < 0.004
    assert rms(errors[:, VELOCITY]) < 0.075
    assert rms(errors[:, ANGULAR]) < 0.22
    assert rms(errors[:, DIRECTIONS]) < 0.005
    assert rms(errors[:, HEIGHT]) < 0.005


def test_two_decisions_reproduce(demonstration: Demonstration) -> None:
    errors = first_decisions(demonstration, 2)[:, 1]
    assert rms(errors[:, PLACE]) < 0.014
    assert rms(errors[:, VELOCITY]) < 0.3


def test_rewards_are_those_of_the_recording(demonstration: Demonstration) -> None:
    """0.03 per m/s towards the target and 0.01 for looking there, five times per decision."""
    episode = demonstration.episodes[0]
    world = one_area()
    earned = []
    for t in range(3):
        world.agents[0].arrays.reward[:] = 0.0
        seen_by(world)
        world.agents[0].decide(ActionTuple(episode.action.continuous[t : t + 1]))
        world.advance(5)
        earned.append(float(world.agents[0].arrays.reward[0]))
    print(earned, episode.reward[:3])
    np.testing.assert_allclose(earned, episode.reward[:3], atol=0.02)
