"""Sorter: rooms and tiles, what agents see, how they run, rewards, ends, parameters, the compiled window."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple, DimensionProperty
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.examples.sorter import ENTRY, PARAMETERS, SorterWorld
from mlagents_sim.examples.sorter_room import ABSENT, AGENT, FIRST_TILE, TILES, VISITED, WAITING
from mlagents_sim.parameters import EnvironmentParameters

NAME = "Sorter?team=0"
AHEAD, BACK, RIGHT, LEFT, TURN_LEFT, TURN_RIGHT = (1, 0, 0), (2, 0, 0), (0, 1, 0), (0, 2, 0), (0, 0, 1), (0, 0, 2)
LOST = 2 * 0.6 * 24.525 * 0.02  # to friction in a step, m/s: twice Coulomb's


def lay_out(tiles: dict[int, int], *, at: tuple[float, float] = (0.0, 0.0), yaw: float = 0.0) -> SorterWorld:
    """One room: number -> place, 0 straight ahead and 5 to the right; the agent at (x, z), at rest."""
    world = SorterWorld(1, np.random.default_rng(0), EnvironmentParameters("Sorter", PARAMETERS))
    world.sorters.begin_all_episodes()
    boxes = world.boxes
    boxes.position[0, FIRST_TILE:] = (0.0, -1000.0, 0.0)
    world.sorters.tiles.state[:] = ABSENT
    for number, place in tiles.items():
        angle = np.radians(18.0 * place)
        tile = FIRST_TILE + number - 1
        boxes.position[0, tile] = (20.5 * np.sin(angle), 1.84, 20.5 * np.cos(angle))
        boxes.yaw[0, tile] = angle
        world.sorters.tiles.state[0, number - 1] = WAITING
    boxes.position[0, AGENT] = (at[0], 0.5, at[1])
    boxes.yaw[0, AGENT] = yaw
    return world


def play(world: SorterWorld, choices: tuple[int, int, int], steps: int) -> tuple[int, bool]:
    world.sorters.arrays.discrete[:] = choices
    return world.advance(steps)


def run_until_the_end(world: SorterWorld, choices: tuple[int, int, int], most: int = 400) -> None:
    for _ in range(most):
        play(world, choices, 1)
        if world.sorters.arrays.end[0]:
            return
    raise AssertionError("the episode goes on")


def test_contract() -> None:
    check_env(functools.partial(ENTRY.make, num_areas=3), steps=100, deterministic=True)


def test_specs() -> None:
    env = ENTRY.make()
    env.reset()
    assert len(env.get_steps(NAME)[0]) == 8
    specs = env.behavior_specs[NAME].observation_specs
    assert [(each.name, each.shape) for each in specs] == [
        ("BufferSensor", (20, 23)),
        ("PhysicsBodySensor", (10,)),
        ("StackingSensor_size2_VectorSensor_size4", (8,)),
    ]
    assert specs[0].dimension_property == (DimensionProperty.VARIABLE_SIZE, DimensionProperty.NONE)
    assert env.behavior_specs[NAME].action_spec.discrete_branches == (3, 3, 3)


# Motion


def test_running_against_friction_and_drag() -> None:
    """(v + 2 - 2 0.6 24.525 0.02) 0.92 per step."""
    world, speed = lay_out({1: 10}), 0.0
    for _ in range(10):
        play(world, AHEAD, 1)
        speed = speed + 2.0
        speed = speed * (1.0 - 4.0 * 0.02) - LOST * (1.0 - 4.0 * 0.02)
        assert world.boxes.velocity[0, AGENT, 2] == pytest.approx(speed, abs=0.05)


@pytest.mark.parametrize(
    ("choices", "axis", "sign"), [(AHEAD, 2, 1), (BACK, 2, -1), (RIGHT, 0, 1), (LEFT, 0, -1), ((1, 1, 0), 0, 1)]
)
def test_directions(choices: tuple[int, int, int], axis: int, sign: int) -> None:
    world = lay_out({1: 10})
    play(world, choices, 1)
    velocity = world.boxes.velocity[0, AGENT]
    assert sign * velocity[axis] > 1.0
    assert velocity[2 - axis] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("choices", "degrees"), [(TURN_LEFT, -20.0), (TURN_RIGHT, 20.0)])
def test_a_decision_turns_by_20_degrees(choices: tuple[int, int, int], degrees: float) -> None:
    world = lay_out({1: 10})
    play(world, choices, 5)
    assert np.degrees(world.boxes.yaw[0, AGENT]) == pytest.approx(degrees)


def test_the_push_is_that_of_before_the_turn() -> None:
    world = lay_out({1: 10})
    play(world, (1, 0, 2), 1)
    assert world.boxes.velocity[0, AGENT, 0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("degrees", [0.0, 9.0, 100.0, 261.0])
def test_nobody_leaves_the_room(degrees: float) -> None:
    """A wall's face is 20 m from the middle, its edges 20.25 m; the agent's middle stays half a metre before it."""
    world = lay_out({1: 5, 2: 6}, yaw=np.radians(degrees))
    world.sorters.tiles.state[:] = VISITED  # nothing ends the episode
    world.sorters.tiles.state[0, 19] = WAITING
    for _ in range(30):
        play(world, AHEAD, 5)
    distance = np.hypot(*world.boxes.position[0, AGENT, ::2])
    assert 18.5 < distance < 19.85
    assert world.boxes.position[0, AGENT, 1] == pytest.approx(0.5, abs=0.03)


# What is seen


def test_tiles_are_listed_by_rising_number() -> None:
    world = lay_out({20: 0, 3: 5, 19: 10}, at=(2.0, -4.0))
    world.sorters.tiles.state[0, 2] = VISITED
    tiles = np.asarray(world.sorters.observe(np.arange(1))[0])[0]
    expected = np.zeros((20, 23))
    expected[0, 3], expected[0, 20:] = 1.0, ((20.5 - 2.0) / 20.0, 4.0 / 20.0, 1.0)
    expected[1, 19], expected[1, 20:] = 1.0, (-2.0 / 20.0, (-20.5 + 4.0) / 20.0, 0.0)
    expected[2, 20:] = (-2.0 / 20.0, (20.5 + 4.0) / 20.0, 0.0)  # 20 has no index left
    np.testing.assert_allclose(tiles, expected, atol=1e-6)


def test_the_body_and_the_place_are_seen() -> None:
    world = lay_out({1: 10}, at=(3.0, -6.0), yaw=np.radians(60.0))
    world.boxes.velocity[0, AGENT] = (1.0, -2.0, 4.0)
    _, body, place = (np.asarray(each)[0] for each in world.sorters.observe(np.arange(1)))
    np.testing.assert_allclose(body, [3.0, 0.5, -6.0, 0, 0.5, 0, np.sqrt(0.75), 1.0, -2.0, 4.0], rtol=1e-6)
    np.testing.assert_allclose(place, [0.15, -0.3, np.sqrt(0.75), 0.5], rtol=1e-6)


# Rewards and ends


def test_tiles_are_touched_in_their_order() -> None:
    """Ahead is 4, behind is 9, the highest: the first pays, may be touched on, and the last ends the episode."""
    world = lay_out({4: 0, 9: 10})
    arrays = world.sorters.arrays
    for _ in range(100):
        play(world, AHEAD, 1)
    assert arrays.reward[0] == pytest.approx(1.0 - 100 / 5000)
    assert world.sorters.tiles.state[0, 3] == VISITED
    assert world.boxes.position[0, AGENT, 2] == pytest.approx(20.5 - 1.5204 / 2 - 0.5, abs=0.03)
    run_until_the_end(world, BACK)
    assert arrays.end[0] == 1
    steps = int(arrays.step_count[0])
    assert arrays.reward[0] == pytest.approx(2.0 - steps / 5000, rel=1e-5)
    assert world.boxes.position[0, AGENT, 2] == pytest.approx(-(20.5 - 1.5204 / 2 - 0.5), abs=0.15)


def test_a_wrong_tile_ends_the_episode() -> None:
    world = lay_out({4: 0, 9: 10}, yaw=np.pi)
    run_until_the_end(world, AHEAD)
    assert world.sorters.arrays.end[0] == 1
    assert world.sorters.arrays.reward[0] == pytest.approx(-1.0 - world.sorters.arrays.step_count[0] / 5000, rel=1e-5)


def test_walls_and_tiles_that_are_not_there_do_nothing() -> None:
    world = lay_out({4: 5}, yaw=0.0)
    play(world, AHEAD, 100)
    assert not world.sorters.arrays.end[0]
    assert world.sorters.arrays.reward[0] == pytest.approx(-100 / 5000, rel=1e-5)


def test_an_episode_is_cut_after_5000_steps() -> None:
    stops = []
    for advance in (SorterWorld.advance, World.advance):
        world = lay_out({1: 10})
        arrays = world.sorters.arrays
        arrays.step_count[0] = 4997
        stops.append((advance(world, 5), arrays.end[0], arrays.step_count[0]))
    assert stops == [((2, True), 2, 5000)] * 2


# Starts


@pytest.mark.parametrize("most", [1, 2, 7, 20])
def test_as_many_tiles_as_are_wanted(most: int) -> None:
    channel = EnvironmentParametersChannel()
    channel.set_float_parameter("num_tiles", most)
    env = ENTRY.make(num_areas=2000, seed=1, side_channels=[channel])
    env.reset()
    world = env._world
    state, boxes = world.sorters.tiles.state, world.boxes
    counts = np.bincount((state == WAITING).sum(axis=1), minlength=TILES + 1)
    assert counts[0] == counts[most + 1 :].sum() == 0
    np.testing.assert_allclose(counts[1 : most + 1] / 2000, 1.0 / most, atol=5 * np.sqrt(1.0 / most / 2000))
    share = (state == WAITING).mean(axis=0)  # all numbers alike
    np.testing.assert_allclose(share, (most + 1) / 2 / TILES, atol=0.06)
    place = boxes.position[:, FIRST_TILE:]
    assert (place[state == ABSENT][:, 1] < -100.0).all()
    slots = np.degrees(np.arctan2(place[..., 0], place[..., 2])) / 18.0
    there = state == WAITING
    np.testing.assert_allclose(slots[there], np.rint(slots[there]), atol=1e-6)
    for row in range(20):  # nothing twice
        assert len(set(np.rint(slots[row, there[row]]).astype(int).tolist())) == there[row].sum()
    np.testing.assert_allclose(np.hypot(place[there][:, 0], place[there][:, 2]), 20.5)


def test_the_agent_begins_in_the_middle_and_keeps_its_direction() -> None:
    world = lay_out({1: 10}, at=(5.0, 5.0), yaw=1.0)
    world.boxes.velocity[0, AGENT] = 3.0
    world.sorters.begin_episodes(np.arange(1))
    np.testing.assert_array_equal(world.boxes.position[0, AGENT], (0.0, 0.5, 0.0))
    assert not world.boxes.velocity[0, AGENT].any()
    assert world.boxes.yaw[0, AGENT] == 1.0


# Play


def steer(decisions) -> ActionTuple:
    """Turn to the lowest tile that waits, and run."""
    tiles, place = decisions.obs[0], decisions.obs[2][:, 4:]
    waits = (np.abs(tiles).sum(axis=2) > 0) & (tiles[..., 22] == 0.0)
    target = tiles[np.arange(len(tiles)), waits.argmax(axis=1), 20:22]
    turned = np.arctan2(*target.T) - np.arctan2(place[:, 2], place[:, 3])
    turned = (turned + np.pi) % (2.0 * np.pi) - np.pi
    near = np.abs(turned) < np.radians(11.0)
    choices = np.stack((near, np.zeros_like(near), np.where(near, 0, np.where(turned > 0.0, 2, 1))), axis=1)
    return ActionTuple(discrete=choices.astype(np.int32))


def test_who_goes_to_the_lowest_tile_that_waits_earns_nearly_all() -> None:
    """The way from tile to tile leads past others now and then, at the wall."""
    env = ENTRY.make(num_areas=20, seed=1)
    env.reset()
    total, returns = np.zeros(20), []
    while len(returns) < 30:
        env.set_actions(NAME, steer(env.get_steps(NAME)[0]))
        env.step()
        decisions, terminals = env.get_steps(NAME)
        total[terminals.agent_id] += terminals.reward
        returns += total[terminals.agent_id].tolist()
        total[terminals.agent_id] = 0.0
        total[decisions.agent_id] += decisions.reward
    assert np.mean(returns) > 5.0


def test_the_compiled_window_does_what_the_callbacks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def record() -> list[np.ndarray]:
        env = ENTRY.make(num_areas=4, seed=3)
        rng, columns = np.random.default_rng(1), []
        env.reset()
        for _ in range(60):
            decisions, terminals = env.get_steps(NAME)
            columns += [*decisions.obs, decisions.reward, *terminals.obs, terminals.reward]
            env.set_actions(NAME, ActionTuple(discrete=rng.integers(0, 3, (len(decisions), 3)).astype(np.int32)))
            env.step()
        return columns

    compiled = record()
    monkeypatch.setattr(SorterWorld, "advance", World.advance)
    for one, other in zip(compiled, record(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_environment_goes_on_from_its_state() -> None:
    one, other = (ENTRY.make(num_areas=4, seed=seed) for seed in (1, 2))
    one.reset(), other.reset()
    for _ in range(15):
        one.set_actions(NAME, steer(one.get_steps(NAME)[0]))
        one.step()
    other.load_state_dict(one.state_dict())
    for _ in range(40):
        for env in (one, other):
            env.set_actions(NAME, steer(env.get_steps(NAME)[0]))
            env.step()
        for a, b in zip(one.get_steps(NAME)[0].obs, other.get_steps(NAME)[0].obs, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("key", "choices"),
    [("w", AHEAD), ("s", BACK), ("e", RIGHT), ("q", LEFT), ("a", TURN_LEFT), ("right", TURN_RIGHT)],
)
def test_keys(key: str, choices: tuple[int, int, int]) -> None:
    env = ENTRY.make(num_areas=1)
    env.reset()
    env.hold_keys([key])
    assert env.heuristic(NAME).discrete.tolist() == [list(choices)]


def test_spectators_see_numbers_on_the_tiles_that_are_there() -> None:
    """A 4 has four strokes, a 13 two and five."""
    world = lay_out({4: 0, 13: 5})
    bodies = world.bodies()
    height, black = bodies.center[:, 1], (bodies.color == bodies.color[-1]).all(axis=1)
    assert (black & (height > 0.0)).sum() == 4 + 2 + 5
    world.sorters.tiles.state[0, 3] = VISITED
    changed = (world.bodies().color != bodies.color).any(axis=1)
    assert np.flatnonzero(changed).tolist() == [FIRST_TILE + 3]
