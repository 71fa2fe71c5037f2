"""Today's Crawler, Walker and Worm: contract, observations in their order, the product of two rewards, ends, resets."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.exception import UnityActionException
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples import goal_speed, modern_walker
from mlagents_sim.examples.running import xyzw
from mlagents_sim.physics.articulated import from_euler, multiply, reset

# name: behavior, observations, actions, agents
SIZES = {
    "Crawler": ("Crawler?team=0", [(126,), (32,)], 20, 10),
    "WalkerModern": ("Walker?team=0", [(243,)], 39, 10),
    "Worm": ("Worm?team=0", [(64,)], 9, 10),
}
ALL = pytest.mark.parametrize("name", SIZES)
ONE = pytest.mark.parametrize("name", ["Worm", *(pytest.param(n, marks=pytest.mark.slow) for n in list(SIZES)[:2])])
HALF = np.sqrt(0.5)


def made(name: str, areas: int = 2, seed: int = 1, **parameters: float) -> SimEnvironment:
    channel = EnvironmentParametersChannel()
    for key, value in parameters.items():
        channel.set_float_parameter(key, value)
    env = default_registry[name].make(seed=seed, num_areas=areas, side_channels=[channel])
    env.reset()
    return env


def act(env: SimEnvironment, rng: np.random.Generator) -> None:
    ((name, spec),) = env.behavior_specs.items()
    agents = len(env.get_steps(name)[0])
    if agents:
        size = (agents, spec.action_spec.continuous_size)
        env.set_actions(name, ActionTuple(rng.uniform(-1.0, 1.0, size).astype(np.float32)))


def at_rest(name: str, speed: float = 4.0) -> tuple[goal_speed.RunnerWorld, goal_speed.Runners]:
    """One of them, not turned, looking along +Z; its target is 3 m away along +X, on the level of its first body."""
    world = made(name, areas=1)._world
    runners = world.runners
    reset(runners.ragdolls, np.array([0]))
    runners.targets.position[0] = runners.ragdolls.position[0, 0] + (3.0, 0.0, 0.0)
    runners.ahead[0], runners.speed[0] = (1.0, 0.0, 0.0), speed
    world.agents[0].arrays.reward[:] = 0.0
    return world, runners


def seen_by(world: World) -> list[np.ndarray]:
    return [np.asarray(each)[0] for each in world.agents[0].observe(slice(None))]


def earned(world: World) -> float:
    world.agents[0].arrays.reward[:] = 0.0
    world.agents[0].act()
    return float(world.agents[0].arrays.reward[0])


# All of them


@ONE
def test_they_keep_the_contract(name: str) -> None:
    check_env(lambda: default_registry[name].make(seed=3, num_areas=2), steps=60, deterministic=True)


@ALL
def test_sizes_are_unitys(name: str) -> None:
    env = default_registry[name].make()
    ((behavior, spec),) = env.behavior_specs.items()
    expected, observations, actions, areas = SIZES[name]
    assert behavior == expected
    assert [each.shape for each in spec.observation_specs] == observations
    assert (spec.action_spec.continuous_size, spec.action_spec.discrete_branches) == (actions, ())
    env.reset()
    assert len(env.get_steps(behavior)[0]) == areas
    assert env._world.agents[0].max_step == 5000


@ONE
def test_a_state_goes_on_bit_for_bit(name: str) -> None:
    one, other, rng = made(name), made(name, seed=2), np.random.default_rng(0)
    for _ in range(20):
        act(one, rng)
        one.step()
    other.load_state_dict(one.state_dict())
    rngs = np.random.default_rng(5), np.random.default_rng(5)
    for _ in range(60):
        act(one, rngs[0]), act(other, rngs[1])
        one.step(), other.step()
        (behavior,) = one.behavior_specs
        for a, b in zip(one.get_steps(behavior), other.get_steps(behavior), strict=True):
            for mine, others in zip(a.obs, b.obs, strict=True):
                np.testing.assert_array_equal(mine, others)
            np.testing.assert_array_equal(a.reward, b.reward)


@ALL
def test_the_compiled_window_is_the_loop(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`advance` in one call reports what the academy's own loop over `act` and `integrate` reports."""
    seen = []
    for looped in (False, True):
        if looped:
            monkeypatch.setattr(goal_speed.RunnerWorld, "advance", World.advance)
        env, rng = made(name), np.random.default_rng(0)
        (behavior,) = env.behavior_specs
        rows = []
        for _ in range(40):
            act(env, rng)
            env.step()
            for steps in env.get_steps(behavior):
                rows += [*(obs.tobytes() for obs in steps.obs), steps.reward.tobytes(), steps.agent_id.tobytes()]
        seen.append(rows)
    assert seen[0] == seen[1]


