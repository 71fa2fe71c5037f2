"""An environment that takes over the state of another goes on as that one does, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_sim.academy import World
from mlagents_sim.environment import SimEnvironment


def made(name, seed, areas=5, sampled=False):
    channel = EnvironmentParametersChannel()
    if sampled:
        channel.set_uniform_sampler_parameters("mass", 0.5, 10.0, seed)
        channel.set_gaussian_sampler_parameters("scale", 1.0, 0.2, seed)
        channel.set_float_parameter("gravity", 9.0 + seed)
    env = default_registry[name].make(seed=seed, num_areas=areas, side_channels=[channel])
    env.reset()
    return env


def act(env, rng):
    for name, spec in env.behavior_specs.items():
        agents = len(env.get_steps(name)[0])
        action = spec.action_spec
        env.set_actions(
            name,
            ActionTuple(
                rng.uniform(-1, 1, (agents, action.continuous_size)).astype(np.float32),
                rng.integers(0, action.discrete_branches or (1,), (agents, action.discrete_size)).astype(np.int32),
            ),
        )


def assert_same(one, other):
    for name in one.behavior_specs:
        for a, b in zip(one.get_steps(name), other.get_steps(name), strict=True):
            for x, y in zip((*a.obs, a.reward, a.agent_id), (*b.obs, b.reward, b.agent_id), strict=True):
                np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("steps", [0, 1, 37])
@pytest.mark.parametrize(
    ("name", "sampled"),
    [("Basic", False), ("3DBall", True), ("3DBallHard", True), ("Bouncer", False), ("WallJump", False)],
)
def test_it_goes_on_as_the_other(name, sampled, steps):
    one, other = made(name, 1, sampled=sampled), made(name, 2, sampled=sampled)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        act(one, rng)
        one.step()
    act(one, rng)  # given, but not yet done
    other.load_state_dict(one.state_dict())
    rngs = np.random.default_rng(5), np.random.default_rng(5)
    ended = 0
    for _ in range(120):
        one.step(), other.step()
        assert_same(one, other)
        ended += sum(len(one.get_steps(behavior)[1]) for behavior in one.behavior_specs)
        act(one, rngs[0]), act(other, rngs[1])
    assert ended  # so that new episodes were begun, too


@pytest.mark.parametrize("name", ["Tennis", "SoccerTwosGroups", "StrikersVsGoalie", "PushBlockCollab"])
def test_games_of_many_go_on_as_the_others(name):
    one, other = made(name, 1), made(name, 2)
    rng = np.random.default_rng(0)
    for _ in range(20):
        act(one, rng)
        one.step()
    for batch in one._world.agents:
        batch.arrays.step_count[:] += (
            2890 if name == "StrikersVsGoalie" else 4890
        )  # soon a match without a winner is cut
    act(one, rng)
    other.load_state_dict(one.state_dict())
    rngs = np.random.default_rng(5), np.random.default_rng(5)
    ended = 0
    for _ in range(80):
        one.step(), other.step()
        assert_same(one, other)
        ended += sum(len(one.get_steps(behavior)[1]) for behavior in one.behavior_specs)
        act(one, rngs[0]), act(other, rngs[1])
    assert ended


def test_a_state_is_a_copy():
    env = made("3DBall", 1)
    state = env.state_dict()
    before = {key: array.copy() for key, array in state["memory"]["3DBall?team=0"].items()}
    for _ in range(10):
        env.step()
    for key, array in state["memory"]["3DBall?team=0"].items():
        np.testing.assert_array_equal(array, before[key])


def test_a_state_of_another_environment_is_refused():
    with pytest.raises(ValueError, match="another number of areas"):
        made("3DBall", 1, areas=3).load_state_dict(made("3DBall", 1).state_dict())
    with pytest.raises(ValueError, match="another environment"):
        made("Basic", 1).load_state_dict(made("3DBall", 1).state_dict())


def test_there_is_no_state_unless_all_of_it_is_known(monkeypatch):
    env = made("Basic", 1)
    (batch,) = env._world.agents
    monkeypatch.setattr(type(batch), "state_arrays", lambda self: None)
    assert env.state_dict() is None
    assert SimEnvironment(World([], 1, env._world.parameters)).state_dict() is None
