"""Hallway: what agents see, how they move, rewards, starts, the compiled window, and a policy trained in Unity."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from mlagents.inference import evaluate, load_model
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples.hallway import (
    AGENT,
    ENTRY,
    GOAL_O,
    GOAL_O_SIGN,
    GOAL_X,
    GOAL_X_SIGN,
    PARAMETERS,
    SIGN_O,
    SIGN_X,
    HallwayWorld,
)
from mlagents_sim.parameters import EnvironmentParameters

NAME = "Hallway?team=0"
RAYS = (90, 55, 125, 20, 160)


def make_world(areas: int = 1, seed: int = 0) -> HallwayWorld:
    return HallwayWorld(areas, np.random.default_rng(seed), EnvironmentParameters("Hallway", PARAMETERS))


def at_rest(agent, yaw: float = 0.0, *, shows_o: bool = True, o_is_right: bool = True) -> HallwayWorld:
    """One area: the agent on the floor at (x, z), the sign out of the way at z = -20."""
    world = make_world()
    world.agents[0].begin_all_episodes()
    boxes = world.boxes
    boxes.position[0, AGENT] = (agent[0], 1.0, agent[1])
    boxes.yaw[0, AGENT] = yaw
    boxes.position[0, SIGN_O : SIGN_X + 1] = (0.0, -1000.0, 0.0)
    boxes.position[0, SIGN_O if shows_o else SIGN_X] = (0.015, 2.5, -20.0)
    world.hallway_agents.shows_o[0] = shows_o
    for plate, sign, side in ((GOAL_O, GOAL_O_SIGN, 1.0), (GOAL_X, GOAL_X_SIGN, -1.0)):
        x = 7.0 * side * (1.0 if o_is_right else -1.0)
        boxes.position[0, plate], boxes.position[0, sign] = (x, 0.5, 22.29), (x, 2.5, 24.79)
    return world


def see(world: HallwayWorld) -> np.ndarray:
    """[5, 7]: ahead, then pairs of right and left."""
    return np.reshape(world.agents[0].observe(slice(None))[0], (5, 7))


def walk(world: HallwayWorld, *, to_the_right_goal: bool) -> ActionTuple:
    """Pass the sign on the side of a goal, then straight to it."""
    boxes, shows_o = world.boxes, world.hallway_agents.shows_o
    x, _, z = boxes.position[:, AGENT].T
    goal = np.where(shows_o == to_the_right_goal, boxes.position[:, GOAL_O, 0], boxes.position[:, GOAL_X, 0])
    ahead = np.where(z < -7.5, -6.5, 22.0)
    wanted = np.arctan2(goal - x - 0.2 * boxes.velocity[:, AGENT, 0], ahead - z)
    turned = (boxes.yaw[:, AGENT] - wanted + np.pi) % (2.0 * np.pi) - np.pi
    choice = np.where(np.abs(turned) < np.radians(10.0), 1, np.where(turned > 0.0, 4, 3))
    return ActionTuple(discrete=choice[:, np.newaxis].astype(np.int32))


def test_contract() -> None:
    check_env(functools.partial(ENTRY.make, num_areas=3), deterministic=True)


def test_specs() -> None:
    env = ENTRY.make()
    env.reset()
    assert len(env.get_steps(NAME)[0]) == 17
    spec = env.behavior_specs[NAME]
    assert [(s.name, s.shape) for s in spec.observation_specs] == [
        ("StackingSensor_size3_RayPerceptionSensor", (105,)),
        ("StackingSensor_size3_VectorSensor_size1", (3,)),
    ]
    assert (spec.action_spec.continuous_size, spec.action_spec.discrete_branches) == (0, (5,))


# What is seen


def test_walls_on_both_sides() -> None:
    """From the middle the walls are 9.5 m away; a ray of 20 degrees meets them after 9 / cos 20."""
    seen = see(at_rest((0.0, 0.0)))
    np.testing.assert_array_equal(seen[0], [0, 0, 0, 0, 0, 1, 1])
    for ray, degrees in ((1, 55), (2, 125), (3, 20), (4, 160)):
        distance = 9.0 / abs(np.cos(np.radians(degrees)))
        expected = [0, 0, 0, 0, 1, 0, distance / 12.0] if distance < 12.0 else [0, 0, 0, 0, 0, 1, 1]
        np.testing.assert_allclose(seen[ray], expected, rtol=1e-6)


@pytest.mark.parametrize("shows_o", [True, False])
def test_the_sign_in_the_hall(shows_o: bool) -> None:
    """Looking south from 8 m before its face."""
    seen = see(at_rest((0.0, -11.5), np.pi, shows_o=shows_o))
    np.testing.assert_allclose(seen[0], [0, 0, shows_o, not shows_o, 0, 0, 7.5 / 12], rtol=1e-6)


@pytest.mark.parametrize("o_is_right", [True, False])
def test_the_lip_of_a_goal_is_seen(o_is_right: bool) -> None:
    """The plate is 5 cm high: a sphere meets its edge sqrt(0.5^2 - 0.45^2) = 0.218 m before."""
    seen = see(at_rest((7.0, 15.0), o_is_right=o_is_right))
    distance = 20.29 - 15.0 - (0.5**2 - 0.45**2) ** 0.5
    np.testing.assert_allclose(seen[0], [o_is_right, not o_is_right, 0, 0, 0, 0, distance / 12], rtol=1e-5)


def test_time_is_observed_as_a_part_of_the_episode() -> None:
    env = ENTRY.make(num_areas=1)
    env.reset()
    for _ in range(3):
        env.step()
    np.testing.assert_allclose(env.get_steps(NAME)[0].obs[1], [[0.002, 0.004, 0.006]], rtol=1e-6)


# Motion


@pytest.mark.parametrize(("choice", "degrees"), [(3, 18.0), (4, -18.0)])
def test_a_decision_turns_by_18_degrees(choice: int, degrees: float) -> None:
    world = at_rest((0.0, 0.0))
    world.agents[0].arrays.discrete[:] = choice
    assert world.advance(6) == (6, False)
    assert np.degrees(world.boxes.yaw[0, AGENT]) == pytest.approx(degrees)
    np.testing.assert_allclose(world.boxes.position[0, AGENT], (0.0, 1.0, 0.0), atol=1e-9)


@pytest.mark.parametrize(("choice", "sign"), [(1, 1.0), (2, -1.0)])
def test_driving_as_recorded(choice: int, sign: float) -> None:
    """Unity: the distance per decision follows d' = 0.96^6 d + 0.644."""
    world = at_rest((0.0, sign * -15.0))
    world.agents[0].arrays.discrete[:] = choice
    covered = []
    for _ in range(7):
        before = world.boxes.position[0, AGENT, 2]
        world.advance(6)
        covered.append(world.boxes.position[0, AGENT, 2] - before)
    np.testing.assert_allclose(covered[1:], 0.96**6 * np.array(covered[:-1]) + sign * 0.644, atol=3e-4)


