"""Pyramids: what agents see, how they move, the switch, the bricks, rewards, starts, the compiled window."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples.pyramids import CELLS, ENTRY, PyramidsWorld
from mlagents_sim.examples.pyramids_motion import AGENT, BRICK_PLACES, FLOOR, STONE_PLACES, STONES, SWITCH, TARGET
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.physics.cubes import SLOW_STEPS
from mlagents_sim.physics.piles import ASLEEP, AWAKE, FALLING

NAME = "Pyramids?team=0"
BLOCK, WALL, GOAL, OFF, ON, STONE, NOTHING, FRACTION = range(8)


def make_world(areas: int = 1, seed: int = 0) -> PyramidsWorld:
    return PyramidsWorld(areas, np.random.default_rng(seed), EnvironmentParameters("Pyramids", {}))


def settled(agent, yaw: float = 0.0) -> PyramidsWorld:
    """One area: the agent on the floor at (x, z); the switch at (30, 30), stones about cells at z = -30 and 0."""
    world = make_world()
    agents, boxes = world.pyramids_agents, world.boxes
    agents.begin_all_episodes()
    boxes.position[0, SWITCH] = (30.0, 2.0, 30.0)
    cells = [(x, z) for z in (-30.0, 0.0) for x in (-30.0, 0.0, 30.0)]
    for pile, (x, z) in enumerate(cells):
        boxes.position[0, STONES + 25 * pile : STONES + 25 * (pile + 1)] = STONE_PLACES + np.array((x, 0.5, z))
    agents.reserved[0] = (-30.0, 2.0, 30.0)
    boxes.position[0, AGENT] = (48.0, 2.0, 0.0)
    for _ in range(60):
        world.integrate()
    assert (agents.piles.state == ASLEEP).all()
    boxes.position[0, AGENT] = (agent[0], 0.5, agent[1])
    boxes.yaw[0, AGENT] = yaw
    boxes.velocity[0, AGENT] = 0.0
    return world


def see(world: PyramidsWorld) -> tuple[np.ndarray, np.ndarray]:
    """[3, 7, 8]: ahead, then pairs of right and left; own state [4]."""
    *rays, own = world.agents[0].observe(slice(None))
    return np.reshape(rays, (3, 7, 8)), np.asarray(own)[0]


def play(world: PyramidsWorld, choice: int, decisions: int) -> None:
    world.agents[0].arrays.discrete[:] = choice
    for _ in range(decisions):
        if world.agents[0].arrays.end[0]:
            return
        world.advance(5)


@pytest.mark.slow
def test_contract() -> None:
    check_env(functools.partial(ENTRY.make, num_areas=3), deterministic=True)


def test_specs() -> None:
    env = ENTRY.make()
    env.reset()
    assert len(env.get_steps(NAME)[0]) == 16
    spec = env.behavior_specs[NAME]
    assert [(s.name, s.shape) for s in spec.observation_specs] == [
        ("RayPerceptionSensor", (56,)),
        ("RayPerceptionSensor1", (56,)),
        ("RayPerceptionSensor2", (56,)),
        ("VectorSensor_size4", (4,)),
    ]
    assert (spec.action_spec.continuous_size, spec.action_spec.discrete_branches) == (0, (5,))


# What is seen


def test_the_switch_ahead() -> None:
    """Its face is at z = 28; seen from 10 m before it, and from the same place when it is on."""
    world = settled((30.0, 18.0))
    rays, own = see(world)
    expected = np.zeros(8)
    expected[[OFF, FRACTION]] = 1.0, 9.5 / 35.0
    np.testing.assert_allclose(rays[0, 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(own, 0.0)
    # Upper rays rise by 5 and 10 m over 35 m; the second, with a sphere of 0.505 m, still meets the face.
    assert rays[1, 0, OFF] == rays[2, 0, OFF] == 1.0
    world.pyramids_agents.is_on[0] = True
    rays, own = see(world)
    assert (rays[0, 0, ON], rays[0, 0, OFF], own[0]) == (1.0, 0.0, 1.0)


def test_walls_and_nothing() -> None:
    """The outer wall's face is at x = -49.5; without pyramids there is nothing 35 m ahead in the middle."""
    rays, _ = see(settled((-30.0, 47.0), yaw=-np.pi / 2))
    expected = np.zeros(8)
    expected[[WALL, FRACTION]] = 1.0, 19.0 / 35.0
    np.testing.assert_allclose(rays[0, 0], expected, rtol=1e-6)
    rays, _ = see(settled((3.0, 14.0)))
    np.testing.assert_allclose(rays[0, 0], [0, 1, 0, 0, 0, 0, 0, (49.1 - 14.5) / 35.0], rtol=1e-6)
    np.testing.assert_array_equal(rays[1, 0], [0, 0, 0, 0, 0, 0, 1, 1])  # over the wall
    np.testing.assert_array_equal(rays[2, 0], [0, 0, 0, 0, 0, 0, 1, 1])


