"""Basic: every move has a known outcome."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.testing import check_env
from mlagents_sim.examples.basic import ENTRY

NAME = "Basic?team=0"
STAY, LEFT, RIGHT = 0, 1, 2


def act(env, *choices: int):
    env.set_actions(NAME, ActionTuple(discrete=np.array(choices)[:, np.newaxis]))
    env.step()
    return env.get_steps(NAME)


def test_contract() -> None:
    check_env(ENTRY.make, deterministic=True)
    check_env(lambda: ENTRY.make(num_areas=5))


@pytest.mark.parametrize(("move", "steps", "episode_reward"), [(RIGHT, 7, 0.93), (LEFT, 3, 0.07)])
def test_going_straight_to_a_goal(move: int, steps: int, episode_reward: float) -> None:
    env = ENTRY.make()
    env.reset()
    total = 0.0
    for step in range(1, steps):
        decisions, terminals = act(env, move)
        assert len(terminals) == 0
        assert decisions.obs[0][0].argmax() == 10 + step * (1 if move == RIGHT else -1)
        assert decisions.obs[0].sum() == 1.0
        total += decisions.reward[0]
    decisions, terminals = act(env, move)
    assert total + terminals.reward[0] == pytest.approx(episode_reward)
    assert terminals.obs[0][0].argmax() == (17 if move == RIGHT else 7)
    assert not terminals.interrupted[0]
    # The next episode has begun, and its agent already waits.
    assert decisions.obs[0][0].argmax() == 10
    assert decisions.reward[0] == 0.0


def test_an_expert_recorded_in_unity_earns_the_same(read_demo) -> None:
    """Older than separate terminal reports: a pair that ends an episode also begins the next."""
    steps = read_demo("ExpertBasic.demo")
    env = ENTRY.make()
    env.reset()
    for step, following in itertools.pairwise(steps):
        decisions, terminals = act(env, int(step.action_info.vector_actions_deprecated[0]))
        report = terminals if following.agent_info.done else decisions
        assert report.reward[0] == pytest.approx(following.agent_info.reward)
        observation = following.agent_info.observations[0].float_data.data
        np.testing.assert_array_equal(decisions.obs[0][0], observation)


def test_staying_costs_a_hundredth_and_nothing_is_masked() -> None:
    env = ENTRY.make(num_areas=3)
    env.reset()
    decisions, _ = act(env, STAY, RIGHT, LEFT)
    np.testing.assert_allclose(decisions.reward, -0.01)
    np.testing.assert_array_equal(decisions.obs[0].argmax(axis=1), [10, 11, 9])
    assert decisions.action_mask is not None
    np.testing.assert_array_equal(decisions.action_mask[0], np.zeros((3, 3), bool))


def test_example_modules_and_basic_itself_load_nothing_heavy() -> None:
    program = """
import sys
from mlagents_sim.examples import ball3d, basic, grid_world, visual_ball3d
env = basic.ENTRY.make()
env.reset()
env.step()
print(sorted({"mujoco", "numba", "jax", "grpc", "mlagents"} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
