"""Convolutions and pooling over images, written as matrix products.

XLA's own convolutions are about ten times slower inside a compiled loop on the CPU than outside of one, and their
gradients are slow everywhere. Matrix products are fast in both places. So on the CPU an image is first cut into blocks
as large as the stride (space-to-depth), which leaves a convolution of stride 1 with M x M taps. Then either

- the blocks are multiplied by the weights of all taps at once, and the M x M products, shifted, are added up: where
  M is at most 2, or
- the M x M neighbours of each block are put side by side and multiplied by the weights once (im2col).

The gradients are the same products transposed. Other devices have fast convolutions, and use them.
"""

from __future__ import annotations

import itertools
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from mlagents.arrays import Array

Images = Float[Array, "rows h w c"]
Taps = Float[Array, "m m c out"]


class Convolution(eqx.Module):
    """A convolution (cross-correlation) with a square kernel.

    Attributes:
      weight: float32 [out, in, kernel, kernel].
      bias: float32 [out].
      stride: pixels between neighbouring windows, in both directions.
      padding: pixels of zeros around the image.
    """

    weight: Float[Array, "out in k k"]
    bias: Float[Array, " out"]
    stride: int = eqx.field(static=True)
    padding: int = eqx.field(static=True)

    def __call__(self, x: Images) -> Images:
        """Return the outputs, float32 [rows, out h, out w, out]; x is float32 [rows, h, w, in], channels last."""
        return convolve(x, self.weight, self.stride, self.padding) + self.bias

    def output_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return (channels, height, width) of the output; a side is below 1 where the image is too small."""
        kernel = self.weight.shape[-1]
        height, width = ((side + 2 * self.padding - kernel) // self.stride + 1 for side in shape[1:])
        return len(self.weight), height, width

    def matrix_size(self, shape: tuple[int, int, int]) -> int:
        """Return how many numbers the largest matrix of this convolution has per image (channels, height, width)."""
        outputs, height, width = self.output_shape(shape)
        m = _taps(self.weight.shape[-1], self.stride)
        if _shifts_products(m):
            return (height + m - 1) * (width + m - 1) * max(m * m * outputs, shape[0] * self.stride**2)
        return height * width * m * m * shape[0] * self.stride**2


def make_convolution(
    rng: np.random.Generator, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0
) -> Convolution:
    """Return a layer with weights and biases from U(-a, a), a = 1 / sqrt(inputs kernel^2)."""
    bound = 1.0 / (inputs * kernel**2) ** 0.5
    weight = rng.uniform(-bound, bound, (outputs, inputs, kernel, kernel)).astype(np.float32)
    return Convolution(weight, rng.uniform(-bound, bound, outputs).astype(np.float32), stride, padding)


class MaxPool(eqx.Module):
    """The maximum over windows of 3 x 3 pixels, 2 apart, without padding."""

    def __call__(self, x: Images) -> Images:
        """Return float32 [rows, (h - 1) // 2, (w - 1) // 2, c]; of equal pixels the first gets the gradient."""
        return _max_of_three(_max_of_three(x, 1), 2)

    def output_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return (channels, height, width) of the output; a side is below 1 where the image is too small."""
        channels, height, width = shape
        return channels, (height - 1) // 2, (width - 1) // 2


def convolve(x: Images, weight: Float[Array, "out c k k"], stride: int, padding: int) -> Images:
    """Return the convolution of images [rows, h, w, c], channels last, with a kernel; no bias."""
    if jax.default_backend() != "cpu":
        return lax.conv_general_dilated(
            x, weight, (stride, stride), 2 * [(padding, padding)], dimension_numbers=("NHWC", "OIHW", "NHWC")
        )
    if padding:
        x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    kernel = weight.shape[-1]
    m = _taps(kernel, stride)
    height, width = ((side - kernel) // stride + m for side in x.shape[1:3])
    return _convolve_blocks(_blocks(x, stride, height, width), _block_taps(weight, stride, m))


def _taps(kernel: int, stride: int) -> int:
    return -(-kernel // stride)


def _shifts_products(m: int) -> bool:
    return m <= 2


def _blocks(x: Images, stride: int, height: int, width: int) -> Images:
    """Return the image as height x width blocks of stride x stride pixels, [rows, height, width, stride^2 c]."""
    rows, h, w, c = x.shape
    x = jnp.pad(x, ((0, 0), (0, max(0, height * stride - h)), (0, max(0, width * stride - w)), (0, 0)))
    x = x[:, : height * stride, : width * stride].reshape(rows, height, stride, width, stride, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(rows, height, width, stride * stride * c)


def _block_taps(weight: Float[Array, "out c k k"], stride: int, m: int) -> Taps:
    """Return the kernel for blocks, [m, m, stride^2 c, out], with zeros where the kernel ends inside a block."""
    outputs, c, kernel, _ = weight.shape
    end = m * stride - kernel
    weight = jnp.pad(weight, ((0, 0), (0, 0), (0, end), (0, end))).reshape(outputs, c, m, stride, m, stride)
    return weight.transpose(2, 4, 3, 5, 1, 0).reshape(m, m, stride * stride * c, outputs)


@jax.custom_vjp
def _convolve_blocks(x: Images, taps: Taps) -> Images:
    return _convolve_blocks_forward(x, taps)[0]


def _convolve_blocks_forward(x: Images, taps: Taps) -> tuple[Images, tuple[Array, ...]]:
    rows, h, w, c = x.shape
    m, _, _, outputs = taps.shape
    height, width = h - m + 1, w - m + 1
    if _shifts_products(m):
        products = (x.reshape(-1, c) @ _all_taps(taps)).reshape(rows, h, w, m, m, outputs)
        y = sum(products[:, i : i + height, j : j + width, i, j] for i, j in _pairs(m))
        return y, (x, taps)
    neighbours = _neighbours(x, m)
    y = (neighbours @ taps.reshape(-1, outputs)).reshape(rows, height, width, outputs)
    return y, (neighbours, taps)


def _convolve_blocks_backward(residuals: tuple[Array, ...], dy: Images) -> tuple[Images, Taps]:
    x, taps = residuals
    rows, height, width, outputs = dy.shape
    m, _, c, _ = taps.shape
    h, w = height + m - 1, width + m - 1
    if _shifts_products(m):
        shifted = [_placed(dy, i, j, m) for i, j in _pairs(m)]
        d_products = jnp.concatenate(shifted, axis=-1).reshape(-1, m * m * outputs)
        d_taps = (x.reshape(-1, c).T @ d_products).reshape(c, m, m, outputs).transpose(1, 2, 0, 3)
        return (d_products @ _all_taps(taps).T).reshape(rows, h, w, c), d_taps
    flat = dy.reshape(-1, outputs)
    d_taps = (flat.T @ x).T.reshape(taps.shape)
    d_neighbours = (flat @ taps.reshape(-1, outputs).T).reshape(rows, height, width, m, m, c)
    return sum(_placed(d_neighbours[..., i, j, :], i, j, m) for i, j in _pairs(m)), d_taps


_convolve_blocks.defvjp(_convolve_blocks_forward, _convolve_blocks_backward)


def _pairs(m: int) -> list[tuple[int, int]]:
    return list(itertools.product(range(m), repeat=2))


def _all_taps(taps: Taps) -> Float[Array, "c m_m_out"]:
    return taps.transpose(2, 0, 1, 3).reshape(taps.shape[2], -1)


def _neighbours(x: Images, m: int) -> Float[Array, "windows m_m_c"]:
    rows, h, w, c = x.shape
    height, width = h - m + 1, w - m + 1
    windows = [x[:, i : i + height, j : j + width] for i, j in _pairs(m)]
    return jnp.concatenate(windows, axis=-1).reshape(rows * height * width, m * m * c)


def _placed(y: Images, i: int, j: int, m: int) -> Images:
    """Return y moved down by i and right by j, in a frame of zeros that is larger by m - 1."""
    return jnp.pad(y, ((0, 0), (i, m - 1 - i), (j, m - 1 - j), (0, 0)))


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_of_three(x: Images, axis: int) -> Images:
    """Return the maxima of x[0:3], x[2:5], ... along an axis."""
    first, second, third = _thirds(x, axis)
    return jnp.maximum(jnp.maximum(first, second), third)


def _thirds(x: Images, axis: int) -> tuple[Images, Images, Images]:
    last = 2 * ((x.shape[axis] - 1) // 2) + 1
    first, second, third = (lax.slice_in_dim(x, start, last + start - 2, 2, axis) for start in range(3))
    return first, second, third


def _max_of_three_forward(x: Images, axis: int) -> tuple[Images, Images]:
    return _max_of_three(x, axis), x


def _max_of_three_backward(axis: int, x: Images, dy: Images) -> tuple[Images]:
    first, second, third = _thirds(x, axis)
    is_first = (first >= second) & (first >= third)
    is_third = (third > first) & (third > second)
    none = jnp.zeros_like(lax.slice_in_dim(dy, 0, 1, axis=axis))
    as_first, as_third = jnp.where(is_first, dy, 0.0), jnp.where(is_third, dy, 0.0)
    even = jnp.concatenate([as_first, none], axis) + jnp.concatenate([none, as_third], axis)
    odd = jnp.concatenate([jnp.where(is_first | is_third, 0.0, dy), none], axis)
    pairs = jnp.stack([even, odd], axis + 1)
    shape = list(x.shape)
    shape[axis] = 2 * even.shape[axis]
    return (lax.slice_in_dim(pairs.reshape(shape), 0, x.shape[axis], axis=axis),)


_max_of_three.defvjp(_max_of_three_forward, _max_of_three_backward)
