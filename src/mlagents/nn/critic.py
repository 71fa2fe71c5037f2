"""The critic: one value per reward signal."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Float

from mlagents.arrays import Array
from mlagents.nn.body import Body, Memory
from mlagents.nn.layers import Dense
from mlagents.nn.observations import Inputs


class Critic(eqx.Module):
    """A body of its own with one linear value head, K outputs wide.

    Attributes:
      body: encoders, hidden layers, memory.
      value: dense layer to one value per reward signal.
    """

    body: Body
    value: Dense

    def __call__(
        self, inputs: Inputs, memory: Memory | None = None
    ) -> tuple[Float[Array, "rows signals"], Memory | None]:
        """Return V_k for each row, and the memory afterwards (see `Body.__call__`)."""
        hidden, after = self.body(inputs, memory)
        return self.value(hidden), after
