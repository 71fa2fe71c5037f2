"""Bouncer: when cubes ask for decisions, how they fly, what they earn, and a recording made in Unity."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.demonstrations import load_demonstration
from mlagents_envs.exception import UnityActionException
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.examples.bouncer import ENTRY, PARAMETERS, BouncerWorld
from mlagents_sim.parameters import EnvironmentParameters

NAME = "Bouncer?team=0"
FAR = (15.0, 50.0, 15.0)
MOST_STEPS = 300


def make_world(gravity: float = 19.62) -> BouncerWorld:
    """One area whose target is out of the way."""
    parameters = EnvironmentParameters("Bouncer", PARAMETERS)
    parameters.set("gravity", gravity)
    world = BouncerWorld(1, np.random.default_rng(0), parameters)
    world.bouncers.begin_all_episodes()
    world.areas.target[0] = world.areas.next_target[0] = FAR
    return world


def jump(world: BouncerWorld, start, action) -> int:
    """Let the cube jump from where it is down; returns after how many steps it asks again."""
    areas = world.areas
    areas.position[0], areas.velocity[0] = start, 0.0
    areas.asks[0], areas.cooldown[0], areas.jumps_left[0] = True, 4, 20  # as after the step in which it asked
    world.bouncers.arrays.continuous[0] = action
    for step in range(1, MOST_STEPS):
        assert world.advance(1) == (1, False)
        if areas.asks[0] or world.bouncers.arrays.end[0]:
            return step
    raise AssertionError("the cube never came down")


def test_contract() -> None:
    check_env(functools.partial(ENTRY.make, num_areas=18), deterministic=True)


def test_specs() -> None:
    env = ENTRY.make()
    (sensor,) = env.behavior_specs[NAME].observation_specs
    assert (sensor.name, sensor.shape) == ("StackingSensor_size3_VectorSensor_size6", (18,))
    assert env.behavior_specs[NAME].action_spec.continuous_size == 3
    env.reset()
    # All fall from 2 m, ask together, and then each when it comes down.
    assert len(env.get_steps(NAME)[0]) == 18
    rng = np.random.default_rng(0)
    asked = []
    for _ in range(40):
        decisions, _ = env.get_steps(NAME)
        env.set_actions(NAME, ActionTuple(rng.uniform(-1.0, 1.0, (len(decisions), 3)).astype(np.float32)))
        env.step()
        asked.append(len(env.get_steps(NAME)[0]))
    assert 0 < np.median(asked) <= max(asked) < 18


def test_an_action_that_is_no_number_is_refused() -> None:
    env = ENTRY.make(num_areas=1)
    env.reset()
    with pytest.raises(UnityActionException, match="is nan; expected a finite number"):
        env.set_actions(NAME, ActionTuple(np.full((1, 3), np.nan, np.float32)))


def test_the_first_decision_comes_when_the_cube_has_fallen() -> None:
    """From 2 m until its ray of 0.51 m meets the floor at 0.5 m: sum of k g dt^2 >= 0.99 for k = 1..n, n = 16."""
    env = ENTRY.make(num_areas=1)
    env.reset()
    decisions, _ = env.get_steps(NAME)
    frames = decisions.obs[0].reshape(3, 6)
    np.testing.assert_array_equal(frames[:2], 0.0)
    assert frames[2, 1] == pytest.approx(2.0 - 136 * 19.62 * 0.02**2, abs=1e-6)
    np.testing.assert_array_equal(frames[2, 3:], env._world.areas.target[0].astype(np.float32))


def test_a_jump_is_a_throw() -> None:
    """10 (a0, (a1 + 1) / 2 + 1, a2) m/s, clipped; then gravity alone, until the cube is down."""
    world = make_world()
    steps = jump(world, (0.0, 0.9, 0.0), (0.3, 5.0, -0.2))
    height = 0.9 + 0.02 * 20.0 * steps - 19.62 * 0.02**2 * steps * (steps + 1) / 2
    np.testing.assert_allclose(world.areas.position[0], (0.06 * steps, height, -0.04 * steps))
    assert 0.6 < height <= 1.01
    np.testing.assert_array_equal(world.areas.velocity, 0.0)  # it stops where it asks
    assert world.bouncers.arrays.reward[0] == pytest.approx(-0.05 * (0.09 + 1.0 + 0.04) / 3.0)


def test_a_cube_just_above_the_floor_is_held_and_does_not_slide() -> None:
    """With a gap of 1.5 cm and 5 m/s downwards, 0.8 of the gap is closed, and friction of 1.2 N stops 5.6 m/s."""
    world = make_world()
    areas = world.areas
    areas.position[0], areas.velocity[0], areas.cooldown[0] = (0.0, 1.015, 0.0), (3.0, -5.0, -4.0), 9
    world.integrate()
    np.testing.assert_allclose(areas.position[0], (0.0, 1.003, 0.0))
    np.testing.assert_allclose(areas.velocity[0], (0.0, -0.6, 0.0))


def test_the_target_pays_once_and_moves() -> None:
    world = make_world()
    areas, arrays = world.areas, world.bouncers.arrays
    areas.target[0], areas.next_target[0] = (0.0, 5.0, 0.0), FAR
    before = areas.is_caught.copy()
    jump(world, (0.0, 0.9, 0.0), (0.0, 1.0, 0.0))
    assert not before[0]
    assert arrays.reward[0] == pytest.approx(1.0 - 0.05 / 3.0)
    np.testing.assert_array_equal(areas.target[0], FAR)
    low, high = areas.next_target[0] - (-5.0, 2.0, -5.0), (5.0, 7.0, 5.0) - areas.next_target[0]
    assert min(low) > 0.0 < min(high)  # drawn anew


@pytest.mark.parametrize(("height", "turned", "inside"), [(1.95, 0.0, True), (1.95, 45.0, True), (2.05, 0.0, False)])
def test_a_target_is_a_box_that_turns(height: float, turned: float, inside: bool) -> None:
    """Its half size is 1, so it ends 1.5 m below; turned by 45 degrees its edge is 1.41 + 0.5 below."""
    world = make_world(gravity=4.0)
    areas = world.areas
    areas.position[0], areas.target[0], areas.turned[0] = (0.0, 5.0, 0.0), (0.0, 5.45 + height - 1.95 + 1.0, 0.0), 0.0
    areas.turned[0] = np.radians(turned)
    distance = areas.target[0, 1] - areas.position[0, 1]
    world.integrate()
    reach = 1.5 if turned == 0.0 else np.sqrt(2.0) + 0.5
    assert (distance + 4.0 * 0.02**2 < reach) == inside
    assert bool(areas.is_inside[0]) == inside


def test_who_stands_on_the_target_asks_in_the_air() -> None:
    """The ray is 1 cm longer than the cube; in Unity's recording a cube stops at 5.8 m this way, too."""
    world = make_world()
    areas = world.areas
    areas.target[0] = (0.0, 4.0, 0.0)
    areas.position[0], areas.velocity[0] = (0.0, 5.505, 0.0), (0.0, 19.62 * 0.02, 0.0)
    world.integrate()
    assert areas.asks[0]
    assert areas.position[0, 1] == pytest.approx(5.505)