@ALL
def test_what_is_not_a_number_is_refused(name: str) -> None:
    env = made(name)
    (behavior,) = env.behavior_specs
    action = np.zeros((2, SIZES[name][2]), np.float32)
    action[1, 2] = np.nan
    with pytest.raises(UnityActionException, match=r"continuous action 2 of agent 1 \(row 1\) is nan"):
        env.set_actions(behavior, ActionTuple(action))


@ALL
def test_they_can_be_seen(opengl, name: str) -> None:
    env, rng = made(name), np.random.default_rng(0)
    first = env.picture(96, 64).copy()
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 3
    for _ in range(3):
        act(env, rng)
        env.step()
    assert (env.picture(96, 64) != first).any()


@ALL
def test_they_begin_turned_to_any_side_and_are_asked_for_any_speed(name: str) -> None:
    env = made(name, areas=40, gravity=12.0)
    runners, agents = env._world.runners, env._world.agents[0]
    lowest, highest = agents.runner.speeds
    assert (runners.speed >= lowest).all()
    assert (runners.speed <= highest).all()
    assert lowest == highest or np.ptp(runners.speed) > 0.7 * (highest - lowest)
    assert (runners.gravity == 12.0).all()
    w, x, y, z = runners.ragdolls.rotation[:, 0].T
    forward = np.stack((2 * (x * z + w * y), 1 - 2 * (x * x + y * y)), axis=1)
    np.testing.assert_allclose(np.linalg.norm(forward, axis=1), 1.0)
    assert len(np.unique(np.sign(forward), axis=0)) == 4
    distance = np.linalg.norm(runners.targets.position[:, ::2], axis=1)
    assert distance.max() <= agents.runner.target[1]


@ALL
def test_drives_outlive_an_episode_but_not_a_reset(name: str) -> None:
    env, rng = made(name), np.random.default_rng(0)
    act(env, rng)
    env.step()
    (batch,), ragdolls = env._world.agents, env._world.runners.ragdolls
    target, limit = ragdolls.target.copy(), ragdolls.force_limit.copy()
    assert limit.max() > 0.0
    batch.begin_episodes(np.arange(2))
    np.testing.assert_array_equal(ragdolls.target, target)
    np.testing.assert_array_equal(ragdolls.force_limit, limit)
    env.reset()
    assert np.abs(batch.drives.rotation).max() == 0.0
    assert ragdolls.force_limit.max() == 0.0


# Rewards


@ALL
def test_speed_and_looking_are_multiplied(name: str) -> None:
    """At 3 of 4 m/s, (1 - (1 / 4)^2)^2; looking 90 degrees aside, (0 + 1) / 2, which Worm is not paid for at all."""
    world, runners = at_rest(name)
    runners.ragdolls.velocity[0, :] = (3.0, 0.0, 0.0)
    assert earned(world) == pytest.approx(0.0 if name == "Worm" else (15.0 / 16.0) ** 2 * 0.5, abs=1e-6)
    runners.targets.position[0] = runners.ragdolls.position[0, 0] + (0.0, 0.0, 3.0)
    runners.ragdolls.velocity[0, :] = (0.0, 0.0, 3.0)
    assert earned(world) == pytest.approx((15.0 / 16.0) ** 2, abs=1e-6)
    runners.ragdolls.velocity[0, :] = (0.0, 0.0, -1.0)  # further from the goal than the goal itself
    assert earned(world) == 0.0


