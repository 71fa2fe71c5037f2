"""3DBall and 3DBallHard: rewards, ends, starts, parameters, and the compiled window."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples.ball3d import ENTRY, HARD_ENTRY, PARAMETERS, Ball3DWorld
from mlagents_sim.parameters import EnvironmentParameters

EASY, HARD = "3DBall?team=0", "3DBallHard?team=0"


def make_world(areas: int, seed: int = 0, *, hard: bool = False) -> Ball3DWorld:
    parameters = EnvironmentParameters("3DBall", PARAMETERS)
    return Ball3DWorld(areas, np.random.default_rng(seed), parameters, hard=hard)


def level(world: Ball3DWorld, height: float) -> None:
    """Start an episode with level platforms and balls at rest above their middle."""
    world.agents[0].begin_all_episodes()
    world.areas.quat[:] = (1.0, 0.0, 0.0, 0.0)
    world.areas.position[:] = world.areas.origin + np.array((0.0, height, 0.0))
    world.areas.velocity[:] = world.areas.spin[:] = 0.0


def balance(observation: np.ndarray) -> np.ndarray:
    """A proportional-derivative controller: tilt against the ball's position and velocity."""
    tilt_z, tilt_x = 2.0 * np.arcsin(observation[:, 0]), 2.0 * np.arcsin(observation[:, 1])
    _, _, x, _, z, vx, _, vz = observation.T
    wanted_z = np.clip(0.15 * (x + vx), -0.3, 0.3)
    wanted_x = np.clip(-0.15 * (z + vz), -0.3, 0.3)
    return np.clip(np.stack((wanted_z - tilt_z, wanted_x - tilt_x), axis=1) / np.radians(10.0), -1.0, 1.0)


def episode_rewards(policy, areas: int, episodes: int) -> np.ndarray:
    """[areas, episodes], the first complete episodes of every agent.

    As trainers count: what is earned before the first decision of an episode belongs to no action.
    """
    env = ENTRY.make(num_areas=areas)
    rewards: list[list[float]] = [[] for _ in range(areas)]
    total, acting = np.zeros(areas), np.zeros(areas, bool)
    env.reset()
    while min(map(len, rewards)) < episodes:
        decisions, terminals = env.get_steps(EASY)
        total[terminals.agent_id] += terminals.reward
        for agent in terminals.agent_id:
            rewards[agent].append(total[agent])
        total[terminals.agent_id], acting[terminals.agent_id] = 0.0, False
        total[decisions.agent_id] += np.where(acting[decisions.agent_id], decisions.reward, 0.0)
        acting[decisions.agent_id] = True
        env.set_actions(EASY, ActionTuple(policy(decisions.obs[0])))
        env.step()
    return np.array([agent_rewards[:episodes] for agent_rewards in rewards])


@pytest.mark.parametrize("entry", [ENTRY, HARD_ENTRY], ids=lambda entry: entry.identifier)
def test_contract(entry) -> None:
    check_env(functools.partial(entry.make, num_areas=3), deterministic=True)


def test_twelve_areas_unless_told_otherwise() -> None:
    env = ENTRY.make()
    env.reset()
    assert len(env.get_steps(EASY)[0]) == 12
    assert [spec.shape for spec in env.behavior_specs[EASY].observation_specs] == [(8,)]
    with pytest.raises(ValueError, match="at least 1; got 0"):
        ENTRY.make(num_areas=0)


def test_random_play_earns_little() -> None:
    """About 0.9."""
    rng = np.random.default_rng(1)
    rewards = episode_rewards(lambda obs: rng.uniform(-1.0, 1.0, (len(obs), 2)), areas=200, episodes=5)
    assert rewards.mean() == pytest.approx(0.9, abs=0.08)  # standard error 0.02


def test_doing_nothing_earns_a_little_more() -> None:
    """About 1.5 to 1.9: a ball that drops without bouncing and then rolls, a = 5/7 g sin(tilt), earns 1.88."""
    rewards = episode_rewards(lambda obs: np.zeros((len(obs), 2)), areas=200, episodes=5)
    assert rewards.mean() == pytest.approx(1.7, abs=0.2)  # standard error 0.03


def test_a_balanced_episode_earns_100_and_is_interrupted() -> None:
    env = ENTRY.make(num_areas=2)
    env.reset()
    total = np.zeros(2)
    for _ in range(999):
        env.set_actions(EASY, ActionTuple(balance(env.get_steps(EASY)[0].obs[0])))
        env.step()
        total += env.get_steps(EASY)[0].reward
    env.set_actions(EASY, ActionTuple(balance(env.get_steps(EASY)[0].obs[0])))
    env.step()
    decisions, terminals = env.get_steps(EASY)
    # The limit is reached in step 5000, the last of a window: both reports come together.
    assert len(decisions) == 2
    np.testing.assert_array_equal(terminals.interrupted, [True, True])
    np.testing.assert_allclose(total + terminals.reward, 100.0, rtol=1e-4)


