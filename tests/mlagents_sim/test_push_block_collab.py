"""PushBlockCollab: what cubes see and know, how heavy blocks are, group rewards, starts, and the compiled window."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples.push_block_collab import (
    BLOCKS,
    ENTRY,
    MOVERS,
    PARAMETERS,
    PushBlockCollabWorld,
)
from mlagents_sim.examples.teams import TEAM
from mlagents_sim.parameters import EnvironmentParameters

NAME = "PushBlockCollab?team=0"
SOUTH = np.pi  # where the goal is
SMALL, LARGE, VERY_LARGE = TEAM, TEAM + 2, TEAM + 4
PARKED = {TEAM + block: (-8.0 + 4.0 * (block % 3), 6.0 + 4.0 * (block // 3)) for block in range(BLOCKS)}


def make_world(areas: int = 1, seed: int = 0) -> PushBlockCollabWorld:
    parameters = EnvironmentParameters("PushBlockCollab", PARAMETERS)
    world = PushBlockCollabWorld(areas, np.random.default_rng(seed), parameters)
    world.pushers.begin_all_episodes()
    return world


def arranged(places, yaw: float = SOUTH) -> PushBlockCollabWorld:
    """One area, cubes and blocks on the floor at (x, z), the other blocks in the north, the other cubes in a corner."""
    world = make_world()
    boxes = world.areas.boxes
    corner = {cube: (-11.0, 11.0 - 2.0 * cube) for cube in range(TEAM)}
    boxes.yaw[0, :MOVERS] = 0.0
    boxes.yaw[0, :TEAM] = yaw
    for box, (x, z) in {**corner, **PARKED, **places}.items():
        boxes.position[0, box] = (x, boxes.half_size[0, box, 1], z)
    return world


def play(world: PushBlockCollabWorld, choices, steps: int = 5) -> None:
    world.pushers.arrays.discrete[:, 0] = choices
    assert world.advance(steps) == (steps, False)


def seen(world: PushBlockCollabWorld, cube: int = 0) -> np.ndarray:
    """Return the tag in each cell, -1 where nothing is: [20 from right to left, 20 from behind to ahead]."""
    grid, _ = world.pushers.observe(np.array([cube]))
    cells = np.asarray(grid)[0]
    assert (cells.sum(axis=0) <= 1.0).all()
    return np.where(cells.any(axis=0), cells.argmax(axis=0), -1)


def test_contract() -> None:
    check_env(functools.partial(ENTRY.make, num_areas=1), steps=40, deterministic=True)


def test_specs() -> None:
    env = ENTRY.make()
    env.reset()
    decisions, _ = env.get_steps(NAME)
    assert decisions.group_id.tolist() == [1 + area for area in range(4) for _ in range(3)]
    assert [(s.name, s.shape) for s in env.behavior_specs[NAME].observation_specs] == [
        ("GridSensor-OneHot", (6, 20, 20)),
        ("PhysicsBodySensor", (10,)),
    ]
    assert env.behavior_specs[NAME].action_spec.discrete_branches == (7,)


# What is seen


def test_the_grid_shows_what_is_up_to_20_m_ahead_and_10_m_to_both_sides() -> None:
    """From (0.5, 4.5), looking to the goal, the middles of cells are half metres away: -9.5 to 9.5, 0.5 to 19.5.

    The goal begins 4.5 + 8.35 = 12.85 m ahead, so from cell 12 on; behind it is the wall, 17 m ahead. That and the
    goal reach across the grid. The cubes to the sides, 8 m ahead, are less than a cell wide, but reach into two.
    """
    world = arranged({0: (0.5, 4.5), SMALL: (0.5, 0.0), VERY_LARGE: (5.0, 0.0), 1: (-8.0, -3.5), 2: (-11.0, 11.0)})
    cells = seen(world)
    assert (cells[:, 13:17] == 2).all()  # only the goal
    assert set(np.unique(cells[:, 12])) == {2}
    # The small block is 4.5 m ahead, from 4 to 5 m, and half a metre to both sides: two cells.
    assert np.argwhere(cells == 3).tolist() == [[9, 4], [10, 4]]
    # The very large one is 4.5 m to the left, from 3 to 6 m, and from 3 to 6 m ahead; looking south, left is east.
    assert np.argwhere(cells == 5).tolist() == [[row, column] for row in (13, 14, 15) for column in (3, 4, 5)]
    # The cube is 8.5 m to the right, from 8 to 9 m, and from 7.5 to 8.5 m ahead.
    assert np.argwhere(cells == 1).tolist() == [[1, 7], [1, 8]]


def test_a_cube_knows_where_it_is_how_it_is_turned_and_how_fast_it_is() -> None:
    world = arranged({0: (3.0, 2.0)}, yaw=np.pi / 2.0)
    world.areas.boxes.velocity[0, 0] = (1.0, 0.0, -2.0)
    _, body = world.pushers.observe(np.array([0]))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(np.asarray(body)[0], [3.0, 0.5, 2.0, 0.0, half, 0.0, half, 1.0, 0.0, -2.0], rtol=1e-6)


# Motion


@pytest.mark.parametrize(
    ("choice", "direction"), [(0, (0, 0)), (1, (1, 0)), (2, (-1, 0)), (5, (0, 0.75)), (6, (0, -0.75))]
)
def test_a_step_of_each_kind(choice: int, direction) -> None:
    """Looking along +x: 3 m/s, a quarter less sideways, less drag and twice Coulomb's friction of 0.6."""
    world = arranged({0: (0.0, 0.0)}, yaw=np.pi / 2.0)
    play(world, [choice, 0, 0], steps=1)
    push = 3.0 * np.array(direction)
    lost = np.sign(push) * 2.0 * 0.6 * 14.715 * 0.02
    np.testing.assert_allclose(world.areas.boxes.velocity[0, 0, ::2], push * 0.92 - lost * 0.92, atol=1e-9)


