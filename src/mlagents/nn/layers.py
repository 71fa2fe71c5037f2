"""Dense layers and their initial weights.

Weights are drawn with numpy: drawing them with jax.random would compile a kernel per shape before every run.
"""

from __future__ import annotations

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from mlagents.arrays import Array

LAYER_NORM_EPSILON = 1e-5


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


def scaled_normal_dense(rng: np.random.Generator, inputs: int, outputs: int, scale: float = 1.0) -> Dense:
    """Return a layer with weights from N(0, (scale / sqrt(inputs))^2) and no bias.

    He et al. 2015 (arXiv:1502.01852 eq. 14) with linear gain; heads use a smaller scale, so that a new policy
    starts near its mean.
    """
    std = np.float32(scale / max(inputs, 1) ** 0.5)  # no input: no weights, whatever their deviation
    return _dense(std * rng.standard_normal((outputs, inputs), np.float32))


def glorot_dense(rng: np.random.Generator, inputs: int, outputs: int) -> Dense:
    """Return a layer with weights from U(-a, a), a = sqrt(6 / (inputs + outputs)) (Glorot & Bengio 2010, eq. 16)."""
    bound = (6.0 / (inputs + outputs)) ** 0.5
    return _dense(rng.uniform(-bound, bound, (outputs, inputs)).astype(np.float32))


def _dense(weight: Float[np.ndarray, "out in"]) -> Dense:
    return Dense(weight, np.zeros(len(weight), np.float32))


class Mlp(eqx.Module):
    """Dense layers, each followed by swish(x) = x sigmoid(x) (arXiv:1710.05941)."""

    layers: tuple[Dense, ...]

    def __init__(self, rng: np.random.Generator, inputs: int, hidden_units: int, num_layers: int):
        widths = [inputs] + [hidden_units] * num_layers
        self.layers = tuple(scaled_normal_dense(rng, a, b) for a, b in itertools.pairwise(widths))

    def __call__(self, x: Float[Array, "rows in"]) -> Float[Array, "rows hidden"]:
        """Return the last layer's activations."""
        for layer in self.layers:
            x = jax.nn.silu(layer(x))
        return x


def layer_norm(x: Float[Array, "... n"]) -> Float[Array, "... n"]:
    """Return x with mean 0 and variance 1 along the last axis (arXiv:1607.06450 eq. 3, without gain and bias).

    The variance is enlarged by `LAYER_NORM_EPSILON`.
    """
    deviation = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(deviation**2, axis=-1, keepdims=True)
    return deviation / jnp.sqrt(variance + LAYER_NORM_EPSILON)
