"""DungeonEscape: what cubes see, who dies of what, keys, the door, who comes back, and the compiled window."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples.dungeon_escape import ENTRY, PARAMETERS, DungeonEscapeWorld
from mlagents_sim.examples.dungeon_motion import COLUMNS, DRAGON, FLOOR
from mlagents_sim.examples.teams import TEAM
from mlagents_sim.parameters import EnvironmentParameters

NAME = "DungeonEscape?team=0"
AT_DOOR = (0.0, 11.84)  # its front is at z = 12.35
AT_PORTAL = (10.19, -11.6)  # its side is at x = 10.7
AT_DRAGON = (0.0, 6.46)  # turned to the portal, it reaches to 8 - 0.75 (11.6 + 19.6) / 22.775 = 6.9725


def make_world(areas: int = 1, seed: int = 0) -> DungeonEscapeWorld:
    world = DungeonEscapeWorld(areas, np.random.default_rng(seed), EnvironmentParameters("DungeonEscape", PARAMETERS))
    world.prisoners.begin_all_episodes()
    return world


def arranged(*cubes, dragon=None, speed: float = 0.0, yaw: float = 0.0) -> DungeonEscapeWorld:
    """One area with cubes at (x, z), the others in the west, all turned by `yaw`; the dragon stays at its start."""
    world = make_world()
    boxes = world.dungeons.boxes
    places = [*cubes, (-11.0, 0.0), (-11.0, 3.0), (-11.0, 6.0)][:TEAM]
    boxes.position[0, :TEAM] = [(x, 0.5, z) for x, z in places]
    boxes.yaw[0, :TEAM] = yaw
    if dragon is not None:
        boxes.position[0, DRAGON] = (dragon[0], 0.75, dragon[1])
    world.dungeons.dragon_speed[0] = speed
    return world


def play(world: DungeonEscapeWorld, steps: int, choices=0) -> tuple[int, bool]:
    world.prisoners.arrays.discrete[:, 0] = choices
    return world.advance(steps)


def see(world: DungeonEscapeWorld, cube: int = 0) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the body, the rays [15, 8], and whether the cube has the key."""
    body, rays, key = world.prisoners.observe(np.array([cube]))
    return np.asarray(body)[0], np.reshape(rays, (15, 8)), float(np.asarray(key)[0, 0])


def give_key(world: DungeonEscapeWorld, cube: int) -> None:
    """As if another cube had died for it."""
    world.dungeons.dragon_lives[0] = False
    world.dungeons.boxes.position[0, DRAGON, 1] = -500.0
    world.dungeons.has_key[0, cube] = True


def test_contract() -> None:
    check_env(functools.partial(ENTRY.make, num_areas=2), steps=200, deterministic=True)


def test_specs() -> None:
    env = ENTRY.make()
    env.reset()
    decisions, _ = env.get_steps(NAME)
    assert decisions.group_id.tolist() == [1 + area for area in range(12) for _ in range(3)]
    specs = env.behavior_specs[NAME].observation_specs
    assert [(s.name, s.shape) for s in specs] == [
        ("PhysicsBodySensor", (10,)),
        ("StackingSensor_size3_RayPerceptionSensor", (360,)),
        ("VectorSensor_size1", (1,)),
    ]
    assert env.behavior_specs[NAME].action_spec.discrete_branches == (7,)


# What is seen


