"""WallJump: what agents see, how they jump, rewards, starts, walls, the two behaviors, and scripted players."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.entry import SimEntry
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples.wall_jump import ENTRY, PARAMETERS, WallJumpAgents, WallJumpWorld
from mlagents_sim.examples.wall_jump_motion import AGENT, BLOCK, WALL, is_near_ground, is_on_ground
from mlagents_sim.parameters import EnvironmentParameters

BIG, SMALL = "BigWallJump?team=0", "SmallWallJump?team=0"
ON_FLOOR = 0.95  # height of the agent's middle
AHEAD, LEFT, RIGHT, JUMP = (1, 0, 0, 0), (0, 1, 0, 0), (0, 2, 0, 0), (0, 0, 0, 1)


def make_world(areas: int = 1, seed: int = 0) -> WallJumpWorld:
    return WallJumpWorld(areas, np.random.default_rng(seed), EnvironmentParameters("WallJump", PARAMETERS))


def at_rest(agent, block=(8.0, -12.0), wall: float = 0.0, *, yaw: float = 0.0, height: float = ON_FLOOR):
    """One area: the agent, as SmallWallJump, and the block at (x, z), and a wall of some height."""
    world = make_world()
    for batch in world.agents:
        batch.begin_all_episodes()
    boxes = world.areas.boxes
    world.areas.jumps.is_big[0] = False
    boxes.position[0, AGENT] = (agent[0], height, agent[1])
    boxes.position[0, BLOCK] = (block[0], 1.5, block[1])
    boxes.position[0, WALL, 1] = 0.0 if wall else -1000.0
    boxes.half_size[0, WALL, 1] = 0.5 * wall
    boxes.yaw[0, AGENT] = yaw
    return world


def play(world: WallJumpWorld, action, steps: int) -> np.ndarray:
    """[steps, 3], where the agent is after each physics step."""
    world.small.arrays.discrete[0] = action
    places = []
    for _ in range(steps):
        assert world.advance(1) == (1, False)
        places.append(world.areas.boxes.position[0, AGENT].copy())
    return np.array(places)


def see(world: WallJumpWorld) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Upper and lower rays [7, 5], ahead first, then pairs of right and left; own state [4]."""
    upper, lower, own = world.small.observe(slice(None))
    return np.reshape(upper, (7, 5)), np.reshape(lower, (7, 5)), np.asarray(own)[0]


@pytest.mark.slow
def test_contract() -> None:
    check_env(functools.partial(ENTRY.make, num_areas=24), deterministic=True)


def test_specs() -> None:
    env = ENTRY.make()
    env.reset()
    assert sum(len(env.get_steps(name)[0]) for name in (BIG, SMALL)) == 24
    for name in (BIG, SMALL):
        spec = env.behavior_specs[name]
        assert [(s.name, s.shape) for s in spec.observation_specs] == [
            ("StackingSensor_size6_OffsetRayPerceptionSensor", (210,)),
            ("StackingSensor_size6_RayPerceptionSensor", (210,)),
            ("StackingSensor_size6_VectorSensor_size4", (24,)),
        ]
        assert (spec.action_spec.continuous_size, spec.action_spec.discrete_branches) == (0, (3, 3, 3, 2))


def test_models_of_several_behaviors_lie_in_a_folder(tmp_path: Path) -> None:
    def entry(model: Path) -> SimEntry:
        return SimEntry("Two", 0.8, "Two behaviors.", WallJumpWorld, num_areas=1, model=model)

    assert entry(tmp_path).pretrained == tmp_path
    assert entry(tmp_path / "missing").pretrained is None


# What is seen


def test_a_wall_ahead() -> None:
    """Its face is at z = -2.73. Upper rays begin at 3.45 m and rise by 2.5 m, and their sphere grows."""
    upper, lower, _ = see(at_rest((0.0, -9.73), (8.0, -16.0), wall=4.0))
    np.testing.assert_allclose(lower[0], [1, 0, 0, 0, 6.5 / 20], rtol=1e-6)
    np.testing.assert_array_equal(upper[0], [0, 0, 0, 1, 1])
    for ray, degrees in ((1, 60), (2, 120)):
        distance = 6.5 / np.sin(np.radians(degrees))
        np.testing.assert_allclose(lower[ray], [1, 0, 0, 0, distance / 20], rtol=1e-6)
    upper, _, _ = see(at_rest((0.0, -9.73), wall=16.0))
    radius = 0.5 * np.hypot(20.0, 2.5) / 20.0
    np.testing.assert_allclose(upper[0], [1, 0, 0, 0, (7.0 - radius) / 20], rtol=1e-6)


