"""The critic: one value per reward signal."""

from __future__ import annotations

import equinox as eqx
import numpy as np
from jaxtyping import Float

from mlagents.arrays import Array
from mlagents.nn.layers import Dense, Mlp, glorot_dense


class Critic(eqx.Module):
    """A body of its own with one linear value head, K outputs wide.

    Attributes:
      body: hidden layers.
      value: dense layer to one value per reward signal.
    """

    body: Mlp
    value: Dense

    def __init__(self, rng: np.random.Generator, inputs: int, hidden_units: int, num_layers: int, signals: int):
        self.body = Mlp(rng, inputs, hidden_units, num_layers)
        self.value = glorot_dense(rng, hidden_units, signals)

    def __call__(self, x: Float[Array, "rows n"]) -> Float[Array, "rows signals"]:
        """Return V_k for each row of normalised observations."""
        return self.value(self.body(x))