def test_rays_tell_walls_cubes_dragon_door_and_portal_apart() -> None:
    """Spheres of half a metre, 40 m long: from (0, 0) north to the dragon's side, 7.25 m away."""
    world = arranged((0.0, 0.0))
    body, rays, key = see(world)
    np.testing.assert_allclose(body, [0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], atol=1e-7)
    np.testing.assert_allclose(rays[0], [0, 0, 1, 0, 0, 0, 0, (7.25 - 0.5) / 40.0], rtol=1e-6)
    assert key == 0.0
    world.dungeons.boxes.position[0, DRAGON, 1] = -500.0
    np.testing.assert_allclose(see(world)[1][0], [0, 0, 0, 0, 1, 0, 0, (12.35 - 0.5) / 40.0], rtol=1e-6)
    world.dungeons.boxes.position[0, 1] = (0.0, 0.5, 5.0)
    np.testing.assert_allclose(see(world)[1][0], [0, 1, 0, 0, 0, 0, 0, (4.5 - 0.5) / 40.0], rtol=1e-6)
    world.dungeons.key[0], world.dungeons.key_lies[0] = (0.0, 0.5, 3.0), True
    np.testing.assert_allclose(see(world)[1][0], [0, 0, 0, 1, 0, 0, 0, (3.0 - 1.0) / 40.0], rtol=1e-6)
    # 60 degrees to the right, the last pair of rays: the wall's face at x = 12.5.
    np.testing.assert_allclose(rays[13], [1, 0, 0, 0, 0, 0, 0, 12.0 / np.sin(np.pi / 3.0) / 40.0], rtol=1e-6)
    # Looking south from (11.6, 0) at the portal, whose side is at z = -10.7.
    world = arranged((11.6, 0.0), yaw=np.pi)
    np.testing.assert_allclose(see(world)[1][0], [0, 0, 0, 0, 0, 1, 0, (10.7 - 0.5) / 40.0], rtol=1e-6)
    # Looking south from (4.5, 0) the column's side is 3.5 m away.
    world = arranged((4.5, 0.0), yaw=np.pi)
    np.testing.assert_allclose(see(world)[1][0], [1, 0, 0, 0, 0, 0, 0, 3.0 / 40.0], rtol=1e-6)


# The dragon, the key and the door


def test_the_dragon_walks_straight_to_the_portal() -> None:
    world = arranged(speed=5.0)
    play(world, 50)
    way = np.array((11.6, -19.6)) / np.hypot(11.6, 19.6)
    np.testing.assert_allclose(world.dungeons.boxes.position[0, DRAGON, ::2], (0.0, 8.0) + 5.0 * way, rtol=1e-9)
    assert world.dungeons.boxes.yaw[0, DRAGON] == pytest.approx(np.arctan2(11.6, -19.6))


def test_a_dragon_at_the_portal_ends_the_episode_without_reward() -> None:
    """22.78 m, less what dragon and portal reach towards each other: between 1.5 and 2.2 m."""
    world = arranged(speed=7.0)
    steps = 0
    while not world.prisoners.arrays.end.any():
        ran, acted = play(world, 5)
        assert not acted
        steps += ran
    assert (22.78 - 2.2) / 0.14 < steps < (22.78 - 1.5) / 0.14
    assert world.prisoners.arrays.end.tolist() == [1, 1, 1]
    np.testing.assert_array_equal(world.prisoners.group_reward, 0.0)


def test_a_cube_that_touches_the_dragon_dies_with_it_and_a_key_lies_there() -> None:
    world = arranged(AT_DRAGON)
    world.prisoners.decision_steps()
    assert play(world, 5) == (1, False)
    dungeons, arrays = world.dungeons, world.prisoners.arrays
    assert arrays.end.tolist() == [1, 0, 0]
    assert dungeons.is_there.tolist() == [[False, True, True]]
    assert not dungeons.dragon_lives[0]
    np.testing.assert_allclose(dungeons.key[0], (0.0, 0.5, 8.0))
    last = world.prisoners.finish_episodes()
    assert last is not None
    assert (last.agent_id.tolist(), last.interrupted.tolist(), last.group_id.tolist()) == ([0], [False], [1])
    np.testing.assert_allclose(last.obs[0][0, :3], (0.0, 0.5, 6.46), atol=1e-3)  # where it died, not where it is kept
    assert world.prisoners.decision_steps().agent_id.tolist() == [1, 2]
    for _ in range(20):
        assert play(world, 5) == (5, False)
    np.testing.assert_array_equal(dungeons.boxes.position[0, [0, DRAGON], 1], (-1000.0, -1030.0))


