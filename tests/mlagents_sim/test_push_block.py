"""PushBlock: what agents see, how they move, rewards, starts, parameters, and the compiled window."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from mlagents.inference import evaluate, load_model
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.exception import UnityActionException, UnitySideChannelException
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples.push_block import AGENT, BLOCK, ENTRY, FLOOR, PARAMETERS, PushBlockWorld
from mlagents_sim.parameters import EnvironmentParameters

NAME = "PushBlock?team=0"
NOTHING = [0.0, 0.0, 0.0, 1.0, 1.0]
SOUTH = np.pi  # where the goal is


def make_world(areas: int = 1, seed: int = 0) -> PushBlockWorld:
    return PushBlockWorld(areas, np.random.default_rng(seed), EnvironmentParameters("PushBlock", PARAMETERS))


def at_rest(agent, block=(9.0, 9.0), yaw: float = 0.0) -> PushBlockWorld:
    """One area with agent and block on the floor at (x, z)."""
    world = make_world()
    world.agents[0].begin_all_episodes()
    boxes = world.boxes
    boxes.position[0, AGENT] = (agent[0], 0.5, agent[1])
    boxes.position[0, BLOCK] = (block[0], 0.375, block[1])
    boxes.yaw[0, AGENT] = yaw
    return world


def see(world: PushBlockWorld) -> tuple[np.ndarray, np.ndarray]:
    """The upper and the lower rays, [7, 5] each: ahead, then pairs of right and left."""
    upper, lower = world.agents[0].observe(slice(None))
    return np.reshape(upper, (7, 5)), np.reshape(lower, (7, 5))


def decide(world: PushBlockWorld, choice: int, decisions: int = 1) -> None:
    world.agents[0].arrays.discrete[:, 0] = choice
    for _ in range(decisions):
        assert world.advance(5) == (5, False)


def push_to_goal(world: PushBlockWorld) -> ActionTuple:
    """Look south; step round the block until it is in between, then run."""
    boxes = world.boxes
    choices = []
    for (x, _, z), (block_x, _, block_z), velocity, yaw in zip(
        boxes.position[:, AGENT],
        boxes.position[:, BLOCK],
        boxes.velocity[:, AGENT],
        boxes.yaw[:, AGENT],
        strict=True,
    ):
        turned = (yaw - SOUTH + np.pi) % (2.0 * np.pi) - np.pi
        stop_x = x + 0.25 * velocity[0]
        if abs(turned) > 0.03:
            choice = 4 if turned > 0.0 else 3
        elif z > block_z + 1.5:
            towards = 5 if stop_x < block_x else 6  # to the left is +x
            choice = 1 if abs(x - block_x) < 0.9 else 0 if abs(stop_x - block_x) < 0.9 else towards
        elif abs(stop_x - block_x) < 1.8:
            choice = 6 if (stop_x < block_x and block_x > -9.0) or block_x > 9.0 else 5
        else:
            choice = 2
        choices.append([choice])
    return ActionTuple(discrete=np.array(choices, np.int32))


def test_contract() -> None:
    check_env(functools.partial(ENTRY.make, num_areas=3), deterministic=True)


def test_specs() -> None:
    env = ENTRY.make()
    env.reset()
    assert len(env.get_steps(NAME)[0]) == 32
    spec = env.behavior_specs[NAME]
    assert [(s.name, s.shape) for s in spec.observation_specs] == [
        ("StackingSensor_size3_OffsetRayPerceptionSensor", (105,)),
        ("StackingSensor_size3_RayPerceptionSensor", (105,)),
    ]
    assert (spec.action_spec.continuous_size, spec.action_spec.discrete_branches) == (0, (7,))


def test_mistakes_are_explained() -> None:
    channel = EnvironmentParametersChannel()
    env = ENTRY.make(num_areas=2, side_channels=[channel])
    env.reset()
    with pytest.raises(UnityActionException, match=r"branch 0 of agent 1 .* is 7; expected 0 to 6"):
        env.set_actions(NAME, ActionTuple(discrete=np.array([[0], [7]], np.int32)))
    with pytest.raises(UnityActionException):
        env.set_actions(NAME, ActionTuple(discrete=np.zeros((3, 1), np.int32)))
    channel.set_float_parameter("block_scale", 5.0)
    with pytest.raises(UnitySideChannelException, match=r"'block_scale' of PushBlock must be between 0\.5 and 4"):
        env.reset()


# What is seen


def test_the_lower_rays_see_block_goal_and_walls() -> None:
    """From (1, -2), looking to the goal, the block to the right."""
    _, lower = see(at_rest((1.0, -2.0), (-4.0, -2.0), SOUTH))
    # The goal's front at z = -8.3505 is 6.3505 m ahead, the block's side 4 m away, the wall to the left 11.5 m.
    np.testing.assert_allclose(lower[0], [0, 1, 0, 0, 5.8505 / 12], rtol=1e-5)
    np.testing.assert_allclose(lower[5], [1, 0, 0, 0, 3.5 / 12], rtol=1e-5)
    np.testing.assert_allclose(lower[6], [0, 0, 1, 0, 11.0 / 12], rtol=1e-5)
    # 30 degrees to the left: the goal, 5.8505 / cos 30.
    np.testing.assert_allclose(lower[2], [0, 1, 0, 0, 5.8505 / np.cos(np.pi / 6) / 12], rtol=1e-5)


def test_the_upper_rays_see_only_walls_and_closer() -> None:
    """They graze the top 5 mm of a wall: the sphere's centre passes its face by sqrt(0.5^2 - 0.495^2)."""
    closer = (0.5**2 - 0.495**2) ** 0.5
    upper, _ = see(at_rest((0.0, -2.0), (-5.0, -2.0), SOUTH))
    np.testing.assert_allclose(upper[0], [0, 0, 1, 0, (10.5 - closer) / 12], rtol=1e-5)
    np.testing.assert_array_equal(upper[5], NOTHING)  # the block is below, the wall 12.5 m away


