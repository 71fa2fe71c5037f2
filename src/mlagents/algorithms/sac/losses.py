"""The losses of soft actor-critic as pure functions of arrays.

K reward signals each have values of their own. *Negentropy* is minus an estimate of the policy's entropy, one column
for every temperature: log pi(a|s) summed over all continuous dimensions, if there are any, then sum_j p_j log p_j of
each discrete branch.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from mlagents.arrays import Array
from mlagents.learning.sequences import Valid, mean_over
from mlagents.nn.policy import ActionDistribution

DISCRETE_ENTROPY_SHARE = 0.2
"""Target entropy of a branch as a share of its largest entropy."""


def target_entropy(continuous_size: int, branches: tuple[int, ...]) -> Float[np.ndarray, " t"]:
    """Return -n for n continuous dimensions (arXiv:1812.05905 appendix D), then 0.2 log K for every branch of K."""
    found = [-float(continuous_size)] if continuous_size else []
    found += [DISCRETE_ENTROPY_SHARE * math.log(size) for size in branches]
    return np.array(found, np.float32)


def negentropy(
    log_prob: Float[Array, "rows c"], log_probs: tuple[Float[Array, "rows _"], ...]
) -> Float[Array, "rows t"]:
    """Return minus the entropy of every decision, one column for each temperature.

    Args:
      log_prob: of the sampled continuous actions, per dimension.
      log_probs: of all actions, per discrete branch; masked actions add 0.
    """
    columns = [jnp.sum(log_prob, axis=1)] if log_prob.shape[1] else []
    columns += [jnp.sum(jnp.exp(branch) * branch, axis=1) for branch in log_probs]
    return jnp.stack(columns, axis=1)


def entropy_cost(alpha: Float[Array, " t"], negentropy: Float[Array, "rows t"], branches: int) -> Float[Array, " rows"]:
    """Return alpha times negentropy of every decision: the continuous part plus the mean over branches.

    The mean is what Q has, too: the value of a joint discrete action is the mean over its branches.
    """
    weights = np.ones(negentropy.shape[1], np.float32)
    weights[negentropy.shape[1] - branches :] /= max(branches, 1)
    return negentropy @ (alpha * weights)


def chosen_q(
    q: Float[Array, "rows signals s"], discrete: Int[Array, "rows d"], branches: tuple[int, ...]
) -> Float[Array, "rows signals"]:
    """Return Q_k of the discrete actions taken: the mean over branches; without branches Q_k."""
    if not branches:
        return q[:, :, 0]
    starts = np.cumsum([0, *branches[:-1]])
    columns = (discrete + starts)[:, None, :]
    return jnp.mean(jnp.take_along_axis(q, columns, axis=2), axis=2)


def expected_q(q: Float[Array, "rows signals s"], actions: ActionDistribution) -> Float[Array, "rows signals"]:
    """Return E Q_k over the policy's discrete actions: mean over branches of sum_j p_j Q_j; without branches Q_k."""
    if not actions.log_probs:
        return q[:, :, 0]
    probability = jnp.exp(jnp.concatenate(actions.log_probs, axis=1))
    return jnp.sum(q * probability[:, None, :], axis=2) / len(actions.log_probs)


def q_target(
    reward: Float[Array, "rows signals"],
    terminated: Bool[Array, "rows signals"],
    next_value: Float[Array, "rows signals"],
    gamma: Float[Array, " signals"],
) -> Float[Array, "rows signals"]:
    """Return r_k + gamma_k V_k(s'), arXiv:1801.01290 eq. 8; where the episode has ended for signal k, only r_k."""
    return reward + jnp.where(terminated, 0.0, gamma * next_value)


def value_target(
    q1: Float[Array, "rows signals"], q2: Float[Array, "rows signals"], cost: Float[Array, " rows"]
) -> Float[Array, "rows signals"]:
    """Return min(Q1_k, Q2_k) less the entropy cost of the same decision, arXiv:1801.01290 eq. 5 with twins."""
    return jnp.minimum(q1, q2) - cost[:, None]


def half_squared_error(
    value: Float[Array, "rows signals"], target: Float[Array, "rows signals"], valid: Valid = None
) -> Float[Array, ""]:
    """Return 1/2 (value - target)^2, averaged over decisions and signals, arXiv:1801.01290 eq. 5 and 7."""
    return 0.5 * mean_over((value - target) ** 2, valid)


def policy_loss(cost: Float[Array, " rows"], q: Float[Array, "rows signals"], valid: Valid = None) -> Float[Array, ""]:
    """Return the mean of entropy cost less the mean over signals of Q_k, arXiv:1801.01290 eq. 12."""
    return mean_over(cost - jnp.mean(q, axis=1), valid)


def temperature_loss(
    log_alpha: Float[Array, " t"], negentropy: Float[Array, "rows t"], target: Float[Array, " t"], valid: Valid = None
) -> Float[Array, ""]:
    """Return -mean log alpha (negentropy + target entropy), summed over temperatures, arXiv:1812.05905 eq. 18.

    A temperature falls while its entropy is above the target. Log alpha instead of alpha, as in the authors' code.
    """
    return -mean_over(jnp.sum(log_alpha * (negentropy + target), axis=1), valid)