def test_goal_and_block() -> None:
    """The goal's face is at z = 0.93; the block's is 1.5 m before its middle. Where there is no wall none is seen."""
    _, lower, _ = see(at_rest((6.37, -9.0)))
    np.testing.assert_allclose(lower[0], [0, 1, 0, 0, 9.43 / 20], rtol=1e-6)
    _, lower, _ = see(at_rest((6.37, -9.0), block=(6.37, -5.0)))
    np.testing.assert_allclose(lower[0], [0, 0, 1, 0, 2.0 / 20], rtol=1e-6)


@pytest.mark.parametrize(("height", "near", "on"), [(0.95, 1, True), (1.49, 1, False), (1.52, 0, False)])
def test_own_state(height: float, near: int, on: bool) -> None:
    world = at_rest((3.0, -9.0), height=height)
    _, _, own = see(world)
    np.testing.assert_allclose(own, (3.0 / 20, height / 20, -5.0 / 20, near), rtol=1e-6)
    assert is_near_ground(world.areas.boxes, 0) == bool(near)
    assert is_on_ground(world.areas.boxes, 0) == on


def test_the_edge_of_the_block_carries_but_is_not_below_the_middle() -> None:
    world = at_rest((1.9, -8.0), block=(0.0, -8.0), height=3.0)
    assert is_on_ground(world.areas.boxes, 0)
    assert not is_near_ground(world.areas.boxes, 0)
    world.areas.boxes.position[0, AGENT, 0] = 1.98
    assert not is_on_ground(world.areas.boxes, 0)
    world.areas.boxes.yaw[0, AGENT] = np.pi / 4
    assert is_on_ground(world.areas.boxes, 0)


# Motion


@pytest.mark.parametrize(("action", "degrees"), [(RIGHT, 30.0), (LEFT, -30.0)])
def test_a_decision_turns_by_30_degrees(action, degrees: float) -> None:
    world = at_rest((0.0, -8.0))
    play(world, action, 5)
    assert np.degrees(world.areas.boxes.yaw[0, AGENT]) == pytest.approx(degrees)


@pytest.mark.parametrize(
    ("action", "push"),
    [
        ((1, 0, 0, 0), (0.0, 3.0)),
        ((2, 0, 0, 0), (0.0, -3.0)),
        ((0, 0, 1, 0), (-1.8, 0.0)),
        ((0, 0, 2, 0), (1.8, 0.0)),
        ((1, 0, 2, 0), (1.8, 0.0)),  # aside instead of ahead
    ],
)
def test_running(action, push) -> None:
    """Per step v' = 0.96 (v + push - 2 * 0.6 * g dt)."""
    world = at_rest((0.0, -8.0))
    speed, size = 0.0, np.hypot(*push)
    for _ in range(8):
        play(world, action, 1)
        speed = 0.96 * (speed + size - 2.0 * 0.6 * 26.9775 * 0.02)
        expected = speed * np.array(push) / size
        np.testing.assert_allclose(world.areas.boxes.velocity[0, AGENT, ::2], expected, atol=1e-3)


def test_a_jump() -> None:
    """11 steps: speed towards 15.54/s times what is left of 2.75 m, by at most 10 m/s; gravity and drag as always."""
    world = at_rest((0.0, -8.0))
    first = play(world, JUMP, 1)
    rest = play(world, (0, 0, 0, 0), 30)
    y = speed = 0.0
    expected = []
    for step in range(31):
        if step < 11:
            wanted = 0.02 * 777.0 * (2.75 - y)
            speed += float(np.clip(wanted - speed, -10.0, 10.0))
        elif y > 0.05:
            speed -= 111.0 * 0.02
        speed = 0.96 * (speed - 26.9775 * 0.02)
        y = max(y + 0.02 * speed, 0.0)
        speed = speed if y > 0.0 else 0.0
        expected.append(ON_FLOOR + y)
    np.testing.assert_allclose(np.concatenate((first, rest))[:, 1], expected, atol=1e-3)
    assert 2.55 < max(expected) - ON_FLOOR < 2.75
    assert rest[-1, 1] == pytest.approx(ON_FLOOR)