def test_an_agent_in_the_air_sees_nothing_above() -> None:
    world = at_rest((0.0, -2.0), yaw=SOUTH)
    world.boxes.position[0, AGENT, 1] = 1.0
    upper, lower = see(world)
    np.testing.assert_array_equal(upper, [NOTHING] * 7)
    np.testing.assert_allclose(lower[0], [0, 1, 0, 0, 5.8505 / 12], rtol=1e-5)


def test_three_decisions_are_seen_the_oldest_first() -> None:
    env = ENTRY.make(num_areas=1)
    env.reset()
    first = env.get_steps(NAME)[0].obs[1].reshape(3, 35)
    np.testing.assert_array_equal(first[:2], 0.0)
    env.set_actions(NAME, ActionTuple(discrete=np.array([[1]], np.int32)))
    env.step()
    second = env.get_steps(NAME)[0].obs[1].reshape(3, 35)
    np.testing.assert_array_equal(second[0], 0.0)
    np.testing.assert_array_equal(second[1], first[2])
    assert (second[2] != second[1]).any()


# Motion


@pytest.mark.parametrize(
    ("choice", "direction"), [(0, (0, 0)), (1, (1, 0)), (2, (-1, 0)), (5, (0, 0.75)), (6, (0, -0.75))]
)
def test_a_step_of_each_kind(choice: int, direction) -> None:
    """Looking along +x, so that left is +z: 3 m/s, a quarter less sideways, less drag and friction."""
    world = at_rest((0.0, 0.0), yaw=np.pi / 2.0)
    world.agents[0].arrays.discrete[0, 0] = choice
    world.advance(1)
    push = 3.0 * np.array(direction)
    lost = np.sign(push) * 2.0 * 0.3 * 24.525 * 0.02
    np.testing.assert_allclose(world.boxes.velocity[0, AGENT, ::2], (push - lost) * 0.92, atol=1e-9)


@pytest.mark.parametrize(("choice", "degrees"), [(3, 20.0), (4, -20.0)])
def test_a_decision_turns_by_20_degrees(choice: int, degrees: float) -> None:
    world = at_rest((0.0, 0.0))
    decide(world, choice)
    assert np.degrees(world.boxes.yaw[0, AGENT]) == pytest.approx(degrees)
    np.testing.assert_allclose(world.boxes.position[0, AGENT], (0.0, 0.5, 0.0), atol=1e-9)