def test_who_runs_along_a_wall_is_turned_by_it_but_stays_inside() -> None:
    world = at_rest((8.9, -20.0), yaw=0.2)
    world.agents[0].arrays.discrete[:] = 1
    for _ in range(12):
        world.advance(6)
    assert world.boxes.position[0, AGENT, 0] < 9.0 + 1e-6
    assert world.boxes.yaw[0, AGENT] < 0.1
    assert world.boxes.position[0, AGENT, 2] > -10.0


# Rewards and ends


@pytest.mark.parametrize("shows_o", [True, False])
@pytest.mark.parametrize("o_is_right", [True, False])
@pytest.mark.parametrize("x", [7.0, -7.0])
def test_a_goal_ends_the_episode(shows_o: bool, o_is_right: bool, x: float) -> None:
    world = at_rest((x, 18.0), shows_o=shows_o, o_is_right=o_is_right)
    arrays = world.agents[0].arrays
    arrays.discrete[:] = 1
    while not arrays.end[0]:
        _, acted = world.advance(6)
        assert not acted
    is_correct = ((x > 0.0) == o_is_right) == shows_o
    assert arrays.reward[0] == np.float32(1.0 if is_correct else -0.1)  # set, not added
    assert world.boxes.position[0, AGENT, 2] == pytest.approx(20.29 - 0.5, abs=0.15)


def test_a_step_costs_a_little() -> None:
    world = at_rest((0.0, 0.0))
    world.advance(6)
    assert world.agents[0].arrays.reward[0] == pytest.approx(-0.002)


def test_an_episode_is_cut_after_3000_steps() -> None:
    stops = []
    for advance in (HallwayWorld.advance, World.advance):
        world = at_rest((0.0, 0.0))
        agents = world.agents[0]
        agents.arrays.step_count[0] = 2997
        stops.append((advance(world, 6), agents.arrays.end[0], agents.arrays.step_count[0]))
    assert stops == [((2, True), 2, 3000)] * 2