@pytest.mark.parametrize(
    ("offset", "falls"),
    [
        ((0.0, 3.0, 0.0), False),
        ((2.99, 3.0, 0.0), False),
        ((3.01, 3.0, 0.0), True),
        ((0.0, 3.0, -3.01), True),
        ((0.0, -2.01, 0.0), True),
    ],
)
def test_a_ball_too_far_or_too_low_ends_the_episode(offset, falls: bool) -> None:
    world = make_world(1)
    level(world, 4.0)
    world.areas.position[0] = world.areas.origin[0] + offset
    agents = world.agents[0]
    assert world.advance(1) == ((0, True) if falls else (1, False))
    assert agents.arrays.reward[0] == np.float32(-1.0 if falls else 0.1)


def test_tilt_is_limited_at_29_degrees() -> None:
    world = make_world(2)
    level(world, 50.0)  # out of the way
    world.areas.origin[:, 1] += 45.0
    world.agents[0].arrays.continuous[:] = [(1.0, 0.0), (0.0, -5.0)]  # clipped to -1
    world.advance(40)
    # Turns of 2 degrees go on until the component passes 0.25: sin(14.5 deg) = 0.2504, so 15 turns.
    half = np.radians(15.0)
    np.testing.assert_allclose(
        world.areas.quat, [(np.cos(half), 0, 0, np.sin(half)), (np.cos(half), -np.sin(half), 0, 0)], atol=1e-12
    )


def test_starts_are_in_range_and_keep_the_spin() -> None:
    world = make_world(500)
    areas = world.areas
    areas.velocity[:] = areas.spin[:] = 3.0
    world.agents[0].begin_all_episodes()
    start = areas.position - areas.origin
    np.testing.assert_allclose(start[:, 1], 4.0)
    assert 1.45 < start[:, 0].max() < 1.5
    assert -1.5 < start[:, 2].min() < -1.45
    w, x, y, z = areas.quat.T
    tilt_x, tilt_z = np.degrees(2.0 * np.arctan2(x, w)), np.degrees(2.0 * np.arctan2(z, w))
    np.testing.assert_allclose(y, -x * z / w)  # a turn about X, then about the own Z
    assert 9.5 < tilt_x.max() < 10.0
    assert -10.0 < tilt_z.min() < -9.5
    np.testing.assert_array_equal(areas.velocity, 0.0)
    np.testing.assert_array_equal(areas.spin, 3.0)


def test_areas_do_not_touch_each_other() -> None:
    """The ball of area 0 falls through the platform of area 1."""
    world = make_world(2)
    level(world, 4.0)
    areas = world.areas
    areas.position[0] = areas.origin[1]
    for _ in range(20):
        world.integrate()
    # sum of k * 9.81 * 0.02^2 for k = 1..20
    np.testing.assert_allclose(areas.position[0, 1] - areas.origin[1, 1], -210 * 9.81 * 0.02**2)
    assert areas.position[1, 1] - areas.origin[1, 1] > 2.5


