"""Pyramids against a recording made in Unity: 1984 decisions of one agent, 172 observations each.

It is older than today's ray sensor: rays of one height are listed right, ahead, left, then further pairs, steeper
ones are not longer and their spheres not larger, and what is not hit has the fraction 0. What was seen of the walls
in the first observation of an episode tells where the agent was, to a millimetre, and its yaw, in whole degrees.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from mlagents_sim.examples.pyramids import PyramidsWorld
from mlagents_sim.examples.pyramids_motion import AGENT, AWAY, FLOOR, STONES, SWITCH
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.physics.piles import ASLEEP
from mlagents_sim.physics.ray_casts import Rays, cast, turn_ray_origins

LENGTH_M = 35.0
DEGREES = ((20, 90, 160, 45, 135, 70, 110), (25, 95, 165, 50, 140, 75, 115), (15, 85, 155, 40, 130, 65, 105))
END_HEIGHTS_M = (0.0, 5.0, 10.0)
WALL = 1


class Recording(NamedTuple):
    rays: np.ndarray  # float64 [1984, 3, 7, 8]
    pressed: np.ndarray  # float64 [1984]
    velocity: np.ndarray  # float64 [1984, 3], as the agent sees it
    choice: np.ndarray  # int32 [1984]
    reward: np.ndarray  # float64 [1984]
    done: np.ndarray  # bool [1984]


@pytest.fixture(scope="module")
def recording(read_demo) -> Recording:
    steps = read_demo("ExpertPyramid.demo")
    observed = np.array([step.agent_info.observations[0].float_data.data for step in steps])
    choices = [int((step.action_info.vector_actions_deprecated or [0])[0]) for step in steps]
    return Recording(
        observed[:, :168].reshape(-1, 3, 7, 8),
        observed[:, 168],
        observed[:, 169:],
        np.array(choices, np.int32),
        np.array([step.agent_info.reward for step in steps]),
        np.array([step.agent_info.done for step in steps]),
    )


def old_rays() -> list[Rays]:
    rays = []
    for degrees, height in zip(DEGREES, END_HEIGHTS_M, strict=True):
        angle = np.radians(degrees)
        path = np.stack((np.cos(angle), np.full(7, height / LENGTH_M), np.sin(angle)), axis=1)
        rays.append(Rays(0.0, LENGTH_M * path / np.linalg.norm(path, axis=1, keepdims=True), 0.5, 6))
    return rays


def among_walls() -> PyramidsWorld:
    """One area without switch and pyramids."""
    world = PyramidsWorld(1, np.random.default_rng(0), EnvironmentParameters("Pyramids", {}))
    agents, boxes = world.pyramids_agents, world.boxes
    agents.begin_all_episodes()
    boxes.position[0, STONES:FLOOR] = AWAY
    agents.piles.state[:], agents.piles.bounds[:] = ASLEEP, AWAY
    return world


def place(world: PyramidsWorld, x: float, y: float, z: float, yaw: float, own_velocity: np.ndarray) -> None:
    boxes = world.boxes
    boxes.position[0, AGENT], boxes.yaw[0, AGENT] = (x, y, z), yaw
    c, s = np.cos(yaw), np.sin(yaw)
    right, up, ahead = own_velocity
    boxes.velocity[0, AGENT] = (c * right + s * ahead, up, c * ahead - s * right)


def own_velocity(world: PyramidsWorld) -> np.ndarray:
    return np.asarray(world.agents[0].observe(slice(None))[3])[0, 1:]


def decide(world: PyramidsWorld, choice: int) -> None:
    world.boxes.position[0, SWITCH] = (0.0, -500.0, 0.0)  # it falls
    world.boxes.velocity[0, SWITCH] = 0.0
    world.agents[0].arrays.discrete[:] = choice
    world.agents[0].arrays.step_count[:] = 0
    assert world.advance(5) == (5, False)


# The first observations of three episodes, and what was fitted to them
STARTS = [(0, 22.12671, -35.57968, 44.0, 40), (242, -0.35690, -39.18591, 295.0, 40)]


@pytest.mark.parametrize(("first", "x", "z", "degrees", "decisions"), STARTS)
def test_four_seconds_without_correction(recording: Recording, first, x, z, degrees, decisions) -> None:
    """Only actions are taken over: every wall is seen as in Unity, and the velocity is the same."""
    world, rays = among_walls(), old_rays()
    agents = world.pyramids_agents
    place(world, x, 2.0, z, np.radians(degrees), recording.velocity[first])
    velocity_error, distance_error, hits, missed = [], [], 0, 0
    for index in range(first, first + decisions):
        velocity_error.append(np.abs(own_velocity(world) - recording.velocity[index]).max())
        world.boxes.position[0, SWITCH] = (0.0, -500.0, 0.0)
        turn_ray_origins(agents._origins, world.boxes.yaw[:, AGENT])
        here = np.array([0])
        seen = np.array([cast(each, agents._shapes, agents._origins, here)[0] for each in rays]).reshape(3, 7, 8)
        there = recording.rays[index]
        both = (seen[..., WALL] == 1.0) & (there[..., WALL] == 1.0)
        hits, missed = hits + both.sum(), missed + ((there[..., WALL] == 1.0) & ~both).sum()
        distance_error += (LENGTH_M * np.abs(seen[..., 7] - there[..., 7])[both]).tolist()
        decide(world, recording.choice[index])
    assert max(velocity_error) < 5e-5
    assert np.median(distance_error) < 0.08
    assert max(distance_error) < 0.4
    assert hits > 350
    assert missed <= 4


def test_one_decision_ahead(recording: Recording) -> None:
    """From every recorded velocity on the floor; where it differs by more than 1 cm/s, something was in the way."""
    errors = []
    world = among_walls()
    on_floor = np.abs(recording.velocity[:, 1]) < 1e-3
    follows = on_floor[:-1] & on_floor[1:] & ~recording.done[:-1] & ~recording.done[1:]
    for index in np.flatnonzero(follows):
        place(world, 0.0, 0.5, 0.0, 0.0, recording.velocity[index])
        decide(world, recording.choice[index])
        errors.append(np.abs(own_velocity(world) - recording.velocity[index + 1]).max())
    assert len(errors) > 1800
    assert np.median(errors) < 1e-5
    assert (np.array(errors) < 0.01).mean() > 0.87


def test_rewards_and_the_switch(recording: Recording) -> None:
    """A decision costs 0.001, a target is worth 2 less the steps until it was reported; the switch brings bricks."""
    inside = ~recording.done & ~np.roll(recording.done, 1)
    inside[0] = False
    np.testing.assert_allclose(recording.reward[inside], -0.001, rtol=1e-6)
    assert (recording.reward[recording.done] > 1.999).all()
    sees_bricks = (recording.rays[..., 0] + recording.rays[..., 2]).max((1, 2)) > 0.0
    assert not (sees_bricks & (recording.pressed == 0.0) & inside).any()
    assert (sees_bricks & (recording.pressed == 1.0)).sum() > 500