def test_what_is_measured() -> None:
    """Crawler and Walker: the mean of all bodies, not weighted; Worm: the head alone."""
    for name, part in (("Crawler", 1.0 / 9.0), ("WalkerModern", 1.0 / 16.0), ("Worm", 1.0)):
        world, runners = at_rest(name, speed=10.0)
        runners.targets.position[0] = runners.ragdolls.position[0, 0] + (0.0, 0.0, 3.0)
        runners.ragdolls.velocity[0, 0] = (0.0, 0.0, 9.0)
        missing = 1.0 - 0.9 * part
        assert earned(world) == pytest.approx((1.0 - missing**2) ** 2, abs=1e-6)


@pytest.mark.parametrize(("degrees", "expected"), [(0.0, 1.0), (20.0, 1.0 - 20.0 / 180.0), (31.0, 0.0)])
def test_worms_head_must_look_within_30_degrees(degrees: float, expected: float) -> None:
    world, runners = at_rest("Worm")
    runners.targets.position[0] = runners.ragdolls.position[0, 0] + (0.0, 0.0, 3.0)
    runners.ragdolls.velocity[0, 0] = (0.0, 0.0, 4.0)
    runners.ragdolls.rotation[0, 0] = from_euler(0.0, 0.0, degrees)  # rolling counts, too
    assert earned(world) == pytest.approx(expected, abs=1e-6)


def test_walker_looks_with_its_head() -> None:
    world, runners = at_rest("WalkerModern")
    runners.ragdolls.velocity[0, :] = (4.0, 0.0, 0.0)
    runners.ragdolls.rotation[0, modern_walker.HEAD] = from_euler(0.0, 60.0, 0.0)
    assert earned(world) == pytest.approx(0.5 * (np.cos(np.radians(30.0)) + 1.0), abs=1e-6)


@ALL
def test_a_touched_target_pays_one_and_moves(name: str) -> None:
    world, runners = at_rest(name)
    place = runners.ragdolls.position[0, 0].copy()
    runners.targets.position[0] = place
    world.integrate()
    assert runners.targets.touched[0].any()
    runners.ragdolls.velocity[0, :] = (0.0, -50.0, 0.0)  # earns nothing else
    assert earned(world) == 1.0
    assert runners.targets.position[0, 1] == world.agents[0].runner.target[2]
    world.integrate()
    runners.ragdolls.velocity[0, :] = (0.0, -50.0, 0.0)
    assert earned(world) == 0.0


# Ends


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("Crawler", {"foreleg0", "foreleg1", "foreleg2", "foreleg3"}),
        ("WalkerModern", {"shinL", "shinR", "footL", "footR"}),
        ("Worm", {"seg0", "seg1", "seg2", "seg3"}),
    ],
)
def test_what_may_touch_the_ground(name: str, harmless: set[str]) -> None:
    world = made(name, areas=1)._world
    bodies = [body.name for body in world.agents[0].runner.ragdoll.bodies]
    assert {bodies[i] for i in range(len(bodies)) if i not in world.runners.fatal} == harmless


@pytest.mark.parametrize("name", ["Crawler", "WalkerModern"])
def test_who_falls_ends_with_a_punishment_and_nothing_else(name: str) -> None:
    env, rng = made(name, areas=1), np.random.default_rng(0)
    (behavior,) = env.behavior_specs
    for _ in range(400):
        act(env, rng)
        env.step()
        terminal = env.get_steps(behavior)[1]
        if len(terminal):
            break
    assert terminal.reward.tolist() == [-1.0]
    assert not terminal.interrupted[0]


# Observations