def test_in_the_air_pushes_are_halved() -> None:
    world = at_rest((0.0, -8.0), height=4.0)
    play(world, AHEAD, 1)
    assert world.areas.boxes.velocity[0, AGENT, 2] == pytest.approx(0.96 * 1.5)
    assert world.areas.boxes.velocity[0, AGENT, 1] == pytest.approx(-0.96 * 0.02 * (111.0 + 26.9775))


def test_no_second_jump_in_the_air() -> None:
    world = at_rest((0.0, -8.0))
    heights = play(world, JUMP, 21)[:, 1]
    assert heights.max() - ON_FLOOR < 2.75
    assert heights[-3] < ON_FLOOR + 1.5


@pytest.mark.parametrize(("wall", "passes"), [(4.0, True), (8.0, False)])
def test_from_the_floor_only_the_small_wall_can_be_jumped(wall: float, passes: bool) -> None:
    world = at_rest((0.0, -6.0), wall=wall)
    play(world, AHEAD, 5)
    play(world, (1, 0, 0, 1), 30)
    assert (world.areas.boxes.position[0, AGENT, 2] > -1.0) == passes


def test_from_the_block_the_big_wall_can_be_jumped() -> None:
    world = at_rest((0.0, -4.3), block=(0.0, -4.27), wall=8.0, height=3.0)
    play(world, JUMP, 6)
    play(world, (1, 0, 0, 1), 40)
    assert world.areas.boxes.position[0, AGENT, 2] > -1.0


def test_the_block_is_pushed_and_keeps_its_height() -> None:
    world = at_rest((0.0, -11.0), block=(0.0, -8.0))
    play(world, AHEAD, 30)
    x, y, z = world.areas.boxes.position[0, BLOCK]
    assert (x, y) == (pytest.approx(0.0, abs=1e-6), 1.5)
    assert z > -6.0


# Rewards and ends


def test_the_goal_pays_one() -> None:
    world = at_rest((6.37, -2.0))
    arrays = world.small.arrays
    arrays.discrete[0] = AHEAD
    while not arrays.end[0]:
        world.advance(5)
    assert arrays.reward[0] == 1.0  # set, not added
    assert world.areas.boxes.position[0, AGENT, 2] == pytest.approx(0.43, abs=0.6)


def test_the_goal_does_not_pay_in_the_air() -> None:
    world = at_rest((6.37, 2.93), height=4.0)
    play(world, (0, 0, 0, 0), 3)
    assert world.small.arrays.reward[0] == pytest.approx(-0.0015)


@pytest.mark.parametrize(("agent", "block"), [((10.6, -8.0), (0.0, -8.0)), ((0.0, -8.0), (10.6, -8.0))])
def test_a_fall_costs_one(agent, block) -> None:
    world = at_rest(agent, block)
    assert world.advance(5) == (0, True)
    assert world.small.arrays.reward[0] == -1.0
    assert world.small.arrays.end[0] == 1


def test_on_the_block_beside_the_floor_nobody_has_fallen() -> None:
    world = at_rest((10.7, -8.0), (10.0, -8.0), height=3.0)
    play(world, (0, 0, 0, 0), 2)


def test_an_episode_is_cut_after_2000_steps() -> None:
    stops = []
    for advance in (WallJumpWorld.advance, World.advance):
        world = at_rest((0.0, -8.0))
        world.small.arrays.step_count[0] = 1997
        stops.append((advance(world, 5), world.small.arrays.end[0], world.big.arrays.end[0]))
    assert stops == [((2, True), 2, 0)] * 2


# Starts, walls, behaviors


def start(areas: int, **parameters: float) -> WallJumpWorld:
    world = make_world(areas)
    for name, value in parameters.items():
        world.parameters.set(name, value)
    for batch in world.agents:
        batch.begin_all_episodes()
    return world


def test_starts() -> None:
    world = start(2000)
    boxes = world.areas.boxes
    x, y, z = boxes.position[:, AGENT].T
    assert (y == 1.0).all()
    assert (z == -12.0).all()
    assert 8.9 < np.abs(x).max() < 9.0
    x, y, z = boxes.position[:, BLOCK].T
    assert (y == 1.5).all()
    assert 8.0 < np.abs(x).max() < 8.1
    np.testing.assert_allclose((z.min(), z.max()), (-9.77, -2.77), atol=0.02)
    assert (boxes.yaw[:, AGENT] == np.pi).all()