@pytest.mark.parametrize(("to_the_right_goal", "low", "high"), [(True, 0.9, 1.0), (False, -0.2, -0.1)])
def test_good_and_bad_policies(to_the_right_goal: bool, low: float, high: float) -> None:
    env = ENTRY.make(num_areas=17, seed=1)
    env.reset()
    total, returns = np.zeros(17), []
    while len(returns) < 100:
        decisions, terminals = env.get_steps(NAME)
        total[terminals.agent_id] += terminals.reward
        returns += total[terminals.agent_id].tolist()
        total[terminals.agent_id] = 0.0
        total[decisions.agent_id] += decisions.reward
        if len(decisions):
            env.set_actions(NAME, walk(env._world, to_the_right_goal=to_the_right_goal))
        env.step()
    assert low < np.mean(returns) < high


def test_a_policy_trained_in_unity_finds_the_right_goal(shared_data: Path) -> None:
    """Its return there: 0.87 on average; it remembers, sees by the rays, and steers by their fractions."""
    env = ENTRY.make(seed=3)
    model = load_model(shared_data / "nn" / "Hallway.nn", env.behavior_specs[NAME])
    result = evaluate(env, {NAME: model}, 100)[NAME]
    assert 0.85 < result.mean < 0.97


# Starts


def test_starts() -> None:
    world = make_world(1000)
    world.agents[0].begin_all_episodes()
    boxes, shows_o = world.boxes, world.hallway_agents.shows_o
    assert 400 < shows_o.sum() < 600
    for sign, shown in ((SIGN_O, shows_o), (SIGN_X, ~shows_o)):
        np.testing.assert_array_equal(boxes.position[~shown, sign], [(0.0, -1000.0, 0.0)] * (~shown).sum())
        x, y, z = boxes.position[shown, sign].T
        np.testing.assert_array_equal(y, 2.5)
        assert 4.8 < np.abs(z).max() < 5.0
        assert np.abs(x - 0.015).max() == pytest.approx(2.95 if sign == SIGN_O else 0.0, abs=0.05)
    x, y, z = boxes.position[:, AGENT].T
    np.testing.assert_array_equal(y, 1.5)
    assert 2.9 < np.abs(x - 0.015).max() < 3.0
    assert -20.0 < z.min() < -19.8
    assert -10.2 < z.max() < -10.0
    assert 0.0 < boxes.yaw[:, AGENT].min() < 0.1
    assert 6.2 < boxes.yaw[:, AGENT].max() < 2.0 * np.pi
    o_is_right = boxes.position[:, GOAL_O, 0] > 0.0
    assert 400 < o_is_right.sum() < 600
    assert 200 < (o_is_right & shows_o).sum() < 300  # sign and sides are drawn apart
    np.testing.assert_array_equal(boxes.position[:, GOAL_O] + boxes.position[:, GOAL_X], [(0.0, 1.0, 44.58)] * 1000)
    np.testing.assert_allclose(boxes.position[:, GOAL_X_SIGN] - boxes.position[:, GOAL_X], [(0.0, 2.0, 2.5)] * 1000)


def test_the_compiled_window_does_what_the_callbacks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same seed and actions, with `advance` compiled and with the academy's own loop: equal bits."""

    def play(world: HallwayWorld) -> list[np.ndarray]:
        env = SimEnvironment(world)
        env.reset()
        columns, ends = [], 0
        for _ in range(150):
            decisions, terminals = env.get_steps(NAME)
            ends += len(terminals)
            for steps in (decisions, terminals):
                columns += [*steps.obs, steps.reward, steps.agent_id]
            columns.append(terminals.interrupted)
            if len(decisions):
                env.set_actions(NAME, walk(world, to_the_right_goal=True))
            env.step()
        assert ends > 3
        return columns

    compiled = play(make_world(4))
    monkeypatch.setattr(HallwayWorld, "advance", World.advance)
    for one, other in zip(compiled, play(make_world(4)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_goes_on_where_it_was_left() -> None:
    one, other = ENTRY.make(seed=1, num_areas=3), ENTRY.make(seed=2, num_areas=3)
    for env in (one, other):
        env.reset()
    for _ in range(20):
        one.set_actions(NAME, walk(one._world, to_the_right_goal=True))
        one.step()
        while not len(one.get_steps(NAME)[0]):
            one.step()
    other.load_state_dict(one.state_dict())
    ends = 0
    for _ in range(80):
        for env in (one, other):
            if len(env.get_steps(NAME)[0]):
                env.set_actions(NAME, walk(env._world, to_the_right_goal=False))
            env.step()
        ends += len(one.get_steps(NAME)[1])
        for a, b in zip(one.get_steps(NAME), other.get_steps(NAME), strict=True):
            for x, y in zip((*a.obs, a.reward, a.agent_id), (*b.obs, b.reward, b.agent_id), strict=True):
                np.testing.assert_array_equal(x, y)
    assert ends  # so that new episodes were begun, too
