"""The goal-conditioned layer against one dense layer per row in numpy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlagents.nn.hypernetwork import HyperDense, make_hyper_dense

ROWS, INPUTS, OUTPUTS, GOAL, HIDDEN = 6, 5, 3, 2, 4


def random_layer(seed=0, layers=2):
    """Return a layer all of whose weights, biases too, are drawn."""
    rng = np.random.default_rng(seed)
    layer = make_hyper_dense(rng, INPUTS, OUTPUTS, GOAL, HIDDEN, layers)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), layer)


def inputs(seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(ROWS, INPUTS)).astype(np.float32), rng.normal(size=(ROWS, GOAL)).astype(np.float32)


def row_by_row(layer, x, goal):
    """Make each row's weight matrix, then multiply; float64."""
    outputs = []
    for x_row, h in zip(x.astype(float), goal.astype(float), strict=True):
        for dense in layer.body.layers:
            a = dense.weight.astype(float) @ h + dense.bias
            h = a / (1.0 + np.exp(-a))
        h = (h - h.mean()) / np.sqrt(h.var() + 1e-5)
        flat = layer.weights.weight.astype(float) @ h + layer.weights.bias
        weight = [[flat[i * OUTPUTS + o] for o in range(OUTPUTS)] for i in range(INPUTS)]
        outputs.append([sum(x_row[i] * weight[i][o] for i in range(INPUTS)) + layer.bias[o] for o in range(OUTPUTS)])
    return np.array(outputs)


@pytest.mark.parametrize("layers", [1, 2])
def test_every_row_has_the_weights_of_its_goal(layers):
    layer = random_layer(layers=layers)
    x, goal = inputs()
    assert len(layer.body.layers) == layers
    np.testing.assert_allclose(layer(x, goal), row_by_row(layer, x, goal), rtol=1e-4, atol=1e-5)


def batched(layer, x, goal):
    """The definition with the whole [rows, in, out] tensor, and jax's own gradient."""
    h = goal
    for dense in layer.body.layers:
        h = jax.nn.silu(h @ dense.weight.T + dense.bias)
    h = (h - h.mean(1, keepdims=True)) / jnp.sqrt(h.var(1, keepdims=True) + 1e-5)
    weight = (h @ layer.weights.weight.T + layer.weights.bias).reshape(ROWS, INPUTS, OUTPUTS)
    return jnp.einsum("ri,rio->ro", x, weight) + layer.bias


def test_gradients_are_those_of_the_whole_tensor():
    layer, (x, goal) = random_layer(), inputs()
    weighting = np.random.default_rng(2).normal(size=(ROWS, OUTPUTS)).astype(np.float32)

    def gradient(form):
        def loss(layer, x, goal):
            return jnp.sum(form(layer, x, goal) * weighting)

        return jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(layer, x, goal)

    found, expected = gradient(HyperDense.__call__), gradient(batched)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert np.abs(b).max() > 0.01
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_equal_goals_give_one_linear_map():
    layer, (x, goal) = random_layer(), inputs()
    same = np.repeat(goal[:1], ROWS, axis=0)
    zero = layer(np.zeros_like(x), same)
    np.testing.assert_allclose(zero, np.repeat(layer.bias[None], ROWS, axis=0), rtol=1e-6)
    twice = layer(2 * x, same) - layer.bias
    np.testing.assert_allclose(twice, 2 * (layer(x, same) - layer.bias), rtol=1e-4, atol=1e-4)
    assert np.abs(layer(x, same)[1:] - layer(x, goal)[1:]).max() > 0.1


def test_initial_weights():
    inputs, outputs, hidden = 40, 30, 64
    layer = make_hyper_dense(np.random.default_rng(0), inputs, outputs, 3, hidden)
    leaves = jax.tree.leaves(layer)
    assert all(isinstance(leaf, np.ndarray) and leaf.dtype == np.float32 for leaf in leaves)
    assert [dense.weight.shape for dense in layer.body.layers] == [(hidden, 3), (hidden, hidden)]
    bound = (1 / (hidden * inputs)) ** 0.5
    weight = layer.weights.weight
    assert weight.shape == (inputs * outputs, hidden)
    assert 0.999 * bound < np.abs(weight).max() <= bound
    np.testing.assert_allclose(weight.var(), bound**2 / 3, rtol=0.02)
    assert not layer.bias.any()
    assert not layer.weights.bias.any()
    # inputs of variance 1 come out with the variance of inputs / (3 inputs) = 1 / 3
    rng = np.random.default_rng(1)
    x, goal = rng.normal(size=(500, inputs)).astype(np.float32), rng.normal(size=(500, 3)).astype(np.float32)
    np.testing.assert_allclose(np.var(layer(x, goal)), 1 / 3, rtol=0.1)


def test_no_tensor_of_all_rows_weights_is_kept():
    """Memory of the compiled gradient: below one [rows, in, out] tensor, for a layer where that is most of it."""
    rows, width = 256, 64
    layer = make_hyper_dense(np.random.default_rng(0), width, width, 4, width)
    x, goal = np.zeros((rows, width), np.float32), np.zeros((rows, 4), np.float32)
    gradient = jax.jit(jax.grad(lambda layer: jnp.sum(layer(x, goal) ** 2)))
    needed = gradient.lower(layer).compile().memory_analysis().temp_size_in_bytes
    assert needed < 0.5 * 4 * rows * width * width