def test_a_key_is_taken_where_it_is_touched() -> None:
    """It is a sphere of half a metre: a cube is 1 m away when it touches it with a side, 1.207 m with an edge."""
    for yaw, reach in ((0.0, 1.0), (np.pi / 4.0, 0.5 + np.sqrt(0.5))):
        for distance in (reach + 0.01, reach - 0.01):
            world = arranged((0.0, 0.0), yaw=yaw)
            world.dungeons.key[0], world.dungeons.key_lies[0] = (distance, 0.5, 0.0), True
            play(world, 1)
            assert see(world)[2] == float(distance < reach)
            assert world.dungeons.key_lies[0] == (distance > reach)


def test_the_door_opens_only_to_a_key_and_pays_those_who_live() -> None:
    world = arranged(AT_DOOR)
    assert play(world, 5) == (5, False)
    world = arranged(AT_DOOR)
    give_key(world, 0)
    world.dungeons.is_there[0, 2] = False
    assert play(world, 5) == (1, False)
    assert world.prisoners.arrays.end.tolist() == [1, 1, 0]
    np.testing.assert_array_equal(world.prisoners.group_reward, [1.0, 1.0, 0.0])
    np.testing.assert_array_equal(world.prisoners.arrays.reward, 0.0)


def test_who_is_at_the_door_already_has_to_come_again() -> None:
    """Only the beginning of a touch opens it, as with Unity's OnCollisionEnter."""
    world = arranged(AT_DOOR)
    play(world, 1)
    give_key(world, 0)
    assert play(world, 5) == (5, False)
    assert play(world, 5, [2, 0, 0]) == (5, False)
    assert play(world, 20, [1, 0, 0])[0] < 20
    assert world.prisoners.group_reward[0] == 1.0


def test_the_portal_takes_one_cube_at_a_time() -> None:
    world = arranged(AT_PORTAL)
    assert play(world, 5) == (1, False)
    assert world.prisoners.arrays.end.tolist() == [1, 0, 0]
    world.prisoners.finish_episodes()
    assert world.dungeons.boxes.position[0, 0, 1] == -1000.0
    for cube, end in ((1, [0, 1, 0]), (2, [0, 0, 1])):
        world.dungeons.boxes.position[0, cube] = (AT_PORTAL[0], 0.5, AT_PORTAL[1])
        assert play(world, 5)[0] == 1
        assert world.prisoners.arrays.end.tolist() == end
        world.prisoners.finish_episodes()
    assert world.dungeons.is_there.all()  # the last one has ended it: all begin anew
    np.testing.assert_array_equal(world.prisoners.group_reward, 0.0)


def test_who_has_the_key_ends_it_for_all_at_the_portal() -> None:
    world = arranged(AT_PORTAL)
    give_key(world, 0)
    play(world, 5)
    assert world.prisoners.arrays.end.tolist() == [1, 1, 1]
    np.testing.assert_array_equal(world.prisoners.group_reward, 0.0)


# Beginnings and ends


def test_the_dead_come_back_when_their_group_begins_anew() -> None:
    world = arranged(AT_DRAGON)
    world.prisoners.decision_steps()
    play(world, 5)
    world.prisoners.finish_episodes()
    play(world, 3)
    give_key(world, 1)
    world.dungeons.boxes.position[0, 1] = (AT_DOOR[0], 0.5, AT_DOOR[1])
    play(world, 5)
    last = world.prisoners.finish_episodes()
    assert last is not None
    assert last.agent_id.tolist() == [1, 2]
    assert last.group_reward.tolist() == [1.0, 1.0]
    dungeons = world.dungeons
    assert dungeons.is_there.all()
    assert dungeons.dragon_lives[0]
    for mark in (dungeons.has_key, dungeons.key_lies, dungeons.at_door):
        assert not mark.any()
    np.testing.assert_array_equal(world.prisoners.arrays.step_count, 0)
    np.testing.assert_array_equal(dungeons.boxes.position[0, :TEAM, 1], 1.0)
    np.testing.assert_allclose(dungeons.boxes.inverse_mass[0, :TEAM], 0.1)
    decisions = world.prisoners.decision_steps()
    assert decisions.agent_id.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(decisions.group_reward, 0.0)


