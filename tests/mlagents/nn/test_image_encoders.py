from __future__ import annotations

import dataclasses
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from mlagents.nn.convolution import Convolution, MaxPool
from mlagents.nn.errors import NetworkError
from mlagents.nn.flat import flattened
from mlagents.nn.image_encoders import Activation, Residual, make_image_encoder, smallest_side
from mlagents.settings.schema.network import VisualEncoder

KINDS = get_args(VisualEncoder)


def make(kind, shape, outputs=7):
    return make_image_encoder(np.random.default_rng(0), kind, shape, outputs, "camera")


def by_xla(encoder, images):
    """The encoder with XLA's own convolutions and pooling, channels first."""
    x = images
    for layer in encoder.layers:
        x = layer_by_xla(layer, x)
    x = x.reshape(len(x), -1) @ encoder.dense.weight.T + encoder.dense.bias
    return jnp.maximum(x, 0) if encoder.activation.kind == "relu" else jnp.where(x > 0, x, 0.01 * x)


def layer_by_xla(layer, x):
    if isinstance(layer, Convolution):
        sides = 2 * [(layer.padding, layer.padding)]
        return lax.conv_general_dilated(x, layer.weight, 2 * [layer.stride], sides) + layer.bias[:, None, None]
    if isinstance(layer, MaxPool):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 3, 3), (1, 1, 2, 2), "VALID")
    if isinstance(layer, Residual):
        y = x
        for inner in layer.layers:
            y = layer_by_xla(inner, y)
        return x + y
    return x * jax.nn.sigmoid(x) if layer.kind == "swish" else jnp.where(x > 0, x, 0.01 * x)


@pytest.mark.parametrize(
    ("kind", "shape", "features"),
    [
        ("simple", (3, 84, 84), 32 * 9 * 9),
        ("simple", (1, 36, 52), 32 * 3 * 5),
        ("nature_cnn", (3, 84, 84), 64 * 7 * 7),
        ("nature_cnn", (4, 36, 36), 64 * 1 * 1),
        ("resnet", (3, 84, 84), 32 * 9 * 9),
        ("resnet", (3, 15, 15), 32 * 1 * 1),
        ("match3", (6, 9, 8), 144 * 5 * 4),
        ("match3", (6, 5, 5), 144 * 1 * 1),
        ("fully_connected", (2, 1, 3), 6),
    ],
)
def test_widths_by_hand(kind, shape, features):
    encoder = make(kind, shape)
    assert encoder.dense.weight.shape == (7, features)
    assert jax.eval_shape(encoder, np.zeros((2, *shape), np.float32)).shape == (2, 7)


@pytest.mark.parametrize(
    ("kind", "shape", "rows", "chunk"),
    [
        ("simple", (3, 21, 24), 5, 16),
        ("simple", (3, 21, 24), 5, 2),
        ("nature_cnn", (1, 36, 40), 3, 2),
        ("resnet", (3, 17, 16), 2, 1),
        ("match3", (5, 6, 5), 4, 2),
        ("fully_connected", (3, 2, 4), 5, 2),
    ],
)
def test_values_and_gradients_equal_those_with_the_convolutions_of_xla(kind, shape, rows, chunk):
    encoder = dataclasses.replace(make(kind, shape), chunk=chunk)
    images = np.random.default_rng(1).random((rows, *shape), np.float32)

    def loss(encoder, call):
        y = call(encoder, images)
        return jnp.sum(jnp.sin(y)), y

    (_, y), gradient = jax.jit(jax.value_and_grad(lambda e: loss(e, type(e).__call__), has_aux=True))(encoder)
    (_, expected_y), expected = jax.jit(jax.value_and_grad(lambda e: loss(e, by_xla), has_aux=True))(encoder)
    np.testing.assert_allclose(y, expected_y, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(jax.tree.leaves(gradient), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["simple", "fully_connected"])
def test_bytes_are_scaled_to_one(kind):
    encoder = make(kind, (3, 20, 20))
    images = np.random.default_rng(1).integers(0, 256, (2, 3, 20, 20), np.uint8)
    call = jax.jit(type(encoder).__call__)
    np.testing.assert_allclose(call(encoder, images), call(encoder, np.float32(images) / 255), rtol=1e-5, atol=1e-6)


def test_features_are_in_the_order_channel_row_column():
    encoder = make("fully_connected", (2, 2, 3), outputs=12)
    dense = dataclasses.replace(encoder.dense, weight=np.eye(12, dtype=np.float32))
    images = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3)
    np.testing.assert_array_equal(dataclasses.replace(encoder, dense=dense)(images), images.reshape(2, 12))


@pytest.mark.parametrize("kind", KINDS)
def test_leaves_are_float32_arrays_of_numpy_and_survive_flattening(kind):
    encoder = make(kind, (3, 40, 40))
    leaves = jax.tree.leaves(encoder)
    assert all(isinstance(leaf, np.ndarray) and leaf.dtype == np.float32 for leaf in leaves)
    vector, unflattened = flattened(encoder)
    for restored, leaf in zip(jax.tree.leaves(unflattened(vector)), leaves, strict=True):
        np.testing.assert_array_equal(restored, leaf)


@pytest.mark.parametrize("kind", KINDS)
def test_smallest_side_leaves_one_pixel_and_one_less_leaves_none(kind):
    side = smallest_side(kind)

    def last_side(side):
        shape = (3, side, side)
        for layer in make(kind, (3, 84, 84)).layers:
            if isinstance(layer, Convolution | MaxPool):
                shape = layer.output_shape(shape)
        return min(shape[1:])

    assert last_side(side) == 1
    assert last_side(side - 1) < 1


def test_too_small_an_image_says_what_would_fit():
    with pytest.raises(NetworkError) as error:
        make("simple", (3, 84, 19))
    text = str(error.value)
    for part in ("'camera'", "84 x 19", "3 channels", "'simple'", "20 x 20", "resnet, match3, fully_connected"):
        assert part in text
    assert "nature_cnn" not in text


def test_dense_weights_are_normal_with_gain_1_41():
    weight = make("fully_connected", (4, 20, 20), outputs=64).dense.weight
    assert weight.std() == pytest.approx(1.41 / 40, rel=0.02)
    assert weight.mean() == pytest.approx(0, abs=1e-3)


def test_activations_by_hand():
    x = np.array([-2.0, 0.0, 3.0], np.float32)
    np.testing.assert_allclose(Activation("leaky_relu")(x), [-0.02, 0, 3], rtol=1e-6)
    np.testing.assert_allclose(Activation("relu")(x), [0, 0, 3])
    np.testing.assert_allclose(Activation("swish")(x), [-2 / (1 + np.e**2), 0, 3 / (1 + np.e**-3)], rtol=1e-6)


def test_residual_adds_its_input():
    x = np.array([[[[1.0]], [[-1.0]]]], np.float32)
    np.testing.assert_allclose(Residual((Activation("relu"),))(x)[0, :, 0, 0], [2, -1])