@pytest.mark.parametrize(
    ("parameters", "small", "big"),
    [
        ({}, 4.0, (8.0, 8.0)),
        ({"small_wall_height": 1.5, "big_wall_height": 5.0}, 1.5, (5.0, 5.0)),
        ({"big_wall_min_height": 4.0, "big_wall_max_height": 7.0}, 4.0, (4.0, 7.0)),
    ],
)
def test_walls(parameters, small: float, big) -> None:
    """None or a small one for SmallWallJump, a fifth each; a big one for BigWallJump."""
    world = start(2000, **parameters)
    is_big = world.areas.jumps.is_big
    heights = 2.0 * world.areas.boxes.half_size[:, WALL, 1]
    is_there = world.areas.boxes.position[:, WALL, 1] == 0.0
    assert 0.56 < is_big.mean() < 0.64
    assert 0.17 < is_there[~is_big].sum() / 2000 < 0.23
    np.testing.assert_array_equal(heights[~is_big & is_there], small)
    np.testing.assert_array_equal(heights[~is_big & ~is_there], 0.0)
    np.testing.assert_allclose((heights[is_big].min(), heights[is_big].max()), big, atol=0.02)
    assert is_there[is_big].all()


def test_a_trainer_lets_walls_grow() -> None:
    channel = EnvironmentParametersChannel()
    env = ENTRY.make(side_channels=[channel], num_areas=50)
    env.reset()
    channel.set_float_parameter("small_wall_height", 2.5)
    channel.set_uniform_sampler_parameters("big_wall_height", 4.0, 7.0, 1)
    env.reset()
    areas = env._world.areas
    heights, is_big = 2.0 * areas.boxes.half_size[:, WALL, 1], areas.jumps.is_big
    assert set(heights[~is_big]) == {0.0, 2.5}
    assert 4.0 <= heights[is_big].min() < heights[is_big].max() <= 7.0


def test_agents_change_between_the_behaviors() -> None:
    """Every episode is reported as one behavior from its first decision to its end, and no agent is lost."""
    env = ENTRY.make(seed=3, num_areas=8)
    env.reset()
    rng = np.random.default_rng(0)
    changes, ends, before = 0, 0, env._world.areas.jumps.is_big.copy()
    playing: dict[int, str] = {}
    for _ in range(1500):
        reports = {name: env.get_steps(name) for name in (BIG, SMALL)}
        for name, (_, terminals) in reports.items():
            ends += len(terminals)
            for agent in terminals.agent_id.tolist():
                assert playing.pop(agent % 8) == name
        for name, (decisions, _) in reports.items():
            for agent in decisions.agent_id.tolist():
                assert playing.setdefault(agent % 8, name) == name
            if len(decisions):
                action = rng.integers((2, 2, 3, 2), size=(len(decisions), 4), dtype=np.int32)
                env.set_actions(name, ActionTuple(discrete=action))
        if any(len(decisions) for decisions, _ in reports.values()):
            assert sum(len(decisions) for decisions, _ in reports.values()) == 8
        changes += int((env._world.areas.jumps.is_big != before).sum())
        before = env._world.areas.jumps.is_big.copy()
        env.step()
    assert ends > 20
    assert changes > 8


# Scripted players


