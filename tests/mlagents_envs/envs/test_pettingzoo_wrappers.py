"""The PettingZoo wrappers: PettingZoo's own tests on every environment, and what these cannot know."""

from __future__ import annotations

import logging

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test
from scripted_env import NAME, Scripted, decide, end, spec

import mlagents_envs.envs
from mlagents_envs.base_env import ActionSpec
from mlagents_envs.envs import env_helpers, pettingzoo_env_factory
from mlagents_envs.envs.pettingzoo_env_factory import PettingZooEnvFactory
from mlagents_envs.envs.unity_aec_env import UnityAECEnv
from mlagents_envs.envs.unity_parallel_env import UnityParallelEnv
from mlagents_envs.exception import UnityWorkerInUseException
from mlagents_envs.registry import UnityEnvRegistry, default_registry
from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from toys.environments import environments

pytestmark = [
    pytest.mark.filterwarnings("ignore:" + advice)
    for advice in (  # how environments written for PettingZoo should be
        "Agent's m.*imum observation space value is",
        "We recommend agents to be named",
        "Observation space for each agent probably should be",
        "Action space for each agent probably should be",
        "Observation is not a NumPy array",
        "Observation numpy array is all zeros",
        "Agents have different",
        "The class of .* spaces is different",
        "Observations (between agents )?are different",
        "The observation contains negative numbers",
        "No agents present but not all possible_agents",  # those of WallJump begin each episode as one of two
    )
]

A0, A1, A2 = (f"{NAME}?agent_id={i}" for i in range(3))


@pytest.mark.parametrize("name", environments())
def test_every_environment_passes_pettingzoos_tests(name):
    def make(seed):
        return default_registry[name].make(seed=seed, num_areas=3)

    parallel_api_test(UnityParallelEnv(make), 200)
    api_test(UnityAECEnv(make), 100)
    parallel_seed_test(lambda: UnityParallelEnv(make), 50)
    seed_test(lambda: UnityAECEnv(make), 50)


@pytest.mark.parametrize("action", [ActionSpec(2, ()), ActionSpec(0, (3,)), ActionSpec(0, (3, 2)), ActionSpec(1, (3,))])
@pytest.mark.parametrize("shapes", [[(2,)], [(2,), (3, 4, 5)]])
def test_every_kind_of_space_passes_pettingzoos_tests(action, shapes):
    forbid = [(0, 1)] if action.discrete_branches else ()

    def make(_):
        playing = [([decide(i, 0.5 + i, 0.25, forbid) for i in range(2)], []) for _ in range(5)]
        one_ended = [([decide(1, 0.7, 1.0, forbid)], [end(0, 0.5, 1.0)])]
        alone = [([decide(1, 0.9, 0.0, forbid)], []) for _ in range(2)]
        return Scripted(
            [*playing, *one_ended, *alone, ([], [end(1, 0.5, 2.0, interrupted=True)])], spec(action, *shapes)
        )

    parallel_api_test(UnityParallelEnv(make), 50)
    api_test(UnityAECEnv(make), 20)
    parallel_seed_test(lambda: UnityParallelEnv(make), 5)
    seed_test(lambda: UnityAECEnv(make), 5)


def parallel(*frames, action=None, shapes=(), **options):
    inner = Scripted(frames, spec(action or ActionSpec.create_continuous(1), *shapes))
    env = UnityParallelEnv(inner, **options)
    env.reset()
    return env, inner


def act(env, value=0.5):
    return env.step({agent: np.float32([value]) for agent in env.agents})


def test_an_agent_that_ends_is_seen_once_with_all_that_ended_it():
    env, inner = parallel(
        ([decide(0, 1.0), decide(1, 1.0)], []),
        ([decide(0, 9.0, 9.0), decide(1, 2.0, 0.5)], [end(0, 2.0, -1.0)]),  # 0 has begun anew
        ([decide(0, 9.0, 9.0), decide(1, 3.0, 0.5)], []),
        ([decide(0, 9.0, 9.0)], [end(1, 4.0, 1.5, interrupted=True)]),
    )
    assert env.agents == [A0, A1]
    observations, rewards, terminations, truncations, infos = act(env)
    assert env.agents == [A1]
    assert observations[A0].tolist() == [2, 2]
    assert rewards == {A0: -1.0, A1: 0.5}
    assert terminations == {A0: True, A1: False}
    assert truncations == {A0: False, A1: False}
    assert infos[A0] == {"behavior_name": NAME, "group_id": 0, "group_reward": 0.0, "interrupted": False}
    assert "interrupted" not in infos[A1]
    observations, rewards, *_ = act(env)
    assert rewards == {A1: 0.5}
    assert inner.actions[-1][NAME].continuous.tolist() == [[0.0], [0.5]]  # unseen, 0 does nothing
    observations, rewards, terminations, truncations, infos = act(env)
    assert (observations[A1].tolist(), rewards, terminations, truncations) == (
        [4, 4],
        {A1: 1.5},
        {A1: False},
        {A1: True},
    )
    assert env.agents == []
    assert env.possible_agents == [A0, A1]
    with pytest.raises(gymnasium.error.Error, match="reset"):
        env.step({})
    observations, _ = env.reset()
    assert set(observations) == {A0, A1}


