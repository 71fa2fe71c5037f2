"""The random baseline."""

from __future__ import annotations

import numpy as np

from mlagents.inference import RandomPolicy


def test_uniform_over_what_is_allowed(make_spec, make_steps, rng):
    rows = 20_000
    policy = RandomPolicy(make_spec([(1,)], 2, (3, 2)))
    masks = [np.tile([False, True, False], (rows, 1)), np.zeros((rows, 2))]
    actions = policy.act(make_steps([np.zeros((rows, 1))], masks), False, rng)
    np.testing.assert_allclose(actions.continuous.mean(axis=0), [0, 0], atol=0.021)  # 5 / sqrt(3 * 20000)
    assert np.abs(actions.continuous).max() <= 1
    np.testing.assert_allclose(np.bincount(actions.discrete[:, 0]) / rows, [0.5, 0, 0.5], atol=0.018)
    np.testing.assert_allclose(np.bincount(actions.discrete[:, 1]) / rows, [0.5, 0.5], atol=0.018)


def test_the_generator_decides(make_spec, make_steps):
    policy = RandomPolicy(make_spec([(1,)], 1, (3,)))
    steps = make_steps([np.zeros((4, 1))])
    first, second = (policy.act(steps, False, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.continuous, second.continuous)
    np.testing.assert_array_equal(first.discrete, second.discrete)