def test_blocks_and_agents_stay_inside() -> None:
    """Random actions for 400 decisions: the walls and the goal hold them, and nobody climbs."""
    world = make_world(16, seed=3)
    agents, rng = world.agents[0], np.random.default_rng(3)
    agents.begin_all_episodes()
    for _ in range(400):
        agents.arrays.discrete[:] = rng.choice(7, (16, 1), p=(0, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1))
        world.advance(5)
        agents.finish_episodes()
        x, y, z = world.boxes.position[:, : BLOCK + 1].transpose(2, 0, 1)
        assert np.abs(x).max() < 12.5
        assert z.max() < 12.5
        assert z.min() > -8.5
        assert y.min() > 0.365
        assert y.max() < 1.01


# Rewards and ends


def test_the_goal_pays_and_ends_the_episode() -> None:
    world = at_rest((0.0, -4.0), (0.0, -6.0), SOUTH)
    arrays = world.agents[0].arrays
    arrays.discrete[0, 0] = 1
    steps = 0
    while not arrays.end[0]:
        ran, acted = world.advance(5)
        assert not acted
        steps += ran
    # The block's front is 1.35 m from the goal: reached in 12 to 16 steps at about 0.1 to 0.2 m each.
    assert 10 < steps < 20
    assert arrays.reward[0] == pytest.approx(5.0 - steps / 5000.0, rel=1e-6)
    assert world.boxes.position[0, BLOCK, 2] - 1.0 == pytest.approx(-8.3505, abs=0.13)


def test_the_agent_itself_earns_nothing_at_the_goal() -> None:
    world = at_rest((0.0, -7.0), yaw=SOUTH)
    decide(world, 1, 5)
    assert world.boxes.position[0, AGENT, 2] == pytest.approx(-7.8505, abs=1e-6)
    assert world.agents[0].arrays.reward[0] == pytest.approx(-0.005)


def test_an_episode_is_cut_after_5000_steps() -> None:
    stops = []
    for advance in (PushBlockWorld.advance, World.advance):
        world = at_rest((0.0, 0.0))
        agents = world.agents[0]
        agents.arrays.step_count[0] = 4997
        stops.append((advance(world, 5), agents.arrays.end[0], agents.arrays.step_count[0]))
    assert stops == [((2, True), 2, 5000)] * 2


def test_a_good_policy_earns_more_than_the_benchmark() -> None:
    env = ENTRY.make(num_areas=16, seed=1)
    env.reset()
    world = env._world
    total, returns = np.zeros(16), []
    while len(returns) < 100:
        env.set_actions(NAME, push_to_goal(world))
        env.step()
        decisions, terminals = env.get_steps(NAME)
        while not len(decisions):
            total[terminals.agent_id] += terminals.reward
            returns += total[terminals.agent_id].tolist()
            total[terminals.agent_id] = 0.0
            env.step()
            decisions, terminals = env.get_steps(NAME)
        total[terminals.agent_id] += terminals.reward
        returns += total[terminals.agent_id].tolist()
        total[terminals.agent_id] = 0.0
        total += decisions.reward
    assert 4.95 < np.mean(returns) < 5.0


def test_the_model_that_comes_along_earns_more_than_the_benchmark() -> None:
    env = ENTRY.make(seed=100)
    model = load_model(ENTRY.pretrained, env.behavior_specs[NAME])
    assert evaluate(env, {NAME: model}, 64)[NAME].mean > 4.5


# Starts and parameters


def test_starts_are_in_range_and_clear_of_each_other() -> None:
    world = make_world(500)
    world.boxes.yaw[:, AGENT] = yaw = np.linspace(0.0, 6.0, 500)
    world.agents[0].begin_all_episodes()
    position = world.boxes.position[:, : BLOCK + 1]
    np.testing.assert_array_equal(position[..., 1], 1.0)  # as in Unity's scene: half a metre above rest
    assert 6.0 < np.abs(position[..., 0]).max() < 6.25
    assert 6.0 < position[..., 2].max() < 6.25
    assert -5.8505 < position[..., 2].min() < -5.6  # 2.5 m before the goal
    apart = np.abs(position[:, AGENT] - position[:, BLOCK])[:, ::2].max(1)
    assert 3.5 < apart.min() < 3.7  # 2.5 m from the block's side
    np.testing.assert_array_equal(world.boxes.yaw[:, AGENT], yaw)
    np.testing.assert_array_equal(world.boxes.velocity, 0.0)


