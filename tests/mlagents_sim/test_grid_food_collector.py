"""GridFoodCollector: what is in the grid, and steering by numbers; the field itself is FoodCollector's."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.examples.food_collector import PARAMETERS, FoodCollectorWorld
from mlagents_sim.examples.food_motion import AGENTS, FOOD, PIECES, TAGS
from mlagents_sim.examples.grid_food_collector import ENTRY, GridFoodAgents
from mlagents_sim.parameters import EnvironmentParameters

NAME = "GridFoodCollector?team=0"
STILL = (0.0, 0.0, 0.0)


def make_world() -> FoodCollectorWorld:
    """One area: agent 0 in the middle, looks along z; the others and all food are out of its grid."""
    parameters = EnvironmentParameters("GridFoodCollector", PARAMETERS)
    world = FoodCollectorWorld(1, np.random.default_rng(0), parameters, GridFoodAgents)
    world.on_reset()
    world.collectors.begin_all_episodes()
    boxes, food = world.areas.boxes, world.areas.food
    boxes.yaw[:] = 0.0
    boxes.position[0, :AGENTS] = [(8.0 * i, 1.0, -40.0) for i in range(AGENTS)]
    boxes.position[0, 0] = (0.0, 1.0, 0.0)
    food.position[0] = [(-48.0 + 1.9 * i, 1.25, 48.0) for i in range(FOOD)]
    return world


def play(world: FoodCollectorWorld, steps: int, numbers: tuple[float, float, float], shoots: int = 0) -> None:
    """Let agent 0 do that; the others stand."""
    arrays = world.collectors.arrays
    arrays.continuous[:], arrays.discrete[:] = 0.0, 0
    arrays.continuous[0], arrays.discrete[0] = numbers, shoots
    assert world.advance(steps) == (steps, False)


def seen(world: FoodCollectorWorld) -> dict[str, set[tuple[int, int]]]:
    """Tag -> cells as metres to the right and ahead of the agent's left hind corner cell (0, 0)."""
    grid = np.asarray(world.collectors.observe(np.array([0]))[0])[0]
    assert grid.shape == (5, 40, 40)
    return {
        tag: {(19 - int(x), int(z) - 20) for x, z in np.argwhere(image)} for tag, image in zip(TAGS, grid, strict=True)
    }


def test_contract() -> None:
    check_env(functools.partial(ENTRY.make, num_areas=1), steps=60, deterministic=True)


def test_specs() -> None:
    env = ENTRY.make()
    env.reset()
    assert len(env.get_steps(NAME)[0]) == 20
    spec = env.behavior_specs[NAME]
    assert [(each.name, each.shape) for each in spec.observation_specs] == [("GridSensor-OneHot", (5, 40, 40))]
    assert (spec.action_spec.continuous_size, spec.action_spec.discrete_branches) == (3, (2,))


# What is seen


def test_the_grid_shows_what_is_near() -> None:
    """A ball on the floor has a radius of sqrt(0.75^2 - 0.25^2) = 0.71 m where the agent's middle is."""
    world = make_world()
    boxes, food, lasers = world.areas.boxes, world.areas.food, world.areas.lasers
    assert not any(seen(world).values())
    food.position[0, 0], food.position[0, PIECES] = (5.25, 1.25, 10.5), (-3.75, 1.25, -0.5)
    boxes.position[0, 1] = (0.5, 1.0, 6.5)
    cells = seen(world)
    assert cells["food"] == set(itertools.product((4, 5), (9, 10, 11)))
    assert cells["badFood"] == set(itertools.product((-5, -4), (-2, -1, 0)))
    assert cells["agent"] == {(0, 6)}
    lasers.frozen_steps[0, 1] = 3
    assert seen(world)["frozenAgent"] == {(0, 6)}
    food.position[0, :] += (0.0, 3.0, 0.0)  # falling, higher than the cells
    assert not seen(world)["food"]


