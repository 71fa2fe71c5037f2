"""SAC losses against figures worked out by hand, and against the known mistakes in the reference."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlagents.algorithms.sac import losses
from mlagents.nn.policy import ActionDistribution

HALF = np.log(0.5)


def distribution(*branches):
    rows = len(branches[0]) if branches else 1
    return ActionDistribution(
        jnp.zeros((rows, 0)), jnp.zeros((rows, 0)), tuple(jnp.log(jnp.array(b)) for b in branches)
    )


def test_target_entropies():
    assert losses.target_entropy(3, ()).tolist() == [-3.0]
    np.testing.assert_allclose(losses.target_entropy(1, (3, 2)), [-1.0, 0.2 * np.log(3), 0.2 * np.log(2)], rtol=1e-6)


def test_negentropy_sums_the_dimensions_and_has_a_column_for_each_temperature():
    found = losses.negentropy(jnp.array([[1.0, 2.0, 4.0], [0.0, -1.0, 0.5]]), (jnp.full((2, 2), HALF),))
    np.testing.assert_allclose(found, [[7.0, HALF], [-0.5, HALF]], rtol=1e-6)


def test_masked_actions_have_neither_entropy_nor_gradient():
    def total(logits):
        log_probs = jax.nn.log_softmax(jnp.where(jnp.array([[True, True, False]]), logits, -1e8))
        return losses.negentropy(jnp.zeros((1, 0)), (log_probs,)).sum()

    value, gradient = jax.value_and_grad(total)(jnp.array([[0.0, 0.0, 5.0]]))
    assert value == pytest.approx(HALF, rel=1e-6)
    np.testing.assert_allclose(gradient, [[0.0, 0.0, 0.0]], atol=1e-6)


def test_entropy_cost_is_the_continuous_part_plus_the_mean_over_branches():
    # 2 x 3 + (0.5 x -1 + 0.1 x -2) / 2
    found = losses.entropy_cost(jnp.array([2.0, 0.5, 0.1]), jnp.array([[3.0, -1.0, -2.0]]), branches=2)
    np.testing.assert_allclose(found, [5.65], rtol=1e-6)
    np.testing.assert_allclose(losses.entropy_cost(jnp.array([2.0]), jnp.array([[3.0]]), branches=0), [6.0])


def test_q_of_discrete_actions():
    q = jnp.array([[[1.0, 2.0, 3.0, 10.0, 20.0], [0.0, 0.0, 1.0, 0.0, 1.0]]])  # one row, two signals, branches 3 and 2
    # chosen 2 and 0: (3 + 10) / 2 and (1 + 0) / 2
    np.testing.assert_allclose(losses.chosen_q(q, jnp.array([[2, 0]]), (3, 2)), [[6.5, 0.5]])
    # (0.5 x 1 + 0.5 x 3 + 0.1 x 10 + 0.9 x 20) / 2 and (0.5 x 1 + 0.9 x 1) / 2
    actions = distribution([[0.5, 0.0, 0.5]], [[0.1, 0.9]])
    np.testing.assert_allclose(losses.expected_q(q, actions), [[10.5, 0.7]], rtol=1e-6)


def test_q_of_continuous_actions_is_the_only_column():
    q = jnp.array([[[1.0], [2.0]]])
    np.testing.assert_array_equal(losses.chosen_q(q, jnp.zeros((1, 0), jnp.int32), ()), [[1.0, 2.0]])
    np.testing.assert_array_equal(losses.expected_q(q, distribution()), [[1.0, 2.0]])


def test_only_ended_signals_lose_what_follows():
    """An episode's end stops the extrinsic signal here, but not the other one."""
    found = losses.q_target(
        jnp.array([[1.0, 2.0], [1.0, 2.0]]),
        jnp.array([[True, False], [False, False]]),
        jnp.array([[10.0, 20.0], [10.0, 20.0]]),
        jnp.array([0.9, 0.5]),
    )
    np.testing.assert_allclose(found, [[1.0, 12.0], [10.0, 12.0]])


def test_every_decision_keeps_its_own_entropy_in_the_value_target():
    """In the reference [B, 1] - [B] gives [B, B], so that all get the mean."""
    q1, q2 = jnp.array([[1.0], [5.0]]), jnp.array([[2.0], [4.0]])
    np.testing.assert_allclose(losses.value_target(q1, q2, jnp.array([0.5, -3.0])), [[0.5], [7.0]])


def test_half_squared_error():
    # (1 + 4 + 0 + 9) / 4 / 2
    found = losses.half_squared_error(jnp.array([[1.0, 2.0], [3.0, 3.0]]), jnp.array([[2.0, 4.0], [3.0, 6.0]]))
    assert found == 1.75
    with pytest.raises(Exception, match="half_squared_error"):  # no silent [B, 1] - [B]
        losses.half_squared_error(jnp.zeros((3, 1)), jnp.zeros(3))


def test_policy_loss_has_the_mean_over_signals():
    # ((0.5 - (1 + 3) / 2) + (1 - 4)) / 2
    assert losses.policy_loss(jnp.array([0.5, 1.0]), jnp.array([[1.0, 3.0], [4.0, 4.0]])) == -2.25


def test_hybrid_value_falls_with_the_log_density_and_the_policy_pays_for_it_once():
    """In the reference the continuous part has the wrong sign, and the discrete Q counts twice."""
    alpha, negentropy = jnp.array([0.5, 1.0]), jnp.array([[4.0, HALF]])
    cost = losses.entropy_cost(alpha, negentropy, branches=1)
    q = losses.expected_q(jnp.array([[[1.0, 3.0]]]), distribution([[0.5, 0.5]]))
    np.testing.assert_allclose(losses.value_target(q, q + 1.0, cost), [[2.0 - (2.0 + HALF)]], rtol=1e-6)
    np.testing.assert_allclose(losses.policy_loss(cost, q), 2.0 + HALF - 2.0, rtol=1e-6)


def test_temperatures_fall_while_the_entropy_is_above_its_target():
    """With n = 3 the effective target is -3, not -9: no mean over dimensions before it."""
    goal = jnp.array(losses.target_entropy(3, (4,)))
    gradient = jax.grad(losses.temperature_loss)

    def slope(entropy):
        return np.asarray(gradient(jnp.zeros(2), -jnp.array([entropy]), goal))

    branch = 0.2 * np.log(4)
    np.testing.assert_allclose(slope([-3.0, branch]), [0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(slope([-2.0, branch + 0.5]), [1.0, 0.5], rtol=1e-5)
    np.testing.assert_allclose(slope([-9.0, branch - 0.1]), [-6.0, -0.1], rtol=1e-5)


def test_temperature_loss_by_hand():
    # -( 0.5 x (mean(1, 3) - 1) + 2 x (mean(-1, -2) + 0.25) )
    found = losses.temperature_loss(
        jnp.array([0.5, 2.0]), jnp.array([[1.0, -1.0], [3.0, -2.0]]), jnp.array([-1.0, 0.25])
    )
    assert found == pytest.approx(2.0)
