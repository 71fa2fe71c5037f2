"""One PPO update: every epoch and minibatch in a single compiled call."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float, Int

from mlagents.algorithms import cloning
from mlagents.algorithms.ppo.estimates import Batch, Experience, prepare
from mlagents.algorithms.ppo.losses import clipped_surrogate_loss, total_loss, value_loss
from mlagents.algorithms.ppo.networks import Networks
from mlagents.arrays import Array
from mlagents.learning.sequences import Sequences, mean_over, past_burn_in, rows_of, take
from mlagents.learning.trained import TrainedState, finite_or_before
from mlagents.nn.body import Memory


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
      cloned: what cloning comes to; None without.
    """

    policy_loss: Float[Array, ""]
    value_loss: Float[Array, ""]
    entropy: Float[Array, ""]
    value: Float[Array, " signals"]
    finite: Bool[Array, ""]
    cloned: cloning.Cloned | None = None


class Descent(NamedTuple):
    """What moves from minibatch to minibatch; `parts` sums what `minibatch_loss` reports."""

    state: TrainedState
    parts: Float[Array, " parts"]


NetworksOf = Callable[[Float[Array, " p"]], Networks]


class Recipe(NamedTuple):
    """What an update is compiled for.

    Attributes:
      networks_of: from the parameter vector to the networks.
      sequences: in a minibatch. steps: in a sequence, 1 without memory.
      burn_in: share of a sequence that only warms the memory up (see `past_burn_in`).
      lam: lambda of the advantage estimation.
      cloning: None without.
    """

    networks_of: NetworksOf
    sequences: int
    steps: int
    burn_in: float
    lam: float
    cloning: cloning.Recipe | None = None


def minibatch_loss(
    parameters: Float[Array, " p"],
    networks_of: NetworksOf,
    batch: Batch,
    memory: Memory | None,
    valid: Bool[Array, " rows"] | None,
    coefficients: Coefficients,
) -> tuple[Float[Array, ""], Float[Array, " parts"]]:
    """Return the total loss of a minibatch, and its parts [|L_policy|, L_value, entropy].

    Args:
      parameters: all weights.
      networks_of: from them to the networks.
      batch: rows of the minibatch, sequence after sequence.
      memory: before the first step of every sequence; None without memory.
      valid: rows that count; None for all of them.
      coefficients: clip range, entropy bonus.
    """
    done = batch.columns
    actions, values = networks_of(parameters).evaluate(batch.inputs, done.allowed, memory)
    log_prob = actions.log_prob(done.continuous, done.discrete)
    policy = clipped_surrogate_loss(log_prob, done.log_prob, batch.advantage, coefficients.epsilon, valid)
    value = value_loss(values, batch.returns, valid)
    entropy = mean_over(actions.entropy(), valid)
    parts = jnp.stack([jnp.abs(policy), value, entropy])
    return total_loss(policy, value, entropy, coefficients.beta), parts


def descend(
    descent: Descent,
    batch: Batch,
    sequences: Sequences,
    chosen: Int[Array, " chosen"],
    coefficients: Coefficients,
    recipe: Recipe,
) -> Descent:
    """Return the descent after one gradient step on the chosen sequences."""
    memory = valid = None
    stored = batch.columns.memory
    if stored.shape[1]:
        picked = take(sequences, chosen)
        memory = jnp.asarray(stored)[picked.start]
        rows, valid = rows_of(picked, recipe.steps)
        valid = past_burn_in(valid, memory, recipe.steps, recipe.burn_in)
    else:
        rows = sequences.start[chosen]
    gradient = jax.grad(minibatch_loss, has_aux=True)
    part = take(batch, rows)
    grads, parts = gradient(descent.state.parameters, recipe.networks_of, part, memory, valid, coefficients)
    return Descent(descent.state.descended(grads, coefficients.learning_rate), descent.parts + parts)


def update(
    state: TrainedState,
    experience: Experience,
    used: Int[Array, ""],
    sequences: Sequences,
    count: Int[Array, ""],
    order: Int[Array, "epochs sequences"],
    coefficients: Coefficients,
    gamma: Float[Array, " signals"],
    course: cloning.Course | None = None,
    *,
    recipe: Recipe,
) -> tuple[TrainedState, UpdateStatistics]:
    """Return the state after all epochs over the experience, and cloning, and what happened.

    Args:
      state: before the update.
      experience: R rows, of which the first `used` are in use.
      used: int32 [].
      sequences: of decisions; the first `count` of them are in use. Without memory, single decisions.
      count: int32 [].
      order: numbers of the sequences in a new random order for each epoch. What does not fill a whole minibatch is
        not used in that epoch.
      coefficients: learning rate, clip range, entropy bonus.
      gamma: discount of each reward signal.
      course: what is cloned after that; None without.
      recipe: what does not change from update to update.
    """
    networks = recipe.networks_of(state.parameters)
    normalizer = state.normalizer
    if normalizer is not None:
        seen = networks.body.layout.vector(experience.columns.observations)
        normalizer = normalizer.updated(seen, ~experience.closing)
    batch, value = prepare(
        networks, normalizer, experience, used, sequences, count, gamma, steps=recipe.steps, lam=recipe.lam
    )
    minibatches = count // recipe.sequences

    def epoch(number: Int[Array, ""], descent: Descent) -> Descent:
        def step(i: Int[Array, ""], descent: Descent) -> Descent:
            chosen = lax.dynamic_slice_in_dim(order[number], i * recipe.sequences, recipe.sequences)
            return descend(descent, batch, sequences, chosen, coefficients, recipe)

        trained: Descent = lax.fori_loop(0, minibatches, step, descent)
        return trained

    before = TrainedState(state.parameters, state.adam, normalizer)
    end = lax.fori_loop(0, order.shape[0], epoch, Descent(before, jnp.zeros(3)))
    parts = end.parts / jnp.maximum(minibatches * order.shape[0], 1)
    after, cloned = end.state, None
    if course is not None and recipe.cloning is not None:
        after, cloned = cloning.clone(after, course.adam, normalizer, course, course.order, recipe.cloning)
    loss = jnp.zeros(()) if cloned is None else cloned.loss
    old_adam, new_adam = (None, None) if course is None or cloned is None else (course.adam, cloned.adam)
    (kept, adam), finite = finite_or_before((state, old_adam), (after, new_adam), parts, after.parameters, loss)
    cloned = None if adam is None else cloning.Cloned(adam, loss)
    return kept, UpdateStatistics(parts[0], parts[1], parts[2], value, finite, cloned)
