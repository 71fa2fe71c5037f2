"""Returns and advantages as pure functions.

Experience arrives in *segments*: consecutive decisions of one agent, followed by one *closing row* that holds only
the observation after the last decision. Segments of any length stand behind one another in flat rows, so the next
observation of a decision is always one row on.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from mlagents.arrays import Array

Scalar = float | np.float32 | Float[Array, ""]
LEAST_SHARE = 0.1
"""Of the largest deviation that advantages have had, by which they are divided at least when they are scaled."""

FADING = 0.99
"""How much of the largest deviation is left at the next update."""


def gae(
    reward: Float[Array, "rows signals"],
    value: Float[Array, "rows signals"],
    terminated: Bool[Array, "rows signals"],
    closing: Bool[Array, " rows"],
    gamma: Float[Array, " signals"],
    lam: float | Float[Array, ""],
) -> Float[Array, "rows signals"]:
    """Return generalised advantage estimates, arXiv:1506.02438 eq. 16, for several reward signals at once.

    With delta_t = r_t + gamma V(o_{t+1}) - V(o_t), the advantage is A_t = delta_t + gamma lambda A_{t+1}: a linear
    recurrence, solved for all rows at once by an associative scan.

    Args:
      reward: reward of the decision in each row, from signal k; ignored on closing rows.
      value: V_k of the observation in each row, closing rows included.
      terminated: the episode truly ended with this decision, as signal k counts it: an interruption is not an end, and
        curiosity ignores ends (arXiv:1810.12894 sec. 2.3).
      closing: True on the row after a segment's last decision, and on unused rows.
      gamma: discount of each signal.
      lam: lambda.

    Returns: advantages, 0 on closing rows; add `value` for the returns.
    """
    step = ~closing[:, None]
    alive = gamma * (1.0 - terminated)
    next_value = jnp.concatenate([value[1:], jnp.zeros_like(value[:1])])
    delta = jnp.where(step, reward + alive * next_value - value, 0.0)
    decay = jnp.where(step, lam * alive, 0.0)

    def compose(later: tuple[Array, Array], earlier: tuple[Array, Array]) -> tuple[Array, Array]:
        (decay_l, sum_l), (decay_e, sum_e) = later, earlier
        return decay_l * decay_e, sum_e + decay_e * sum_l

    advantage: Array
    _, advantage = jax.lax.associative_scan(compose, (decay, delta), reverse=True)
    return advantage


def masked_mean(x: Float[Array, " rows"], valid: Bool[Array, " rows"]) -> Float[Array, ""]:
    """Return the mean of x over the valid rows, 0 when there are none."""
    return jnp.sum(jnp.where(valid, x, 0.0)) / jnp.maximum(jnp.sum(valid), 1)


def masked_standardized(x: Float[Array, " rows"], valid: Bool[Array, " rows"]) -> Float[Array, " rows"]:
    """Return (x - mean) / (std + 1e-10) with moments over the valid rows; 0 elsewhere."""
    mean = masked_mean(x, valid)
    std = jnp.sqrt(masked_mean((x - mean) ** 2, valid))
    return jnp.where(valid, (x - mean) / (std + 1e-10), 0.0)


def masked_scaled(
    x: Float[Array, " rows"], valid: Bool[Array, " rows"], largest: Scalar
) -> tuple[Float[Array, " rows"], Float[Array, ""]]:
    """Return x / max(std, `LEAST_SHARE` largest), 0 outside of the valid rows, and the largest deviation from now on.

    The sign of x stays. Once a task is solved, advantages are small errors of values and nothing else: they stay small.

    Args:
      x: advantages.
      valid: rows that count.
      largest: the largest standard deviation so far, which fades by `FADING`; 0 at first.
    """
    std = jnp.sqrt(masked_mean((x - masked_mean(x, valid)) ** 2, valid))
    largest = jnp.maximum(std, FADING * largest)
    return jnp.where(valid, x / (jnp.maximum(std, LEAST_SHARE * largest) + 1e-10), 0.0), largest


def linked_gae(
    reward: Float[Array, " rows"],
    value: Float[Array, " rows"],
    follower: Int[Array, " rows"],
    terminated: Bool[Array, " rows"],
    closing: Bool[Array, " rows"],
    gamma: float | Float[Array, ""],
    lam: float | Float[Array, ""],
) -> Float[Array, " rows"]:
    """Generalised advantage estimation as in `gae`, where a decision may be followed by any row.

    The recurrence runs along chains that may join, as when what follows an agent's end is what its group earns. It is
    solved by pointer jumping (Hillis & Steele 1986, "Data parallel algorithms"): each round doubles how far a row sees.

    Args:
      reward: of the decision in each row; ignored on closing rows.
      value: of each row, closing rows included.
      follower: what each decision is followed by.
      terminated: nothing follows.
      closing: rows that are no decision.
      gamma: discount.
      lam: lambda.

    Returns: advantages, 0 on closing rows; add `value` for the returns.
    """
    alive = jnp.where(terminated, 0.0, gamma)
    delta = jnp.where(closing, 0.0, reward + alive * value[follower] - value)
    decay = jnp.where(closing, 0.0, lam * alive)

    def double(_: Int[Array, ""], chain: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        total, decay, follower = chain
        return total + decay * total[follower], decay * decay[follower], follower[follower]

    rounds = max(len(reward) - 1, 1).bit_length()
    advantage: Array
    advantage, _, _ = jax.lax.fori_loop(0, rounds, double, (delta, decay, jnp.asarray(follower)))
    return advantage
