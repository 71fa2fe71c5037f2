"""What models behind reward signals see of experience, and in which order they learn from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from mlagents.arrays import Array
from mlagents.data.segments import FlatSegments
from mlagents.learning.trained import TrainedState, finite_or_before
from mlagents.nn.distributions import CLIP
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import ObservationLayout, Observations
from mlagents_envs.base_env import ActionSpec

CHUNK = 1024
"""Transitions judged at once."""


class Transitions(NamedTuple):
    """Rows of decisions and closing rows: what follows a decision is one row on (see `FlatSegments`).

    Attributes:
      continuous: actions as the environment got them, in [-1, 1].
      terminated: nothing followed this decision. closing: rows that are no decision.
    """

    observations: Observations
    continuous: Float[Array, "rows c"]
    discrete: Int[Array, "rows d"]
    terminated: Bool[Array, " rows"]
    closing: Bool[Array, " rows"]


def transitions_of(rows: FlatSegments) -> Transitions:
    """Return what models see of the rows."""
    columns = rows.columns
    sampled = columns.continuous
    continuous = np.tanh(sampled) if rows.squashed else np.clip(sampled, -CLIP, CLIP) / np.float32(CLIP)
    return Transitions(tuple(columns.observations), continuous, columns.discrete, rows.terminated, rows.closing)


def branches_of(action: ActionSpec) -> tuple[int, ...]:
    """Return the sizes of the discrete branches."""
    return tuple(int(size) for size in action.discrete_branches)


def acted(transitions: Transitions, branches: tuple[int, ...]) -> Float[Array, "rows acted"]:
    """Return actions as numbers: continuous ones as environments get them, one-hot per branch."""
    chosen = [jax.nn.one_hot(transitions.discrete[:, b], size) for b, size in enumerate(branches)]
    return jnp.concatenate([jnp.asarray(transitions.continuous), *chosen], axis=1)


def judged(
    transitions: Transitions,
    used: Int[Array, ""] | np.int32,
    judge: Callable[[Transitions], Float[Array, " chunk"]],
) -> Float[Array, " rows"]:
    """Return what a model thinks of every decision in the rows in use, 0 elsewhere; by chunks, to bound memory.

    Args:
      transitions: R rows, 2 or more.
      used: int32 [].
      judge: of consecutive rows, one result for each but the last.
    """
    pairs = len(transitions.closing) - 1
    chunk = min(CHUNK, pairs)

    def evaluate(i: Int[Array, ""], found: Float[Array, " rows"]) -> Float[Array, " rows"]:
        start = jnp.minimum(i * chunk, pairs - chunk)
        part = jax.tree.map(lambda x: lax.dynamic_slice_in_dim(jnp.asarray(x), start, chunk + 1), transitions)
        return lax.dynamic_update_slice_in_dim(found, judge(part), start, 0)

    chunks = jnp.minimum((used + chunk - 1) // chunk, (pairs + chunk - 1) // chunk)
    found = lax.fori_loop(0, chunks, evaluate, jnp.zeros(pairs + 1))
    return jnp.where(transitions.closing, 0.0, found)


def normalizer_after(
    normalizer: Normalizer | None, layout: ObservationLayout, transitions: Transitions
) -> Normalizer | None:
    """Return the statistics of observations after those of all decisions were taken in."""
    if normalizer is None:
        return None
    return normalizer.updated(layout.vector(transitions.observations), ~transitions.closing)


def descended(
    state: TrainedState,
    normalizer: Normalizer | None,
    gradient: Callable[[Float[Array, " p"], Int[Array, ""]], tuple[Float[Array, "*losses"], Float[Array, " p"]]],
    nothing: Float[Array, "*losses"],
    minibatches: Int[Array, ""] | np.int32,
    learning_rate: Float[Array, ""] | np.float32,
) -> tuple[TrainedState, Float[Array, "*losses"], Bool[Array, ""]]:
    """Return the state after a step of Adam for each minibatch, the mean losses, and whether all is finite.

    If not, the state is the one before.

    Args:
      state: before.
      normalizer: of the state afterwards.
      gradient: of parameters and the number of a minibatch: the losses, and the gradient of their sum.
      nothing: zeros like the losses.
      minibatches: int32 [].
      learning_rate: of Adam.
    """

    def step(i: Int[Array, ""], carry: tuple[TrainedState, Array]) -> tuple[TrainedState, Array]:
        now, sums = carry
        losses, direction = gradient(now.parameters, i)
        return now.descended(direction, learning_rate), sums + losses

    before = TrainedState(state.parameters, state.adam, normalizer)
    after, sums = lax.fori_loop(0, minibatches, step, (before, nothing))
    kept, finite = finite_or_before(state, after, after.parameters, sums)
    return kept, sums / jnp.maximum(minibatches, 1), finite


def minibatch_order(
    rows: FlatSegments, rng: np.random.Generator, epochs: int, batch_size: int
) -> tuple[NDArray[np.int32], np.int32]:
    """Return rows of decisions for minibatches, in a new random order for every epoch, and how many minibatches.

    The last minibatch of an epoch is filled up with decisions of its beginning. The array, int32 [most minibatches,
    batch_size], has the same shape however full the rows are.
    """
    per_epoch = -(-rows.steps // batch_size)
    order = np.zeros((epochs * -(-rows.capacity // batch_size), batch_size), np.int32)
    decisions = np.flatnonzero(~rows.closing[: rows.used])
    for epoch in range(epochs):
        part = order[epoch * per_epoch : (epoch + 1) * per_epoch]
        part[:] = np.resize(rng.permutation(decisions), part.shape)
    return order, np.int32(epochs * per_epoch)