def test_a_step_lasts_until_somebody_decides():
    env, inner = parallel(
        ([decide(0), decide(1)], []),
        ([], [end(0, 2.0, 1.0)]),
        ([decide(0, 9.0)], []),
        ([decide(1, 3.0, 0.5)], []),
    )
    _, rewards, terminations, *_ = act(env)
    assert rewards == {A0: 1.0, A1: 0.5}
    assert terminations == {A0: True, A1: False}
    assert len(inner.actions) == 3


def test_who_does_not_report_keeps_its_observation_and_its_action_is_not_used():
    env, inner = parallel(([decide(0, 1.0), decide(1, 1.0)], []), ([decide(1, 2.0, 1.0)], []), ([decide(1, 3.0)], []))
    observations, rewards, terminations, *_ = act(env)
    assert env.agents == [A0, A1]
    assert (observations[A0].tolist(), rewards[A0], terminations[A0]) == ([1, 1], 0.0, False)
    act(env, 0.75)
    assert inner.actions[-1][NAME].continuous.tolist() == [[0.75]]


def test_newcomers_join():
    env, _ = parallel(([decide(0)], []), ([decide(0), decide(2, 5.0, 3.0)], []), seed=1)
    observations, rewards, *_ = act(env)
    assert env.agents == env.possible_agents == [A0, A2]
    assert observations[A2].tolist() == [5, 5]
    assert rewards[A2] == 3.0
    assert env.action_space(A2) is env.action_space(A2)
    env_aec = UnityAECEnv(Scripted([([decide(0)], []), ([decide(0), decide(2, 5.0)], [])]))
    env_aec.reset()
    env_aec.step(np.float32([0]))
    assert env_aec.possible_agents == env_aec.agents == [A0, A2]


def test_agents_that_come_after_the_reset_are_waited_for():
    inner = Scripted([([], []), ([], []), ([decide(0, 3.0)], [])])
    assert UnityParallelEnv(inner).reset()[0][A0].tolist() == [3, 3]


def test_masks_say_what_is_allowed():
    env, _ = parallel(([decide(0, forbid=[(0, 1)])], []), ([], [end(0)]), action=ActionSpec(0, (3,)))
    observations, infos = env.reset()
    np.testing.assert_array_equal(observations[A0]["action_mask"], np.int8([1, 0, 1]))
    assert observations[A0]["observation"].tolist() == [0, 0]
    assert "action_mask" not in infos[A0]
    space = env.action_space(A0)
    assert {int(space.sample(observations[A0]["action_mask"])) for _ in range(50)} == {0, 2}
    observations, *_ = env.step({A0: 2})
    np.testing.assert_array_equal(observations[A0]["action_mask"], np.int8([1, 1, 1]))


def test_masks_of_several_branches_and_of_both_kinds_of_actions():
    forbid = [(0, 1), (1, 0)]
    env, _ = parallel(([decide(0, forbid=forbid)], []), action=ActionSpec(0, (3, 2)))
    mask = env.reset()[0][A0]["action_mask"]
    assert [part.tolist() for part in mask] == [[1, 0, 1], [0, 1]]
    assert env.action_space(A0).sample(mask)[1] == 1
    env, _ = parallel(([decide(0, forbid=forbid)], []), action=ActionSpec(1, (3, 2)))
    observations, infos = env.reset()
    assert observations[A0].tolist() == [0, 0]
    assert env.action_space(A0).sample(infos[A0]["action_mask"])[1][1] == 1


@pytest.mark.parametrize(
    ("action", "space", "value", "continuous", "discrete"),
    [
        (ActionSpec(2, ()), spaces.Box(-1, 1, (2,), np.float32), np.array([0.5, -1.0]), [[0.5, -1]], [[]]),
        (ActionSpec(0, (3,)), spaces.Discrete(3), 2, [[]], [[2]]),
        (ActionSpec(0, (3, 2)), spaces.MultiDiscrete([3, 2]), np.array([2, 1]), [[]], [[2, 1]]),
        (
            ActionSpec(1, (3, 2)),
            spaces.Tuple((spaces.Box(-1, 1, (1,), np.float32), spaces.MultiDiscrete([3, 2]))),
            (np.array([0.5]), np.array([2, 1])),
            [[0.5]],
            [[2, 1]],
        ),
    ],
)
def test_actions_reach_the_environment(action, space, value, continuous, discrete):
    env, inner = parallel(([decide(0)], []), action=action)
    assert env.action_space(A0) == space
    assert env.action_spaces == {A0: space}
    env.step({A0: value})
    sent = inner.actions[0][NAME]
    assert (sent.continuous.tolist(), sent.discrete.tolist()) == (continuous, discrete)