@pytest.mark.parametrize("hard", [False, True])
def test_the_compiled_window_does_what_the_callbacks_do(hard: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same seed and actions, with `advance` compiled and with the academy's own loop: equal bits."""

    def play(world: Ball3DWorld) -> list[np.ndarray]:
        env, name = SimEnvironment(world), HARD if hard else EASY
        rng = np.random.default_rng(2)
        env.reset()
        columns = []
        for _ in range(400):
            decisions, terminals = env.get_steps(name)
            for steps in (decisions, terminals):
                columns += [steps.obs[0], steps.reward, steps.agent_id]
            columns.append(terminals.interrupted)
            env.set_actions(name, ActionTuple(rng.uniform(-1.0, 1.0, (len(decisions), 2))))
            env.step()
        return columns

    compiled = play(make_world(4, hard=hard))
    monkeypatch.setattr(Ball3DWorld, "advance", World.advance)
    for one, other in zip(compiled, play(make_world(4, hard=hard)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_compiled_window_interrupts_like_the_callbacks() -> None:
    stops = []
    for advance in (Ball3DWorld.advance, World.advance):
        world = make_world(1)
        level(world, 4.0)
        agents = world.agents[0]
        agents.arrays.step_count[0] = 4997
        stops.append((advance(world, 5), agents.arrays.end[0], agents.arrays.step_count[0]))
    assert stops == [((2, True), 2, 5000)] * 2


def test_hard_observes_positions_of_nine_decisions_and_no_velocity() -> None:
    easy, hard = ENTRY.make(num_areas=1), HARD_ENTRY.make(num_areas=1)
    frames = []
    for env in (easy, hard):
        env.reset()
    for _ in range(6):
        frames.append(easy.get_steps(EASY)[0].obs[0][0, :5])
        stack = hard.get_steps(HARD)[0].obs[0].reshape(9, 5)
        np.testing.assert_array_equal(stack[9 - len(frames) :], frames)  # oldest first
        np.testing.assert_array_equal(stack[: 9 - len(frames)], 0.0)
        for env in (easy, hard):
            env.step()


def test_parameters_are_read_at_reset() -> None:
    channel = EnvironmentParametersChannel()
    env = ENTRY.make(num_areas=2, side_channels=[channel])
    channel.set_float_parameter("scale", 0.5)
    env.reset()
    world = env._world
    assert isinstance(world, Ball3DWorld)
    np.testing.assert_array_equal(world.areas.gravity, 9.81)
    channel.set_float_parameter("gravity", 20.0)
    env.step()
    np.testing.assert_array_equal(world.areas.gravity, 9.81)  # the episode goes on as it began
    env.reset()
    env.step()
    decisions, _ = env.get_steps(EASY)
    np.testing.assert_allclose(decisions.obs[0][:, 6], -2.0, rtol=1e-6)  # 0.1 s at 20 m/s^2
    np.testing.assert_array_equal(world.areas.radius, 0.25)


@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_a_ball_of_any_size_rests_on_the_platform(scale: float) -> None:
    world = make_world(1)
    world.parameters.set("scale", scale)
    level(world, 2.5 + 0.5 * scale + 0.1)
    for _ in range(100):
        world.integrate()
    height = world.areas.position[0, 1] - world.areas.origin[0, 1]
    assert height == pytest.approx(2.5 + 0.5 * scale, abs=1e-9)  # rigid: it does not sink in
    np.testing.assert_allclose(world.areas.velocity[0], 0.0, atol=1e-12)


def test_hard_reads_the_scale_only_once() -> None:
    world = make_world(2, hard=True)
    agents = world.agents[0]
    for scale, gravity in ((2.0, 10.0), (3.0, 20.0)):
        world.parameters.set("scale", scale)
        world.parameters.set("gravity", gravity)
        agents.begin_all_episodes()
        np.testing.assert_array_equal(world.areas.radius, 1.0)
        np.testing.assert_array_equal(world.areas.gravity, gravity)


@pytest.mark.parametrize(("drop", "bounces"), [(0.1, False), (1.0, True)])
def test_only_fast_balls_bounce(drop: float, bounces: bool) -> None:
    """From 0.1 m a ball comes at 1.4 m/s, less than 2; from 1 m at 4.4 m/s, and goes at a twentieth of that."""
    world = make_world(1)
    level(world, 3.0 + drop)
    speed = []
    for _ in range(40):
        world.integrate()
        speed.append(world.areas.velocity[0, 1])
    hit = int(np.argmin(speed))
    assert speed[hit] == pytest.approx(-np.sqrt(2.0 * 9.81 * drop), abs=0.3)
    # Gravity is added before the bounce.
    assert max(speed) == pytest.approx(0.05 * (9.81 * 0.02 - speed[hit]) if bounces else 0.0, abs=1e-9)


def test_a_ball_on_a_slope_rolls_without_slipping() -> None:
    """A solid ball gains 5/7 of what gravity would give along the slope: 9.81 sin 10 degrees."""
    world = make_world(1)
    level(world, 4.0)
    half = np.radians(5.0)
    areas = world.areas
    areas.quat[0] = (np.cos(half), 0.0, 0.0, np.sin(half))
    up = np.array((-np.sin(2 * half), np.cos(2 * half), 0.0))
    areas.position[0] = areas.origin[0] + 3.0 * up
    for _ in range(10):
        world.integrate()
    speed = np.linalg.norm(areas.velocity[0])
    # Each step's gain is 0.02 s long; the spin's drag, 0.01 1/s, takes less than 0.2 %.
    assert speed == pytest.approx(5.0 / 7.0 * 9.81 * np.sin(2 * half) * 0.2, rel=2e-3)
    slip = areas.velocity[0] + np.cross(areas.spin[0], -0.5 * up)
    np.testing.assert_allclose(slip, 0.0, atol=1e-9)