def test_stones_ahead() -> None:
    """The lowest front stones of the pyramid at (0, -30) have their faces at z = -31.56; one is straight ahead."""
    rays, _ = see(settled((0.0, -45.0)))
    expected = np.zeros(8)
    expected[[STONE, FRACTION]] = 1.0, (45.0 - 31.56 - 0.5) / 35.0
    np.testing.assert_allclose(rays[0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("degrees", [0, 90, 135])
def test_the_own_velocity(degrees: int) -> None:
    world = settled((0.0, 15.0), yaw=np.radians(degrees))
    world.boxes.velocity[0, AGENT] = (1.0, 2.0, 3.0)
    _, own = see(world)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    np.testing.assert_allclose(own[1:], (c * 1.0 - s * 3.0, 2.0, s * 1.0 + c * 3.0), rtol=1e-6)


# Motion


@pytest.mark.parametrize(("choice", "degrees"), [(3, 20.0), (4, -20.0)])
def test_a_decision_turns_by_20_degrees(choice: int, degrees: float) -> None:
    world = settled((0.0, 15.0))
    play(world, choice, 1)
    assert np.degrees(world.boxes.yaw[0, AGENT]) == pytest.approx(degrees)


@pytest.mark.parametrize(("choice", "sign"), [(1, 1.0), (2, -1.0)])
def test_driving_as_recorded(choice: int, sign: float) -> None:
    """Unity: v' = 0.96 (v + 2) - 0.226."""
    world = settled((8.0, -45.0 * sign))
    speed = 0.0
    for _ in range(6):
        play(world, choice, 1)
        for _ in range(5):
            speed = 0.96 * (speed + 2.0) - 0.226
        assert world.boxes.velocity[0, AGENT, 2] == pytest.approx(sign * speed, abs=2e-3)


def test_coasting_as_recorded() -> None:
    world = settled((8.0, 0.0))
    world.boxes.velocity[0, AGENT, 2] = 28.27
    play(world, 0, 1)
    assert world.boxes.velocity[0, AGENT, 2] == pytest.approx(22.01, abs=0.01)


def test_walls_stop_who_runs() -> None:
    world = settled((8.0, 30.0))
    play(world, 1, 20)
    assert world.boxes.position[0, AGENT, 2] == pytest.approx(49.1 - 0.5, abs=0.03)


# Switch, bricks, rewards


def test_the_switch_calls_the_bricks() -> None:
    world = settled((30.0, 20.0))
    agents, boxes = world.pyramids_agents, world.boxes
    bricks = agents.bricks
    agents.arrays.discrete[:] = 1
    while not agents.is_on[0]:
        assert boxes.position[0, AGENT, 2] < 27.6
        world.advance(1)
    np.testing.assert_allclose(bricks.position[0, : TARGET + 1], BRICK_PLACES + np.array((-30.0, 2.0, 30.0)))
    assert agents.arrays.reward[0] == pytest.approx(-0.0002 * agents.arrays.step_count[0], rel=1e-5)  # no reward for it
    play(world, 2, 12)
    play(world, 0, 8)
    assert bricks.slow_steps[0] >= SLOW_STEPS  # asleep
    # They fall onto each other, layer upon layer, and stay where they land: 25 of 1 m, the target of 2 m on top.
    heights = np.repeat((0.5, 1.5, 2.5, 3.5, 5.0), (12, 8, 4, 1, 1))
    np.testing.assert_allclose(bricks.position[0, : TARGET + 1, 1], heights, atol=0.05)
    boxes.position[0, AGENT] = (-30.0, 0.5, 20.0)
    boxes.yaw[0, AGENT] = 0.0
    rays, own = see(world)
    assert (rays[0, 0, BLOCK], rays[2, 0, GOAL], own[0]) == (1.0, 0.0, 1.0)
    boxes.position[0, AGENT, 2] = 15.0
    rays, _ = see(world)
    assert rays[2, 0, GOAL] == 1.0


def with_bricks(agent) -> PyramidsWorld:
    """The bricks lie about (-30, 30)."""
    world = settled((30.0, 27.3))
    play(world, 1, 1)
    assert world.pyramids_agents.is_on[0]
    play(world, 2, 20)
    world.boxes.position[0, AGENT] = (agent[0], 0.5, agent[1])
    world.boxes.velocity[0, AGENT] = 0.0
    world.boxes.yaw[0, AGENT] = 0.0
    return world


def test_the_target_pays_two_and_ends_the_episode() -> None:
    world = with_bricks((-30.0, 22.0))
    world.pyramids_agents.bricks.position[0, TARGET] = (-30.0, 1.0, 25.0)
    arrays = world.agents[0].arrays
    play(world, 1, 6)
    assert arrays.reward[0] == 2.0  # set, not added
    assert arrays.end[0] == 1


def test_ramming_brings_the_target_down() -> None:
    """A few runs at where the target is, from 9 m away. Bricks tumble on the way; none is lost or sinks in."""
    world = with_bricks((-29.5, 19.0))
    arrays, boxes, bricks = world.agents[0].arrays, world.boxes, world.pyramids_agents.bricks
    assert bricks.position[0, TARGET, 1] == pytest.approx(5.0, abs=0.05)
    for _ in range(20):
        play(world, 1, 6)
        if arrays.end[0]:
            break
        target = bricks.position[0, TARGET]
        away = boxes.position[0, AGENT, ::2] - target[::2]
        away *= 9.0 / np.hypot(*away)
        boxes.position[0, AGENT] = (target[0] + away[0], 0.5, min(target[2] + away[1], 47.0))
        boxes.yaw[0, AGENT] = np.arctan2(*(target[::2] - boxes.position[0, AGENT, ::2]))
        boxes.velocity[0, AGENT] = 0.0
    assert arrays.end[0] == 1
    assert bricks.position[0, TARGET, 1] < 4.0
    places = bricks.position[0, :TARGET]
    assert places[:, 1].min() > 0.3
    assert np.abs(places - (-30.0, 0.0, 30.0))[:, ::2].max() < 60.0
    assert (bricks.quat[0, :TARGET, [1, 3]] ** 2).max() > 0.1  # turned about a level axis


def test_stones_are_shoved_and_come_to_rest() -> None:
    world = settled((0.5, -45.0))
    before = world.boxes.position[0, STONES:FLOOR].copy()
    play(world, 1, 8)
    assert (world.pyramids_agents.piles.state == AWAKE).sum() == 1
    play(world, 0, 40)
    assert (world.pyramids_agents.piles.state == ASLEEP).all()
    moved = np.linalg.norm(world.boxes.position[0, STONES:FLOOR] - before, axis=1) > 0.1
    assert 0 < moved.sum() <= 25
    assert moved[25:50].sum() == moved.sum()  # the pile at (0, -30)
    assert world.boxes.position[0, STONES:FLOOR, 1].min() > 0.47


def test_a_step_costs_a_little() -> None:
    world = settled((0.0, 15.0))
    play(world, 0, 1)
    assert world.agents[0].arrays.reward[0] == pytest.approx(-0.001)


def test_an_episode_is_cut_after_5000_steps() -> None:
    stops = []
    for advance in (PyramidsWorld.advance, World.advance):
        world = settled((0.0, 15.0))
        agents = world.agents[0]
        agents.arrays.step_count[0] = 4997
        stops.append((advance(world, 5), agents.arrays.end[0], agents.arrays.step_count[0]))
    assert stops == [((2, True), 2, 5000)] * 2


# Starts


def test_starts() -> None:
    world = make_world(400)
    agents, boxes = world.pyramids_agents, world.boxes
    agents.begin_all_episodes()
    piles = boxes.position[:, STONES:FLOOR].reshape(400, 6, 25, 3) - STONE_PLACES
    np.testing.assert_allclose(piles, piles[:, :, :1].repeat(25, 2))  # whole pyramids
    places = np.concatenate(
        (boxes.position[:, [AGENT]], boxes.position[:, [SWITCH]] - (0, 2, 0), agents.reserved[:, None], piles[:, :, 0]),
        1,
    )
    np.testing.assert_allclose(places[..., 1], 2.0)
    cell = np.abs(places[..., np.newaxis, ::2] - CELLS).max(-1).argmin(-1)
    np.testing.assert_array_equal(np.sort(cell, axis=1), np.tile(np.arange(9), (400, 1)))
    assert set(cell[:, 0]) == set(cell[:, 2]) == set(range(9))
    offset = np.abs(places[..., ::2] - CELLS[cell])
    assert 11.8 < offset.max() < 11.905
    degrees = np.degrees(boxes.yaw[:, AGENT])
    np.testing.assert_allclose(degrees, np.round(degrees), atol=1e-9)
    assert degrees.min() < 10
    assert 350 < degrees.max() < 360
    assert not agents.is_on.any()
    assert (agents.piles.state == FALLING).all()


# The compiled window and states


def test_the_compiled_window_does_what_the_callbacks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same seed and actions, with `advance` compiled and with the academy's own loop: equal bits."""

    def record() -> list[np.ndarray]:
        env, rng = SimEnvironment(make_world(3)), np.random.default_rng(5)
        env.reset()
        columns, ends = [], 0
        env._world.agents[0].arrays.step_count[:] = 4400
        for _ in range(250):
            decisions, terminals = env.get_steps(NAME)
            ends += len(terminals)
            for steps in (decisions, terminals):
                columns += [*steps.obs, steps.reward, steps.agent_id]
            columns.append(terminals.interrupted)
            if len(decisions):
                choice = rng.choice(5, p=(0.0, 0.7, 0.1, 0.1, 0.1), size=(len(decisions), 1))
                env.set_actions(NAME, ActionTuple(discrete=choice.astype(np.int32)))
            env.step()
        assert ends == 3
        return columns

    compiled = record()
    monkeypatch.setattr(PyramidsWorld, "advance", World.advance)
    for one, other in zip(compiled, record(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_run_goes_on_where_it_was_left() -> None:
    one, other = ENTRY.make(seed=1, num_areas=3), ENTRY.make(seed=2, num_areas=3)
    rng = np.random.default_rng(0)

    def step(*envs) -> None:
        choice = rng.choice(5, p=(0.0, 0.7, 0.1, 0.1, 0.1), size=(3, 1)).astype(np.int32)
        for env in envs:
            if len(env.get_steps(NAME)[0]):
                env.set_actions(NAME, ActionTuple(discrete=choice))
            env.step()

    for env in (one, other):
        env.reset()
    for _ in range(40):
        step(one)
    other.load_state_dict(one.state_dict())
    for env in (one, other):
        env._world.agents[0].arrays.step_count[:] = 4700
    ends = 0
    for _ in range(120):
        step(one, other)
        ends += len(one.get_steps(NAME)[1])
        for a, b in zip(one.get_steps(NAME), other.get_steps(NAME), strict=True):
            for x, y in zip((*a.obs, a.reward, a.agent_id), (*b.obs, b.reward, b.agent_id), strict=True):
                np.testing.assert_array_equal(x, y)
    assert ends == 3
