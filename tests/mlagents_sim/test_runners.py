"""Reacher, Crawler, Walker and Worm: contract, order of events, rewards, ends, resets, and states that go on."""

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
from mlagents_sim.examples import crawler, walker, worm
from mlagents_sim.examples.running import look_rotations
from mlagents_sim.examples.targets import gap_to_cube, refill
from mlagents_sim.physics.articulated import from_euler
from mlagents_sim.visual_geoms import quat_rotations

SIZES = {
    "Reacher": (33, 4, 20),
    "CrawlerStatic": (126, 20, 10),
    "CrawlerDynamic": (126, 20, 8),
    "Walker": (212, 39, 11),
    "WormStatic": (57, 9, 10),
    "WormDynamic": (57, 9, 10),
}
ONE = pytest.mark.parametrize(
    "name", ["WormStatic", *(pytest.param(name, marks=pytest.mark.slow) for name in SIZES if name != "WormStatic")]
)
"""One body in `make test`, all of them in the slow tests."""
FALLING = ("CrawlerStatic", "CrawlerDynamic", "Walker")


def made(name: str, areas: int = 2, seed: int = 1, **parameters: float) -> SimEnvironment:
    channel = EnvironmentParametersChannel()
    for key, value in parameters.items():
        channel.set_float_parameter(key, value)
    env = default_registry[name].make(seed=seed, num_areas=areas, side_channels=[channel])
    env.reset()
    return env


def act(env: SimEnvironment, rng: np.random.Generator) -> None:
    (name,) = env.behavior_specs
    agents, size = len(env.get_steps(name)[0]), env.behavior_specs[name].action_spec.continuous_size
    if agents:
        env.set_actions(name, ActionTuple(rng.uniform(-1.0, 1.0, (agents, size)).astype(np.float32)))


def ragdolls_of(env: SimEnvironment):
    world = env._world
    for name in ("crawlers", "walkers", "worms"):
        if hasattr(world, name):
            return getattr(world, name).ragdolls
    return world.arms


# All of them


@ONE
def test_they_keep_the_contract(name: str) -> None:
    check_env(lambda: default_registry[name].make(seed=3, num_areas=2), steps=60, deterministic=True)


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_unitys(name: str) -> None:
    env = default_registry[name].make()
    ((behavior, spec),) = env.behavior_specs.items()
    assert behavior == f"{name}?team=0"
    observations, actions, areas = SIZES[name]
    assert [each.shape for each in spec.observation_specs] == [(observations,)]
    assert (spec.action_spec.continuous_size, spec.action_spec.discrete_branches) == (actions, ())
    env.reset()
    assert len(env.get_steps(behavior)[0]) == areas


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
            np.testing.assert_array_equal(a.obs[0], b.obs[0])
            np.testing.assert_array_equal(a.reward, b.reward)


