"""Log-probabilities and entropies against scipy, masks exactly."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, stats

from mlagents.nn import distributions
from mlagents.nn.policy import ActionDistribution


def test_gaussian_log_prob_is_scipys():
    rng = np.random.default_rng(0)
    action, mean = rng.normal(size=(2, 5, 3)).astype(np.float32)
    log_std = np.array([-1.0, 0.0, 0.7], np.float32)
    found = distributions.gaussian_log_prob(jnp.array(action), jnp.array(mean), jnp.array(log_std))
    np.testing.assert_allclose(found, stats.norm.logpdf(action, mean, np.exp(log_std)), atol=1e-5)


def test_gaussian_entropy_is_the_mean_of_scipys():
    log_std = np.array([-1.0, 0.0, 0.7], np.float32)
    expected = stats.norm.entropy(scale=np.exp(log_std)).mean()
    np.testing.assert_allclose(distributions.gaussian_entropy(jnp.array(log_std)), expected, atol=1e-6)


def test_tanh_slope_is_exact_and_finite():
    x = np.array([[-3.0, -0.5, 0.0, 0.1, 2.0]])
    np.testing.assert_allclose(
        distributions.log_tanh_slope(jnp.array(x, jnp.float32)), np.log(1 - np.tanh(x) ** 2), atol=1e-5
    )
    # 1 - tanh(x)^2 -> 4 exp(-2 |x|), which is 0 in float32 long before these
    far = jnp.array([[-200.0, 50.0]])
    np.testing.assert_allclose(distributions.log_tanh_slope(far), [[np.log(4) - 400, np.log(4) - 100]], rtol=1e-6)
    slope = jax.vmap(jax.vmap(jax.grad(lambda u: distributions.log_tanh_slope(u[None, None])[0, 0])))(far)
    np.testing.assert_allclose(slope, [[2.0, -2.0]], rtol=1e-6)


def test_squashed_samples_have_the_density_of_tanh_of_a_gaussian():
    rng = np.random.default_rng(0)
    mean, log_std, noise = rng.normal(size=(3, 5, 2)).astype(np.float32)
    action, found = distributions.squashed_gaussian_sample(jnp.array(mean), jnp.array(log_std), jnp.array(noise))
    before = mean + np.exp(log_std) * noise
    np.testing.assert_allclose(action, np.tanh(before), atol=1e-6)
    expected = stats.norm.logpdf(before, mean, np.exp(log_std)) - np.log(1 - np.tanh(before.astype(float)) ** 2)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_squashed_density_integrates_to_one():
    """Over actions in (-1, 1), at the noise that leads to each of them."""

    def density(action):
        noise = (np.arctanh(action) - 0.3) / 0.5
        column = [jnp.full((1, 1), v, jnp.float32) for v in (0.3, np.log(0.5), noise)]
        return float(np.exp(distributions.squashed_gaussian_sample(*column)[1][0, 0]))

    grid = np.linspace(-0.999, 0.999, 401)
    assert abs(integrate.simpson([density(a) for a in grid], x=grid) - 1.0) < 1e-3


def test_masked_actions_have_probability_exactly_zero():
    logits = jnp.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    allowed = jnp.array([[True, False, True], [False, True, True]])
    probability = np.exp(distributions.masked_log_softmax(logits, allowed))
    assert probability[0, 1] == 0.0
    assert probability[1, 0] == 0.0
    e = np.exp
    np.testing.assert_allclose(probability[0, [0, 2]], [e(1) / (e(1) + e(3)), e(3) / (e(1) + e(3))], rtol=1e-6)


def test_categorical_entropy_is_scipys_and_ignores_masked_actions():
    log_probs = distributions.masked_log_softmax(jnp.array([[1.0, 5.0, 3.0]]), jnp.array([[True, False, True]]))
    p = np.exp([1.0, 3.0])
    np.testing.assert_allclose(distributions.categorical_entropy(log_probs), [stats.entropy(p)], rtol=1e-6)


def test_joint_columns_are_dimensions_then_branches():
    log_half = np.log(0.5)
    distribution = ActionDistribution(
        jnp.zeros((1, 2)), jnp.zeros(2), (jnp.full((1, 2), log_half), jnp.log(jnp.array([[0.2, 0.3, 0.5]])))
    )
    columns = distribution.log_prob(jnp.array([[0.0, 1.0]]), jnp.array([[1, 2]]))
    expected = [stats.norm.logpdf(0), stats.norm.logpdf(1), log_half, log_half]
    np.testing.assert_allclose(columns[0], expected, rtol=1e-5)
    entropy = stats.norm.entropy() + np.log(2) + stats.entropy([0.2, 0.3, 0.5])
    np.testing.assert_allclose(distribution.entropy(), [entropy], rtol=1e-5)
