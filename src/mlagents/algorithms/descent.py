"""How learners that use their experience at once walk down: every minibatch of every epoch, in one compiled call."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float, Int

from mlagents.arrays import Array
from mlagents.learning.trained import TrainedState

Order = TypeVar("Order")


class Descent(NamedTuple):
    """What moves from minibatch to minibatch.

    Attributes:
      state: weights, moments and statistics. parts: sums of what the minibatches' losses are made of.
    """

    state: TrainedState
    parts: Float[Array, " parts"]

    def stepped(
        self, grads: Float[Array, " p"], parts: Float[Array, " parts"], learning_rate: Float[Array, ""] | np.float32
    ) -> Descent:
        """Return the descent after one gradient step."""
        return Descent(self.state.descended(grads, learning_rate), self.parts + parts)


def descend_epochs(
    before: TrainedState,
    parts: int,
    order: Order,
    minibatches: Int[Array, ""],
    step: Callable[[Order, Int[Array, ""], Descent], Descent],
) -> Descent:
    """Return the state after a step for each minibatch of each epoch, and the parts averaged over all of them.

    Args:
      before: the state.
      parts: how many numbers a loss is made of.
      order: arrays [epochs, ...]; a step gets those of its epoch.
      minibatches: in an epoch.
      step: from the epoch's order, the number of the minibatch and the descent so far to that after it.
    """
    epochs = len(jax.tree.leaves(order)[0])

    def epoch(number: Int[Array, ""], descent: Descent) -> Descent:
        here: Order = jax.tree.map(lambda column: column[number], order)
        trained: Descent = lax.fori_loop(0, minibatches, lambda i, so_far: step(here, i, so_far), descent)
        return trained

    end = lax.fori_loop(0, epochs, epoch, Descent(before, jnp.zeros(parts)))
    return Descent(end.state, end.parts / jnp.maximum(minibatches * epochs, 1))
