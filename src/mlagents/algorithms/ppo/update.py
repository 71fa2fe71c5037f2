"""One PPO update: every epoch and minibatch in a single compiled call."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Bool, Float, Int

from mlagents.algorithms.ppo.losses import clipped_surrogate_loss, total_loss, value_loss
from mlagents.arrays import Array
from mlagents.nn.critic import Critic
from mlagents.nn.layers import Mlp
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.policy import ActionHead, Observations
from mlagents.returns import gae, masked_standardized

CHUNK = 1024
"""Rows evaluated at once before the epochs; the number of chunks follows the rows in use."""

ADAM = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8)


class Networks(NamedTuple):
    """What gradients train."""

    body: Mlp
    head: ActionHead
    critic: Critic


class LearnerState(eqx.Module):
    """Everything an update changes.

    Attributes:
      parameters: float32 [P], all weights of `Networks` in one vector, so that Adam is one fused loop.
      adam: Adam's moments, of the same shape.
      normalizer: observation statistics, or None.
    """

    parameters: Float[Array, " p"]
    adam: optax.ScaleByAdamState
    normalizer: Normalizer | None


class Experience(NamedTuple):
    """Segments in flat rows (see `mlagents.data.segments.Rows`)."""

    observations: Observations
    continuous: Float[Array, "rows c"]
    discrete: Int[Array, "rows d"]
    log_prob: Float[Array, "rows columns"]
    allowed: Bool[Array, "rows s"]
    reward: Float[Array, "rows signals"]
    ended: Bool[Array, "rows signals"]
    closing: Bool[Array, " rows"]


class Coefficients(NamedTuple):
    """Numbers that may change from update to update; all float32 []."""

    learning_rate: Float[Array, ""] | np.float32
    epsilon: Float[Array, ""] | np.float32
    beta: Float[Array, ""] | np.float32


class UpdateStatistics(NamedTuple):
    """What an update reports.

    Attributes:
      policy_loss: |L_policy|, averaged over minibatches. value_loss: L_value, likewise.
      entropy: of the action distributions, likewise.
      value: V_k averaged over decisions, [K].
      finite: False when a loss or weight was not finite: then the state is the one before the update.
    """

    policy_loss: Float[Array, ""]
    value_loss: Float[Array, ""]
    entropy: Float[Array, ""]
    value: Float[Array, " signals"]
    finite: Bool[Array, ""]


class Batch(NamedTuple):
    """Decisions ready for the loss, one row each."""

    x: Float[Array, "rows n"]
    continuous: Float[Array, "rows c"]
    discrete: Int[Array, "rows d"]
    allowed: Bool[Array, "rows s"]
    log_prob: Float[Array, "rows columns"]
    advantage: Float[Array, " rows"]
    returns: Float[Array, "rows signals"]


class Descent(NamedTuple):
    """What moves from minibatch to minibatch; `parts` sums what `minibatch_loss` reports."""

    parameters: Float[Array, " p"]
    adam: optax.ScaleByAdamState
    parts: Float[Array, " parts"]


NetworksOf = Callable[[Float[Array, " p"]], Networks]


def minibatch_loss(
    parameters: Float[Array, " p"], networks_of: NetworksOf, batch: Batch, coefficients: Coefficients
) -> tuple[Float[Array, ""], Float[Array, " parts"]]:
    """Return the total loss of a minibatch, and its parts [|L_policy|, L_value, entropy]."""
    networks = networks_of(parameters)
    actions = networks.head(networks.body(batch.x), batch.allowed)
    log_prob = actions.log_prob(batch.continuous, batch.discrete)
    policy = clipped_surrogate_loss(log_prob, batch.log_prob, batch.advantage, coefficients.epsilon)
    value = value_loss(networks.critic(batch.x), batch.returns)
    entropy = jnp.mean(actions.entropy())
    parts = jnp.stack([jnp.abs(policy), value, entropy])
    return total_loss(policy, value, entropy, coefficients.beta), parts


def prepare(
    critic: Critic,
    normalizer: Normalizer | None,
    experience: Experience,
    used: Int[Array, ""],
    gamma: Float[Array, " signals"],
    lam: float,
) -> tuple[Batch, Float[Array, " signals"]]:
    """Return the rows as a `Batch`, and the values averaged over decisions.

    Values come from the critic as it stands, normaliser included. The advantage is the mean over signals,
    standardised over all decisions.
    """
    rows = experience.closing.shape[0]
    chunk = min(CHUNK, rows)
    observed = jnp.concatenate(experience.observations, axis=1)
    x = observed if normalizer is None else normalizer(observed)

    def evaluate(i: Int[Array, ""], value: Float[Array, "rows signals"]) -> Float[Array, "rows signals"]:
        start = jnp.minimum(i * chunk, rows - chunk)
        part = critic(lax.dynamic_slice_in_dim(x, start, chunk))
        return lax.dynamic_update_slice_in_dim(value, part, start, 0)

    value = lax.fori_loop(0, (used + chunk - 1) // chunk, evaluate, jnp.zeros((rows, gamma.size)))
    advantage = gae(experience.reward, value, experience.ended, experience.closing, gamma, lam)
    step = ~experience.closing
    batch = Batch(
        x=x,
        continuous=experience.continuous,
        discrete=experience.discrete,
        allowed=experience.allowed,
        log_prob=experience.log_prob,
        advantage=masked_standardized(jnp.mean(advantage, axis=1), step),
        returns=advantage + value,
    )
    return batch, jnp.sum(jnp.where(step[:, None], value, 0.0), axis=0) / jnp.maximum(jnp.sum(step), 1)


def update(
    state: LearnerState,
    experience: Experience,
    used: Int[Array, ""],
    order: Int[Array, "epochs decisions"],
    minibatches: Int[Array, ""],
    coefficients: Coefficients,
    gamma: Float[Array, " signals"],
    *,
    networks_of: NetworksOf,
    batch_size: int,
    lam: float,
) -> tuple[LearnerState, UpdateStatistics]:
    """Return the state after all epochs over the experience, and what happened.

    Args:
      state: before the update.
      experience: R rows, of which the first `used` are in use.
      used: int32 [].
      order: rows of the decisions in a new random order for each epoch; entries past
        minibatches * batch_size are not read.
      minibatches: int32 [], gradient steps per epoch.
      coefficients: learning rate, clip range, entropy bonus.
      gamma: discount of each reward signal.
      networks_of: from the parameter vector to the networks.
      batch_size: decisions per gradient step.
      lam: lambda of the advantage estimation.
    """
    normalizer = state.normalizer
    if normalizer is not None:
        seen = jnp.concatenate(experience.observations, axis=1)
        normalizer = normalizer.updated(seen, ~experience.closing)
    batch, value = prepare(networks_of(state.parameters).critic, normalizer, experience, used, gamma, lam)
    gradient = jax.grad(minibatch_loss, has_aux=True)

    def epoch(number: Int[Array, ""], descent: Descent) -> Descent:
        rows = order[number]
        shuffled: Batch = jax.tree.map(lambda c: c[rows], batch)

        def step(i: Int[Array, ""], descent: Descent) -> Descent:
            part = jax.tree.map(lambda c: lax.dynamic_slice_in_dim(c, i * batch_size, batch_size), shuffled)
            grads, parts = gradient(descent.parameters, networks_of, part, coefficients)
            direction, adam = ADAM.update(grads, descent.adam)
            return Descent(
                descent.parameters - coefficients.learning_rate * direction,
                adam,
                descent.parts + parts,
            )

        trained: Descent = lax.fori_loop(0, minibatches, step, descent)
        return trained

    end = lax.fori_loop(0, order.shape[0], epoch, Descent(state.parameters, state.adam, jnp.zeros(3)))
    parts = end.parts / jnp.maximum(minibatches * order.shape[0], 1)
    after = LearnerState(end.parameters, end.adam, normalizer)
    finite = jnp.all(jnp.isfinite(parts)) & jnp.all(jnp.isfinite(end.parameters))
    kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, state)
    return kept, UpdateStatistics(parts[0], parts[1], parts[2], value, finite)
