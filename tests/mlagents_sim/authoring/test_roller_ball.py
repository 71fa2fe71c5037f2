"""The tutorial's environment keeps the tutorial's rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.registry import UnityEnvRegistry
from mlagents_envs.testing import check_env

NAME = "RollerBall?team=0"
FILE = Path(__file__).resolve().parents[3] / "examples" / "roller_ball" / "roller_ball.py"
TARGET_X, BALL_X, BALL_Y, BALL_Z, VELOCITY_X, VELOCITY_Z = 0, 3, 4, 5, 6, 7


@pytest.fixture(scope="module")
def entry():
    return UnityEnvRegistry()[str(FILE)]


def push(env, x: float, z: float = 0.0):
    waiting = len(env.get_steps(NAME)[0])
    env.set_actions(NAME, ActionTuple(np.full((waiting, 2), (x, z), np.float32)))
    env.step()
    return env.get_steps(NAME)


def test_contract(entry):
    check_env(entry.make, deterministic=True)
    check_env(lambda: entry.make(num_areas=3))


def test_a_pushed_ball_rolls(entry):
    """A solid sphere that rolls has the inertia of 1.4 times its mass: 10 N for 0.2 s make 10 / 1.4 * 0.2 m/s."""
    env = entry.make(seed=4)  # the cube is out of the way
    env.reset()
    decisions, terminals = push(env, 1.0)
    assert len(terminals) == 0
    assert decisions.obs[0][0, VELOCITY_X] == pytest.approx(10.0 / 1.4 * 0.2, rel=0.03)
    assert decisions.obs[0][0, VELOCITY_Z] == pytest.approx(0.0, abs=1e-6)
    assert decisions.obs[0][0, BALL_Y] == pytest.approx(0.5, abs=0.01)


def test_who_falls_earns_nothing_and_begins_in_the_middle(entry):
    env = entry.make(seed=4)
    env.reset()
    for _ in range(60):
        decisions, terminals = push(env, 0.0, 1.0)
        if len(terminals):
            break
    assert terminals.reward.tolist() == [0.0]
    assert terminals.obs[0][0, BALL_Y] < 0.0
    assert terminals.obs[0][0, BALL_Z] > 5.0
    while not len(decisions):
        decisions, _ = push(env, 0.0)
    np.testing.assert_allclose(decisions.obs[0][0, BALL_X : VELOCITY_Z + 1], [0, 0.5, 0, 0, 0], atol=0.01)


def test_the_heuristic_reaches_every_cube_and_the_ball_goes_on_from_there(entry):
    env = entry.make(seed=0, num_areas=4)
    env.reset()
    rewards = []
    for _ in range(300):
        decisions, terminals = env.get_steps(NAME)
        rewards += terminals.reward.tolist()
        assert (decisions.obs[0][:, BALL_Y] > 0.45).all()
        env.set_actions(NAME, env.heuristic(NAME))
        env.step()
    assert len(rewards) > 50
    assert set(rewards) == {1.0}
