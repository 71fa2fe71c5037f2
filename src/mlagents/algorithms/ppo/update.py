"""One PPO update: every epoch and minibatch in a single compiled call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float, Int

from mlagents.algorithms import cloning
from mlagents.algorithms.descent import Descent, descend_epochs
from mlagents.algorithms.ppo.estimates import Batch, Estimation, Experience, prepare, with_seen
from mlagents.algorithms.ppo.losses import clipped_surrogate_loss, total_loss, value_loss
from mlagents.arrays import Array
from mlagents.learning.sequences import Sequences, mean_over, take, with_memory
from mlagents.learning.trained import TrainedState
from mlagents.nn.body import Memory
from mlagents.returns import Scalar


class Coefficients(NamedTuple):
    """Numbers that may change from update to update; all float32 [].

    Attributes:
      deviation: the largest that advantages have had (see `masked_scaled`).
    """

    learning_rate: Float[Array, ""] | np.float32
    epsilon: Float[Array, ""] | np.float32
    beta: Float[Array, ""] | np.float32
    deviation: Scalar = 0.0


class UpdateStatistics(NamedTuple):
    """What an update reports.

    Attributes:
      policy_loss: |L_policy|, averaged over minibatches. value_loss: L_value, likewise.
      entropy: of the action distributions, likewise.
      value: V_k averaged over decisions, [K]. deviation: the largest of advantages from now on.
      finite: False when a loss or weight was not finite: then the state is the one before the update.
      cloned: what cloning comes to; None without.
    """

    policy_loss: Float[Array, ""]
    value_loss: Float[Array, ""]
    entropy: Float[Array, ""]
    value: Float[Array, " signals"]
    deviation: Scalar
    finite: Bool[Array, ""]
    cloned: cloning.Cloned | None = None


NetworksOf = Callable[[Float[Array, " p"]], Any]
"""From the parameter vector to the networks, `Networks` or what POCA has instead."""


class Recipe(NamedTuple):
    """What an update is compiled for.

    Attributes:
      networks_of: from the parameter vector to the networks.
      sequences: in a minibatch. steps: in a sequence, 1 without memory.
      burn_in: share of a sequence that only warms the memory up (see `past_burn_in`).
      estimation: how experience is judged before.
      cloning: None without.
    """

    networks_of: NetworksOf
    sequences: int
    steps: int
    burn_in: float
    estimation: Estimation
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
    value = value_loss(values, batch.returns, valid, batch.old_value, coefficients.epsilon)
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
        rows, valid, memory = with_memory(sequences, chosen, stored, recipe.steps, recipe.burn_in)
    else:
        rows = sequences.start[chosen]
    gradient = jax.grad(minibatch_loss, has_aux=True)
    part = take(batch, rows)
    grads, parts = gradient(descent.state.parameters, recipe.networks_of, part, memory, valid, coefficients)
    return descent.stepped(grads, parts, coefficients.learning_rate)


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
    normalizer = with_seen(state.normalizer, networks.body, experience)
    steps, estimation, largest = recipe.steps, recipe.estimation, coefficients.deviation
    batch, value, largest = prepare(
        networks, normalizer, experience, used, sequences, count, gamma, largest, steps, estimation
    )

    def step(here: Int[Array, " sequences"], i: Int[Array, ""], descent: Descent) -> Descent:
        chosen = lax.dynamic_slice_in_dim(here, i * recipe.sequences, recipe.sequences)
        return descend(descent, batch, sequences, chosen, coefficients, recipe)

    before = TrainedState(state.parameters, state.adam, normalizer)
    end = descend_epochs(before, 3, order, count // recipe.sequences, step)
    kept, finite, cloned = cloning.clone_and_check(state, end.state, end.parts, course, recipe.cloning)
    return kept, UpdateStatistics(end.parts[0], end.parts[1], end.parts[2], value, largest, finite, cloned)
