"""FoodCollector: how agents run, what they see, eat and shoot, and a recording made in Unity."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.demonstrations import load_demonstration
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.examples.food_collector import ENTRY, PARAMETERS, FoodCollectorWorld
from mlagents_sim.examples.food_motion import AGENTS, FOOD, PIECES
from mlagents_sim.parameters import EnvironmentParameters

NAME = "FoodCollector?team=0"
REST = 1.0  # height of the middle of an agent
FOOD_REST = 1.25
AHEAD, RIGHT_TURN, SHOOT = (1, 0, 0, 0), (0, 0, 2, 0), (0, 0, 0, 1)


def make_world(scale: float = 1.0) -> FoodCollectorWorld:
    """One area: agent 0 in the middle, looks along z; the others and all food are far from it, in rows."""
    parameters = EnvironmentParameters("FoodCollector", PARAMETERS)
    parameters.set("agent_scale", scale)
    world = FoodCollectorWorld(1, np.random.default_rng(0), parameters)
    world.on_reset()
    world.collectors.begin_all_episodes()
    boxes, food = world.areas.boxes, world.areas.food
    boxes.yaw[:] = 0.0
    boxes.position[0, :AGENTS] = [(8.0 * i, 0.5 + 0.5 * scale, -40.0) for i in range(AGENTS)]
    boxes.position[0, 0] = (0.0, 0.5 + 0.5 * scale, 0.0)
    food.position[0] = [(-48.0 + 1.9 * i, FOOD_REST, 48.0) for i in range(FOOD)]
    return world


def play(world: FoodCollectorWorld, steps: int, *choices: tuple[int, ...]) -> None:
    """Let the first agents do that; the others stand."""
    discrete = world.collectors.arrays.discrete
    discrete[:] = world.collectors.arrays.step_count[:] = 0
    if choices:
        discrete[: len(choices)] = choices
    assert world.advance(steps) == (steps, False)


def see(world: FoodCollectorWorld, agent: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rays, own = world.collectors.observe(np.array([agent]))
    return np.reshape(rays, (7, 7)), np.asarray(own)[0]


def test_contract() -> None:
    check_env(functools.partial(ENTRY.make, num_areas=2), steps=100, deterministic=True)


def test_specs() -> None:
    env = ENTRY.make()
    env.reset()
    assert len(env.get_steps(NAME)[0]) == 20
    assert [(each.name, each.shape) for each in env.behavior_specs[NAME].observation_specs] == [
        ("RayPerceptionSensor", (49,)),
        ("VectorSensor_size4", (4,)),
    ]
    assert env.behavior_specs[NAME].action_spec.discrete_branches == (3, 3, 3, 2)


# Motion


def test_running_is_held_by_twice_the_friction() -> None:
    """(v + 2) 0.99 - 2 0.6 9.81 0.02 0.99 per step; above 5 m/s first a twentieth less."""
    world = make_world()
    speed = 0.0
    for _ in range(8):
        play(world, 1, AHEAD)
        speed = ((0.95 if speed > 5.0 else 1.0) * speed + 2.0 - 2 * 0.6 * 9.81 * 0.02) * 0.99
        assert world.areas.boxes.velocity[0, 0, 2] == pytest.approx(speed, abs=1e-3)


def test_a_turn_comes_after_the_push() -> None:
    world = make_world()
    play(world, 1, (1, 0, 2, 0))
    boxes = world.areas.boxes
    assert boxes.yaw[0, 0] == pytest.approx(np.radians(6.0))
    assert boxes.velocity[0, 0, 0] == pytest.approx(0.0, abs=1e-9)
    _, own = see(world)
    speed = boxes.velocity[0, 0, 2]
    np.testing.assert_allclose(own[:2], (-speed * np.sin(np.radians(6.0)), speed * np.cos(np.radians(6.0))), rtol=1e-5)


@pytest.mark.parametrize(("side", "sign"), [(1, 1.0), (2, -1.0)])
def test_a_side_step_replaces_the_way_ahead(side: int, sign: float) -> None:
    world = make_world()
    play(world, 1, (1, side, 0, 0))
    velocity = world.areas.boxes.velocity[0, 0]
    assert velocity[0] == pytest.approx(sign * (2.0 - 0.23544) * 0.99, abs=1e-3)
    assert velocity[2] == pytest.approx(0.0, abs=1e-9)


# What is seen


def test_rays_tell_food_agents_and_walls() -> None:
    world = make_world()
    boxes, food = world.areas.boxes, world.areas.food
    rays, _ = see(world)
    # Food lies 1.25 m high, the agent's middle is at 1 m: both radii make sqrt(1.25^2 - 0.25^2) in the plane.
    assert rays[0].argmax() in (0, 3)
    food.position[0, :2] = (0.0, FOOD_REST, 20.0), (0.0, 60.0, 0.0)
    rays, _ = see(world)
    np.testing.assert_allclose(rays[0], [1, 0, 0, 0, 0, 0, (20.0 - np.sqrt(1.25**2 - 0.25**2)) / 50.0], rtol=1e-6)
    food.position[0, 0, 2], food.position[0, PIECES] = 30.0, (0.0, FOOD_REST, 20.0)
    assert see(world)[0][0].argmax() == 3
    boxes.position[0, 1] = (0.0, REST, 10.0)
    np.testing.assert_allclose(see(world)[0][0], [0, 1, 0, 0, 0, 0, (10.0 - 1.0) / 50.0], rtol=1e-6)
    world.areas.lasers.frozen_steps[0, 1] = 5
    assert see(world)[0][0].argmax() == 4
    # 70 degrees to the right the wall's face is at x = 49.5.
    boxes.position[0, 0] = (30.0, REST, 0.0)
    np.testing.assert_allclose(see(world)[0][5], [0, 0, 1, 0, 0, 0, 19.0 / np.cos(np.radians(20.0)) / 50.0], rtol=1e-6)


def test_large_agents_see_far() -> None:
    world = make_world(scale=3.0)
    world.areas.food.position[0, :, 1] = 60.0
    rays, _ = see(world)
    np.testing.assert_allclose(rays[0], [0, 0, 1, 0, 0, 0, (49.5 - 1.5) / 150.0], rtol=1e-6)


# Food


@pytest.mark.parametrize(("piece", "worth"), [(0, 1.0), (PIECES, -1.0)])
def test_food_is_eaten_once_and_comes_down_elsewhere(piece: int, worth: float) -> None:
    """A piece that stands in the way of 10 kg at v goes on with 2/3 v, and so does the agent."""
    world = make_world()
    boxes, food = world.areas.boxes, world.areas.food
    food.position[0, piece] = (0.0, FOOD_REST, 1.255)
    boxes.velocity[0, 0, 2] = 4.0
    place = food.next_place[0, piece].copy()
    play(world, 1)
    assert world.collectors.arrays.reward[0] == worth
    assert food.velocity[0, piece, 2] == pytest.approx(8.0 / 3.0 - 0.6 * 9.81 * 0.02)  # the floor holds it, too
    assert boxes.velocity[0, 0, 2] == pytest.approx((8.0 / 3.0 - 0.23544) * 0.99, abs=1e-3)
    np.testing.assert_array_equal(food.position[0, piece], place)
    assert place[1] == 3.0
    assert np.abs(food.next_place[0, piece] - place)[::2].min() > 0.0
    fallen = food.position[0, piece, 1]
    play(world, 5)
    assert world.collectors.arrays.reward[0] == worth
    assert food.position[0, piece, 1] < fallen


def test_food_rolls_and_stops_at_walls() -> None:
    world = make_world()
    food = world.areas.food
    food.position[0, 0], food.velocity[0, 0] = (40.0, FOOD_REST, 10.0), (4.0, 0.0, 0.0)
    for _ in range(50):
        play(world, 5)
    assert food.position[0, 0, 0] == pytest.approx(49.5 - 0.75, abs=0.06)
    assert food.velocity[0, 0, 0] == pytest.approx(0.0, abs=0.2)
    assert food.position[0, 0, 1] == pytest.approx(FOOD_REST, abs=1e-6)


def test_pieces_push_each_other() -> None:
    """Equally heavy, and nothing bounces: both go on with half the speed."""
    world = make_world()
    food = world.areas.food
    food.position[0, :2] = (0.0, FOOD_REST, 10.0), (1.51, FOOD_REST, 10.0)
    food.velocity[0, 0, 0] = 3.0
    world.integrate()
    # Of the gap, 1 cm, 0.8 may be closed in a step: 0.4 m/s stay between them. Then the floor's friction takes part.
    difference = food.velocity[0, 0, 0] - food.velocity[0, 1, 0]
    assert difference == pytest.approx(0.4, abs=0.25)
    assert food.velocity[0, 1, 0] > 1.0


# Lasers


def test_a_laser_freezes_who_is_hit_first() -> None:
    world = make_world()
    boxes, lasers, food = world.areas.boxes, world.areas.lasers, world.areas.food
    boxes.position[0, 1:3] = (0.0, REST, 12.0), (0.0, REST, 18.0)
    play(world, 1, SHOOT)
    np.testing.assert_array_equal(lasers.frozen_steps[0] > 0, [False, True, False, False, False])
    np.testing.assert_array_equal(see(world, 1)[1], [0, 0, 1, 0])
    assert see(world)[1][3] == 1.0
    # Food in between takes the next shot, and who is frozen cannot be frozen again.
    lasers.frozen_steps[0, 1] = 0
    food.position[0, 0] = (0.0, FOOD_REST, 6.0)
    play(world, 1, SHOOT)
    assert lasers.frozen_steps[0, 1] == 0
    assert not lasers.shoots[0, 1]


def test_lasers_reach_25_m_and_not_whom_they_begin_in() -> None:
    world = make_world()
    boxes, lasers = world.areas.boxes, world.areas.lasers
    boxes.position[0, 1:3] = (0.0, REST, 27.6), (0.0, REST, 2.4)
    play(world, 1, SHOOT)
    assert not lasers.frozen_steps.any()
    boxes.position[0, 1] = (0.0, REST, 27.4)  # 25 + 2 + 0.5
    play(world, 1, SHOOT)
    np.testing.assert_array_equal(lasers.frozen_steps[0] > 0, [False, True, False, False, False])


def test_who_is_frozen_keeps_moving_and_does_nothing_for_four_seconds() -> None:
    world = make_world()
    boxes, lasers = world.areas.boxes, world.areas.lasers
    boxes.velocity[0, 0, 2], lasers.frozen_steps[0, 0] = 2.0, 201
    play(world, 1, (1, 1, 1, 1))
    assert boxes.yaw[0, 0] == 0.0
    assert not lasers.shoots[0, 0]
    assert boxes.velocity[0, 0, 2] == pytest.approx((2.0 - 0.23544) * 0.99, abs=1e-3)
    play(world, 199, RIGHT_TURN)
    assert boxes.yaw[0, 0] == 0.0
    play(world, 1, RIGHT_TURN)
    assert boxes.yaw[0, 0] == pytest.approx(np.radians(6.0))


def test_shooting_brakes() -> None:
    world = make_world()
    world.areas.boxes.velocity[0, 0, 2] = 4.0
    play(world, 1, (1, 0, 0, 1))
    assert world.areas.boxes.velocity[0, 0, 2] == pytest.approx((3.0 + 1.0 - 0.23544) * 0.99, abs=1e-3)


# Episodes


def test_food_is_laid_anew_only_with_the_world() -> None:
    env = ENTRY.make(num_areas=1)
    env.reset()
    world = env._world
    world.collectors.arrays.step_count[:] = 4999
    before = world.areas.food.position.copy()
    env.set_actions(NAME, ActionTuple(discrete=np.zeros((5, 4), np.int32)))
    env.step()
    _, terminals = env.get_steps(NAME)
    assert terminals.interrupted.all()
    assert np.abs(world.areas.food.position - before).max() <= 0.25  # they begin in the floor, and rise
    env.reset()
    assert np.abs(world.areas.food.position - before).max() > 10.0
    assert (world.areas.food.position[..., 1] == 1.0).all()


def test_starts_and_parameters() -> None:
    channel = EnvironmentParametersChannel()
    channel.set_float_parameter("agent_scale", 2.0)
    env = ENTRY.make(num_areas=40, side_channels=[channel])
    env.reset()
    boxes = env._world.areas.boxes
    np.testing.assert_array_equal(boxes.half_size[:, :AGENTS], 1.0)
    np.testing.assert_array_equal(boxes.position[:, :AGENTS, 1], 2.0)
    assert 44.0 < boxes.position[:, :AGENTS, ::2].max() < 45.0
    degrees = np.degrees(boxes.yaw[:, :AGENTS])
    np.testing.assert_allclose(degrees, np.rint(degrees), atol=1e-9)
    assert 350 < degrees.max() < 359.5


def test_another_environment_goes_on_from_its_state() -> None:
    def act(env, rng) -> None:
        env.set_actions(NAME, ActionTuple(discrete=rng.integers(0, (3, 3, 3, 2), (5, 4)).astype(np.int32)))
        env.step()

    one, other = (ENTRY.make(num_areas=1, seed=seed) for seed in (1, 2))
    one.reset(), other.reset()
    rng = np.random.default_rng(0)
    for _ in range(20):
        act(one, rng)
    other.load_state_dict(one.state_dict())
    rngs = np.random.default_rng(5), np.random.default_rng(5)
    for _ in range(20):
        act(one, rngs[0]), act(other, rngs[1])
        for a, b in zip(one.get_steps(NAME)[0].obs, other.get_steps(NAME)[0].obs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_compiled_window_does_what_the_callbacks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def record() -> list[np.ndarray]:
        env = ENTRY.make(num_areas=2, seed=3)
        rng, columns = np.random.default_rng(1), []
        env.reset()
        for _ in range(60):
            decisions, _ = env.get_steps(NAME)
            columns += [*decisions.obs, decisions.reward]
            env.set_actions(NAME, ActionTuple(discrete=rng.integers(0, (3, 3, 3, 2), (10, 4)).astype(np.int32)))
            env.step()
        return columns

    compiled = record()
    monkeypatch.setattr(FoodCollectorWorld, "advance", World.advance)
    for one, other in zip(compiled, record(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_who_runs_to_the_nearest_food_it_sees_earns_much() -> None:
    """More than the benchmark, 10, in an episode."""
    env = ENTRY.make(num_areas=1, seed=2)
    env.reset()
    total = np.zeros(5)
    for _ in range(1000):
        decisions, terminals = env.get_steps(NAME)
        if len(terminals):
            break
        rays = decisions.obs[0].reshape(-1, 7, 7)
        is_food = rays[..., 0] == 1.0
        distance = np.where(is_food, rays[..., 6], 2.0)
        nearest = distance.argmin(1)
        right, left = (np.isin(nearest, each) & is_food.any(1) for each in ((1, 3, 5), (2, 4, 6)))
        turn = np.where(right, 2, np.where(left, 1, np.where(is_food.any(1), 0, 1)))
        turn = np.where(decisions.agent_id % 2 == env._world.collectors.arrays.step_count[0] // 5 % 2, turn, 0)
        ahead = np.ones_like(turn)
        env.set_actions(NAME, ActionTuple(discrete=np.stack([ahead, 0 * turn, turn, 0 * turn], 1).astype(np.int32)))
        env.step()
        total[env.get_steps(NAME)[0].agent_id] += env.get_steps(NAME)[0].reward
    assert total.mean() > 10.0


def test_the_recorded_velocities(shared_data) -> None:
    """One decision from each recorded velocity on an empty field: what was near in Unity was not recorded.

    The action that leads from one record to the next is stored with the next, which the reader finds out. Left out are
    frozen agents, and those that fall after a reset.
    """
    world = make_world()
    boxes, food = world.areas.boxes, world.areas.food
    food.position[0, :, 1] = 1000.0
    food.velocity[:] = 0.0
    errors, near = [], []
    for episode in load_demonstration(shared_data / "demos" / "ExpertFood.demo").episodes:
        rays, own = episode.obs[0].reshape(-1, 7, 7), episode.obs[1].astype(np.float64)
        reach = 50.0 * np.where(rays[..., 5] == 1.0, 1.0, rays[..., 6]).min(1)
        for row in range(6, len(own) - 2):
            if own[row, 2] or own[row + 1, 2]:
                continue
            boxes.position[0, 0], boxes.yaw[0, 0] = (0.0, REST, 0.0), 0.0
            boxes.velocity[0, 0] = (own[row, 0], 0.0, own[row, 1])
            play(world, 5, tuple(episode.action.discrete[row]))
            errors.append(np.abs(see(world)[1] - own[row + 1]).max())
            near.append(min(reach[row], reach[row + 1]))
    exact, free = np.array(errors) < 0.02, np.array(near) > 3.0
    assert np.median(errors) < 1e-3
    assert exact[free].mean() > 0.95
    assert exact.mean() > 0.85