def test_crawler_observes_its_bodies_and_its_goal() -> None:
    """All seen by somebody who looks along +X, so that the world's Z is to the left, at x = -z."""
    world, runners = at_rest("Crawler", speed=7.0)
    runners.ragdolls.velocity[0, :] = (2.0, 1.0, 0.5)
    runners.ragdolls.touches[0, 2, 0] = 1  # foreleg 0
    action = np.linspace(-1.0, 1.0, 20, dtype=np.float32)[np.newaxis]
    world.agents[0].decide(ActionTuple(action))
    body, vector = seen_by(world)
    np.testing.assert_allclose(body[:7], (0, 0, 0, 0, -HALF, 0, HALF), atol=1e-12)
    # Leg 0 points to the rear on the right; of its own frame, with the root, it is turned by 45 degrees less.
    out, eighth = 0.815 * HALF, np.radians(67.5)
    np.testing.assert_allclose(body[7:14], (out, 0, out, 0, -np.sin(eighth), 0, np.cos(eighth)), atol=1e-12)
    np.testing.assert_allclose(body[63:90].reshape(9, 3), np.tile((-0.5, 1.0, 2.0), (9, 1)), atol=1e-12)
    np.testing.assert_allclose(body[90:94], (0, 0, 0, 1))
    np.testing.assert_allclose(body[94:98], (0, -np.sin(np.pi / 8), 0, np.cos(np.pi / 8)), atol=1e-12)
    np.testing.assert_allclose(body[98:102], (0, 0, 0, 1), atol=1e-12)  # a foreleg is not turned against its leg
    assert vector[0] == pytest.approx(np.sqrt(0.5**2 + 1.0 + 5.0**2))
    np.testing.assert_allclose(vector[1:7], (-0.5, 1.0, 2.0, 0.0, 0.0, 7.0), atol=1e-12)
    np.testing.assert_allclose(vector[7:11], (0, HALF, 0, HALF), atol=1e-12)  # to the right
    np.testing.assert_allclose(vector[11:14], (0, 0, 3.0), atol=1e-12)
    assert vector[14] == pytest.approx((2.506 - 0.5) / 10.0)
    strength = 0.5 * (action[0, 12:] + 1.0)
    expected = [0.0]
    for i in range(4):
        expected += [0.0, strength[i], float(i == 0), strength[4 + i]]
    np.testing.assert_allclose(vector[15:], expected, rtol=1e-6)


def test_crawler_drives() -> None:
    world, runners = at_rest("Crawler")
    action = np.linspace(-1.0, 1.0, 20, dtype=np.float32)[np.newaxis]
    world.agents[0].decide(ActionTuple(action))
    part = 0.5 * (action[0].astype(np.float64) + 1.0)
    expected = from_euler(-60.0 + 60.0 * part[2], -20.0 + 40.0 * part[3], 0.0)
    np.testing.assert_allclose(runners.ragdolls.target[0, 2], expected, rtol=1e-6)
    np.testing.assert_allclose(runners.ragdolls.force_limit[0, 1::2], 20_000.0 * part[16:], rtol=1e-6)
    np.testing.assert_array_equal(runners.ragdolls.model.joints.drive, np.tile((40_000.0, 5_000.0), (8, 1)))


def test_walker_observes_its_goal_and_all_its_parts() -> None:
    world, runners = at_rest("WalkerModern", speed=5.0)
    ragdoll = modern_walker.RAGDOLL
    runners.ragdolls.velocity[0, :] = (2.0, 0.0, 0.0)
    runners.ragdolls.angular_velocity[0, ragdoll.index("handL")] = (0.0, 3.0, 0.0)
    runners.ragdolls.touches[0, ragdoll.index("footR"), 0] = 1
    runners.ragdolls.rotation[0, modern_walker.HEAD] = from_euler(0.0, 90.0, 0.0)
    action = np.linspace(-1.0, 1.0, 39, dtype=np.float32)[np.newaxis]
    world.agents[0].decide(ActionTuple(action))
    (seen,) = seen_by(world)
    np.testing.assert_allclose(seen[:7], (3.0, 0, 0, 2.0, 0, 0, 5.0), atol=1e-12)
    np.testing.assert_allclose(seen[7:18], (0, HALF, 0, HALF, 0, 0, 0, 1, 0, 0, 3.0), atol=1e-12)
    without = ("hips", "handL", "handR")
    starts, first = {}, 18
    for name in modern_walker.OBSERVED:
        starts[name], first = first, first + (10 if name in without else 15)
    assert first == 243
    np.testing.assert_allclose(seen[18:28], (0, 0, 0, 2.0, 0, 0, 0, 0, 0, 0), atol=1e-12)
    # The left hand is at the world's -X, which is behind who looks along +X.
    hand = seen[starts["handL"] :][:10]
    np.testing.assert_allclose(hand, (0, 0, 0, 2.0, 0, 3.0, 0, 0, 0.491, -0.9735), atol=1e-12)
    head = seen[starts["head"] :][:15]
    np.testing.assert_allclose(head[10:14], (0, HALF, 0, HALF), atol=1e-12)
    assert head[14] == pytest.approx(0.5 * (action[0, 26 + 2] + 1.0))
    assert seen[starts["footR"]] == 1.0
    assert seen[starts["footL"]] == 0.0
    assert seen[starts["footR"] + 14] == pytest.approx(0.5 * (action[0, 26 + 8] + 1.0))


