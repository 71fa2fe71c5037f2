"""What is estimated of experience before PPO's epochs: values, returns and advantages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Int

from mlagents.algorithms.ppo.networks import Networks
from mlagents.arrays import Array
from mlagents.data.columns import Columns
from mlagents.learning.sequences import Sequences, rows_of, take
from mlagents.nn.body import Body, Memory
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import Inputs, Observations
from mlagents.returns import Scalar, gae, masked_scaled, masked_standardized

CHUNK = 1024
"""Rows evaluated at once before the epochs; the number of chunks follows the rows in use."""

ValuesOf = Callable[[Any, Memory | None], Float[Array, "rows width"]]
"""From rows, and their memory, to numbers; see `Networks.values`."""

Tree = TypeVar("Tree")


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


class Estimation(NamedTuple):
    """How experience is judged.

    Attributes:
      lam: lambda of the advantage estimation.
      scale: advantages are only scaled, not standardised.
      value_clip: the loss asks for the values before the update (see `value_loss`).
    """

    lam: float
    scale: bool = False
    value_clip: bool = False

    def normalized(
        self, advantage: Float[Array, "rows signals"], valid: Bool[Array, " rows"], largest: Scalar
    ) -> tuple[Float[Array, " rows"], Scalar]:
        """Return the mean over signals, normalised over valid rows, and the largest deviation from now on."""
        mean = jnp.mean(advantage, axis=1)
        return masked_scaled(mean, valid, largest) if self.scale else (masked_standardized(mean, valid), largest)


class Batch(NamedTuple):
    """Rows ready for the loss; their observations are `inputs`, and no longer in the columns.

    Attributes:
      old_value: before the update; None where the loss does not ask for it.
    """

    inputs: Inputs
    columns: Columns
    advantage: Float[Array, " rows"]
    returns: Float[Array, "rows signals"]
    old_value: Float[Array, "rows signals"] | None = None


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
    deviation: Scalar,
    steps: int,
    estimation: Estimation,
) -> tuple[Batch, Float[Array, " signals"], Scalar]:
    """Return the rows as a `Batch`, the values averaged over decisions, and the largest deviation of advantages.

    Values come from the critic as it stands, normaliser included. The advantage is the mean over signals, normalised
    over all decisions.
    """
    columns, closing = experience.columns, experience.closing
    inputs = normalized(columns.observations, networks.body, normalizer)
    signals = networks.value.bias.size
    memory: Array = columns.memory
    value = all_values(networks.values, signals, inputs, memory, experience, used, sequences, count, steps)
    advantage = gae(experience.reward, value, experience.terminated, closing, gamma, estimation.lam)
    step = ~closing
    learned, deviation = estimation.normalized(advantage, step, deviation)
    batch = Batch(
        inputs=inputs,
        columns=columns._replace(observations=[]),
        advantage=learned,
        returns=advantage + value,
        old_value=value if estimation.value_clip else None,
    )
    mean_value = jnp.sum(jnp.where(step[:, None], value, 0.0), axis=0) / jnp.maximum(jnp.sum(step), 1)
    return batch, mean_value, deviation
