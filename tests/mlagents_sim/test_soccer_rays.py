"""What the players of SoccerTwos and StrikersVsGoalie see."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlagents_envs.registry import default_registry
from mlagents_sim.examples.soccer import SoccerWorld
from mlagents_sim.physics.pitch_rays import PitchRays
from mlagents_sim.physics.ray_casts import ABSENT, RayOrigins, Rays, Shapes, cast, turn_ray_origins

BALL = -1
RADIUS = 0.015 * 41.6115


def made(name: str) -> SoccerWorld:
    env = default_registry[name].make(seed=1, num_areas=1)
    env.reset()
    return env._world


@pytest.fixture
def world() -> SoccerWorld:
    """SoccerTwos with all players in the corners, and the ball in the middle."""
    world = made("SoccerTwos")
    corners = [(-14.0, 6.0), (-14.0, -6.0), (14.0, 6.0), (14.0, -6.0), (0.0, 0.0)]
    world.fields.pitches.position[0] = corners
    return world


def rays_of(world: SoccerWorld, sensor: int = 0, team: int = 0, agent: int = 0) -> np.ndarray:
    agents = world.agents[team]
    seen = agents.observe(np.array([agent]))[sensor][0]
    return np.asarray(seen).reshape(-1, agents._rays[sensor].tags + 2)


def test_rays_see_ball_players_walls_and_goals(world):
    """Spheres of 0.5 m, half a metre above: the ball's middle counts as a disc of 1.0069 m, players' as 0.8660 m."""
    pitches = world.fields.pitches
    pitches.position[0, 0], pitches.yaw[0, 0] = (-4.0, 0.0), np.pi / 2  # looks along +x
    pitches.position[0, BALL], pitches.position[0, 3] = (1.0, 0.0), (-10.0, -5.0)
    right = np.radians(12.0)
    pitches.position[0, 2] = (8.0 * math.cos(right) - 4.0, -8.0 * math.sin(right))
    left = np.radians(24.0)
    pitches.position[0, 1] = (6.0 * math.cos(left) - 4.0, 6.0 * math.sin(left))
    ahead, right_1, left_1, right_2, left_2 = rays_of(world)[:5]
    ball_reach = math.sqrt((0.5 + RADIUS) ** 2 - 0.25)
    assert ball_reach == pytest.approx(1.0069, abs=1e-4)
    assert ahead == pytest.approx([1, 0, 0, 0, 0, 0, 0, (5.0 - ball_reach) / 20.0])
    assert right_1 == pytest.approx([0, 0, 0, 0, 0, 1, 0, (8.0 - math.sqrt(0.75)) / 20.0])
    assert left_2 == pytest.approx([0, 0, 0, 0, 1, 0, 0, (6.0 - math.sqrt(0.75)) / 20.0])
    wall = 7.0 / math.sin(2 * right)
    assert right_2 == pytest.approx([0, 0, 0, 1, 0, 0, 0, wall / 20.0])
    assert left_1[:6].tolist() == [0, 0, 0, 1, 0, 0]
    pitches.position[0, BALL] = (0.0, 6.0)
    ahead = rays_of(world)[0]
    assert ahead == pytest.approx([0, 0, 0, 0, 0, 0, 1, 1])  # the net is 20.86 m away
    pitches.position[0, 0] = (0.0, 0.0)
    assert rays_of(world)[0] == pytest.approx([0, 0, 1, 0, 0, 0, 0, (17.36 - 0.5) / 20.0])
    pitches.yaw[0, 0] = -np.pi / 2
    assert rays_of(world)[0] == pytest.approx([0, 1, 0, 0, 0, 0, 0, (17.37 - 0.5) / 20.0])


def test_purple_players_list_their_own_things_first(world):
    pitches = world.fields.pitches
    pitches.position[0, 2], pitches.yaw[0, 2] = (0.0, 0.0), np.pi / 2
    pitches.position[0, BALL] = (0.0, 6.0)
    assert rays_of(world, team=1)[0][:6].tolist() == [0, 1, 0, 0, 0, 0]  # the purple goal
    pitches.yaw[0, 2] = -np.pi / 2
    assert rays_of(world, team=1)[0][:6].tolist() == [0, 0, 1, 0, 0, 0]
    pitches.position[0, 0] = (-5.0, 0.0)
    assert rays_of(world, team=1)[0][:6].tolist() == [0, 0, 0, 0, 0, 1]


def test_players_see_behind_them(world):
    """Three rays at 180 degrees; the first to the right of somebody who has turned round is on the left."""
    pitches = world.fields.pitches
    pitches.position[0, 0], pitches.yaw[0, 0] = (0.0, 0.0), np.pi / 2
    pitches.position[0, BALL] = (-5.0, 0.0)
    pitches.position[0, 1] = (-4.0, 4.0)  # to the left behind
    behind = rays_of(world, sensor=1)
    assert behind.shape == (3, 8)
    assert behind[0, :6].tolist() == [1, 0, 0, 0, 0, 0]
    assert behind[1, :6].tolist() == [0, 0, 0, 0, 1, 0]
    assert behind[2, :6].tolist() == [0, 0, 0, 1, 0, 0]


def test_who_touches_a_wall_does_not_see_it(world):
    pitches = world.fields.pitches
    pitches.position[0, 0], pitches.yaw[0, 0] = (0.0, 7.0), 0.0
    assert rays_of(world)[0].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    pitches.position[0, 0] = (0.0, 6.9)
    assert rays_of(world)[0] == pytest.approx([0, 0, 0, 1, 0, 0, 0, 0.1 / 20.0])


def test_the_goalie_sees_all_round():
    world = made("StrikersVsGoalie")
    pitches = world.fields.pitches
    pitches.position[0, BALL] = (-3.0, 0.0)
    rays = rays_of(world, team=1)
    assert rays.shape == (41, 6)
    assert rays[0, :4].tolist() == [1, 0, 0, 0]
    assert rays[-1] == pytest.approx(rays[-2])  # both behind
    assert rays[-1, :4].tolist() == [0, 1, 0, 0]


def shapes_of_pitch(world: SoccerWorld, rays: PitchRays) -> Shapes:
    """Return the pitch in space: walls of 6 m, the ball, and players as spheres of 0.5 m."""
    walls, pitches = world.fields.walls, world.fields.pitches
    bodies, count = pitches.position.shape[1], len(walls.look)
    level = np.concatenate([walls.center, pitches.position[0]])
    center = np.stack([level[:, 0], np.zeros(len(level)), level[:, 1]], axis=1)
    half_size, rounding = np.zeros_like(center), np.zeros(len(center))
    half_size[:count] = np.stack([walls.half_size[:, 0], np.full(count, 3.0), walls.half_size[:, 1]], axis=1)
    rounding[count:] = [0.5] * (bodies - 1) + [RADIUS]
    rotation = np.tile(np.eye(3), (len(center), 1, 1))
    rotation[:count, 0, 0] = rotation[:count, 2, 2] = walls.axis[:, 0]
    rotation[:count, 2, 0], rotation[:count, 0, 2] = walls.axis[:, 1], -walls.axis[:, 1]
    tag = np.concatenate([rays.wall_tag[walls.look], rays.body_tag])
    return Shapes(center[None], rotation[None], half_size[None], rounding[None], tag[None])


@pytest.mark.parametrize("name", ["SoccerTwos", "StrikersVsGoalieGroups"])
def test_rays_see_what_casts_in_space_see(name):
    """`ray_casts.cast` knows nothing of pitches, and looks at every wall."""
    world = made(name)
    rng, pitches = np.random.default_rng(3), world.fields.pitches
    for _ in range(40):
        pitches.position[0] = rng.uniform((-14.0, -6.5), (14.0, 6.5), pitches.position[0].shape)
        pitches.yaw[0] = rng.uniform(-np.pi, np.pi, pitches.yaw[0].shape)
        for agents in world.agents:
            player = agents._player[0]
            x, z = pitches.position[0, player]
            origins = RayOrigins(*np.array([[0], [-1]]), np.array([[x, 0.0, z]]), np.zeros((1, 3, 3)))
            turn_ray_origins(origins, pitches.yaw[0, [player]])
            for rays, seen in zip(agents._rays, agents.observe(np.array([0])), strict=True):
                shapes = shapes_of_pitch(world, rays)
                shapes.tag[0, len(world.fields.walls.look) + player] = ABSENT
                path = np.insert(rays.path, 1, 0.0, axis=1)
                expected = cast(Rays(rays.height, path, rays.radius, rays.tags), shapes, origins, np.array([0]))
                np.testing.assert_allclose(seen, expected, atol=1e-5)
