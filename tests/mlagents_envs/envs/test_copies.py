"""Copies give what Gymnasium's own vector of them gives."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from mlagents_envs.foreign.copies import Copies

NUMBER = 3


@pytest.mark.parametrize(
    ("env_id", "steps"), [("Pendulum-v1", 210), ("CartPole-v1", 80), ("Taxi-v4", 210), ("Blackjack-v1", 20)]
)
def test_a_step_is_that_of_a_vector_that_resets_in_the_same_step(env_id, steps):
    makers = [lambda: gymnasium.make(env_id)] * NUMBER
    ours, theirs = Copies(makers), SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
    theirs.action_space.seed(5)
    assert_same(ours.reset(seed=11), theirs.reset(seed=11))
    ended = 0
    for _ in range(steps):
        action = theirs.action_space.sample()
        mine, expected = ours.step(action), theirs.step(action)
        assert_same(mine, expected)
        ended += int(np.count_nonzero(expected[2] | expected[3]))
    assert ended >= NUMBER
    assert mine[1].dtype == np.float64


def test_observations_are_not_overwritten_by_the_next_step():
    copies = Copies([lambda: gymnasium.make("CartPole-v1")])
    copies.reset(seed=1)
    first = copies.step(np.array([0]))[0]
    kept = first.copy()
    copies.step(np.array([1]))
    np.testing.assert_array_equal(first, kept)


def assert_same(ours, theirs):
    """Compare trees of dictionaries, tuples and arrays, arrays of objects included."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            assert_same(ours[key], value)
    elif isinstance(theirs, tuple) or (isinstance(theirs, np.ndarray) and theirs.dtype == object):
        for mine, value in zip(ours, theirs, strict=True):
            assert_same(mine, value)
    else:
        np.testing.assert_array_equal(ours, theirs)
