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
from mlagents.algorithms.sac.networks import QNetwork, Structure
from mlagents.arrays import Array
from mlagents.learning.adam import ADAM
from mlagents.learning.sequences import Valid, mean_over, past_burn_in
from mlagents.nn.body import Memory
from mlagents.nn.critic import Critic
from mlagents.nn.distributions import squashed_gaussian_sample
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import Inputs, ObservationLayout, Observations
from mlagents.nn.policy import ActionDistribution


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
    """Sampled sequences: each has the rows of its decisions and one more row (see `mlagents.data.replay.Replay`).

    `length`: int32 [rows], how many decisions the sequence of the row has.
    """

    observations: Observations
    memory: Float[Array, "rows m"]
    continuous: Float[Array, "rows c"]
    discrete: Int[Array, "rows d"]
    allowed: Bool[Array, "rows s"]
    reward: Float[Array, "rows signals"]
    ended: Bool[Array, "rows signals"]
    length: Int[Array, " rows"]


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
    """Decisions ready for the loss, sequence after sequence.

    Attributes:
      inputs: at the decisions.
      later: what V of the following observations needs: without memory these observations; with memory the decisions'
        and, as one more step of each sequence, the last following one.
      memory: of the policy before the first decision of every sequence; None without memory.
      valid: decisions that count; None for all of them.
      action: in [-1, 1]. noise: standard normal.
    """

    inputs: Inputs
    later: Inputs
    memory: Memory | None
    valid: Valid
    action: Float[Array, "rows c"]
    discrete: Int[Array, "rows d"]
    allowed: Bool[Array, "rows s"]
    reward: Float[Array, "rows signals"]
    ended: Bool[Array, "rows signals"]
    noise: Float[Array, "rows c"]


class Recipe(NamedTuple):
    """What updates are compiled for.

    Attributes:
      structure: of the networks.
      sequences: in a minibatch. steps: in a sequence, 1 without memory.
      burn_in: share of a sequence that only warms the memory up (see `past_burn_in`).
      tau: share of the value network that goes into its target at each update.
    """

    structure: Structure
    sequences: int
    steps: int
    burn_in: float
    tau: float


def next_values(target: Critic, batch: Batch, steps: int) -> Float[Array, "rows signals"]:
    """Return the target network's V_k of the observations after the decisions."""
    if batch.memory is None:
        return target(batch.later)[0]
    value, _ = target(batch.later, _nothing(target, batch.memory))
    per_step: Array = value.reshape(-1, steps + 1, value.shape[1])[:, 1:]
    return per_step.reshape(-1, value.shape[1])


def _nothing(critic: Critic | QNetwork, memory: Memory | None) -> Memory | None:
    """Return the memory that critics start a sequence with: zeros."""
    return None if memory is None else jnp.zeros((len(memory), critic.body.memory_size))


def minibatch_loss(
    parameters: Float[Array, " p"],
    target: Float[Array, " v"],
    recipe: Recipe,
    batch: Batch,
    gamma: Float[Array, " signals"],
) -> tuple[Float[Array, ""], Float[Array, " reported"]]:
    """Return the sum of all losses, and what is reported: losses of policy, V, Q1, Q2, then entropy, then mean V_k.

    Every loss has gradients for its own networks only, so that one gradient of the sum serves all of them.
    """
    structure, valid = recipe.structure, batch.valid
    networks = structure.networks(parameters)
    branches = tuple(layer.bias.size for layer in networks.head.logits)
    hidden, _ = networks.body(batch.inputs, batch.memory)
    actions: ActionDistribution = networks.head(hidden, batch.allowed)
    blank = _nothing(networks.value, batch.memory)
    sample, log_prob = squashed_gaussian_sample(actions.mean, actions.log_std, batch.noise)
    negentropy = losses.negentropy(log_prob, actions.log_probs)
    alpha = lax.stop_gradient(jnp.exp(networks.log_alpha))
    cost = losses.entropy_cost(alpha, negentropy, len(branches))

    frozen_q1, frozen_q2 = lax.stop_gradient((networks.q1, networks.q2))
    best_q1 = losses.expected_q(frozen_q1(batch.inputs, sample, blank), actions)
    best_q2 = losses.expected_q(frozen_q2(batch.inputs, sample, blank), actions)
    policy = losses.policy_loss(cost, best_q1, valid)

    v_target = lax.stop_gradient(losses.value_target(best_q1, best_q2, cost))
    v, _ = networks.value(batch.inputs, blank)
    value = losses.half_squared_error(v, v_target, valid)

    next_value = lax.stop_gradient(next_values(structure.value(target), batch, recipe.steps))
    target_q = losses.q_target(batch.reward, batch.ended, next_value, gamma)
    q1, q2 = (
        losses.half_squared_error(losses.chosen_q(found, batch.discrete, branches), target_q, valid)
        for found in (q(batch.inputs, batch.action, blank) for q in (networks.q1, networks.q2))
    )

    goal = losses.target_entropy(batch.action.shape[1], branches)
    temperature = losses.temperature_loss(networks.log_alpha, lax.stop_gradient(negentropy), goal, valid)
    entropy = -mean_over(jnp.sum(negentropy, axis=1), valid)
    mean_v = [mean_over(v[:, k], valid) for k in range(v.shape[1])]
    reported = jnp.stack([policy, value, q1, q2, entropy, *mean_v])
    return policy + value + q1 + q2 + temperature, reported


