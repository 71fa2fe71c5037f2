"""Reacher against a recording made in Unity: 3497 decisions of one arm, 33 observations and 4 actions each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mlagents_envs.demonstrations import Demonstration, Episode, load_demonstration
from mlagents_sim.examples.reacher import LOWER, PARAMETERS, UPPER, ReacherWorld
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.visual_geoms import quat_rotations

BODIES = slice(0, 26)
GOAL = slice(26, 33)
EVERY = 9  # decisions are looked at


@pytest.fixture(scope="module")
def demonstration(shared_data: Path) -> Demonstration:
    return load_demonstration(shared_data / "demos" / "ExpertReacher.demo")


def one_area() -> ReacherWorld:
    world = ReacherWorld(1, np.random.default_rng(0), EnvironmentParameters("Reacher", PARAMETERS))
    world.agents[0].begin_all_episodes()
    return world


def go_to(world: ReacherWorld, seen: np.ndarray) -> None:
    """Take over what was recorded."""
    arms, goals = world.arms, world.goals
    for link, first in ((UPPER, 0), (LOWER, 13)):
        rotation = np.roll(seen[first + 3 : first + 7], 1)
        rotation /= np.linalg.norm(rotation)
        offset = quat_rotations(rotation) @ arms.model.center[link]
        arms.rotation[0, link], arms.position[0, link] = rotation, seen[first : first + 3] + offset
        arms.angular_velocity[0, link], arms.velocity[0, link] = (
            seen[first + 7 : first + 10],
            seen[first + 10 : first + 13],
        )
    goals.speed[0] = seen[32]
    goals.degrees[0] = np.degrees(np.arctan2(seen[26], seen[28]))


def as_one_rotation(seen: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`seen` with the signs of the quaternions of `other`: both signs are the same rotation."""
    seen = seen.copy()
    for first in (3, 16):
        if seen[first : first + 4] @ other[first : first + 4] < 0.0:
            seen[first : first + 4] *= -1.0
    return seen


def errors(episode: Episode, decisions: Sequence[int]) -> np.ndarray:
    """float64 [decisions, 33]: what is observed after each of these decisions, less what was recorded."""
    world, seen = one_area(), episode.obs[0].astype(np.float64)
    agents, found = world.agents[0], []
    for t in decisions:
        go_to(world, seen[t])
        agents.arrays.continuous[:] = episode.action.continuous[t]
        agents.arrays.step_count[:] = 0
        assert world.advance(4) == (4, False)
        after = as_one_rotation(np.array(agents.observe(slice(None)))[0, 0], seen[t + 1])
        found.append(after - seen[t + 1])
    return np.array(found)


def test_decisions_reproduce(demonstration: Demonstration) -> None:
    """Links move as recorded in every value after four physics steps, as long as the arm is alone.

    In Unity neighbouring arms reach each other; what hits a neighbour, a quarter of the decisions, must differ.
    """
    found = np.concatenate([errors(e, range(0, len(e) - 1, EVERY)) for e in demonstration.episodes])
    assert len(found) > 380
    assert np.median(np.abs(found[:, BODIES]), axis=0).max() < 1e-4
    assert np.mean(np.abs(found[:, BODIES]).max(axis=1) < 0.002) > 0.7
    assert np.abs(found[:, GOAL]).max() < 1e-4


def test_the_arm_swings_up_as_recorded(demonstration: Demonstration) -> None:
    """All 26 values of the first 25 decisions, in which no arm reaches its neighbours, to 0.002.

    The first record of later episodes is of the reset, in the middle of a decision, and no beginning of one.
    """
    for episode in demonstration.episodes:
        assert np.abs(errors(episode, range(1, 25))[:, BODIES]).max() < 0.002
    assert np.abs(errors(demonstration.episodes[0], [0])[:, BODIES]).max() < 0.002


def test_episodes_begin_as_recorded(demonstration: Demonstration) -> None:
    """The arm hangs down at rest; the goal is on its circle at a whole degree."""
    world = one_area()
    ours = np.array(world.agents[0].observe(slice(None)))[0, 0]
    for episode in demonstration.episodes:
        np.testing.assert_allclose(ours[BODIES], episode.obs[0][0][BODIES], atol=1e-6)
        degrees = np.degrees(np.arctan2(episode.obs[0][0][26], episode.obs[0][0][28]))
        assert abs(degrees - round(degrees)) < 1e-3
    np.testing.assert_array_equal(ours[29:32], (0.0, 1.0, 0.0))


def test_reward_of_the_recording(demonstration: Demonstration) -> None:
    """The hand is in the goal as often as it was in Unity: played decision by decision, rewards agree."""
    world = one_area()
    recorded = earned = 0.0
    episode = demonstration.episodes[0]
    seen = episode.obs[0].astype(np.float64)
    for t in range(0, len(episode) - 1, EVERY):
        go_to(world, seen[t])
        world.agents[0].arrays.continuous[:] = episode.action.continuous[t]
        world.agents[0].arrays.reward[:] = 0.0
        world.advance(4)
        world.agents[0].arrays.step_count[:] = 0
        earned += float(world.agents[0].arrays.reward[0])
        recorded += float(episode.reward[t])
    assert earned == pytest.approx(recorded, abs=0.011)
