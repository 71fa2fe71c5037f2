"""Visual3DBall: what the cameras see."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from mlagents_envs.testing import check_env
from mlagents_sim.examples.visual_ball3d import ENTRY
from mlagents_sim.row_index import ALL

pytestmark = pytest.mark.usefixtures("opengl")

NAME = "Visual3DBall?team=0"


def start(areas=1, ball=(0.0, 3.0, 0.0), area=0):
    """An environment whose platforms are level, with the ball of one area at a place above its platform."""
    env = ENTRY.make(num_areas=areas)
    env.reset()
    world = env._world
    world.areas.quat[:] = (1.0, 0.0, 0.0, 0.0)
    world.areas.position[area] = world.areas.origin[area] + ball
    return env


def see(env, area=0) -> np.ndarray:
    """float32 [84, 84, 3], the newest frame of one agent."""
    (agents,) = env._world.agents
    sensor = agents._sensors[0].sensor
    rows = np.array([area])
    (frame,) = agents.observe(rows)
    return sensor.observe(rows, frame)[0].transpose(1, 2, 0)


def test_contract() -> None:
    check_env(functools.partial(ENTRY.make, num_areas=2), steps=60, deterministic=True)


def test_the_observation_is_four_frames_and_nothing_else() -> None:
    env = ENTRY.make()
    env.reset()
    (image,) = env.behavior_specs[NAME].observation_specs
    assert image.shape == (12, 84, 84)
    assert image.name == "StackingSensor_size4_CameraSensor"
    decisions, _ = env.get_steps(NAME)
    assert len(decisions) == 12
    assert decisions.obs[0][:, :9].max() == 0.0
    assert decisions.obs[0][:, 9:].max() > 0.5


@pytest.mark.parametrize("place", [(0.0, 3.0, 0.0), (1.5, 3.0, 0.0), (-1.0, 3.5, 2.0)])
def test_the_ball_is_where_a_pinhole_camera_sees_it(place) -> None:
    """At (0, 7, -8), 30 degrees down, 60 degrees over 84 pixels."""
    image = see(start(ball=place))
    away = np.array(place) - (0.0, 7.0, -8.0)
    sin, cos, scale = 0.5, np.sqrt(0.75), 42.0 / np.tan(np.radians(30.0))
    depth = -sin * away[1] + cos * away[2]
    column = 41.5 + scale * away[0] / depth
    row = 41.5 - scale * (cos * away[1] + sin * away[2]) / depth
    is_ball = (image[..., 0] > 0.4) & (image[..., 0] > 0.8 * image[..., 2])  # the platform is blue
    rows, columns = np.nonzero(is_ball)
    assert rows.mean() == pytest.approx(row, abs=1.0)
    assert columns.mean() == pytest.approx(column, abs=1.0)
    assert is_ball.sum() == pytest.approx(np.pi * (scale * 0.5 / depth) ** 2, rel=0.2)


def test_the_corners_are_black_and_the_platform_is_blue() -> None:
    image = see(start(ball=(2.0, 4.0, 2.0)))
    assert image[0, 0].max() == image[0, -1].max() == 0.0
    red, green, blue = image[60, 42]
    assert blue > green > red


def test_agents_see_their_own_area_only() -> None:
    alone, among_others = start(ball=(1.0, 3.0, 1.0)), start(12, (1.0, 3.0, 1.0))
    np.testing.assert_array_equal(see(alone), see(among_others))
    # Another area, elsewhere, looks the same.
    difference = np.abs(see(alone) - see(start(12, (1.0, 3.0, 1.0), area=7), 7))
    assert (difference > 0.02).mean() < 0.002


def test_a_restored_environment_goes_on_as_the_saved_one() -> None:
    one, other = ENTRY.make(seed=1, num_areas=2), ENTRY.make(seed=2, num_areas=2)
    for env in (one, other):
        env.reset()
    for _ in range(5):
        one.step()
    other.load_state_dict(one.state_dict())
    for _ in range(40):
        one.step()
        other.step()
        for mine, its in zip(one.get_steps(NAME), other.get_steps(NAME), strict=True):
            np.testing.assert_array_equal(mine.obs[0], its.obs[0])


def test_all_rows_are_seen_at_once() -> None:
    env = start(3)
    (agents,) = env._world.agents
    sensor = agents._sensors[0].sensor
    (poses,) = agents.observe(ALL)
    together = sensor.observe(ALL, poses)
    for area in range(3):
        np.testing.assert_array_equal(together[area].transpose(1, 2, 0), see(env, area))