@pytest.mark.parametrize(("choice", "degrees"), [(3, 20.0), (4, -20.0)])
def test_a_decision_turns_by_20_degrees(choice: int, degrees: float) -> None:
    world = arranged({0: (0.0, 0.0)}, yaw=0.0)
    play(world, [choice, 0, 0])
    assert np.degrees(world.areas.boxes.yaw[0, 0]) == pytest.approx(degrees)


@pytest.mark.parametrize(("block", "needed"), [(SMALL, 1), (LARGE, 2), (VERY_LARGE, 3)])
def test_as_many_cubes_as_a_block_needs_push_it(block: int, needed: int) -> None:
    """A cube pushes with 10 kg 3 m/s per 0.02 s less drag and its own friction, 1380 - 162 N at rest.

    Friction holds the blocks with 177, 1766 and 2649 N, of which a step's gravity has 0.98.
    """
    half = world_half(block)
    for pushers in range(1, TEAM + 1):
        sides = {0: [0.0], 1: [0.0], 2: [-0.6, 0.6], 3: [-1.1, 0.0, 1.1]}[pushers]
        world = arranged({block: (0.0, 0.0), **{i: (x, half + 0.51) for i, x in enumerate(sides)}})
        play(world, [1] * pushers + [0] * (TEAM - pushers), steps=25)
        assert (world.areas.boxes.position[0, block, 2] < -0.05) == (pushers >= needed), pushers


def world_half(block: int) -> float:
    return (0.5, 0.5, 1.0, 1.0, 1.5, 1.5)[block - TEAM]


def test_everybody_stays_inside() -> None:
    world = make_world(4, seed=3)
    agents, rng, boxes = world.pushers, np.random.default_rng(3), world.areas.boxes
    for _ in range(120):
        agents.arrays.discrete[:] = rng.choice(7, (12, 1), p=(0, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1))
        world.advance(5)
        agents.finish_episodes()
        here = boxes.position[:, :MOVERS][boxes.inverse_mass[:, :MOVERS, 0] > 0.0]
        assert np.abs(here[:, ::2]).max() < 12.5
        assert here[:, 1].min() > 0.36
        assert here[:, 1].max() < 1.01


# Rewards and ends


