"""`gym_unity`, as programs of 2020 use it."""

from __future__ import annotations

import numpy as np
import pytest

from gym_unity.envs import ActionFlattener, UnityGymException, UnityToGymWrapper
from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.foreign.local_env import LocalEnv
from mlagents_envs.registry import default_registry

NAME = "Eyes?team=0"


class Eyes(LocalEnv):
    """One agent that sees a dark image and a number, the steps so far; it is cut after two."""

    def __init__(self):
        super().__init__()
        none = DimensionProperty.NONE
        sensors = [
            ObservationSpec((3, 4, 5), (none,) * 3, ObservationType.DEFAULT, "image"),
            ObservationSpec((1,), (none,), ObservationType.DEFAULT, "steps"),
        ]
        self._specs[NAME] = BehaviorSpec(sensors, ActionSpec(0, (3, 2)))
        self.choices = []

    def _reset(self):
        self._time = 0
        return {NAME: (self._seen(1), TerminalSteps.empty(self._specs[NAME]))}

    def _advance(self, actions):
        self.choices.append(actions[NAME].discrete.tolist())
        self._time += 1
        ended = self._time == 2
        seen = self._seen(int(ended))
        ends = TerminalSteps(seen.obs, seen.reward, np.ones(int(ended), bool), seen.agent_id)
        return {NAME: (self._seen(int(not ended)), ends)}

    def _close(self):
        pass

    def _seen(self, n):
        obs = [np.zeros((n, 3, 4, 5), np.float32), np.full((n, 1), self._time, np.float32)]
        return DecisionSteps(obs, np.full(n, 0.5, np.float32), np.zeros(n, np.int32), None)


def test_a_program_of_2020():
    env = UnityToGymWrapper(default_registry["Basic"].make(num_areas=1), False, False, False)
    observation = env.reset()
    assert observation.shape == env.observation_space.shape == (20,)
    done, steps = False, 0
    while not done:
        observation, reward, done, info = env.step(2)  # to the right, where the large reward is
        steps += 1
    assert steps == 7
    assert reward == pytest.approx(0.99)
    assert isinstance(info["step"], TerminalSteps)
    with pytest.raises(UnityGymException):
        env.step(2)
    env.close()


def test_an_episode_that_is_cut_is_done():
    env = UnityToGymWrapper(Eyes(), allow_multiple_obs=True)
    first = env.reset()
    assert isinstance(first, list)
    assert [part.shape for part in first] == [(3, 4, 5), (1,)]
    assert env.step([2, 1])[1:3] == (0.5, False)
    observation, _, done, _ = env.step([2, 1])
    assert done
    assert observation[1].tolist() == [2.0]


def test_older_arguments_and_flattened_branches():
    inner = Eyes()
    env = UnityToGymWrapper(inner, use_visual=True, uint8_visual=True, flatten_branched=True)
    assert env.reset().dtype == np.uint8
    env.step(5)
    assert inner.choices == [[[2, 1]]]
    assert env.render(mode="rgb_array").shape == (3, 4, 5)
    assert env.reward_range == (-np.inf, np.inf)
    assert ActionFlattener([3, 2]).lookup_action(5) == [2, 1]
    assert len(UnityToGymWrapper(Eyes(), allow_multiple_visual_obs=True).reset()) == 2


def test_seeds_have_no_effect_and_say_so(caplog):
    caplog.set_level("WARNING")
    UnityToGymWrapper(Eyes()).seed(3)
    assert "seed() changes nothing" in caplog.text


def test_the_class_of_2019_says_what_to_use():
    with pytest.raises(ImportError, match="UnityToGymWrapper"):
        from gym_unity.envs import UnityEnv  # noqa: F401