def test_who_leaves_the_floor_loses() -> None:
    world = make_world()
    jump(world, (18.5, 0.9, 0.0), (1.0, -1.0, 0.0))
    arrays = world.bouncers.arrays
    assert arrays.end[0] == 1
    assert arrays.reward[0] == pytest.approx(-1.0 - 0.1 / 3.0)
    assert world.areas.position[0, 0] > 19.0


def test_an_episode_has_nineteen_jumps() -> None:
    """The twentieth is asked for, and not made: the episode ends instead."""
    env = ENTRY.make(num_areas=1)
    env.reset()
    jumps = 0
    while not len(env.get_steps(NAME)[1]):
        env.set_actions(NAME, ActionTuple(np.zeros((1, 3), np.float32)))
        env.step()
        jumps += 1
    decisions, terminals = env.get_steps(NAME)
    assert jumps == 19
    assert len(decisions) == 0
    assert not terminals.interrupted[0]
    env.step()
    assert env.get_steps(NAME)[0].obs[0][0, 12:].any()
    np.testing.assert_array_equal(env.get_steps(NAME)[0].obs[0][0, :12], 0.0)


def test_starts_and_parameters() -> None:
    channel = EnvironmentParametersChannel()
    channel.set_float_parameter("target_scale", 2.0)
    env = ENTRY.make(num_areas=300, side_channels=[channel])
    env.reset()
    areas = env._world.areas
    np.testing.assert_array_equal(areas.half_size, 2.0)
    for place in (areas.target, areas.next_target):
        assert -5.0 <= place[:, ::2].min() < -4.8 < 4.8 < place[:, ::2].max() <= 5.0
        assert 2.0 <= place[:, 1].min() < 2.1 < 6.9 < place[:, 1].max() <= 7.0


def test_the_compiled_step_does_what_the_callbacks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def play() -> list[np.ndarray]:
        env = ENTRY.make(num_areas=4, seed=3)
        rng, columns = np.random.default_rng(1), []
        env.reset()
        for _ in range(150):
            decisions, terminals = env.get_steps(NAME)
            columns += [decisions.obs[0], decisions.reward, terminals.obs[0], terminals.reward]
            env.set_actions(NAME, ActionTuple(rng.uniform(-1.0, 1.0, (len(decisions), 3)).astype(np.float32)))
            env.step()
        return columns

    compiled = play()
    monkeypatch.setattr(BouncerWorld, "advance", World.advance)
    for one, other in zip(compiled, play(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_recorded_jumps(shared_data) -> None:
    """From each recorded place, with the recorded action, to the next; gravity was 2 x 9.80 there.

    Left out are the last jumps of episodes, after which the cube was put elsewhere before it was recorded.
    """
    world = make_world(gravity=19.6)
    errors = []
    for episode in load_demonstration(shared_data / "demos" / "ExpertBouncer.demo").episodes:
        places = episode.obs[0][:, 12:15].astype(np.float64)
        jumps = len(episode.action.continuous) - episode.is_whole
        for start, end, action in zip(places[:jumps], places[1:], episode.action.continuous[:jumps], strict=False):
            jump(world, start, action)
            errors.append(np.abs(world.areas.position[0] - end).max())
    exact = np.array(errors) < 0.01
    assert len(exact) == 91
    assert exact.mean() > 0.98  # in the one that differs the cube came down on the target
    assert np.median(errors) < 1e-4