@pytest.mark.parametrize(("block", "value"), [(SMALL, 1.0), (LARGE, 2.0), (VERY_LARGE, 3.0)])
def test_a_block_at_the_goal_is_worth_something_to_all_and_is_gone(block: int, value: float) -> None:
    """Turned by 45 degrees its corner reaches farther than its side: to the root of 2 half edges."""
    corner = world_half(block) * np.sqrt(2.0)
    world = arranged({block: (0.0, -8.35 + corner + 0.01)})
    world.areas.boxes.yaw[0, block] = np.pi / 4.0
    play(world, 0, steps=1)
    np.testing.assert_allclose(world.pushers.group_reward, -0.0001, rtol=1e-5)
    world.areas.boxes.position[0, block, 2] -= 0.02
    play(world, 0, steps=1)
    np.testing.assert_allclose(world.pushers.group_reward, value - 0.0002, rtol=1e-5)
    np.testing.assert_array_equal(world.pushers.arrays.reward, 0.0)
    play(world, 0, steps=3)
    np.testing.assert_allclose(world.pushers.group_reward, value - 0.0005, rtol=1e-5)
    assert world.areas.boxes.position[0, block, 1] < -900.0


def test_cubes_walk_through_the_goal() -> None:
    world = arranged({0: (0.0, -7.0)})
    play(world, [1, 0, 0], steps=40)
    assert world.areas.boxes.position[0, 0, 2] == pytest.approx(-12.0, abs=0.01)


def test_the_last_block_ends_the_episode_for_the_group() -> None:
    world = arranged({SMALL: (0.0, -8.35 + 0.49)})
    world.areas.is_done[0, 1:] = True
    world.pushers.arrays.discrete[:] = 0
    assert world.advance(5) == (1, False)
    assert world.pushers.arrays.end.tolist() == [1, 1, 1]
    steps = world.pushers.finish_episodes()
    assert steps is None  # nobody has decided yet
    assert not world.areas.is_done.any()


def test_an_episode_is_cut_after_5000_steps() -> None:
    stops = []
    for advance in (PushBlockCollabWorld.advance, World.advance):
        world = make_world(2)
        world.pushers.arrays.step_count[:] = 4990
        world.pushers.arrays.step_count[3:] = 4997
        stops.append((advance(world, 5), world.pushers.arrays.end.tolist()))
    assert stops == [((2, True), [0, 0, 0, 2, 2, 2])] * 2


# Starts


def test_starts_are_in_range_and_apart() -> None:
    world = make_world(200)
    boxes = world.areas.boxes
    place = boxes.position[:, :MOVERS]
    np.testing.assert_array_equal(place[..., 1], 1.0)
    assert 6.2 < np.abs(place[..., ::2]).max() <= 6.25
    # The two largest blocks, drawn first: 1.5 m and half a metre from the extent of the first, which is turned.
    cos, sin = np.abs(np.cos(boxes.yaw[:, MOVERS - 1])), np.abs(np.sin(boxes.yaw[:, MOVERS - 1]))
    apart = np.abs(place[:, MOVERS - 2] - place[:, MOVERS - 1])[:, ::2].max(axis=1)
    assert (apart >= 1.5 * (cos + sin) + 2.0 - 1e-9).all()
    assert np.ptp(boxes.yaw[:, :MOVERS], axis=0).min() > 6.0


def test_all_blocks_come_back() -> None:
    world = arranged({SMALL: (0.0, -8.0)})
    play(world, 0, steps=1)
    world.pushers.begin_episodes(np.arange(TEAM))
    assert (world.areas.boxes.position[0, :MOVERS, 1] == 1.0).all()
    np.testing.assert_allclose(world.areas.boxes.inverse_mass[0, SMALL], 0.1)


def test_the_compiled_window_does_what_the_callbacks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same seed and actions, with `advance` compiled and with the academy's own loop: equal bits."""

    def run(world: PushBlockCollabWorld) -> list[np.ndarray]:
        env, rng = SimEnvironment(world), np.random.default_rng(2)
        env.reset()
        world.pushers.arrays.step_count[:3] = 4900
        columns, ends = [], 0
        for _ in range(50):
            decisions, terminals = env.get_steps(NAME)
            ends += len(terminals)
            for steps in (decisions, terminals):
                columns += [*steps.obs, steps.reward, steps.agent_id, steps.group_reward]
            if len(decisions):
                choices = rng.choice(7, (len(decisions), 1), p=(0, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1))
                env.set_actions(NAME, ActionTuple(discrete=choices.astype(np.int32)))
            env.step()
        assert ends == 3
        return columns

    compiled = run(make_world(2))
    monkeypatch.setattr(PushBlockCollabWorld, "advance", World.advance)
    for one, other in zip(compiled, run(make_world(2)), strict=True):
        np.testing.assert_array_equal(one, other)
