"""Resets, steps and closing of environments in this process; the contract is checked with real ones."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_env import NAME, Scripted, decide

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.exception import UnityEnvironmentException


def two_agents():
    env = Scripted([([decide(3), decide(5)], [])])
    env.reset()
    return env


def sent(env):
    env.step()
    return env.actions[-1][NAME].continuous.ravel().tolist()


def test_agents_without_actions_get_zeros():
    env = two_agents()
    env.set_action_for_agent(NAME, 5, ActionTuple(np.float32([[0.5]])))
    assert sent(env) == [0.0, 0.5]
    assert sent(env) == [0.0, 0.0]


def test_a_reset_forgets_actions():
    env = two_agents()
    env.set_actions(NAME, ActionTuple(np.ones((2, 1))))
    env.reset()
    assert sent(env) == [0.0, 0.0]


def test_before_the_first_reset_and_after_the_end():
    env = Scripted([([decide(3)], [])])
    env.set_actions(NAME, ActionTuple(np.ones((9, 1))))  # nobody waits for it yet
    with pytest.raises(KeyError, match="reset"):
        env.get_steps(NAME)
    env.step()
    env.close()
    env.close()
    assert env.closed == 1
    with pytest.raises(UnityEnvironmentException, match="closed"):
        env.step()
