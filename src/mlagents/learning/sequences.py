"""Sequences of decisions within flat rows: what networks with memory learn from; without memory, single decisions."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from mlagents.arrays import Array

Tree = TypeVar("Tree")

Valid = Bool[Array, " rows"] | None
"""Rows that count in a mean; None for all of them."""


class Sequences(NamedTuple):
    """Where sequences are.

    Attributes:
      start: row of the first decision. length: how many decisions follow one another there, 1 or more.
    """

    start: Int[Array, " sequences"]
    length: Int[Array, " sequences"]


def rows_of(sequences: Sequences, steps: int) -> tuple[Int[Array, " rows"], Bool[Array, " rows"]]:
    """Return the rows of sequences, step after step, and which of them are decisions.

    Every sequence has `steps` rows; a shorter one goes on with its closing row, or with what follows it.
    """
    offset = jnp.arange(steps)
    length = sequences.length[:, None]
    return (sequences.start[:, None] + jnp.minimum(offset, length)).ravel(), (offset < length).ravel()


def take(columns: Tree, rows: Int[Array, " rows"]) -> Tree:
    """Return these rows of every column of a tree."""
    found: Tree = jax.tree.map(lambda column: column[rows], columns)
    return found


def past_burn_in(
    valid: Bool[Array, " rows"], memory: Float[Array, "sequences m"], steps: int, ratio: float
) -> Bool[Array, " rows"]:
    """Return `valid` without the first int(ratio steps) decisions of sequences that begin within an episode.

    There the stored memory is of older weights, and the first decisions only bring it up to date (Kapturowski et al.
    2019, "Recurrent experience replay in distributed reinforcement learning", sec. 3). An episode begins with a
    memory of zeros.
    """
    burn_in = int(ratio * steps)
    if burn_in == 0:
        return valid
    begun = jnp.any(memory != 0.0, axis=1)
    early = (jnp.arange(steps) < burn_in) & begun[:, None]
    return valid & ~early.ravel()


def with_memory(
    sequences: Sequences,
    chosen: Int[Array, " chosen"],
    memory: Float[Array, "all m"],
    steps: int,
    burn_in: float,
) -> tuple[Int[Array, " rows"], Bool[Array, " rows"], Float[Array, "chosen m"]]:
    """Return a minibatch of sequences: its rows, those of them that count, and the memory before each sequence.

    Args:
      sequences: all of them.
      chosen: numbers of those in the minibatch.
      memory: stored with every row.
      steps: in a sequence.
      burn_in: share of a sequence that does not count (see `past_burn_in`).
    """
    picked = take(sequences, chosen)
    begun = jnp.asarray(memory)[picked.start]
    rows, valid = rows_of(picked, steps)
    return rows, past_burn_in(valid, begun, steps, burn_in), begun


def mean_over(x: Float[Array, "rows ..."], valid: Valid) -> Float[Array, ""]:
    """Return the mean over rows that count and all other axes, 0 if none counts."""
    if valid is None:
        return jnp.mean(x)
    per_row = jnp.mean(x.reshape(len(x), -1), axis=1)
    return jnp.sum(jnp.where(valid, per_row, 0.0)) / jnp.maximum(jnp.sum(valid), 1)
