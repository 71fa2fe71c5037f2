"""Many SAC updates, each on a minibatch of its own, in a single compiled call."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Bool, Float, Int

from mlagents.algorithms.sac import losses
from mlagents.algorithms.sac.networks import Structure
from mlagents.arrays import Array
from mlagents.nn.distributions import squashed_gaussian_sample
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.policy import ActionDistribution, Observations

ADAM = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8)
"""One Adam for policy, critics and temperatures: it works element by element, so with one learning rate this is the
same as an optimiser for each of the three."""


class LearnerState(eqx.Module):
    """What an update changes.

    Attributes:
      parameters: float32 [P], all weights of `Networks` in one vector.
      target: float32 [V], weights of the target of the value network, as they stand first in `parameters`.
      adam: Adam's moments, of the shape of `parameters`.
    """

    parameters: Float[Array, " p"]
    target: Float[Array, " v"]
    adam: optax.ScaleByAdamState


class Transitions(NamedTuple):
    """Decisions in even rows, the observations after them in odd rows (see `mlagents.data.replay.Replay.sample`)."""

    observations: Observations
    continuous: Float[Array, "rows c"]
    discrete: Int[Array, "rows d"]
    allowed: Bool[Array, "rows s"]
    reward: Float[Array, "rows signals"]
    ended: Bool[Array, "rows signals"]


class UpdateStatistics(NamedTuple):
    """What a call reports, averaged over its updates.

    Attributes:
      policy_loss, value_loss, q1_loss, q2_loss: as the losses are.
      entropy: of the policy, estimated on the minibatches, summed over temperatures.
      value: V_k averaged over decisions, [K].
      alpha: temperatures after the last update, [t].
      finite: False when a loss or weight was not finite: then the state is the one before the call.
    """

    policy_loss: Float[Array, ""]
    value_loss: Float[Array, ""]
    q1_loss: Float[Array, ""]
    q2_loss: Float[Array, ""]
    entropy: Float[Array, ""]
    value: Float[Array, " signals"]
    alpha: Float[Array, " t"]
    finite: Bool[Array, ""]


class Batch(NamedTuple):
    """Decisions ready for the loss, one row each; `action` is in [-1, 1], `noise` standard normal."""

    x: Float[Array, "rows n"]
    next_x: Float[Array, "rows n"]
    action: Float[Array, "rows c"]
    discrete: Int[Array, "rows d"]
    allowed: Bool[Array, "rows s"]
    reward: Float[Array, "rows signals"]
    ended: Bool[Array, "rows signals"]
    noise: Float[Array, "rows c"]


def minibatch_loss(
    parameters: Float[Array, " p"],
    target: Float[Array, " v"],
    structure: Structure,
    batch: Batch,
    gamma: Float[Array, " signals"],
) -> tuple[Float[Array, ""], Float[Array, " reported"]]:
    """Return the sum of all losses, and what is reported: losses of policy, V, Q1, Q2, then entropy, then mean V_k.

    Every loss has gradients for its own networks only, so that one gradient of the sum serves all of them.
    """
    networks = structure.networks(parameters)
    branches = tuple(layer.bias.size for layer in networks.head.logits)
    actions: ActionDistribution = networks.head(networks.body(batch.x), batch.allowed)
    sample, log_prob = squashed_gaussian_sample(actions.mean, actions.log_std, batch.noise)
    negentropy = losses.negentropy(log_prob, actions.log_probs)
    alpha = lax.stop_gradient(jnp.exp(networks.log_alpha))
    cost = losses.entropy_cost(alpha, negentropy, len(branches))

    frozen_q1, frozen_q2 = lax.stop_gradient((networks.q1, networks.q2))
    best_q1 = losses.expected_q(frozen_q1(batch.x, sample), actions)
    best_q2 = losses.expected_q(frozen_q2(batch.x, sample), actions)
    policy = losses.policy_loss(cost, best_q1)

    v_target = lax.stop_gradient(losses.value_target(best_q1, best_q2, cost))
    v: Array = networks.value(batch.x)
    value = losses.half_squared_error(v, v_target)

    next_value = lax.stop_gradient(structure.value(target)(batch.next_x))
    target_q = losses.q_target(batch.reward, batch.ended, next_value, gamma)
    q1, q2 = (
        losses.half_squared_error(losses.chosen_q(q(batch.x, batch.action), batch.discrete, branches), target_q)
        for q in (networks.q1, networks.q2)
    )

    goal = losses.target_entropy(batch.action.shape[1], branches)
    temperature = losses.temperature_loss(networks.log_alpha, lax.stop_gradient(negentropy), goal)
    entropy = -jnp.mean(jnp.sum(negentropy, axis=1))
    reported = jnp.concatenate([jnp.stack([policy, value, q1, q2, entropy]), jnp.mean(v, axis=0)])
    return policy + value + q1 + q2 + temperature, reported


def minibatch(
    transitions: Transitions,
    noise: Float[Array, "updates rows c"],
    number: Int[Array, ""],
    normalizer: Normalizer | None,
) -> Batch:
    """Return the minibatch of one update."""
    rows = 2 * noise.shape[1]
    part: Transitions = jax.tree.map(lambda c: lax.dynamic_slice_in_dim(c, number * rows, rows), transitions)
    x: Array = jnp.concatenate(part.observations, axis=1)
    x = x if normalizer is None else normalizer(x)
    return Batch(
        x=x[0::2],
        next_x=x[1::2],
        action=jnp.tanh(part.continuous[0::2]),
        discrete=part.discrete[0::2],
        allowed=part.allowed[0::2],
        reward=part.reward[0::2],
        ended=part.ended[0::2],
        noise=noise[number],
    )


def update(
    state: LearnerState,
    normalizer: Normalizer | None,
    transitions: Transitions,
    noise: Float[Array, "updates rows c"],
    updates: Int[Array, ""] | np.int32,
    learning_rate: Float[Array, ""] | np.float32,
    gamma: Float[Array, " signals"],
    *,
    structure: Structure,
    tau: float,
) -> tuple[LearnerState, UpdateStatistics]:
    """Return the state after the updates, and what happened.

    Args:
      state: before.
      normalizer: of the observations, or None.
      transitions: minibatches behind one another, for as many updates as there may be in a call.
      noise: standard normal numbers for the actions the policy would take.
      updates: how many minibatches to use, 1 or more; the others are not read.
      learning_rate: of all networks and temperatures.
      gamma: discount of each reward signal.
      structure: of the networks.
      tau: share of the value network that goes into its target at each update.
    """
    gradient = jax.grad(minibatch_loss, has_aux=True)

    def step(number: Int[Array, ""], carry: tuple[LearnerState, Array]) -> tuple[LearnerState, Array]:
        now, sums = carry
        batch = minibatch(transitions, noise, number, normalizer)
        grads, reported = gradient(now.parameters, now.target, structure, batch, gamma)
        direction, adam = ADAM.update(grads, now.adam)
        parameters = now.parameters - learning_rate * direction
        target = now.target + tau * (parameters[: now.target.size] - now.target)
        return LearnerState(parameters, target, adam), sums + reported

    zeros = jnp.zeros(5 + transitions.reward.shape[1])
    after, sums = lax.fori_loop(0, updates, step, (state, zeros))
    means = sums / updates
    finite = jnp.all(jnp.isfinite(means)) & jnp.all(jnp.isfinite(after.parameters))
    kept: LearnerState = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, state)
    alpha = jnp.exp(structure.networks(kept.parameters).log_alpha)
    return kept, UpdateStatistics(means[0], means[1], means[2], means[3], means[4], means[5:], alpha, finite)
