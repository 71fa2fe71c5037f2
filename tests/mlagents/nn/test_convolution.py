from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.signal import correlate

from mlagents.nn.convolution import MaxPool, convolve, make_convolution

# inputs, outputs, kernel, stride, padding, height, width: all that the encoders use, and kernels that end in a block
FORMS = [
    (3, 16, 8, 4, 0, 20, 23),
    (16, 32, 4, 2, 0, 10, 9),
    (64, 8, 3, 1, 0, 5, 6),
    (3, 16, 3, 1, 1, 7, 4),
    (16, 16, 3, 1, 1, 1, 2),
    (1, 35, 3, 1, 0, 3, 3),
    (2, 3, 3, 2, 1, 6, 7),
    (2, 3, 5, 3, 0, 12, 9),
    (2, 3, 1, 2, 0, 4, 5),
]


def arrays(form, rows=3, seed=0):
    c, outputs, kernel, _, _, height, width = form
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, height, width, c), np.float32)
    return x, rng.standard_normal((outputs, c, kernel, kernel), np.float32)


@pytest.mark.parametrize("form", FORMS)
def test_equals_correlation_by_scipy(form):
    x, weight = arrays(form)
    stride, padding = form[3:5]
    y = np.asarray(jax.jit(convolve, static_argnums=(2, 3))(x, weight, stride, padding))
    framed = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0))).transpose(0, 3, 1, 2)
    for row, image in enumerate(framed):
        for output, kernel in enumerate(weight):
            expected = correlate(image, kernel, mode="valid", method="direct")[0, ::stride, ::stride]
            np.testing.assert_allclose(y[row, :, :, output], expected, rtol=1e-4, atol=1e-4)


def automatic(x, weight, stride, padding):
    return lax.conv_general_dilated(
        x, weight, (stride, stride), 2 * [(padding, padding)], dimension_numbers=("NHWC", "OIHW", "NHWC")
    )


