"""Environments of other libraries that are wrong: one sentence names the environment and what is wrong with it."""

from __future__ import annotations

import sys

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import SyncVectorEnv
from zoo_games import Countdown

from mlagents_envs.exception import UnityActionException, UnityEnvironmentException, UnityObservationException
from mlagents_envs.foreign.by_name import make_foreign
from mlagents_envs.foreign.from_gymnasium import GymnasiumEnvironment
from mlagents_envs.foreign.from_pettingzoo import PettingZooEnvironment

GOOD = np.zeros(2, np.float32), 0.0, False, False, {}


class Wrong(gymnasium.Env):
    """Returns from `step` what it is given; an exception is raised."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, returned):
        self._returned = returned

    def reset(self, *, seed=None, options=None):
        return self.observation_space.sample(), {}

    def step(self, action):
        if isinstance(self._returned, Exception):
            raise self._returned
        return self._returned


@pytest.fixture
def register(monkeypatch):
    def register(make):
        monkeypatch.setitem(gymnasium.registry, "Wrong-v0", EnvSpec("Wrong-v0", make, disable_env_checker=True))

    return register


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ((np.zeros(3), *GOOD[1:]), ["observation of shape (3,)", "(2,)"]),
        (("hello", *GOOD[1:]), ["observation of shape ()", "(2,)"]),
        ((GOOD[0], np.zeros(3), *GOOD[2:]), ["reward of shape (3,)", "expected a number"]),
        ((GOOD[0], 0.0, False, {}), ["4 values", "expected 5: observation, reward, terminated, truncated, info"]),
        (None, ["a NoneType", "expected 5"]),
        (ZeroDivisionError("no lives left."), ["ZeroDivisionError: no lives left (", __file__, "line 37)"]),
    ],
)
def test_steps_of_gymnasium(register, returned, words):
    register(lambda: Wrong(returned))
    env = make_foreign("gym:Wrong-v0", num_areas=2)
    env.reset()
    with pytest.raises((UnityObservationException, UnityEnvironmentException)) as caught:
        env.step()
    for word in ["gym:Wrong-v0: step()", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        ({"eye": np.zeros(2)}, "with ['eye']; expected a dict with ['ear', 'eye']"),
        (np.zeros(3), "with a ndarray; expected a dict"),
        ({"eye": np.zeros(3), "ear": (np.zeros(1),)}, "['eye'] of shape (3,)"),
        ({"eye": np.zeros(2), "ear": (np.zeros(4),)}, "['ear'][0] of shape (4,)"),
    ],
)
def test_observations_of_several_parts(register, observation, words):
    class Parts(Wrong):
        observation_space = spaces.Dict(ear=spaces.Tuple([spaces.Box(0, 1, (1,))]), eye=spaces.Box(0, 1, (2,)))

    register(lambda: Parts((observation, *GOOD[1:])))
    env = make_foreign("gym:Wrong-v0", num_areas=1)
    env.reset()
    with pytest.raises(UnityObservationException) as caught:
        env.step()
    assert words in str(caught.value)


def test_vectors_that_nobody_watches_name_their_spaces():
    env = GymnasiumEnvironment(SyncVectorEnv([lambda: Wrong((np.zeros(3), *GOOD[1:]))]), "Wrong?team=0")
    env.reset()
    with pytest.raises(UnityEnvironmentException, match=r"Wrong\?team=0: step\(\) failed.* Box\(-1.0, 1.0, \(2,\)"):
        env.step()


@pytest.mark.parametrize("space", [spaces.Dict({}), spaces.Tuple([])])
def test_without_an_observation(register, space):
    class Empty(Wrong):
        observation_space = space

    register(lambda: Empty(None))
    with pytest.raises(UnityObservationException, match=r"gym:Wrong-v0: .*holds no observation"):
        make_foreign("gym:Wrong-v0", num_areas=1)


def test_actions_that_cannot_be_learned_name_the_environment(register):
    class Writer(Wrong):
        action_space = spaces.Text(4)

    register(lambda: Writer(None))
    with pytest.raises(UnityActionException, match=r"gym:Wrong-v0: Actions in a Text space"):
        make_foreign("gym:Wrong-v0", num_areas=1)


def test_constructors(register):
    register(lambda: Wrong())
    with pytest.raises(
        UnityEnvironmentException, match=r"gym:Wrong-v0 cannot be made: TypeError: .*returned.*line \d+"
    ):
        make_foreign("gym:Wrong-v0", num_areas=1)


@pytest.mark.parametrize(
    ("name", "missing", "advice"),
    [
        ("gym:Hopper-v5", "imageio", "pip install 'gymnasium[mujoco]'"),
        ("gym:LunarLander-v3", "Box2D", "gymnasium[box2d]"),
        ("gym:ALE/Pong-v5", "ale_py", "pip install ale-py"),
        ("pettingzoo:simple_spread_v3", "mpe2", "pip install mpe2, and pettingzoo:mpe2.simple_spread_v3"),
        ("pettingzoo:pettingzoo.mpe.simple_spread_v3", "mpe2", "pip install mpe2"),
        ("pettingzoo:pong_v3", "multi_agent_ale_py", "pip install 'pettingzoo[atari]'"),
    ],
)
def test_what_to_install(monkeypatch, name, missing, advice):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UnityEnvironmentException) as caught:
        make_foreign(name, num_areas=1)
    assert name in str(caught.value)
    assert advice in str(caught.value)


def test_modules_of_users_that_fail(tmp_path, monkeypatch):
    (tmp_path / "torn_game.py").write_text("x = 1\n1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("gym:torn_game:Torn-v0", "pettingzoo:torn_game"):
        with pytest.raises(UnityEnvironmentException, match=rf"{name}.*ZeroDivisionError: .*torn_game\.py, line 2"):
            make_foreign(name, num_areas=1)


def test_games_of_pettingzoo():
    class Torn(Countdown):
        def step(self, actions):
            observations, *rest = super().step({agent: [0.0] for agent in actions})
            return {agent: value[:2] for agent, value in observations.items()}, *rest

    class Raising(Countdown):
        def step(self, actions):
            raise KeyError("runner_9")

    for game, words in (
        (Torn, "torn: Observation 'observation' has shape .2,.*Box"),
        (Raising, "KeyError: 'runner_9'"),
    ):
        env = PettingZooEnvironment([game()], "torn", [0])
        env.reset()
        with pytest.raises((UnityObservationException, UnityEnvironmentException), match=words):
            env.step()
