"""Dense layers and their initial weights."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class Dense(eqx.Module):
    """An affine map, y = W x + b.

    Attributes:
      weight: float32 [out, in].
      bias: float32 [out].
    """

    weight: Float[Array, "out in"]
    bias: Float[Array, " out"]

    def __call__(self, x: Float[Array, "rows in"]) -> Float[Array, "rows out"]:
        """Return W x + b for each row."""
        return x @ self.weight.T + self.bias


def scaled_normal_dense(key: PRNGKeyArray, inputs: int, outputs: int, scale: float = 1.0) -> Dense:
    """Return a layer with weights from N(0, (scale / sqrt(inputs))^2) and no bias.

    He et al. 2015 (arXiv:1502.01852 eq. 14) with linear gain; heads use a smaller scale, so that a new policy
    starts near its mean.
    """
    weight = scale / jnp.sqrt(inputs) * jax.random.normal(key, (outputs, inputs))
    return Dense(weight, jnp.zeros(outputs))


def glorot_dense(key: PRNGKeyArray, inputs: int, outputs: int) -> Dense:
    """Return a layer with weights from U(-a, a), a = sqrt(6 / (inputs + outputs)) (Glorot & Bengio 2010, eq. 16)."""
    bound = (6.0 / (inputs + outputs)) ** 0.5
    return Dense(jax.random.uniform(key, (outputs, inputs), minval=-bound, maxval=bound), jnp.zeros(outputs))


class Mlp(eqx.Module):
    """Dense layers, each followed by swish(x) = x sigmoid(x) (arXiv:1710.05941)."""

    layers: tuple[Dense, ...]

    def __init__(self, key: PRNGKeyArray, inputs: int, hidden_units: int, num_layers: int):
        widths = [inputs] + [hidden_units] * num_layers
        keys = jax.random.split(key, num_layers)
        self.layers = tuple(
            scaled_normal_dense(k, a, b) for k, a, b in zip(keys, widths[:-1], widths[1:], strict=True)
        )

    def __call__(self, x: Float[Array, "rows in"]) -> Float[Array, "rows hidden"]:
        """Return the last layer's activations."""
        for layer in self.layers:
            x = jax.nn.silu(layer(x))
        return x
