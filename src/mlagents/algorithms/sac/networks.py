"""The networks of soft actor-critic."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from mlagents.arrays import Array
from mlagents.nn.critic import Critic
from mlagents.nn.layers import Dense, Mlp, glorot_dense
from mlagents.nn.policy import ActionHead


class QNetwork(eqx.Module):
    """Values of actions, Q_k(s, a): continuous actions go in, one column for each discrete action comes out.

    Attributes:
      body: hidden layers on observation and continuous action.
      value: dense layer to K x max(S, 1) values, S the sum of branch sizes.
      signals: K.
    """

    body: Mlp
    value: Dense
    signals: int = eqx.field(static=True)

    def __init__(
        self, rng: np.random.Generator, inputs: int, hidden_units: int, num_layers: int, signals: int, choices: int
    ):
        self.body = Mlp(rng, inputs, hidden_units, num_layers)
        self.value = glorot_dense(rng, hidden_units, signals * max(choices, 1))
        self.signals = signals

    def __call__(self, x: Float[Array, "rows n"], action: Float[Array, "rows c"]) -> Float[Array, "rows signals s"]:
        """Return Q_k for each row of normalised observations and continuous actions in [-1, 1]."""
        found = self.value(self.body(jnp.concatenate([x, action], axis=1)))
        return found.reshape(len(x), self.signals, -1)


class Networks(NamedTuple):
    """What gradients train.

    Attributes:
      value: V. It comes first: its weights are the first ones of the parameter vector, for the target network.
      q1, q2: the twins.
      body, head: of the policy.
      log_alpha: float32 [t], logarithms of the temperatures: one for all continuous actions, if there are any, then
        one for each discrete branch.
    """

    value: Critic
    q1: QNetwork
    q2: QNetwork
    body: Mlp
    head: ActionHead
    log_alpha: Float[Array, " t"]


class Structure(NamedTuple):
    """From vectors of weights to networks.

    Attributes:
      networks: of all parameters.
      value: of the weights of a value network alone, which is what its target has.
    """

    networks: Callable[[Float[Array, " p"]], Networks]
    value: Callable[[Float[Array, " v"]], Critic]
