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
from mlagents.learning.adam import ADAM
from mlagents.learning.sequences import Sequences, mean_over, past_burn_in, rows_of, take
from mlagents.nn.body import Body, Memory
from mlagents.nn.layers import Dense
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import Inputs, Observations
from mlagents.nn.policy import ActionDistribution, ActionHead
from mlagents.returns import gae, masked_standardized

CHUNK = 1024
"""FlatSegments evaluated at once before the epochs; the number of chunks follows the rows in use."""


class Networks(NamedTuple):
    """What gradients train.

    Attributes:
      body, head: of the policy.
      critic_body: of the critic; None if it shares the policy's.
      value: dense layer to one value per reward signal.
    """

    body: Body
    head: ActionHead
    critic_body: Body | None
    value: Dense

    def values(self, inputs: Inputs, memory: Memory | None) -> Float[Array, "rows signals"]:
        """Return V_k of every row; memory is the policy's and then the critic's (see `Body.__call__`)."""
        own, others = self._memories(memory)
        if self.critic_body is None:
            hidden, _ = self.body(inputs, own)
        else:
            hidden, _ = self.critic_body(inputs, others)
        return self.value(hidden)

    def evaluate(
        self, inputs: Inputs, allowed: Bool[Array, "rows s"] | None, memory: Memory | None
    ) -> tuple[ActionDistribution, Float[Array, "rows signals"]]:
        """Return what the policy would do and V_k of every row."""
        own, others = self._memories(memory)
        hidden, _ = self.body(inputs, own)
        critic_hidden = hidden if self.critic_body is None else self.critic_body(inputs, others)[0]
        return self.head(hidden, allowed), self.value(critic_hidden)

    def _memories(self, memory: Memory | None) -> tuple[Memory | None, Memory | None]:
        if memory is None:
            return None, None
        size = self.body.memory_size
        return memory[:, :size], memory[:, size:]


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
    """Segments in flat rows (see `mlagents.data.segments.FlatSegments`)."""

    observations: Observations
    memory: Float[Array, "rows m"]
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
    """FlatSegments ready for the loss."""

    inputs: Inputs
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


class Recipe(NamedTuple):
    """What an update is compiled for.

    Attributes:
      networks_of: from the parameter vector to the networks.
      sequences: in a minibatch. steps: in a sequence, 1 without memory.
      burn_in: share of a sequence that only warms the memory up (see `past_burn_in`).
      lam: lambda of the advantage estimation.
    """

    networks_of: NetworksOf
    sequences: int
    steps: int
    burn_in: float
    lam: float


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
    actions, values = networks_of(parameters).evaluate(batch.inputs, batch.allowed, memory)
    log_prob = actions.log_prob(batch.continuous, batch.discrete)
    policy = clipped_surrogate_loss(log_prob, batch.log_prob, batch.advantage, coefficients.epsilon, valid)
    value = value_loss(values, batch.returns, valid)
    entropy = mean_over(actions.entropy(), valid)
    parts = jnp.stack([jnp.abs(policy), value, entropy])
    return total_loss(policy, value, entropy, coefficients.beta), parts


def normalized(observations: Observations, networks: Networks, normalizer: Normalizer | None) -> Inputs:
    """Return what the networks get of every row."""
    inputs = networks.body.layout.sorted(observations)
    return inputs if normalizer is None else inputs._replace(vector=normalizer(inputs.vector))