def test_an_episode_is_cut_after_15000_steps_also_for_those_that_are_left() -> None:
    stops = []
    for advance in (DungeonEscapeWorld.advance, World.advance):
        world = arranged(AT_DRAGON)
        world.prisoners.arrays.discrete[:] = 0
        world.prisoners.arrays.step_count[:] = 14_000
        advance(world, 5)
        world.prisoners.finish_episodes()
        world.prisoners.arrays.step_count[1:] = 14_997
        stops.append((advance(world, 5), world.prisoners.arrays.end.tolist()))
        world.prisoners.finish_episodes()
        assert world.dungeons.is_there.all()
    assert stops == [((2, True), [0, 2, 2])] * 2


def test_starts_are_in_range_and_apart() -> None:
    world = make_world(300)
    boxes = world.dungeons.boxes
    place = boxes.position[:, :TEAM]
    np.testing.assert_array_equal(place[..., 1], 1.0)
    assert 6.2 < np.abs(place[..., ::2]).max() <= 6.25
    columns = boxes.position[0, COLUMNS:FLOOR]
    apart = np.abs(place[:, :, np.newaxis] - columns)[..., ::2].max(axis=-1)
    assert 3.0 <= apart.min() < 3.02
    assert (np.abs(place[:, 0] - place[:, 1])[:, ::2].max(axis=1) > 3.0).all()
    speeds = world.dungeons.dragon_speed
    assert 1.0 <= speeds.min() < 1.1
    assert 6.9 < speeds.max() <= 7.0


def walk(env: SimEnvironment, rng: np.random.Generator, steps: int) -> list[np.ndarray]:
    """Return all that is reported while the cubes run about."""
    columns = []
    for _ in range(steps):
        decisions, terminals = env.get_steps(NAME)
        for part in (decisions, terminals):
            columns += [*part.obs, part.reward, part.agent_id, part.group_reward, part.group_id]
        if len(decisions):
            choices = rng.choice(7, (len(decisions), 1), p=(0, 0.6, 0.05, 0.15, 0.1, 0.05, 0.05))
            env.set_actions(NAME, ActionTuple(discrete=choices.astype(np.int32)))
        env.step()
    return columns


def test_the_compiled_window_does_what_the_callbacks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same seed and actions, with `advance` compiled and with the academy's own loop: equal bits."""

    def play_in(world: DungeonEscapeWorld) -> list[np.ndarray]:
        env = SimEnvironment(world)
        env.reset()
        return walk(env, np.random.default_rng(2), 300)

    compiled = play_in(make_world(3))
    assert min(len(ids) for ids in compiled[4::14]) < 9  # some were dead
    monkeypatch.setattr(DungeonEscapeWorld, "advance", World.advance)
    for one, other in zip(compiled, play_in(make_world(3)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_goes_on_where_it_was_left() -> None:
    """Also while some are dead: the state gives the same reports, bit for bit."""
    one, other = (ENTRY.make(seed=seed, num_areas=3) for seed in (1, 2))
    rng = np.random.default_rng(0)
    for env in (one, other):
        env.reset()
    while one._world.dungeons.is_there.all():
        walk(one, rng, 1)
    other.load_state_dict(one.state_dict())
    rngs = np.random.default_rng(5), np.random.default_rng(5)
    first, second = (walk(env, own, 150) for env, own in zip((one, other), rngs, strict=True))
    for x, y in zip(first, second, strict=True):
        np.testing.assert_array_equal(x, y)