@pytest.mark.parametrize("name", SIZES)
def test_the_compiled_window_is_the_loop(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`advance` in one call reports what the academy's own loop over `act` and `integrate` reports."""
    seen = []
    for looped in (False, True):
        if looped:
            monkeypatch.setattr(type(made(name)._world), "advance", World.advance)
        env, rng = made(name), np.random.default_rng(0)
        (behavior,) = env.behavior_specs
        rows = []
        for _ in range(40):
            act(env, rng)
            env.step()
            for steps in env.get_steps(behavior):
                rows += [steps.obs[0].tobytes(), steps.reward.tobytes(), steps.agent_id.tobytes()]
        seen.append(rows)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", SIZES)
def test_what_is_not_a_number_is_refused(name: str) -> None:
    env = made(name)
    (behavior,) = env.behavior_specs
    action = np.zeros((2, SIZES[name][1]), np.float32)
    action[1, 2] = np.nan
    with pytest.raises(UnityActionException, match=r"continuous action 2 of agent 1 \(row 1\) is nan"):
        env.set_actions(behavior, ActionTuple(action))


@pytest.mark.parametrize("name", SIZES)
def test_gravity_is_a_parameter(name: str) -> None:
    """A body of a ragdoll in the air falls with it from the first step; the arm's base does not."""
    env = made(name, gravity=6.0)
    ragdolls = ragdolls_of(env)
    before = ragdolls.velocity[:, 1, 1].copy()
    env._world.integrate()
    if name == "Reacher":
        assert np.abs(ragdolls.velocity[:, 0]).max() == 0.0
    else:
        dt, drag = crawler.STEP_SECONDS, ragdolls.model.drag[0]
        mean = (ragdolls.velocity[..., 1] / ragdolls.inverse_mass).sum(1) / (1.0 / ragdolls.inverse_mass).sum(1)
        if name != "Walker":  # whose feet are on the ground
            np.testing.assert_allclose(mean - before, -6.0 * dt * (1.0 - drag * dt), rtol=1e-6)


@pytest.mark.parametrize("name", SIZES)
def test_they_can_be_seen(opengl, name: str) -> None:
    env, rng = made(name), np.random.default_rng(0)
    first = env.picture(96, 64).copy()
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 3
    for _ in range(3):
        act(env, rng)
        env.step()
    assert (env.picture(96, 64) != first).any()


@pytest.mark.parametrize("name", [name for name in SIZES if name != "Reacher"])
def test_drives_outlive_an_episode_but_not_a_reset(name: str) -> None:
    """In Unity nobody takes targets and strengths back when an agent begins anew."""
    env, rng = made(name), np.random.default_rng(0)
    act(env, rng)
    env.step()
    (batch,) = env._world.agents
    target, limit = ragdolls_of(env).target.copy(), ragdolls_of(env).force_limit.copy()
    batch.begin_episodes(np.arange(2))
    np.testing.assert_array_equal(ragdolls_of(env).target, target)
    np.testing.assert_array_equal(ragdolls_of(env).force_limit, limit)
    assert limit.max() > 0.0
    env.reset()
    assert np.abs(batch.drives.rotation).max() == 0.0
    np.testing.assert_array_equal(ragdolls_of(env).target, ragdolls_of(made(name)).target)
    np.testing.assert_array_equal(ragdolls_of(env).force_limit, ragdolls_of(made(name)).force_limit)


# Ends


@pytest.mark.parametrize("name", FALLING)
def test_who_falls_ends_with_a_punishment_and_nothing_else(name: str) -> None:
    """-1 replaces all that was earned since the last decision; the terminal observation has the fatal contact."""
    env, rng = made(name, areas=1), np.random.default_rng(0)
    (behavior,) = env.behavior_specs
    for _ in range(300):
        act(env, rng)
        env.step()
        terminal = env.get_steps(behavior)[1]
        if len(terminal):
            break
    assert len(terminal) == 1
    assert terminal.reward[0] == -1.0
    assert not terminal.interrupted[0]
    fatal = [10 * i + 12 + 4 * sum(n in walker.DRIVES_OBSERVED for n in walker.OBSERVED[:i]) for i in range(16)]
    flags = fatal if name == "Walker" else [7, *(14 + 28 * i for i in range(4))]
    assert terminal.obs[0][0][flags].max() == 1.0


@pytest.mark.parametrize("name", SIZES)
def test_after_the_step_limit_they_are_cut(name: str) -> None:
    """5000 physics steps, of an arm 4000: the last one is cut, in the middle of the decision."""
    env = made(name)
    (batch,) = env._world.agents
    (behavior,) = env.behavior_specs
    assert batch.max_step == (4000 if name == "Reacher" else 5000)
    batch.arrays.step_count[:] = batch.max_step - env._world.decision_period
    env.set_actions(behavior, ActionTuple(np.zeros((2, SIZES[name][1]), np.float32)))
    env.step()
    assert env.get_steps(behavior)[1].interrupted.tolist() == [True, True]


# Crawler


def test_crawler_begins_as_in_unity() -> None:
    """The body 2.25 m high, looking along +X; the legs straight out in between; nothing moves."""
    env = made("CrawlerStatic", areas=1)
    (behavior,) = env.behavior_specs
    seen = env.get_steps(behavior)[0].obs[0][0]
    assert seen[0] == pytest.approx(2.25 - crawler.STATIC_GROUND_M)
    np.testing.assert_allclose(seen[1:4], (0.0, 0.0, 1.0), atol=2e-3)
    np.testing.assert_allclose(seen[4:7], (0.0, 1.0, 0.0), atol=2e-3)
    # Leg 0 is at the back on the right, 0.9 m out, as the body of scale 1.05 sees it.
    np.testing.assert_allclose(
        seen[21:24], (0.9 * np.sqrt(0.5) / 1.05, -0.15 / 1.05, -0.9 * np.sqrt(0.5) / 1.05), atol=1e-6
    )
    assert np.abs(seen[8:14]).max() == 0.0


def test_crawler_actions_in_their_order() -> None:
    """leg0 X, Y, leg1 X, Y, ..., forelegs X, then strengths of legs and forelegs; axes without a range observe 0."""
    env = made("CrawlerStatic", areas=1)
    (batch,) = env._world.agents
    action = np.linspace(-1.0, 1.0, 20, dtype=np.float32)[np.newaxis]
    batch.decide(ActionTuple(action))
    part = 0.5 * (action[0] + 1.0)
    drive = np.array(batch.observe(slice(None)))[0, 0]
    for i in range(4):
        np.testing.assert_allclose(
            drive[24 + 28 * i : 28 + 28 * i], (part[2 * i], part[2 * i + 1], 0.0, part[12 + i]), rtol=1e-6
        )
        np.testing.assert_allclose(drive[38 + 28 * i : 42 + 28 * i], (part[8 + i], 0.0, 0.0, part[16 + i]), rtol=1e-6)
    ragdolls = env._world.crawlers.ragdolls
    degrees = -60.0 + 60.0 * part[2], -20.0 + 40.0 * part[3]
    np.testing.assert_allclose(ragdolls.target[0, 2], from_euler(degrees[0], degrees[1], 0.0), rtol=1e-6)
    np.testing.assert_allclose(ragdolls.force_limit[0, 1::2], 10_000.0 * part[16:], rtol=1e-6)


def test_crawler_is_paid_for_running_and_looking() -> None:
    """0.03 * 4 m/s + 0.01 * cos, once per physics step, along the way seen at the last decision."""
    world = made("CrawlerStatic", areas=1)._world
    crawlers, (batch,) = world.crawlers, world.agents
    batch.observe(slice(None))
    crawlers.ragdolls.velocity[0, 0] = 4.0 * crawlers.direction[0]
    batch.arrays.reward[:] = 0.0
    batch.act()
    assert batch.arrays.reward[0] == pytest.approx(0.13, abs=1e-4)


def test_a_touched_target_pays_once_and_moves() -> None:
    env = made("CrawlerDynamic", areas=1)
    world = env._world
    crawlers, (batch,) = world.crawlers, world.agents
    place = crawlers.ragdolls.position[0, 0] + (0.5 * crawler.TARGET_EDGE_M + 0.3, 0.0, 0.0)
    crawlers.targets.position[0], crawlers.targets.speed[0] = place, 0.0
    world.integrate()
    touching = np.count_nonzero(crawlers.targets.touched[0])
    assert crawlers.targets.touched[0, 0]
    np.testing.assert_allclose(crawlers.targets.position[0, ::2], place[::2])
    batch.arrays.reward[:] = 0.0
    batch.act()
    assert batch.arrays.reward[0] == pytest.approx(touching, abs=0.05)
    moved = crawlers.targets.position[0].copy()
    assert moved[1] == crawler.TARGET_HEIGHT_M
    assert np.hypot(moved[0], moved[2]) < crawler.TARGET_RADIUS_M
    batch.arrays.reward[:] = 0.0
    world.integrate()
    batch.act()
    assert batch.arrays.reward[0] < 0.5
    assert crawlers.targets.used[0] == 0  # another place was drawn


def test_targets_fall_to_the_ground_and_lie_there() -> None:
    env = made("CrawlerDynamic", areas=1)
    targets = env._world.crawlers.targets
    targets.position[0] = (30.0, 5.0, 30.0)
    for _ in range(200):
        env._world.integrate()
    assert targets.position[0] == pytest.approx((30.0, 0.5 + 0.5 * crawler.TARGET_EDGE_M, 30.0))
    spare = targets.spare[0].copy()
    targets.used[0] = 3
    refill(targets, np.random.default_rng(0))
    np.testing.assert_array_equal(targets.spare[0, :5], spare[3:])


@pytest.mark.parametrize(
    ("begin", "end", "gap"),
    [
        ((3.0, 0, 0), (3.0, 0, 0), 2.0),
        ((-5.0, 2.0, 0), (5.0, 2.0, 0), 1.0),
        ((4.0, 0, 4.0), (9.0, 0, 9.0), np.sqrt(18.0)),
    ],
)
def test_gap_to_a_cube(begin, end, gap) -> None:
    begin, end = (tuple(map(float, vector)) for vector in (begin, end))
    assert gap_to_cube(begin, end, (0.0, 0.0, 0.0), 1.0) == pytest.approx(gap)


# Walker


def test_walker_begins_as_in_unity() -> None:
    """In lane z = -250 to 250 at x = -500, looking along +X; head and hands where the prefab has them."""
    env = made("Walker", areas=11)
    (behavior,) = env.behavior_specs
    seen = env.get_steps(behavior)[0].obs[0]
    np.testing.assert_allclose(seen[:, 5], np.arange(-250.0, 251.0, 50.0))
    np.testing.assert_allclose(seen[:, 3], -500.0)
    np.testing.assert_allclose(seen[0, 4], 2.45 + 0.137, rtol=1e-6)
    np.testing.assert_allclose(seen[0, 6:12], (1, 0, 0, 0, 1, 0), atol=1e-6)
    starts = {
        name: 12 + 10 * i + 4 * sum(n in walker.DRIVES_OBSERVED for n in walker.OBSERVED[:i])
        for i, name in enumerate(walker.OBSERVED)
    }
    scale = np.array(walker.HIPS_SCALE)
    np.testing.assert_allclose(seen[0, starts["head"] + 7 :][:3], (0, 2.874, 0) / scale, atol=1e-5)
    np.testing.assert_allclose(seen[0, starts["handL"] + 7 :][:3], (-3.0, 1.501, 0) / scale, atol=1e-5)
    assert starts["handR"] + 10 == 212


def test_walker_actions_in_their_order() -> None:
    env = made("Walker", areas=1)
    (batch,) = env._world.agents
    action = np.linspace(-1.0, 1.0, 39, dtype=np.float32)[np.newaxis]
    batch.decide(ActionTuple(action))
    part = 0.5 * (action[0] + 1.0)
    joints = [joint.child for joint in walker.WALKER.joints]
    rotation, strength = batch.drives.rotation[0], batch.drives.strength[0]
    np.testing.assert_allclose(rotation[joints.index("chest")], part[:3], rtol=1e-6)
    np.testing.assert_allclose(rotation[joints.index("thighR")], (*part[8:10], 0.0), rtol=1e-6)
    np.testing.assert_allclose(rotation[joints.index("footR")], part[12:15], rtol=1e-6)
    np.testing.assert_allclose(rotation[joints.index("footL")], part[15:18], rtol=1e-6)
    np.testing.assert_allclose(rotation[joints.index("head")], (*part[24:26], 0.0), rtol=1e-6)
    np.testing.assert_allclose(strength[joints.index("footL")], part[31], rtol=1e-6)
    np.testing.assert_allclose(strength[joints.index("forearmR")], part[38], rtol=1e-6)


def test_a_walker_may_touch_the_ground_with_its_feet_only() -> None:
    others = set(range(16)) - set(walker.FATAL.tolist())
    assert others == {walker.WALKER.index("footL"), walker.WALKER.index("footR")}


def test_walker_is_paid_for_a_high_and_calm_head() -> None:
    """At rest 0.01 for looking there, 0.02 * 2.874 m; with a head that moves at 2 m/s against the hips, 0.02 less."""
    world = made("Walker", areas=1)._world
    (batch,) = world.agents
    for speed, shaken in ((0.0, 0.0), (2.0, 0.02)):
        world.walkers.ragdolls.velocity[0, walker.HEAD] = (0.0, 0.0, speed)
        batch.arrays.reward[:] = 0.0
        batch.act()
        assert batch.arrays.reward[0] == pytest.approx(0.01 + 0.02 * 2.874 - shaken, abs=1e-5)


def test_walker_masses_are_parameters() -> None:
    env = made("Walker", hip_mass=20.0, chest_mass=4.0)
    masses = 1.0 / ragdolls_of(env).inverse_mass[0]
    assert masses[[walker.WALKER.index(name) for name in ("hips", "chest", "spine")]] == pytest.approx(
        (20.0, 4.0, 10.0)
    )


# Worm


def test_worm_observes_its_turns_as_unity_does() -> None:
    """The parent's Euler angles, in degrees from 0 to 360, are taken as a direction, and X is turned there."""
    level = worm.turns_to_angles(np.eye(3)[np.newaxis])
    np.testing.assert_allclose(level, [(0, 0, 0, 1)], atol=1e-12)
    # 350 degrees about Y: the direction (0, 350, 0), a quarter turn about Z.
    turned = quat_rotations(from_euler(0.0, -10.0, 0.0))
    np.testing.assert_allclose(
        worm.turns_to_angles(turned[np.newaxis]), [(0, 0, np.sqrt(0.5), np.sqrt(0.5))], atol=1e-12
    )
    angles = np.array((20.0, 30.0, 40.0))
    x, y, z, w = worm.turns_to_angles(quat_rotations(from_euler(*angles))[np.newaxis])[0]
    np.testing.assert_allclose(
        quat_rotations(np.array((w, x, y, z))) @ (1, 0, 0), angles / np.linalg.norm(angles), atol=1e-12
    )


def test_worms_begin_in_any_direction() -> None:
    """The head is where it was, the row of segments is turned about the root, each worm in its own way."""
    env = made("WormStatic", areas=20)
    ragdolls = ragdolls_of(env)
    tail = ragdolls.position[:, 3] - ragdolls.position[:, 0]
    np.testing.assert_allclose(np.linalg.norm(tail, axis=1), 5.8461 - 1.222, rtol=1e-6)
    assert np.abs(tail[:, 1]).max() < 1e-6  # level
    assert len(np.unique(np.sign(tail[:, ::2]), axis=0)) == 4


def test_worm_is_paid_for_crawling_and_for_a_head_that_looks_there() -> None:
    world = made("WormStatic", areas=1)._world
    worms, (batch,) = world.worms, world.agents
    batch.observe(slice(None))
    worms.ragdolls.velocity[0, 0] = 2.0 * worms.direction[0]
    worms.ragdolls.rotation[0, 0] = -worms.looking[0]  # the same rotation
    batch.arrays.reward[:] = 0.0
    batch.act()
    assert batch.arrays.reward[0] == pytest.approx(0.01 * 2.0 + 0.01)


def test_looking_up_has_a_direction_too() -> None:
    rotations = look_rotations(np.array([(0.0, 5.0, 0.0), (0.0, 0.0, 0.0), (3.0, 4.0, 0.0)]))
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0)
    np.testing.assert_allclose(rotations[2][:, 2], (0.6, 0.8, 0.0))
    np.testing.assert_allclose(rotations[2][:, 0], (0.0, 0.0, -1.0), atol=1e-12)