def test_the_grid_turns_with_the_agent_and_ends_at_walls() -> None:
    """From x = 40 the wall's face at 49.5 is 9.5 to the right; for who looks there it is ahead."""
    world = make_world()
    boxes = world.areas.boxes
    boxes.position[0, 0, 0] = 40.0
    assert seen(world)["wall"] == {(x, z) for x in (9, 10) for z in range(-20, 20)}
    boxes.yaw[0, 0] = np.pi / 2.0
    assert seen(world)["wall"] == {(x, z) for x in range(-20, 20) for z in (9, 10)}


# Steering


def test_ahead_and_aside_add_up() -> None:
    world = make_world()
    play(world, 1, (1.0, 0.5, 0.0))
    velocity = world.areas.boxes.velocity[0, 0]
    pushed = np.array((1.0, 2.0))
    held = pushed * (1.0 - 2 * 0.6 * 9.81 * 0.02 / np.hypot(*pushed)) * 0.99
    np.testing.assert_allclose(velocity[::2], held, atol=0.02)


@pytest.mark.parametrize(("number", "degrees"), [(1.0, -6.0), (-0.5, 3.0), (-7.0, 6.0)])
def test_the_third_number_turns_to_the_left_and_none_counts_beyond_1(number: float, degrees: float) -> None:
    world = make_world()
    play(world, 1, (0.0, 0.0, number))
    assert np.degrees(world.areas.boxes.yaw[0, 0]) == pytest.approx(degrees)


def test_numbers_beyond_1_push_as_1_does() -> None:
    speeds = []
    for number in (1.0, 5.0):
        world = make_world()
        play(world, 1, (number, 0.0, 0.0))
        speeds.append(world.areas.boxes.velocity[0, 0, 2])
    assert speeds[0] == speeds[1] > 1.0


def test_the_choice_shoots() -> None:
    world = make_world()
    world.areas.boxes.position[0, 1] = (0.0, 1.0, 12.0)
    play(world, 1, STILL, shoots=1)
    assert world.areas.lasers.shoots[0].tolist() == [True, False, False, False, False]
    assert (world.areas.lasers.frozen_steps[0] > 0).tolist() == [False, True, False, False, False]
    play(world, 1, STILL)
    assert not world.areas.lasers.shoots.any()


def test_food_pays() -> None:
    world = make_world()
    world.areas.food.position[0, 0], world.areas.food.position[0, PIECES] = (0.0, 1.25, 3.0), (0.0, 1.25, -40.0)
    world.areas.boxes.position[0, 1:AGENTS, 0] += 20.0
    play(world, 30, (1.0, 0.0, 0.0))
    assert world.collectors.arrays.reward[0] == 1.0


@pytest.mark.parametrize(
    ("key", "continuous", "discrete"),
    [
        ("w", (1, 0, 0), 0),
        ("s", (-1, 0, 0), 0),
        ("e", (0, 1, 0), 0),
        ("q", (0, -1, 0), 0),
        ("a", (0, 0, 1), 0),
        ("d", (0, 0, -1), 0),
        ("space", (0, 0, 0), 1),
    ],
)
def test_keys(key: str, continuous: tuple[int, ...], discrete: int) -> None:
    env = ENTRY.make(num_areas=1)
    env.reset()
    env.hold_keys([key])
    action = env.heuristic(NAME)
    assert action.continuous.tolist() == [list(continuous)] * AGENTS
    assert action.discrete.tolist() == [[discrete]] * AGENTS


def test_the_compiled_window_does_what_the_callbacks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def record() -> list[np.ndarray]:
        env = ENTRY.make(num_areas=1, seed=3)
        rng, columns = np.random.default_rng(1), []
        env.reset()
        for _ in range(30):
            decisions, _ = env.get_steps(NAME)
            columns += [*decisions.obs, decisions.reward]
            numbers = rng.uniform(-1.0, 1.0, (AGENTS, 3)).astype(np.float32)
            env.set_actions(NAME, ActionTuple(numbers, rng.integers(0, 2, (AGENTS, 1)).astype(np.int32)))
            env.step()
        return columns

    compiled = record()
    monkeypatch.setattr(FoodCollectorWorld, "advance", World.advance)
    for one, other in zip(compiled, record(), strict=True):
        np.testing.assert_array_equal(one, other)
