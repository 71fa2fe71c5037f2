"""The critic: one value per reward signal."""

from __future__ import annotations

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from mlagents.nn.layers import Dense, Mlp, glorot_dense


class Critic(eqx.Module):
    """A body of its own with one linear value head, K outputs wide.

    Attributes:
      body: hidden layers.
      value: dense layer to one value per reward signal.
    """

    body: Mlp
    value: Dense

    def __init__(self, key: PRNGKeyArray, inputs: int, hidden_units: int, num_layers: int, signals: int):
        body_key, value_key = jax.random.split(key)
        self.body = Mlp(body_key, inputs, hidden_units, num_layers)
        self.value = glorot_dense(value_key, hidden_units, signals)

    def __call__(self, x: Float[Array, "rows n"]) -> Float[Array, "rows signals"]:
        """Return V_k for each row of normalised observations."""
        return self.value(self.body(x))