def minibatch(
    transitions: Transitions,
    noise: Float[Array, "updates rows c"],
    number: Int[Array, ""],
    normalizer: Normalizer | None,
    layout: ObservationLayout,
    recipe: Recipe,
) -> Batch:
    """Return the minibatch of one update."""
    sequences, steps = recipe.sequences, recipe.steps
    rows = sequences * (steps + 1)
    part: Transitions = jax.tree.map(lambda c: lax.dynamic_slice_in_dim(c, number * rows, rows), transitions)

    def decisions(x: Array) -> Array:
        """Leave out the row after each sequence."""
        kept: Array = x.reshape(sequences, steps + 1, *x.shape[1:])[:, :-1].reshape(sequences * steps, *x.shape[1:])
        return kept

    every = layout.sorted(part.observations)
    if normalizer is not None:
        every = every._replace(vector=normalizer(every.vector))
    inputs: Inputs = jax.tree.map(decisions, every)
    memory: Memory | None = None
    valid: Valid = None
    if part.memory.shape[1]:
        memory = part.memory[:: steps + 1]
        valid = (jnp.arange(steps) < part.length[:: steps + 1, None]).ravel()
        valid = past_burn_in(valid, memory, steps, recipe.burn_in)
        later = every
    else:
        later = jax.tree.map(lambda x: x[1::2], every)
    return Batch(
        inputs=inputs,
        later=later,
        memory=memory,
        valid=valid,
        action=jnp.tanh(decisions(part.continuous)),
        discrete=decisions(part.discrete),
        allowed=decisions(part.allowed),
        reward=decisions(part.reward),
        ended=decisions(part.ended),
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
    recipe: Recipe,
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
      recipe: what does not change from call to call.
    """
    gradient = jax.grad(minibatch_loss, has_aux=True)
    layout = recipe.structure.networks(state.parameters).body.layout

    def step(number: Int[Array, ""], carry: tuple[LearnerState, Array]) -> tuple[LearnerState, Array]:
        now, sums = carry
        batch = minibatch(transitions, noise, number, normalizer, layout, recipe)
        grads, reported = gradient(now.parameters, now.target, recipe, batch, gamma)
        direction, adam = ADAM.update(grads, now.adam)
        parameters = now.parameters - learning_rate * direction
        target = now.target + recipe.tau * (parameters[: now.target.size] - now.target)
        return LearnerState(parameters, target, adam), sums + reported

    zeros = jnp.zeros(5 + transitions.reward.shape[1])
    after, sums = lax.fori_loop(0, updates, step, (state, zeros))
    means = sums / updates
    finite = jnp.all(jnp.isfinite(means)) & jnp.all(jnp.isfinite(after.parameters))
    kept: LearnerState = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, state)
    alpha = jnp.exp(recipe.structure.networks(kept.parameters).log_alpha)
    return kept, UpdateStatistics(means[0], means[1], means[2], means[3], means[4], means[5:], alpha, finite)
