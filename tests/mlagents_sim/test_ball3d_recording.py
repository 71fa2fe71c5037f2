"""3DBall against a recording made in Unity: 548 decisions of one agent, 8 observations and 2 actions each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from mlagents_sim.examples.ball3d import PARAMETERS, Ball3DWorld
from mlagents_sim.parameters import EnvironmentParameters


class Recording(NamedTuple):
    observation: np.ndarray  # float64 [549, 8]
    action: np.ndarray  # float32 [549, 2]
    reward: np.ndarray  # float64 [549]


@pytest.fixture(scope="module")
def recording(read_demo) -> Recording:
    steps = read_demo("Expert3DBall.demo")
    # The last pair has no action: nobody asked for one.
    actions = [step.action_info.vector_actions_deprecated or (0.0, 0.0) for step in steps]
    return Recording(
        np.array([step.agent_info.observations[0].float_data.data for step in steps]),
        np.array(actions, np.float32),
        np.array([step.agent_info.reward for step in steps]),
    )


def one_area() -> Ball3DWorld:
    parameters = EnvironmentParameters("3DBall", PARAMETERS)
    world = Ball3DWorld(1, np.random.default_rng(0), parameters, hard=False)
    world.agents[0].begin_all_episodes()
    return world


def initial_rotation(observation: np.ndarray) -> np.ndarray:
    """The quaternion (w, x, y, z) of a turn about X, then about the own Z, from its z and x."""
    half_x = half_z = 0.0
    for _ in range(50):  # x = sin(half_x) cos(half_z), z = cos(half_x) sin(half_z)
        half_x = np.arcsin(observation[1] / np.cos(half_z))
        half_z = np.arcsin(observation[0] / np.cos(half_x))
    cx, sx, cz, sz = np.cos(half_x), np.sin(half_x), np.cos(half_z), np.sin(half_z)
    return np.array((cx * cz, sx * cz, -sx * sz, cx * sz))


def replay(recording: Recording) -> np.ndarray:
    """One decision from each recorded state; float64 [548, 8], what is observed afterwards.

    The rotation is never corrected, nor is the spin of the ball, which was not recorded.
    """
    world = one_area()
    areas, agents = world.areas, world.agents[0]
    areas.quat[0] = initial_rotation(recording.observation[0])
    areas.velocity[0] = 0.0
    predicted = []
    for observation, action in zip(recording.observation[:-1], recording.action[:-1], strict=True):
        areas.position[0] = areas.origin[0] + observation[2:5]
        areas.velocity[0] = observation[5:8]
        agents.arrays.continuous[0] = action
        assert world.advance(5) == (5, False)
        assert agents.arrays.reward[0] == np.float32(0.1)  # set five times, not added
        (frame,) = agents.observe(slice(None))
        predicted.append(np.asarray(frame)[0])
    return np.array(predicted)


def test_one_decision_ahead(recording: Recording) -> None:
    error = replay(recording) - recording.observation[1:]
    rotation, position, velocity = error[:, :2], error[:, 2:5], error[:, 5:8]
    rms_position_mm = 1000.0 * np.sqrt((position**2).mean(0))
    rms_velocity = np.sqrt((velocity**2).mean(0))
    # Uncorrected for 548 decisions: the action mapping is exact up to float32.
    assert np.abs(rotation).max() < 6e-6
    # MuJoCo's soft contacts, of which this was made before, were off by 3.8 mm and 0.19 m/s vertically. What is left
    # here is mostly along the platform: the spin of the ball was not recorded.
    np.testing.assert_array_less(rms_position_mm, 1.15 * np.array((0.24, 0.051, 0.27)))
    np.testing.assert_array_less(rms_velocity, 1.15 * np.array((0.0031, 0.0008, 0.0036)))


def test_the_recorded_rewards_are_one_tenth_per_decision(recording: Recording) -> None:
    np.testing.assert_allclose(recording.reward[1:], 0.1, rtol=1e-6)


def test_free_fall() -> None:
    """Unity drops 0.05886 m in one decision from rest, and then falls at 0.981 m/s."""
    world = one_area()
    areas = world.areas
    areas.quat[0] = (1.0, 0.0, 0.0, 0.0)
    areas.position[0] = areas.origin[0] + (0.0, 4.0, 0.0)
    areas.velocity[0] = 0.0
    world.advance(5)
    # sum of k * 9.81 * 0.02^2 for k = 1..5
    np.testing.assert_allclose(areas.position[0, 1] - areas.origin[0, 1], 4.0 - 15 * 9.81 * 0.02**2)
    np.testing.assert_allclose(areas.velocity[0, 1], -0.981)
