"""Advantages against figures worked out by hand and against the plain recursion."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlagents.returns import gae, masked_mean, masked_scaled, masked_standardized

compiled_gae = jax.jit(gae)


def test_gae_by_hand():
    # Two segments, one signal, gamma 0.5, lambda 0.5.
    # Segment 1: two decisions, then cut by the horizon: V = 1, 2, closing 4; r = 1, 2.
    #   delta_1 = 2 + 0.5 * 4 - 2 = 2;  delta_0 = 1 + 0.5 * 2 - 1 = 1;  A_1 = 2;  A_0 = 1 + 0.25 * 2 = 1.5
    # Segment 2: one decision that ends the episode: V = 3, closing 9 (must not count); r = 1.
    #   delta = 1 - 3 = -2 = A
    reward = jnp.array([[1.0], [2.0], [7.0], [1.0], [7.0]])
    value = jnp.array([[1.0], [2.0], [4.0], [3.0], [9.0]])
    ended = jnp.array([[False], [False], [False], [True], [False]])
    closing = jnp.array([False, False, True, False, True])
    advantage = gae(reward, value, ended, closing, jnp.array([0.5]), 0.5)
    np.testing.assert_allclose(advantage[:, 0], [1.5, 2.0, 0.0, -2.0, 0.0], atol=1e-6)


def test_signals_that_ignore_ends_bootstrap_through_them():
    # r = 1, V = 3, closing value 9, gamma = (0.5, 0.5): the first signal stops, the second gets 0.5 * 9.
    reward = jnp.array([[1.0, 1.0], [0.0, 0.0]])
    value = jnp.array([[3.0, 3.0], [9.0, 9.0]])
    ended = jnp.array([[True, False], [False, False]])
    closing = jnp.array([False, True])
    advantage = gae(reward, value, ended, closing, jnp.array([0.5, 0.5]), 0.95)
    np.testing.assert_allclose(advantage, [[-2.0, 2.5], [0.0, 0.0]], atol=1e-6)


def recursion(reward, value, ended, gamma, lam):
    """GAE of one segment as the paper writes it: value has one row more than reward."""
    advantage, running = np.zeros_like(reward), 0.0
    for t in reversed(range(len(reward))):
        alive = 0.0 if ended and t == len(reward) - 1 else 1.0
        delta = reward[t] + gamma * alive * value[t + 1] - value[t]
        running = delta + gamma * lam * alive * running
        advantage[t] = running
    return advantage


@settings(deadline=None, max_examples=25)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=6),
    gamma=st.floats(0, 1),
    lam=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_gae_equals_the_recursion(lengths, gamma, lam, seed):
    rng = np.random.default_rng(seed)
    rows = 6 * 13  # always, so that it is compiled once; what is left over closes nothing
    reward, value = rng.normal(size=(2, rows, 1)).astype(np.float32)
    ended, closing = np.zeros((rows, 1), bool), np.zeros(rows, bool)
    closing[sum(n + 1 for n, _ in lengths) :] = True
    expected, start = np.zeros(rows, np.float32), 0
    for n, end in lengths:
        closing[start + n] = True
        ended[start + n - 1, 0] = end
        segment = slice(start, start + n)
        expected[segment] = recursion(reward[segment, 0], value[start : start + n + 1, 0], end, gamma, lam)
        start += n + 1
    found = compiled_gae(*map(jnp.asarray, (reward, value, ended, closing)), jnp.array([gamma]), lam)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-4)


def test_masked_moments_ignore_invalid_rows():
    x, valid = jnp.array([1.0, 3.0, 100.0]), jnp.array([True, True, False])
    assert masked_mean(x, valid) == 2.0
    np.testing.assert_allclose(masked_standardized(x, valid), [-1.0, 1.0, 0.0], atol=1e-6)
    assert masked_mean(x, jnp.zeros(3, bool)) == 0.0


def test_scaled_advantages_keep_their_sign_and_are_not_blown_up():
    """A deviation of 1, then of 0.5, then of 0.01, divided by a tenth of the largest before, which has faded twice."""
    x, valid = jnp.array([1.0, 3.0, 100.0]), jnp.array([True, True, False])
    first, largest = masked_scaled(x, valid, jnp.zeros(()))
    np.testing.assert_allclose(first, [1.0, 3.0, 0.0], atol=1e-6)
    second, largest = masked_scaled(0.5 * x, valid, largest)
    np.testing.assert_allclose(second, [1.0, 3.0, 0.0], atol=1e-6)
    assert largest == pytest.approx(0.99)
    third, largest = masked_scaled(0.01 * x, valid, largest)
    assert largest == pytest.approx(0.99**2)
    np.testing.assert_allclose(third, np.array([0.01, 0.03, 0.0]) / (0.1 * 0.99**2), atol=1e-6)