def towards(boxes, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Turn to a place and run; int32 [areas, 4]."""
    place, velocity = boxes.position[:, AGENT], boxes.velocity[:, AGENT]
    wanted = np.arctan2(x - place[:, 0] - 0.15 * velocity[:, 0], z - place[:, 2] - 0.15 * velocity[:, 2])
    turned = (boxes.yaw[:, AGENT] - wanted + np.pi) % (2.0 * np.pi) - np.pi
    action = np.zeros((len(boxes.yaw), 4), np.int32)
    action[:, 1] = np.where(np.abs(turned) < np.radians(16.0), 0, np.where(turned > 0.0, 1, 2))
    action[:, 0] = np.abs(turned) < np.radians(40.0)
    return action


def jump_over(world: WallJumpWorld) -> np.ndarray:
    """Small wall: cross it where the block is not. Big wall: push the block to it, and cross it from there."""
    boxes, is_big = world.areas.boxes, world.areas.jumps.is_big
    x, _, z = boxes.position[:, AGENT].T
    block = boxes.position[:, BLOCK, 0]
    free = np.where(np.abs(block - 6.37) < 3.5, np.minimum(block, 6.37) - 4.0, 6.37)
    cross = np.where(is_big, block, free)
    beyond, aside = z > -0.7, (np.abs(x - cross) > np.where(is_big, 0.4, 1.0)) & (z < -10.5)
    action = towards(boxes, np.where(beyond, 6.37, cross), np.where(beyond, 2.93, np.where(aside, -12.5, 1.0)))
    action[aside & (np.abs(boxes.velocity[:, AGENT, 0]) > 4.0), 0] = 0
    action[:, 3] = ~beyond & np.where(is_big, boxes.position[:, BLOCK, 2] > -4.4, z > -6.5) & ~aside
    return action


def evaluate(name: str, seed: int, episodes: int, areas: int = 24) -> float:
    """Mean return of the scripted player."""
    env = ENTRY.make(seed=seed, num_areas=areas)
    env.reset()
    total = np.zeros((2, 2 * areas))
    returns: list[float] = []
    while len(returns) < episodes:
        wanted = jump_over(env._world)
        for row, behavior in enumerate((BIG, SMALL)):
            decisions, terminals = env.get_steps(behavior)
            ended = total[row, terminals.agent_id] + terminals.reward
            returns += ended.tolist() if behavior == name else []
            total[row, terminals.agent_id] = 0.0
            total[row, decisions.agent_id] += decisions.reward
            if len(decisions):
                env.set_actions(behavior, ActionTuple(discrete=wanted[decisions.agent_id % areas]))
        env.step()
    return float(np.mean(returns))


@pytest.mark.parametrize("name", [BIG, SMALL])
def test_a_good_player(name: str) -> None:
    """The benchmark is 0.8."""
    assert 0.8 < evaluate(name, 1, 60) < 1.0


# The compiled window and states


def shuffle(env, rng: np.random.Generator) -> None:
    for name in (BIG, SMALL):
        decisions, _ = env.get_steps(name)
        if len(decisions):
            action = rng.integers((3, 3, 3, 2), size=(len(decisions), 4), dtype=np.int32)
            env.set_actions(name, ActionTuple(discrete=action))


def columns(env) -> list[np.ndarray]:
    found = []
    for name in (BIG, SMALL):
        decisions, terminals = env.get_steps(name)
        for steps in (decisions, terminals):
            found += [*steps.obs, steps.reward, steps.agent_id]
        found.append(terminals.interrupted)
    return found


def test_the_compiled_window_does_what_the_callbacks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same seed and actions, with `advance` compiled and with the academy's own loop: equal bits."""

    def record() -> list[np.ndarray]:
        env, rng = SimEnvironment(make_world(6)), np.random.default_rng(5)
        env.reset()
        found, ends = [], 0
        for _ in range(500):
            found += columns(env)
            ends += sum(len(env.get_steps(name)[1]) for name in (BIG, SMALL))
            shuffle(env, rng)
            env.step()
        assert ends > 3
        return found

    compiled = record()
    monkeypatch.setattr(WallJumpWorld, "advance", World.advance)
    for one, other in zip(compiled, record(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_goes_on_where_it_was_left() -> None:
    one, other = ENTRY.make(seed=1, num_areas=6), ENTRY.make(seed=2, num_areas=6)
    rng = np.random.default_rng(0)
    for env in (one, other):
        env.reset()
    for _ in range(150):
        shuffle(one, rng)
        one.step()
    other.load_state_dict(one.state_dict())
    rngs = np.random.default_rng(1), np.random.default_rng(1)
    ends = 0
    for _ in range(400):
        for env, own in zip((one, other), rngs, strict=True):
            shuffle(env, own)
            env.step()
        ends += sum(len(one.get_steps(name)[1]) for name in (BIG, SMALL))
        for a, b in zip(columns(one), columns(other), strict=True):
            np.testing.assert_array_equal(a, b)
    assert ends


def test_keys_are_for_the_agents_of_the_behavior() -> None:
    env = ENTRY.make(seed=1, num_areas=12)
    env.reset()
    for batch in env._world.agents:
        assert isinstance(batch, WallJumpAgents)
        batch.held_keys = ("up", "space")
        action = env.heuristic(batch.behavior)
        np.testing.assert_array_equal(action.discrete, [(1, 0, 0, 1)] * len(batch.deciding()))
