"""Goal conditioning: a dense layer whose weights another network makes from the goal (arXiv:1609.09106)."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from mlagents.arrays import Array
from mlagents.nn.layers import Dense, Mlp, layer_norm


class HyperDense(eqx.Module):
    """An affine map with weights of its own for each row, y = x W(goal) + b.

    W(goal) is `weights` of the normalised activations of `body`, float32 [in, out].

    Attributes:
      body: hidden layers, from the goal.
      weights: dense layer to the in x out weights, row after row.
      bias: b, float32 [out]; the same for all goals.
    """

    body: Mlp
    weights: Dense
    bias: Float[Array, " out"]

    def __call__(self, x: Float[Array, "rows in"], goal: Float[Array, "rows g"]) -> Float[Array, "rows out"]:
        """Return x W(goal) + b for each row.

        W for all rows would be a [rows, in, out] tensor. With z the normalised activations of the goal,

            x W(goal) = sum_i (x_i z) V_i^T + x W_0,    V_i float32 [out, hidden], W_0 float32 [in, out],

        is the same in as many multiplications and needs no more memory than the outputs.
        """
        z = layer_norm(self.body(goal))
        own = self.weights.bias.reshape(x.shape[1], -1)
        by_input = self.weights.weight.reshape(*own.shape, -1)

        @jax.checkpoint  # x_i z is made again on the way back, not kept for every i
        def add(y: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
            x_i, v_i = part
            return y + (x_i[:, None] * z) @ v_i.T, None

        y, _ = lax.scan(add, x @ own + self.bias, (jnp.transpose(x), by_input))
        return y


def make_hyper_dense(
    rng: np.random.Generator, inputs: int, outputs: int, goal_size: int, hidden_units: int, layers: int = 2
) -> HyperDense:
    """Return a layer whose hypernetwork has hidden layers of hidden_units swish units.

    The hypernetwork's last weights are from U(-a, a), a = 1 / sqrt(hidden_units inputs). What they are multiplied with
    is normalised, so the elements of W(goal) have the variance 1 / (3 inputs).
    """
    body = Mlp(rng, goal_size, hidden_units, layers)
    bound = (hidden_units * inputs) ** -0.5
    weight = rng.uniform(-bound, bound, (inputs * outputs, hidden_units)).astype(np.float32)
    weights = Dense(weight, np.zeros(inputs * outputs, np.float32))
    return HyperDense(body, weights, np.zeros(outputs, np.float32))
