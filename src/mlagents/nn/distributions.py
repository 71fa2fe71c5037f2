"""Action distributions: diagonal Gaussians, plain and squashed, and masked categoricals, as pure functions.

Log-probabilities keep one column per continuous dimension and one per discrete branch.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from mlagents.arrays import Array

CLIP = 3.0
"""Actions of a plain Gaussian are clipped to [-CLIP, CLIP] and divided by CLIP on their way to the environment."""

LOG_STD_RANGE = (-20.0, 2.0)
"""Where the logarithm of a standard deviation that depends on the observation is kept."""

FORBIDDEN = -1e8
"""Logit of a masked action: its probability underflows to exactly 0."""

_LOG_2 = 0.6931471805599453
LOG_2PI = 1.8378770664093453


def gaussian_log_prob(
    action: Float[Array, "rows n"], mean: Float[Array, "rows n"], log_std: Float[Array, "... n"]
) -> Float[Array, "rows n"]:
    """Return log N(action; mean, exp(log_std)^2) per dimension."""
    z = (action - mean) * jnp.exp(-log_std)
    return -0.5 * (z * z + LOG_2PI) - log_std


def log_tanh_slope(x: Float[Array, "rows n"]) -> Float[Array, "rows n"]:
    """Return log(1 - tanh(x)^2) = 2 (log 2 - x - softplus(-2x)), finite and exact however large |x| is."""
    return 2.0 * (_LOG_2 - x - jax.nn.softplus(-2.0 * x))


def squashed_gaussian_sample(
    mean: Float[Array, "rows n"], log_std: Float[Array, "rows n"], noise: Float[Array, "rows n"]
) -> tuple[Float[Array, "rows n"], Float[Array, "rows n"]]:
    """Return tanh(u), u = mean + std noise, and its log-density per dimension (arXiv:1801.01290 appendix C).

    Gradients flow through the sample: noise is standard normal and stays as it is. With it, (u - mean) / std is
    known without rounding.
    """
    x = mean + jnp.exp(log_std) * noise
    log_prob = -0.5 * (noise * noise + LOG_2PI) - log_std - log_tanh_slope(x)
    return jnp.tanh(x), log_prob


def gaussian_entropy(log_std: Float[Array, " n"]) -> Float[Array, ""]:
    """Return the entropy 0.5 log(2 pi e sigma^2), averaged over dimensions.

    The mean instead of the sum is the convention under which the published values of `beta` were tuned.
    """
    return jnp.mean(0.5 * (LOG_2PI + 1.0) + log_std)


def masked_log_softmax(logits: Float[Array, "rows k"], allowed: Bool[Array, "rows k"] | None) -> Float[Array, "rows k"]:
    """Return log-probabilities of one branch, with probability exactly 0 where not allowed."""
    if allowed is not None:
        logits = jnp.where(allowed, logits, FORBIDDEN)
    return jax.nn.log_softmax(logits, axis=-1)


def categorical_log_prob(log_probs: Float[Array, "rows k"], choice: Int[Array, " rows"]) -> Float[Array, " rows"]:
    """Return the log-probability of the chosen action of one branch."""
    return jnp.take_along_axis(log_probs, choice[:, None], axis=-1)[:, 0]


def categorical_entropy(log_probs: Float[Array, "rows k"]) -> Float[Array, " rows"]:
    """Return -sum p log p of one branch; masked actions add 0."""
    return -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)