@pytest.mark.parametrize("form", FORMS)
def test_gradients_equal_automatic_ones(form):
    x, weight = arrays(form)
    stride, padding = form[3:5]
    y = automatic(x, weight, stride, padding)
    dy = np.random.default_rng(1).standard_normal(y.shape, np.float32)

    @jax.jit
    def gradients(x, weight):
        return [jax.vjp(lambda x, w, f=f: f(x, w, stride, padding), x, weight)[1](dy) for f in (convolve, automatic)]

    for ours, theirs in zip(*gradients(x, weight), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("form", [FORMS[0], FORMS[3], FORMS[6]])
def test_what_other_devices_compute_is_the_same(monkeypatch, form):
    x, weight = arrays(form)

    def value_and_gradients(device):
        monkeypatch.setattr(jax, "default_backend", lambda: device)
        loss = jax.jit(lambda x, w: jnp.sum(jnp.sin(convolve(x, w, *form[3:5]))))
        gradients = jax.jit(jax.grad(loss, (0, 1)))
        return loss.lower(x, weight).as_text(), (loss(x, weight), *gradients(x, weight))

    (text, ours), (other_text, others) = (value_and_gradients(device) for device in ("cpu", "gpu"))
    assert text != other_text
    for one, other in zip(ours, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-4)


def test_layer_adds_bias_per_output_and_knows_its_shape():
    layer = make_convolution(np.random.default_rng(0), inputs=3, outputs=2, kernel=8, stride=4)
    y = np.asarray(jax.jit(type(layer).__call__)(layer, np.zeros((5, 84, 85, 3), np.float32)))
    # (84 - 8) / 4 + 1 = 20; of the 85th column there is no use
    assert y.shape == (5, 20, 20, 2)
    assert layer.output_shape((3, 84, 85)) == (2, 20, 20)
    assert layer.output_shape((3, 7, 84)) == (2, 0, 20)
    np.testing.assert_array_equal(y, np.broadcast_to(layer.bias, y.shape))


def test_initial_weights_keep_the_size_of_activations_through_rectified_layers():
    """N(0, 2 / 256) for 16 channels of 4 x 4, and no bias; then the mean square stays about 1 layer by layer."""
    layer = make_convolution(np.random.default_rng(0), inputs=16, outputs=64, kernel=4)
    assert isinstance(layer.weight, np.ndarray)
    assert layer.weight.dtype == layer.bias.dtype == np.float32
    assert layer.weight.std() == pytest.approx((2 / 256) ** 0.5, rel=0.02)
    assert abs(layer.weight.mean()) < 0.003
    assert np.abs(layer.weight).max() > 3.5 * (2 / 256) ** 0.5  # no uniform distribution has such a tail
    assert not layer.bias.any()


def test_images_that_are_not_differentiated_cost_no_product():
    _, weight = arrays(FORMS[0])

    def products(wrt):
        gradient = jax.grad(lambda w, x: jnp.sum(convolve(x, w, 4, 0) ** 2), wrt)
        text = jax.jit(gradient).lower(weight, np.zeros((2, 20, 20, 3), np.float32)).compile().as_text()
        return text.count(" convolution(")

    assert products((0, 1)) == products(0) + 1


def test_convolutions_in_a_loop_and_their_gradients_are_in_the_fast_order():
    _, weight = arrays(FORMS[1])
    gradients = jax.grad(lambda w, x: jnp.sum(convolve(x, w, 2, 0) ** 2), (0, 1))
    loop = jax.jit(lambda w, images: lax.map(lambda x: gradients(w, x), images))
    text = loop.lower(weight, np.zeros((2, 3, 10, 9, 16), np.float32)).compile().as_text()
    assert text.count(" convolution(") == text.count("dim_labels=b01f_01io->b01f") == 3


def test_few_outputs_are_one_matrix_product_in_a_loop():
    _, weight = arrays(FORMS[0])
    loop = jax.jit(lambda w, images: lax.map(lambda x: convolve(x, w, 4, 0), images))
    text = loop.lower(weight, np.zeros((2, 3, 20, 23, 3), np.float32)).as_text()
    assert text.count("stablehlo.dot_general") == 1
    assert "stablehlo.convolution" not in text


def test_max_pool_by_hand():
    image = np.array(
        [
            [9, 0, 1, 2, 0, 7],
            [0, 0, 0, 3, 0, 7],
            [0, 5, 4, 0, 6, 7],
            [0, 0, 0, 0, 0, 7],
            [8, 1, 1, 1, 1, 7],
        ],
        np.float32,
    )
    y, gradient = jax.vjp(MaxPool(), image[None, :, :, None])
    np.testing.assert_array_equal(y[0, :, :, 0], [[9, 6], [8, 6]])
    (dx,) = gradient(np.array([[1, 10], [100, 1000]], np.float32)[None, :, :, None])
    expected = np.zeros((5, 6))
    expected[0, 0], expected[2, 4], expected[4, 0] = 1, 1010, 100
    np.testing.assert_array_equal(dx[0, :, :, 0], expected)


def test_max_pool_gives_the_gradient_of_equal_pixels_to_the_first():
    y, gradient = jax.vjp(MaxPool(), np.zeros((1, 3, 3, 1), np.float32))
    (dx,) = gradient(np.ones_like(y))
    expected = np.zeros((3, 3))
    expected[0, 0] = 1
    np.testing.assert_array_equal(dx[0, :, :, 0], expected)


@pytest.mark.parametrize(("height", "width"), [(3, 3), (4, 3), (7, 8), (15, 4)])
def test_max_pool_equals_reduce_window(height, width):
    x = np.random.default_rng(0).standard_normal((2, height, width, 3), np.float32)
    dy = np.random.default_rng(1).standard_normal((2, *MaxPool().output_shape((3, height, width))[1:], 3), np.float32)

    def windows(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "VALID")

    @jax.jit
    def value_and_gradient(x, dy):
        return [(y, gradient(dy)[0]) for y, gradient in (jax.vjp(f, x) for f in (MaxPool(), windows))]

    (y, dx), (expected, expected_dx) = value_and_gradient(x, dy)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-6)
