"""Gymnasium environments as a `BaseEnv`."""

from __future__ import annotations

import logging
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given
from hypothesis import strategies as st

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_envs.envs.unity_gym_env import UnityToGymWrapper
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException, UnityObservationException
from mlagents_envs.foreign.encoding import ActionDecoder, ObservationEncoder
from mlagents_envs.foreign.from_gymnasium import GymnasiumEnvironment, make_gymnasium
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.testing import check_env

BOTH_MODES = [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP]


class Clock(gymnasium.Env):
    """Observes [steps, seed]; ends by itself after `length` steps, is cut after `limit`; the reward is the action."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = spaces.Box(np.float32([0, -np.inf]), np.float32([10, np.inf]))

    def __init__(self, length=100, limit=100):
        self._length, self._limit = length, limit
        self._seed = 0

    def reset(self, *, seed=None, options=None):
        self._seed = self._seed if seed is None else seed
        self._time = 0
        return self._observe(), {}

    def step(self, action):
        self._time += 1
        return self._observe(), float(action[0]), self._time == self._length, self._time == self._limit, {}

    def _observe(self):
        return np.array([self._time, self._seed], np.float64)


def clocks(*ends, mode=AutoresetMode.SAME_STEP, seed=0):
    copies = [lambda end=end: Clock(*end) for end in ends]
    return GymnasiumEnvironment(SyncVectorEnv(copies, autoreset_mode=mode), "Clock?team=0", seed)


def played(env, actions):
    env.set_actions("Clock?team=0", ActionTuple(np.float32(actions)))
    env.step()
    return env.get_steps("Clock?team=0")


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1", "Taxi-v4", "FrozenLake-v1", "Blackjack-v1"])
@pytest.mark.parametrize("num_areas", [1, 5])
def test_the_contract(env_id, num_areas):
    check_env(lambda: make_gymnasium(env_id, seed=3, num_areas=num_areas), deterministic=True)


@pytest.mark.parametrize("mode", BOTH_MODES)
def test_the_contract_with_either_autoreset(mode):
    check_env(lambda: clocks((3, 9), (9, 4), (5, 5), mode=mode, seed=2), deterministic=True)


@pytest.mark.parametrize("name", ["Basic", "3DBall"])
def test_there_and_back_again(name):
    def make():
        copies = [lambda: UnityToGymWrapper(default_registry[name].make(num_areas=1))] * 2
        return GymnasiumEnvironment(SyncVectorEnv(copies, autoreset_mode=AutoresetMode.SAME_STEP), "Back?team=0")

    check_env(make)


def test_what_is_reported_is_what_the_environment_said():
    ours, name = make_gymnasium("Pendulum-v1", num_areas=1, seed=7), "Pendulum?team=0"
    theirs = gymnasium.make("Pendulum-v1")
    first = int(np.random.SeedSequence(7).generate_state(1)[0])
    observation, _ = theirs.reset(seed=first)
    ours.reset()
    rng = np.random.default_rng(0)
    for step in range(1, 401):
        np.testing.assert_array_equal(ours.get_steps(name)[0].obs[0][0], observation)
        action = np.float32(rng.uniform(-1, 1, (1, 1)))
        ours.set_actions(name, ActionTuple(action))
        ours.step()
        observation, reward, _, truncated, _ = theirs.step(2 * action[0])  # the torque is in [-2, 2]
        decisions, terminals = ours.get_steps(name)
        if step % 200 == 0:
            assert truncated
            assert terminals.interrupted.tolist() == [True]
            np.testing.assert_array_equal(terminals.obs[0][0], observation)
            assert terminals.reward[0] == np.float32(reward)
            assert decisions.reward[0] == 0.0
            observation, _ = theirs.reset()
        else:
            assert len(terminals) == 0
            assert decisions.reward[0] == np.float32(reward)


def test_who_ended_begins_anew_in_the_same_report():
    env = clocks((2, 9), (9, 2))
    env.reset()
    played(env, [[-1, 0], [1, 0]])
    decisions, terminals = played(env, [[-1, 0], [1, 0]])
    assert terminals.agent_id.tolist() == [0, 1]
    assert terminals.interrupted.tolist() == [False, True]
    assert terminals.obs[0][:, 0].tolist() == [2, 2]
    assert terminals.reward.tolist() == [0, 10]
    assert decisions.agent_id.tolist() == [0, 1]
    assert decisions.obs[0][:, 0].tolist() == [0, 0]
    assert decisions.reward.tolist() == [0, 0]


def test_an_end_by_itself_at_the_limit_is_no_interruption():
    env = clocks((2, 2))
    env.reset()
    played(env, [[0, 0]])
    assert played(env, [[0, 0]])[1].interrupted.tolist() == [False]


def test_who_ended_begins_anew_in_the_next_report_if_the_vector_does_so():
    env = clocks((1, 9), (9, 9), mode=AutoresetMode.NEXT_STEP)
    env.reset()
    decisions, terminals = played(env, [[1, 0], [1, 0]])
    assert (decisions.agent_id.tolist(), decisions.obs[0][:, 0].tolist()) == ([1], [1])
    assert (terminals.agent_id.tolist(), terminals.obs[0][:, 0].tolist()) == ([0], [1])
    decisions, terminals = played(env, [[-1, 0]])
    assert len(terminals) == 0
    assert decisions.agent_id.tolist() == [0, 1]
    assert decisions.obs[0][:, 0].tolist() == [0, 2]
    assert decisions.reward.tolist() == [0, 0]


def test_a_vector_that_does_not_reset_is_refused():
    with pytest.raises(UnityEnvironmentException, match="SAME_STEP"):
        clocks((1, 1), mode=AutoresetMode.DISABLED)


def test_seeds_differ_between_copies_and_workers_and_hold_for_the_first_reset():
    seen = set()
    for worker in range(3):
        env, name = make_gymnasium("Pendulum-v1", num_areas=3, seed=worker), "Pendulum?team=0"
        env.reset()
        starts = env.get_steps(name)[0].obs[0][:, 2].tolist()
        seen.update(starts)
        env.reset()
        assert env.get_steps(name)[0].obs[0][:, 2].tolist() != starts
    assert len(seen) == 9


def test_masks_of_infos():
    env, name = make_gymnasium("Taxi-v4", num_areas=2, seed=0), "Taxi?team=0"
    env.reset()
    (mask,) = env.get_steps(name)[0].action_mask
    assert mask.shape == (2, 6)
    assert mask.any(axis=1).all()


class Masked(Clock):
    """Nothing but the first choice is allowed at first, then nothing."""

    observation_space = spaces.Dict({"action_mask": spaces.MultiBinary(3), "time": spaces.Box(0, 9, ())})
    action_space = spaces.Discrete(3)

    def step(self, action):
        return super().step([action])

    def _observe(self):
        return {"action_mask": np.int8([self._time == 0, 0, 0]), "time": np.float32(self._time)}


@pytest.mark.parametrize("mode", BOTH_MODES)
def test_masks_of_observations(mode):
    copies = [lambda: Masked(length=1), lambda: Masked()]
    env = GymnasiumEnvironment(SyncVectorEnv(copies, autoreset_mode=mode), "Clock?team=0")
    (sensor,) = env.behavior_specs["Clock?team=0"].observation_specs
    assert (sensor.name, sensor.shape) == ("time", (1,))
    env.reset()
    begins, anything = [False, True, True], [False, False, False]
    assert env.get_steps("Clock?team=0")[0].action_mask[0].tolist() == [begins, begins]
    env.step()
    new = [begins] if mode == AutoresetMode.SAME_STEP else []
    assert env.get_steps("Clock?team=0")[0].action_mask[0].tolist() == [*new, anything]


@pytest.mark.parametrize(
    ("env_id", "words"),
    [
        ("CartPol-v1", ["CartPole-v1"]),
        ("cartpole-v1", ["CartPole-v1"]),
        ("CartPole", ["CartPole-v1"]),
        ("CartPole-v7", ["v7", "CartPole-v1"]),
        ("no_such_module:CartPole-v1", ["no_such_module"]),
        ("", ["env-name"]),
    ],
)
def test_unknown_environments(env_id, words):
    with pytest.raises(UnityEnvironmentException) as caught:
        make_gymnasium(env_id)
    for word in [f"gym:{env_id}", *words]:
        assert word in str(caught.value)


def test_an_environment_that_lacks_a_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "Box2D", None)
    with pytest.raises(UnityEnvironmentException, match="Box2D is not installed"):
        make_gymnasium("LunarLander-v3")


def test_names_of_behaviors(monkeypatch):
    for env_id in ("my_games/Clock-v3", "Watch-v0"):
        monkeypatch.setitem(gymnasium.registry, env_id, gymnasium.envs.registration.EnvSpec(env_id, Clock))
    assert list(make_gymnasium("my_games/Clock-v3").behavior_specs) == ["Clock?team=0"]
    assert list(make_gymnasium("gymnasium:Watch-v0").behavior_specs) == ["Watch?team=0"]


def test_num_areas():
    env = make_gymnasium("Pendulum-v1")
    env.reset()
    assert len(env.get_steps("Pendulum?team=0")[0]) == 8
    with pytest.raises(ValueError, match="at least 1; got 0"):
        make_gymnasium("Pendulum-v1", num_areas=0)


def test_an_environment_parameter_without_effect_is_told_once(caplog):
    channel = EnvironmentParametersChannel()
    env = make_gymnasium("Pendulum-v1", side_channels=[channel])
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            channel.set_float_parameter("gravity", 3.0)
            env.reset()
    assert [record.message for record in caplog.records] == [
        "Environment parameter 'gravity' has no effect: GymnasiumEnvironment has no parameters."
    ]


# Observations

VECTOR_SPACES = st.recursive(
    st.one_of(
        st.integers(1, 5).map(lambda n: spaces.Box(-9, 9, (n,), np.float32)),
        st.builds(spaces.Discrete, st.integers(1, 6), start=st.integers(-3, 3)),
        st.lists(st.integers(1, 4), min_size=1, max_size=3).map(spaces.MultiDiscrete),
        st.integers(-3, 3).map(lambda start: spaces.MultiDiscrete([2, 3], start=[start, 1])),
        st.integers(1, 4).map(spaces.MultiBinary),
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple),
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1).map(spaces.Dict),
    ),
    max_leaves=4,
)


@given(VECTOR_SPACES, st.integers(0, 2**31 - 1))
def test_vectors_are_what_gymnasium_flattens_to(space, seed):
    space.seed(seed)
    samples = [space.sample() for _ in range(3)]
    encoder = ObservationEncoder(space)
    columns = encoder.encode(samples)
    assert [column.shape for column in columns] == [(3, *spec.shape) for spec in encoder.specs]
    assert all(column.dtype == np.float32 for column in columns)
    for row, sample in enumerate(samples):
        ours = np.concatenate([column[row] for column in columns])
        np.testing.assert_array_equal(ours, spaces.flatten(space, sample).astype(np.float32))


def encoded(space, value):
    (column,) = ObservationEncoder(space).encode([np.asarray(value, space.dtype)])
    return column[0]


def test_images_with_channels_last_or_first_become_channels_first_in_0_to_1():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (24, 30, 3), np.uint8)
    last = encoded(spaces.Box(0, 255, (24, 30, 3), np.uint8), picture)
    assert last.shape == (3, 24, 30)
    np.testing.assert_array_equal(last, np.moveaxis(picture, 2, 0) / np.float32(255))
    first = encoded(spaces.Box(0, 255, (3, 24, 30), np.uint8), np.moveaxis(picture, 2, 0))
    np.testing.assert_array_equal(first, last)


def test_gray_images_float_images_and_boards():
    gray = encoded(spaces.Box(0, 255, (24, 30), np.uint8), np.full((24, 30), 51))
    assert gray.shape == (1, 24, 30)
    np.testing.assert_allclose(gray, 0.2)
    assert encoded(spaces.Box(0, 1, (24, 30, 1)), np.ones((24, 30, 1))).max() == 1.0
    board = np.arange(18).reshape(3, 3, 2)
    np.testing.assert_array_equal(encoded(spaces.Box(0, 255, (3, 3, 2), np.uint8), board), np.arange(18))


def test_a_scalar_is_a_vector_of_one():
    assert encoded(spaces.Box(0, 9, ()), 3.0).tolist() == [3.0]


def test_names_of_observations():
    space = spaces.Dict({"eyes": spaces.Tuple([spaces.Discrete(2), spaces.Discrete(3)]), "arm": spaces.Box(0, 1, (2,))})
    assert [(s.name, s.shape) for s in ObservationEncoder(space).specs] == [
        ("arm", (2,)),
        ("eyes/0", (2,)),
        ("eyes/1", (3,)),
    ]


def test_what_has_no_fixed_size_is_refused():
    with pytest.raises(UnityObservationException, match="Text space at note"):
        ObservationEncoder(spaces.Dict({"note": spaces.Text(5)}))


# Actions


def test_the_box_is_spanned_by_minus_1_to_1():
    decoder = ActionDecoder(spaces.Box(np.float32([0, -4, -np.inf]), np.float32([10, 4, np.inf])))
    assert decoder.spec == ActionSpec(3, ())
    continuous = np.float32([[-1, -1, -1], [0, 0, 0], [1, 1, 1], [0.5, 3, 3]])
    decoded = decoder.decode(ActionTuple(continuous))
    assert decoded.dtype == np.float32
    assert decoded.tolist() == [[0, -4, -1], [5, 0, 0], [10, 4, 1], [7.5, 4, 3]]


LARGEST = np.finfo(np.float32).max


@pytest.mark.parametrize(
    ("low", "high", "expected"),  # of -1, 0, 1 and 2
    [(3, np.inf, [3, 4, 5, 6]), (-np.inf, 3, [1, 2, 3, 3]), (3, LARGEST, [3, 4, 5, 6]), (-LARGEST, 3, [1, 2, 3, 3])],
)
def test_a_box_that_is_open_on_one_side_is_used_from_its_bound(caplog, low, high, expected):
    caplog.set_level(logging.WARNING)
    decoder = ActionDecoder(spaces.Box(np.float32([low]), np.float32([high])))
    assert decoder.decode(ActionTuple(np.float32([[-1], [0], [1], [2]])))[:, 0].tolist() == expected
    assert f"-1 to 1 is used as {expected[0]} to {expected[2]}" in caplog.text


def test_an_open_box_of_whole_numbers():
    decoder = ActionDecoder(spaces.Box(np.array([0.0, -np.inf]), np.array([np.inf, np.inf]), (2,), np.int32))
    decoded = decoder.decode(ActionTuple(np.float32([[-1, -1], [0.2, 0.2], [1, 1]])))
    assert (decoded.dtype, decoded.tolist()) == (np.int32, [[0, -1], [1, 0], [2, 1]])


def test_boxes_of_other_shapes_and_types():
    assert ActionDecoder(spaces.Box(-1, 1, (2, 3))).decode(ActionTuple(np.ones((4, 6)))).shape == (4, 2, 3)
    whole = ActionDecoder(spaces.Box(0, 255, (1,), np.uint8)).decode(ActionTuple(np.float32([[-1], [0.205], [1]])))
    assert (whole.dtype, whole.tolist()) == (np.uint8, [[0], [154], [255]])


@pytest.mark.parametrize(
    ("space", "branches", "discrete", "expected"),
    [
        (spaces.Discrete(3), (3,), [[0], [2]], [0, 2]),
        (spaces.Discrete(3, start=5), (3,), [[0], [2]], [5, 7]),
        (spaces.MultiDiscrete([2, 3]), (2, 3), [[0, 2]], [[0, 2]]),
        (spaces.MultiDiscrete([2, 3], start=[1, -1]), (2, 3), [[0, 2]], [[1, 1]]),
        (spaces.MultiDiscrete([[2, 3], [4, 5]]), (2, 3, 4, 5), [[1, 2, 3, 4]], [[[1, 2], [3, 4]]]),
        (spaces.MultiBinary(2), (2, 2), [[0, 1]], [[0, 1]]),
    ],
)
def test_branches(space, branches, discrete, expected):
    decoder = ActionDecoder(space)
    assert decoder.spec == ActionSpec(0, branches)
    decoded = decoder.decode(ActionTuple(discrete=np.int32(discrete)))
    assert decoded.tolist() == expected
    assert decoded.dtype == space.dtype
    assert all(value in space for value in decoded)


def test_impossible_actions():
    with pytest.raises(UnityActionException, match="finite"):
        ActionDecoder(spaces.Box(-1, 1, (1,))).decode(ActionTuple(np.float32([[np.nan]])))
    with pytest.raises(UnityActionException, match="below"):
        ActionDecoder(spaces.Discrete(2)).decode(ActionTuple(discrete=np.int32([[2]])))
    with pytest.raises(UnityActionException, match="Text"):
        ActionDecoder(spaces.Text(5))
