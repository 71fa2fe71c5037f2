"""A world behind `BaseEnv`: actions, errors, side channels, repeatability."""

from __future__ import annotations

import logging
import uuid

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_envs.exception import (
    UnityActionException,
    UnityEnvironmentException,
    UnitySideChannelException,
)
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.raw_bytes_channel import RawBytesChannel
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples import ball3d
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.sensors import VectorSensor

NAME = "Echo?team=0"


class Echo(AgentBatch):
    """Observes what it did last: two numbers, then two choices."""

    def __init__(self, count: int) -> None:
        spec = ActionSpec.create_hybrid(2, (2, 3))
        super().__init__(NAME, count, [VectorSensor(4)], spec)
        self.done = np.zeros((count, 4))

    def reset(self, rows):
        self.done[rows] = 0.0

    def observe(self, rows):
        return [self.done[rows]]

    def act(self):
        self.done[:] = np.hstack([self.actions.continuous, self.actions.discrete])


class EchoWorld(World):
    def __init__(self, count: int = 3) -> None:
        parameters = EnvironmentParameters("Echo", {"speed": Parameter("speed, m/s", 2.0, 1.0, 3.0)})
        super().__init__([Echo(count)], 1, parameters)

    def integrate(self):
        self.record_stat("speed", self.parameters.read("speed", 1)[0], StatsAggregationMethod.MOST_RECENT)


def make(*channels, count: int = 3) -> SimEnvironment:
    env = SimEnvironment(EchoWorld(count), list(channels))
    env.reset()
    return env


def observed(env: SimEnvironment) -> np.ndarray:
    return env.get_steps(NAME)[0].obs[0]


def actions(continuous, discrete) -> ActionTuple:
    return ActionTuple(np.array(continuous, np.float32), np.array(discrete, np.int32))


def test_actions_reach_the_agents_and_are_zero_if_not_set() -> None:
    env = make()
    env.set_actions(NAME, actions([[1, 2], [3, 4], [5, 6]], [[1, 2], [0, 1], [1, 0]]))
    env.step()
    np.testing.assert_array_equal(observed(env), [[1, 2, 1, 2], [3, 4, 0, 1], [5, 6, 1, 0]])
    env.step()
    np.testing.assert_array_equal(observed(env), np.zeros((3, 4)))


def test_one_agent_may_be_told_apart_from_the_others() -> None:
    env = make()
    env.set_action_for_agent(NAME, 1, actions([[3, 4]], [[0, 1]]))
    env.step()
    np.testing.assert_array_equal(observed(env), [[0, 0, 0, 0], [3, 4, 0, 1], [0, 0, 0, 0]])
    given = actions(np.ones((3, 2)), np.ones((3, 2)))
    env.set_actions(NAME, given)
    env.set_action_for_agent(NAME, 2, actions([[7, 7]], [[0, 0]]))
    env.step()
    np.testing.assert_array_equal(observed(env), [[1, 1, 1, 1], [1, 1, 1, 1], [7, 7, 0, 0]])
    np.testing.assert_array_equal(given.continuous, 1.0)  # the caller's arrays are left alone


@pytest.mark.parametrize(
    ("continuous", "discrete", "message"),
    [
        ([[0, 0], [0, np.nan], [0, 0]], np.zeros((3, 2)), r"continuous action 1 of agent 1 \(row 1\) is nan"),
        ([[0, 0], [0, 0], [-np.inf, 0]], np.zeros((3, 2)), r"continuous action 0 of agent 2 \(row 2\) is -inf"),
        (np.zeros((3, 2)), [[0, 0], [0, 3], [0, 0]], r"branch 1 of agent 1 \(row 1\) is 3; expected 0 to 2"),
        (np.zeros((3, 2)), [[0, 0], [0, 0], [-1, 0]], r"branch 0 of agent 2 \(row 2\) is -1; expected 0 to 1"),
        (np.zeros((2, 2)), np.zeros((2, 2)), r"shape \(2, 2\); expected \(3, 2\)"),
    ],
)
def test_actions_that_mean_nothing_are_refused(continuous, discrete, message: str) -> None:
    env = make()
    with pytest.raises(UnityActionException, match=message) as error:
        env.set_actions(NAME, actions(continuous, discrete))
    assert NAME in str(error.value)


def test_large_finite_actions_are_fine() -> None:
    env = make()
    env.set_actions(NAME, actions(np.full((3, 2), 3e38), np.zeros((3, 2))))


def test_one_agents_actions_are_checked_too() -> None:
    env = make()
    with pytest.raises(UnityActionException, match="of agent 2"):
        env.set_action_for_agent(NAME, 2, actions([[np.nan, 0]], [[0, 0]]))
    with pytest.raises(IndexError, match=r"Agent 9 .* waiting are agents \[0, 1, 2\]"):
        env.set_action_for_agent(NAME, 9, actions([[0, 0]], [[0, 0]]))


def test_unknown_behaviors_are_named_with_the_nearest_known() -> None:
    env = make()
    for call in (env.get_steps, lambda name: env.set_actions(name, actions([], []))):
        with pytest.raises(UnityActionException, match=r"Did you mean 'Echo\?team=0'"):
            call("Echo")


def test_before_the_first_reset() -> None:
    env = SimEnvironment(EchoWorld())
    assert list(env.behavior_specs) == [NAME]
    env.set_actions(NAME, actions(np.ones((3, 2)), np.ones((3, 2))))  # nobody waits: no effect
    with pytest.raises(KeyError, match="reset"):
        env.get_steps(NAME)
    env.step()
    np.testing.assert_array_equal(observed(env), np.zeros((3, 4)))


def test_after_close() -> None:
    env = make()
    env.close()
    env.close()
    for call in (env.step, env.reset):
        with pytest.raises(UnityEnvironmentException, match="closed"):
            call()


def test_parameters_and_statistics_travel_in_process() -> None:
    parameters, stats = EnvironmentParametersChannel(), StatsSideChannel()
    env = make(parameters, stats)
    env.step()
    parameters.set_float_parameter("speed", 2.5)
    env.step()
    most_recent = StatsAggregationMethod.MOST_RECENT
    assert stats.get_and_reset_stats() == {"speed": [(2.0, most_recent), (2.5, most_recent)]}
    parameters.set_float_parameter("speed", 3.5)
    with pytest.raises(UnitySideChannelException, match=r"'speed' of Echo .* between 1 and 3 .* got 3.5"):
        env.step()


def test_engine_configuration_has_no_effect_and_strangers_are_mentioned_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, stranger = EngineConfigurationChannel(), RawBytesChannel(uuid.UUID(int=1))
    env = make(engine, stranger)
    with caplog.at_level(logging.WARNING, "mlagents_sim"):
        for _ in range(3):
            engine.set_configuration_parameters(time_scale=20.0)
            stranger.send_raw_data(b"hello")
            env.step()
    assert len(caplog.records) == 1
    assert str(stranger.channel_id) in caplog.text


def test_the_seed_decides() -> None:
    def play(seed: int) -> np.ndarray:
        env, name = ball3d.ENTRY.make(seed=seed, num_areas=3), "3DBall?team=0"
        rng = np.random.default_rng(0)
        env.reset()
        seen = []
        for _ in range(60):
            decisions, terminals = env.get_steps(name)
            seen += [*decisions.obs[0], *terminals.obs[0]]
            env.set_actions(name, ActionTuple(rng.uniform(-1.0, 1.0, (len(decisions), 2))))
            env.step()
        return np.array(seen)

    np.testing.assert_array_equal(play(-1), play(-1))
    assert not np.array_equal(play(0)[:3], play(1)[:3])
