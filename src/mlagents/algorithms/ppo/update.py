"""One PPO update: every epoch and minibatch in a single compiled call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float, Int

from mlagents.algorithms import cloning
from mlagents.algorithms.descent import Descent, descend_epochs
from mlagents.algorithms.ppo.losses import clipped_surrogate_loss, total_loss, value_loss
from mlagents.arrays import Array
from mlagents.data.columns import Columns
from mlagents.learning.sequences import Sequences, mean_over, rows_of, take, with_memory
from mlagents.learning.trained import TrainedState
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
        own, others = memories(memory, self.body)
        if self.critic_body is None:
            hidden, _ = self.body(inputs, own)
        else:
            hidden, _ = self.critic_body(inputs, others)
        return self.value(hidden)

    def evaluate(
        self, inputs: Inputs, allowed: Bool[Array, "rows s"] | None, memory: Memory | None
    ) -> tuple[ActionDistribution, Float[Array, "rows signals"]]:
        """Return what the policy would do and V_k of every row."""
        own, others = memories(memory, self.body)
        hidden, _ = self.body(inputs, own)
        critic_hidden = hidden if self.critic_body is None else self.critic_body(inputs, others)[0]
        return self.head(hidden, allowed), self.value(critic_hidden)


class Experience(NamedTuple):
    """Segments in flat rows (see `mlagents.data.segments.FlatSegments`).

    Attributes:
      columns: [rows, ...].
      reward: of every signal. terminated: after which decisions nothing follows, as each signal counts it.
      closing: rows that are no decision.
    """

    columns: Columns
    reward: Float[Array, "rows signals"]
    terminated: Bool[Array, "rows signals"]
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
      cloned: what cloning comes to; None without.
    """

    policy_loss: Float[Array, ""]
    value_loss: Float[Array, ""]
    entropy: Float[Array, ""]
    value: Float[Array, " signals"]
    finite: Bool[Array, ""]
    cloned: cloning.Cloned | None = None


class Batch(NamedTuple):
    """Rows ready for the loss; their observations are `inputs`, and no longer in the columns."""

    inputs: Inputs
    columns: Columns
    advantage: Float[Array, " rows"]
    returns: Float[Array, "rows signals"]


NetworksOf = Callable[[Float[Array, " p"]], Any]
"""From the parameter vector to the networks, `Networks` or what POCA has instead."""
ValuesOf = Callable[[Any, Memory | None], Float[Array, "rows width"]]
"""From rows, and their memory, to numbers; see `Networks.values`."""

Tree = TypeVar("Tree")


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


def memories(memory: Memory | None, body: Body) -> tuple[Memory | None, Memory | None]:
    """Return the policy's part of what is stored, and the critic's behind it; `body` is the policy's."""
    return (None, None) if memory is None else (memory[:, : body.memory_size], memory[:, body.memory_size :])


def with_seen(normalizer: Normalizer | None, body: Body, experience: Experience) -> Normalizer | None:
    """Return the normaliser after it has taken in all decisions."""
    if normalizer is None:
        return None
    return normalizer.updated(body.layout.vector(experience.columns.observations), ~experience.closing)


def normalized(observations: Observations, body: Body, normalizer: Normalizer | None) -> Inputs:
    """Return what the networks, of which `body` is one, get of every row."""
    inputs = body.layout.sorted(observations)
    return inputs if normalizer is None else inputs._replace(vector=normalizer(inputs.vector))


