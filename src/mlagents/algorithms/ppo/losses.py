"""The PPO losses as pure functions of arrays."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Float

from mlagents.arrays import Array
from mlagents.learning.sequences import Valid, mean_over
from mlagents.returns import Scalar

MAX_RATIO = 10.0
LOG_MAX_RATIO = math.log(MAX_RATIO)


def clipped_surrogate_loss(
    log_prob: Float[Array, "rows columns"],
    old_log_prob: Float[Array, "rows columns"],
    advantage: Float[Array, " rows"],
    epsilon: Scalar,
    valid: Valid = None,
) -> Float[Array, ""]:
    """Return -mean min(r A, clip(r, 1 - epsilon, 1 + epsilon) A), arXiv:1707.06347 eq. 7.

    Every continuous dimension and discrete branch is a column with its own ratio r = exp(log_prob - old_log_prob).
    The paper has one ratio per decision; ratios per column are what ML-Agents' published settings were tuned with.
    A ratio counts as `MAX_RATIO` at most (dual clip, arXiv:1912.09729 eq. 5): the paper's loss has no bound for a bad
    decision that an earlier minibatch made much more likely, and one such gradient spoils Adam's moments for good.

    Args:
      log_prob: under the policy being trained.
      old_log_prob: under the policy that acted.
      advantage: one per decision, shared by its columns.
      epsilon: clip range.
      valid: decisions that count.
    """
    ratio = jnp.exp(jnp.minimum(log_prob - old_log_prob, LOG_MAX_RATIO))
    gain = advantage[:, None]
    return -mean_over(jnp.minimum(ratio * gain, jnp.clip(ratio, 1.0 - epsilon, 1.0 + epsilon) * gain), valid)


def value_loss(
    value: Float[Array, "rows signals"],
    returns: Float[Array, "rows signals"],
    valid: Valid = None,
    old_value: Float[Array, "rows signals"] | None = None,
    epsilon: Scalar = 0.2,
) -> Float[Array, ""]:
    """Return the squared error of the values, averaged over decisions and reward signals.

    With `old_value`, those before the update, it is mean max((R - V)^2, (R - V_clipped)^2), where
    V_clipped = V_old + clip(V - V_old, -epsilon, epsilon): the form of OpenAI's baselines and of the reference. Its
    gradient is 0 for a value that has moved by more than epsilon towards the return.
    """
    error = (returns - value) ** 2
    if old_value is not None:
        clipped = old_value + jnp.clip(value - old_value, -epsilon, epsilon)
        error = jnp.maximum(error, (returns - clipped) ** 2)
    return mean_over(error, valid)


def total_loss(
    policy: Float[Array, ""], value: Float[Array, ""], entropy: Float[Array, ""], beta: Scalar
) -> Float[Array, ""]:
    """Return L_policy + 0.5 L_value - beta entropy, arXiv:1707.06347 eq. 9."""
    return policy + 0.5 * value - beta * entropy
