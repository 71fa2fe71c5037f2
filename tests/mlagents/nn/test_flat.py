"""Weights as one vector: there and back, and gradients through it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from mlagents.nn.flat import flattened

TREE = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bias": np.array([10.0, 20.0], np.float32),
    "scale": np.float32(-1.5),
}


def loss(tree: dict[str, jax.Array]) -> jax.Array:
    """Return a scalar with another gradient for every weight but `bias[1]`, which has none."""
    return jnp.sum(tree["weight"] ** 3) * tree["scale"] + tree["bias"] @ np.array([7.0, 0.0], np.float32)


def test_the_tree_comes_back():
    vector, restored = flattened(TREE)
    assert vector.tolist() == [10.0, 20.0, -1.5, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]  # leaves by name
    for given in (vector, jnp.asarray(vector)):
        jax.tree.map(np.testing.assert_array_equal, restored(given), TREE)


def test_of_numpy_arrays_the_leaves_are_views():
    vector, restored = flattened(TREE)
    restored(vector)["bias"][1] = 5.0
    assert vector[1] == 5.0


def test_the_gradient_of_the_vector_is_those_of_the_leaves_behind_one_another():
    vector, restored = flattened(TREE)
    found = jax.jit(jax.grad(lambda v: loss(restored(v))))(vector)
    assert found.tolist() == [7.0, 0.0, 225.0, 0.0, -4.5, -18.0, -40.5, -72.0, -112.5]  # d scale: 0 + 1 + ... + 125


def test_the_gradient_has_a_gradient():
    vector, restored = flattened(TREE)
    steepness = jax.grad(lambda v: jnp.sum(jax.grad(lambda w: loss(restored(w)))(v)))(vector)
    # d/dw of the sum of 3 s w^2 over weights, of sum w^3, and of 7: 6 s w + 3 w^2; d/ds: sum of 3 w^2
    weights = np.arange(6, dtype=np.float32)
    np.testing.assert_allclose(steepness, [0.0, 0.0, np.sum(3 * weights**2), *(-9.0 * weights + 3 * weights**2)])


def test_gradients_are_joined_not_padded():
    vector, restored = flattened(TREE)
    lowered = jax.jit(jax.grad(lambda v: loss(restored(v)))).lower(vector).as_text()
    assert "concatenate" in lowered
    assert "stablehlo.pad" not in lowered