def row_values(values: ValuesOf, width: int, inputs: Tree, used: Int[Array, ""]) -> Float[Array, "rows width"]:
    """Return what `values` gives for all rows in use, `width` numbers each, without memory."""
    rows = len(jax.tree.leaves(inputs)[0])
    chunk = min(CHUNK, rows)

    def evaluate(i: Int[Array, ""], value: Float[Array, "rows width"]) -> Float[Array, "rows width"]:
        start = jnp.minimum(i * chunk, rows - chunk)
        part = jax.tree.map(lambda c: lax.dynamic_slice_in_dim(c, start, chunk), inputs)
        return lax.dynamic_update_slice_in_dim(value, values(part, None), start, 0)

    zeros = jnp.zeros((rows, width))
    value: Array = lax.fori_loop(0, (used + chunk - 1) // chunk, evaluate, zeros)
    return value


def sequence_values(
    values: ValuesOf,
    width: int,
    inputs: Inputs,
    memory: Float[Array, "rows m"],
    closing: Bool[Array, " rows"],
    sequences: Sequences,
    count: Int[Array, ""],
    steps: int,
) -> Float[Array, "rows width"]:
    """Return what `values` gives for all rows in use, `width` numbers each, with memory.

    Every sequence starts from the memory stored with it and goes one step beyond its last decision; the value there
    is that of a closing row, or the next sequence has it.
    """
    rows, slots = len(closing), len(sequences.start)
    chunk = min(max(CHUNK // (steps + 1), 1), slots)

    def evaluate(i: Int[Array, ""], value: Float[Array, "rows width"]) -> Float[Array, "rows width"]:
        first = jnp.minimum(i * chunk, slots - chunk)
        part: Sequences = jax.tree.map(lambda c: lax.dynamic_slice_in_dim(c, first, chunk), sequences)
        at, valid = rows_of(part, steps + 1)
        last = (jnp.arange(steps + 1) == part.length[:, None]).ravel() & closing[at]
        found = values(take(inputs, at), memory[part.start])
        written: Array = jnp.asarray(value).at[jnp.where(valid | last, at, rows)].set(found, mode="drop")
        return written

    zeros = jnp.zeros((rows, width))
    value: Array = lax.fori_loop(0, (count + chunk - 1) // chunk, evaluate, zeros)
    return value


def all_values(
    values: ValuesOf,
    width: int,
    inputs: Inputs,
    memory: Float[Array, "rows m"],
    experience: Experience,
    used: Int[Array, ""],
    sequences: Sequences,
    count: Int[Array, ""],
    steps: int,
) -> Float[Array, "rows width"]:
    """Return what `values` gives for all rows in use, `width` numbers each; without memory, it has no columns."""
    if memory.shape[1]:
        return sequence_values(values, width, inputs, memory, experience.closing, sequences, count, steps)
    return row_values(values, width, inputs, used)


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
    columns, closing = experience.columns, experience.closing
    inputs = normalized(columns.observations, networks.body, normalizer)
    signals = networks.value.bias.size
    memory: Array = columns.memory
    value = all_values(networks.values, signals, inputs, memory, experience, used, sequences, count, recipe.steps)
    advantage = gae(experience.reward, value, experience.terminated, closing, gamma, recipe.lam)
    step = ~closing
    batch = Batch(
        inputs=inputs,
        columns=columns._replace(observations=[]),
        advantage=masked_standardized(jnp.mean(advantage, axis=1), step),
        returns=advantage + value,
    )
    return batch, jnp.sum(jnp.where(step[:, None], value, 0.0), axis=0) / jnp.maximum(jnp.sum(step), 1)


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
    batch, value = prepare(networks, normalizer, experience, used, sequences, count, gamma, recipe)

    def step(here: Int[Array, " sequences"], i: Int[Array, ""], descent: Descent) -> Descent:
        chosen = lax.dynamic_slice_in_dim(here, i * recipe.sequences, recipe.sequences)
        return descend(descent, batch, sequences, chosen, coefficients, recipe)

    before = TrainedState(state.parameters, state.adam, normalizer)
    end = descend_epochs(before, 3, order, count // recipe.sequences, step)
    kept, finite, cloned = cloning.clone_and_check(state, end.state, end.parts, course, recipe.cloning)
    return kept, UpdateStatistics(end.parts[0], end.parts[1], end.parts[2], value, finite, cloned)
