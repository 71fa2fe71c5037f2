"""The bookkeeping of environments in this process; the rest of the contract is checked with real ones."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_env import NAME, Scripted, decide

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException


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


def test_an_action_for_one_agent_changes_neither_the_others_nor_the_callers_array():
    env, array = two_agents(), np.float32([[0.25], [0.75]])
    env.set_actions(NAME, ActionTuple(array))
    env.set_action_for_agent(NAME, 3, ActionTuple(np.float32([[-1.0]])))
    assert sent(env) == [-1.0, 0.75]
    assert array.ravel().tolist() == [0.25, 0.75]


def test_a_reset_forgets_actions():
    env = two_agents()
    env.set_actions(NAME, ActionTuple(np.ones((2, 1))))
    env.reset()
    assert sent(env) == [0.0, 0.0]


def test_wrong_use_is_refused():
    env = Scripted([([decide(3)], [])])
    env.set_actions(NAME, ActionTuple(np.ones((9, 1))))  # nobody waits for it yet
    with pytest.raises(KeyError, match="reset"):
        env.get_steps(NAME)
    env.step()
    with pytest.raises(UnityActionException, match=r"Nobody.*Actor\?team=0"):
        env.get_steps("Nobody?team=0")
    with pytest.raises(IndexError, match=r"Agent 4.*waiting are agents \[3\]"):
        env.set_action_for_agent(NAME, 4, ActionTuple(np.ones((1, 1))))
    env.close()
    env.close()
    assert env.closed == 1
    with pytest.raises(UnityEnvironmentException, match="closed"):
        env.step()
