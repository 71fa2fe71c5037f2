"""PPO losses against figures worked out by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlagents.algorithms.ppo.losses import clipped_surrogate_loss, total_loss, value_loss
from mlagents.learning.schedules import scheduled


def surrogate(ratio, advantage):
    return float(
        clipped_surrogate_loss(jnp.log(jnp.array(ratio)), jnp.zeros((len(ratio), 1)), jnp.array(advantage), 0.2)
    )


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected"),
    [
        (1.0, 2.0, -2.0),  # nothing clipped: -r A
        (1.5, 2.0, -2.4),  # gain clipped at 1.2 A
        (1.5, -2.0, 3.0),  # a loss is not clipped
        (0.5, -2.0, 1.6),  # gain of a bad action clipped at 0.8 A
        (0.5, 2.0, -1.0),
        (25.0, -2.0, 20.0),  # the ratio counts as 10 at most
    ],
)
def test_one_decision(ratio, advantage, expected):
    assert surrogate([[ratio]], [advantage]) == pytest.approx(expected, rel=1e-5)


def test_columns_are_clipped_one_by_one_and_averaged():
    # Ratios 1.5 and 0.5 of one decision with A = 2: min(3, 2.4) and min(1, 1.6), mean (2.4 + 1) / 2.
    found = clipped_surrogate_loss(jnp.log(jnp.array([[1.5, 0.5]])), jnp.zeros((1, 2)), jnp.array([2.0]), 0.2)
    assert float(found) == pytest.approx(-1.7, rel=1e-5)


def test_value_loss_is_the_mean_over_decisions_and_signals():
    # Errors 1, 2, 0, 3: (1 + 4 + 0 + 9) / 4
    assert value_loss(jnp.array([[1.0, 2.0], [3.0, 3.0]]), jnp.array([[2.0, 4.0], [3.0, 6.0]])) == 3.5


def clipped(value, old_value, returns):
    return value_loss(jnp.array([[value]]), jnp.array([[returns]]), None, jnp.array([[old_value]]), 0.2)


@pytest.mark.parametrize(
    ("value", "old_value", "returns", "expected"),
    [
        (0.5, 0.0, 1.0, 0.64),  # moved by more than 0.2 towards the return: max(0.25, 0.64)
        (0.1, 0.0, 1.0, 0.81),  # within 0.2: both are 0.81
        (-0.5, 0.0, 1.0, 2.25),  # away from the return: max(2.25, 1.44)
        (2.0, 0.0, 1.0, 1.0),  # beyond it: max(1, 0.64)
    ],
)
def test_clipped_value_loss(value, old_value, returns, expected):
    assert clipped(value, old_value, returns) == pytest.approx(expected)


def test_a_value_that_moved_far_enough_has_no_gradient_when_clipped():
    gradient = jax.grad(lambda value: clipped(value, 0.0, 1.0))
    assert gradient(0.5) == 0.0
    assert gradient(0.1) == pytest.approx(-1.8)
    assert gradient(-0.5) == pytest.approx(-3.0)


def test_total():
    assert total_loss(jnp.array(1.0), jnp.array(4.0), jnp.array(2.0), 0.1) == pytest.approx(1.0 + 2.0 - 0.2)


@pytest.mark.parametrize(
    ("kind", "progress", "expected"),
    [
        ("constant", 0.7, 3.0),
        ("linear", 0.0, 3.0),
        ("linear", 0.25, 2.5),
        ("linear", 1.0, 1.0),
        ("linear", 2.0, 1.0),
    ],
)
def test_schedules(kind, progress, expected):
    np.testing.assert_allclose(scheduled(kind, 3.0, 1.0, progress), expected)