@pytest.mark.parametrize("action", [None, np.float32([2.0]), np.float32([0.0, 0.0]), np.float32([np.nan])])
def test_impossible_actions_are_refused(action):
    env, _ = parallel(([decide(0)], []))
    with pytest.raises(gymnasium.error.Error, match="agent_id=0"):
        env.step({} if action is None else {A0: action})
    env = UnityAECEnv(Scripted([([decide(0), decide(1)], [])]))
    env.reset()
    with pytest.raises(gymnasium.error.Error, match="agent_id=0"):
        env.step(action)


def test_several_observations_are_a_tuple():
    env, _ = parallel(([decide(0, 0.5)], []), shapes=[(2,), (3, 4, 5)])
    box = spaces.Box(-np.inf, np.inf, (2,), np.float32), spaces.Box(-np.inf, np.inf, (3, 4, 5), np.float32)
    assert env.observation_space(A0) == spaces.Tuple(box)
    assert env.observation_spaces == {A0: spaces.Tuple(box)}
    vector, image = env.reset()[0][A0]
    assert (vector.shape, image.shape) == ((2,), (3, 4, 5))


def test_agents_in_turns():
    frames = [
        ([decide(0, 1.0), decide(1, 1.0)], []),
        ([decide(1, 2.0, 0.5)], [end(0, 2.0, -1.0)]),
        ([], [end(1, 3.0, 2.0)]),
    ]
    inner = Scripted(frames)
    env = UnityAECEnv(inner, seed=1)
    env.reset()
    seen = []
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, _ = env.last()
        seen.append((agent, observation[0], reward, terminated, truncated))
        env.step(None if terminated or truncated else np.float32([0.5]))
    assert seen == [
        (A0, 1, 0, False, False),
        (A1, 1, 0, False, False),
        (A0, 2, -1.0, True, False),
        (A1, 2, 0.5, False, False),
        (A1, 3, 2.0, True, False),
    ]
    assert len(inner.actions) == 2
    with pytest.raises(gymnasium.error.Error, match="reset"):
        env.step(None)
    env.close()
    env.close()
    assert inner.closed == 1


def test_seeds():
    def make(seed):
        return Scripted([([decide(0, seed), decide(1, seed)], [])])

    env = UnityParallelEnv(make, seed=4)
    assert env.reset()[0][A0].tolist() == [4, 4]
    assert env.reset(seed=6)[0][A0].tolist() == [6, 6]
    again = UnityParallelEnv(make)
    again.seed(4)
    samples = [[wrapper.action_space(agent).sample().item() for agent in (A0, A1)] for wrapper in (env, again)]
    assert samples[0] == samples[1]
    assert samples[0][0] != samples[0][1]


def test_a_seed_without_effect_is_told(caplog):
    env, _ = parallel(([decide(0)], []))
    with caplog.at_level(logging.WARNING):
        env.reset(seed=5)
    assert "reset(seed=5) changes nothing" in caplog.text


def test_side_channels_are_at_hand():
    channel = EngineConfigurationChannel()
    for env in (
        default_registry["Basic"].make(side_channels=[channel]),
        Scripted([([decide(0)], [])], None, [channel]),
    ):
        assert UnityAECEnv(env).side_channel == {"EngineConfigurationChannel": channel}


def test_environments_are_attributes_of_the_package():
    from mlagents_envs.envs import ThreeDBall

    assert isinstance(ThreeDBall, PettingZooEnvFactory)
    assert ThreeDBall.env_id == "3DBall"
    assert {"Basic", "ThreeDBall", "ThreeDBallHard"} <= set(dir(mlagents_envs.envs))
    with pytest.raises(AttributeError, match="FourDBall"):
        _ = mlagents_envs.envs.FourDBall
    env = ThreeDBall.env(seed=3, num_areas=2)
    assert isinstance(env, UnityAECEnv)
    assert len(env.possible_agents) == 2
    assert set(env.side_channel) == {"EngineConfigurationChannel", "EnvironmentParametersChannel", "StatsSideChannel"}


def test_the_factory_looks_for_a_free_port(monkeypatch):
    class Entry(BaseRegistryEntry):
        ports = ()

        def make(self, **kwargs):
            self.ports += (kwargs["base_port"],)
            if kwargs["base_port"] < 6002:
                raise UnityWorkerInUseException(0)
            return Scripted([([decide(0)], [])], side_channels=kwargs["side_channels"])

    registry, entry = UnityEnvRegistry(), Entry("Player", None, None)
    registry.register(entry)
    monkeypatch.setattr(pettingzoo_env_factory, "default_registry", registry)
    assert PettingZooEnvFactory("Player").env(side_channels=[]).side_channel == {}
    assert entry.ports == (6000, 6001, 6002)
    with pytest.raises(UnityWorkerInUseException):
        PettingZooEnvFactory("Player").env(base_port=5005)


def test_names_of_agents():
    name = env_helpers._behavior_to_agent_id("3DBall?team=2", 4)
    assert name == "3DBall?team=2?agent_id=4"
    assert env_helpers._agent_id_to_behavior(name) == "3DBall?team=2"
    assert env_helpers._parse_behavior(name) == ("3DBall", 2)
    assert env_helpers._parse_behavior("3DBall") == ("3DBall", 0)