def test_worm_observes_its_goal_and_all_its_segments() -> None:
    world, runners = at_rest("Worm")
    runners.speed[0] = 10.0
    runners.ragdolls.rotation[0, 0] = from_euler(0.0, 60.0, 0.0)
    runners.ragdolls.velocity[0, 1] = (2.0, 0.0, 0.0)
    runners.ragdolls.touches[0, 3, 0] = 1
    action = np.linspace(-1.0, 1.0, 9, dtype=np.float32)[np.newaxis]
    world.agents[0].decide(ActionTuple(action))
    (seen,) = seen_by(world)
    np.testing.assert_allclose(seen[:5], (0.05, 0, 0, 10.0, 30.0 / 180.0), atol=1e-9)
    sixth = np.radians(15.0)
    np.testing.assert_allclose(seen[5:12], (0, np.sin(sixth), 0, np.cos(sixth), 0, 0, 3.0), atol=1e-12)
    strength = 0.5 * (action[0, 6:] + 1.0)
    np.testing.assert_allclose(seen[12:20], (0, 0, 0, 0, 0, 0, 0, strength[0]), atol=1e-6)
    one = seen[20:35]
    # The second segment is 1.333 m behind along -Z, to the right of who looks along +X; its parent looks aside.
    turn = (0, -0.5, 0, np.cos(np.radians(30.0)))
    np.testing.assert_allclose(one, (0, 0, 0, 2.0, 0, 0, 0, 1.333, 0, 0, *turn, strength[1]), atol=1e-6)
    assert seen[50] == 1.0  # the last segment, which has no strength
    np.testing.assert_allclose(seen[57:], (3.55, 0, 0, 0, 0, 0, 1.0), atol=1e-6)


def test_worm_drives_each_segment_against_the_next() -> None:
    world, runners = at_rest("Worm")
    action = np.linspace(-1.0, 1.0, 9, dtype=np.float32)[np.newaxis]
    world.agents[0].decide(ActionTuple(action))
    numbers = action[0].astype(np.float64)
    for i in range(3):
        expected = from_euler(60.0 * numbers[2 * i], 60.0 * numbers[2 * i + 1], 0.0)
        np.testing.assert_allclose(runners.ragdolls.target[0, i], expected, atol=1e-6)
    np.testing.assert_array_equal(runners.ragdolls.model.joints.body, [(0, 1), (1, 2), (2, 3)])
    np.testing.assert_allclose(runners.ragdolls.force_limit[0], 10_000.0 * 0.5 * (numbers[6:] + 1.0), rtol=1e-6)


def test_the_shortest_turn_to_what_is_ahead() -> None:
    """A half turn of who looks straight back; and turned by it, everybody looks ahead."""
    rng = np.random.default_rng(0)
    quats = rng.standard_normal((20, 4))
    quats[0] = (0.0, 1.0, 0.0, 0.0)  # looks back
    quats[1] = (0.0, 0.0, 0.0, 1.0)
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    turns = goal_speed.turn_to_ahead(quats)
    np.testing.assert_allclose(np.linalg.norm(turns, axis=1), 1.0)
    np.testing.assert_allclose(turns[1], (0, 0, 0, 1))
    w_first = lambda q: np.roll(q, 1, axis=-1)  # noqa: E731
    ahead = xyzw(multiply(w_first(turns), w_first(quats)))
    x, y = ahead.T[:2]
    np.testing.assert_allclose(1 - 2 * (x * x + y * y), 1.0, atol=1e-12)