def row_values(networks: Networks, inputs: Inputs, used: Int[Array, ""]) -> Float[Array, "rows signals"]:
    """Return V_k of all rows in use, without memory."""
    rows = len(inputs.vector)
    chunk = min(CHUNK, rows)

    def evaluate(i: Int[Array, ""], value: Float[Array, "rows signals"]) -> Float[Array, "rows signals"]:
        start = jnp.minimum(i * chunk, rows - chunk)
        part = jax.tree.map(lambda c: lax.dynamic_slice_in_dim(c, start, chunk), inputs)
        return lax.dynamic_update_slice_in_dim(value, networks.values(part, None), start, 0)

    zeros = jnp.zeros((rows, networks.value.bias.size))
    value: Array = lax.fori_loop(0, (used + chunk - 1) // chunk, evaluate, zeros)
    return value


def sequence_values(
    networks: Networks,
    inputs: Inputs,
    memory: Float[Array, "rows m"],
    closing: Bool[Array, " rows"],
    sequences: Sequences,
    count: Int[Array, ""],
    steps: int,
) -> Float[Array, "rows signals"]:
    """Return V_k of all rows in use, with memory.

    Every sequence starts from the memory stored with it and goes one step beyond its last decision; the value there
    is that of a closing row, or the next sequence has it.
    """
    rows, slots = len(closing), len(sequences.start)
    chunk = min(max(CHUNK // (steps + 1), 1), slots)

    def evaluate(i: Int[Array, ""], value: Float[Array, "rows signals"]) -> Float[Array, "rows signals"]:
        first = jnp.minimum(i * chunk, slots - chunk)
        part: Sequences = jax.tree.map(lambda c: lax.dynamic_slice_in_dim(c, first, chunk), sequences)
        at, valid = rows_of(part, steps + 1)
        last = (jnp.arange(steps + 1) == part.length[:, None]).ravel() & closing[at]
        found = networks.values(take(inputs, at), memory[part.start])
        written: Array = jnp.asarray(value).at[jnp.where(valid | last, at, rows)].set(found, mode="drop")
        return written

    zeros = jnp.zeros((rows, networks.value.bias.size))
    value: Array = lax.fori_loop(0, (count + chunk - 1) // chunk, evaluate, zeros)
    return value


def prepare(
    networks: Networks,
    normalizer: Normalizer | None,
    experience: Experience,
    used: Int[Array, ""],
    sequences: Sequences,
    count: Int[Array, ""],
    gamma: Float[Array, " signals"],
    recipe: Recipe,
) -> tuple[Batch, Float[Array, " signals"]]:
    """Return the rows as a `Batch`, and the values averaged over decisions.

    Values come from the critic as it stands, normaliser included. The advantage is the mean over signals,
    standardised over all decisions.
    """
    inputs = normalized(experience.observations, networks, normalizer)
    closing = experience.closing
    if experience.memory.shape[1]:
        value = sequence_values(networks, inputs, experience.memory, closing, sequences, count, recipe.steps)
    else:
        value = row_values(networks, inputs, used)
    advantage = gae(experience.reward, value, experience.ended, closing, gamma, recipe.lam)
    step = ~closing
    batch = Batch(
        inputs=inputs,
        continuous=experience.continuous,
        discrete=experience.discrete,
        allowed=experience.allowed,
        log_prob=experience.log_prob,
        advantage=masked_standardized(jnp.mean(advantage, axis=1), step),
        returns=advantage + value,
    )
    return batch, jnp.sum(jnp.where(step[:, None], value, 0.0), axis=0) / jnp.maximum(jnp.sum(step), 1)


def descend(
    descent: Descent,
    batch: Batch,
    stored_memory: Float[Array, "rows m"],
    sequences: Sequences,
    chosen: Int[Array, " chosen"],
    coefficients: Coefficients,
    recipe: Recipe,
) -> Descent:
    """Return the descent after one gradient step on the chosen sequences."""
    memory = valid = None
    if stored_memory.shape[1]:
        picked = take(sequences, chosen)
        memory = stored_memory[picked.start]
        rows, valid = rows_of(picked, recipe.steps)
        valid = past_burn_in(valid, memory, recipe.steps, recipe.burn_in)
    else:
        rows = sequences.start[chosen]
    gradient = jax.grad(minibatch_loss, has_aux=True)
    part = take(batch, rows)
    grads, parts = gradient(descent.parameters, recipe.networks_of, part, memory, valid, coefficients)
    direction, adam = ADAM.update(grads, descent.adam)
    return Descent(
        descent.parameters - coefficients.learning_rate * direction,
        adam,
        descent.parts + parts,
    )


def update(
    state: LearnerState,
    experience: Experience,
    used: Int[Array, ""],
    sequences: Sequences,
    count: Int[Array, ""],
    order: Int[Array, "epochs sequences"],
    coefficients: Coefficients,
    gamma: Float[Array, " signals"],
    *,
    recipe: Recipe,
) -> tuple[LearnerState, UpdateStatistics]:
    """Return the state after all epochs over the experience, and what happened.

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
      recipe: what does not change from update to update.
    """
    networks = recipe.networks_of(state.parameters)
    normalizer = state.normalizer
    if normalizer is not None:
        seen = networks.body.layout.vector(experience.observations)
        normalizer = normalizer.updated(seen, ~experience.closing)
    batch, value = prepare(networks, normalizer, experience, used, sequences, count, gamma, recipe)
    minibatches = count // recipe.sequences

    def epoch(number: Int[Array, ""], descent: Descent) -> Descent:
        def step(i: Int[Array, ""], descent: Descent) -> Descent:
            chosen = lax.dynamic_slice_in_dim(order[number], i * recipe.sequences, recipe.sequences)
            return descend(descent, batch, experience.memory, sequences, chosen, coefficients, recipe)

        trained: Descent = lax.fori_loop(0, minibatches, step, descent)
        return trained

    end = lax.fori_loop(0, order.shape[0], epoch, Descent(state.parameters, state.adam, jnp.zeros(3)))
    return finalize(state, normalizer, end, minibatches * order.shape[0], value)


def finalize(
    before: LearnerState,
    normalizer: Normalizer | None,
    end: Descent,
    minibatches: Int[Array, ""],
    value: Float[Array, " signals"],
) -> tuple[LearnerState, UpdateStatistics]:
    """Return the new state, or the old one if something is not finite, and what happened."""
    parts = end.parts / jnp.maximum(minibatches, 1)
    after = LearnerState(end.parameters, end.adam, normalizer)
    finite = jnp.all(jnp.isfinite(parts)) & jnp.all(jnp.isfinite(end.parameters))
    kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, before)
    return kept, UpdateStatistics(parts[0], parts[1], parts[2], value, finite)