def test_the_first_episode_begins_towards_the_goal_and_in_the_air() -> None:
    """The upper rays, 1.5 m above the middle, see the walls when the agent is down: it falls 0.5 m in 12 steps."""
    world = make_world(1)
    np.testing.assert_allclose(world.boxes.yaw[0, AGENT], np.pi)
    world.agents[0].begin_all_episodes()
    sees_wall = []
    for _ in range(5):
        upper, _ = world.agents[0].observe(slice(None))
        sees_wall.append(bool(np.reshape(upper, (7, 5))[:, 2].any()))
        world.advance(5)
    assert sees_wall == [False, False, False, True, True]


def test_parameters_are_read_at_reset() -> None:
    world = make_world(2)
    for name, value in (("block_scale", 3.0), ("block_drag", 7.0), ("static_friction", 0.9), ("dynamic_friction", 0.4)):
        world.parameters.set(name, value)
    boxes = world.boxes
    np.testing.assert_array_equal(boxes.half_size[:, BLOCK], [(1.0, 0.375, 1.0)] * 2)
    world.agents[0].begin_episodes(np.array([1]))
    np.testing.assert_array_equal(boxes.half_size[:, BLOCK], [(1.0, 0.375, 1.0), (1.5, 0.375, 1.5)])
    np.testing.assert_array_equal(boxes.drag[:, BLOCK], [0.5, 7.0])
    np.testing.assert_array_equal(boxes.friction[1, FLOOR], [0.9, 0.4])


def test_a_dragging_block_is_hard_to_push() -> None:
    """A drag of 50 leaves nothing of a speed after 0.02 s, so v = ((v + 3) 0.92 - 0.271) / 2 in the end."""
    world = at_rest((0.0, 3.5), (0.0, 2.0), SOUTH)
    world.boxes.drag[0, BLOCK] = 50.0
    decide(world, 1, 4)
    lost = 2.0 * 0.3 * 24.525 * 0.02 * 0.92
    np.testing.assert_allclose(-world.boxes.velocity[0, : BLOCK + 1, 2], (3.0 * 0.92 - lost) / 1.08, atol=1e-4)


def test_the_compiled_window_does_what_the_callbacks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same seed and actions, with `advance` compiled and with the academy's own loop: equal bits."""

    def play(world: PushBlockWorld) -> list[np.ndarray]:
        env, rng = SimEnvironment(world), np.random.default_rng(2)
        env.reset()
        columns, ends = [], 0
        for step in range(250):
            decisions, terminals = env.get_steps(NAME)
            ends += len(terminals)
            for steps in (decisions, terminals):
                columns += [*steps.obs, steps.reward, steps.agent_id]
            columns.append(terminals.interrupted)
            if len(decisions):
                action = push_to_goal(world) if step % 3 else ActionTuple(discrete=rng.integers(0, 7, (4, 1), np.int32))
                env.set_actions(NAME, action)
            env.step()
        assert ends > 3
        return columns

    compiled = play(make_world(4))
    monkeypatch.setattr(PushBlockWorld, "advance", World.advance)
    for one, other in zip(compiled, play(make_world(4)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_goes_on_where_it_was_left() -> None:
    """The state, taken over by an environment that was elsewhere, gives the same reports, bit for bit."""
    channel = EnvironmentParametersChannel()
    channel.set_uniform_sampler_parameters("block_scale", 1.0, 3.0, 5)
    one, other = ENTRY.make(seed=1, num_areas=3, side_channels=[channel]), ENTRY.make(seed=2, num_areas=3)
    rngs = np.random.default_rng(0), np.random.default_rng(0)
    for env in (one, other):
        env.reset()
    for _ in range(40):
        one.set_actions(NAME, push_to_goal(one._world))
        one.step()
        while not len(one.get_steps(NAME)[0]):
            one.step()
    other.load_state_dict(one.state_dict())
    for _ in range(80):
        for env, rng in zip((one, other), rngs, strict=True):
            if len(env.get_steps(NAME)[0]):
                env.set_actions(NAME, ActionTuple(discrete=rng.integers(1, 7, (3, 1), np.int32)))
            env.step()
        for a, b in zip(one.get_steps(NAME), other.get_steps(NAME), strict=True):
            for x, y in zip((*a.obs, a.reward, a.agent_id), (*b.obs, b.reward, b.agent_id), strict=True):
                np.testing.assert_array_equal(x, y)
