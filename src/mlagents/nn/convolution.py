"""Convolutions and pooling over images, written as matrix products.

XLA's own convolutions are about ten times slower inside a compiled loop on the CPU than outside of one. Matrix products
are fast in both places. So on the CPU an image is first cut into blocks as large as the stride (space-to-depth), which
leaves a convolution of stride 1 with M x M taps. Then the M neighbours in a row are put side by side and multiplied by
the weights of all taps at once, which gives the shares of M rows of outputs; shifted, they are added up. Compared with
M^2 neighbours or M^2 shares (im2col and its transpose), less memory is written, and the matrices are squarer. The
gradients are the same products transposed. Other devices have fast convolutions, and use them.
"""

from __future__ import annotations

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from mlagents.arrays import Array

Images = Float[Array, "rows _ _ _"]
"""Images with channels last, [rows, height, width, channels]."""
Taps = Float[Array, "m block m out"]
"""Weights by column, input channel, row and output channel."""


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
        m = taps_of(self.weight.shape[-1], self.stride)
        return (height + m - 1) * width * m * max(shape[0] * self.stride**2, outputs)


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
            jnp.asarray(x),
            jnp.asarray(weight),
            (stride, stride),
            2 * [(padding, padding)],
            dimension_numbers=("NHWC", "OIHW", "NHWC"),
        )
    kernel = weight.shape[-1]
    if stride > 1:
        x, padding = _blocks(_framed(x, padding), kernel, stride), 0
    return _convolve_blocks(x, _block_taps(weight, stride), padding)


def taps_of(kernel: int, stride: int) -> int:
    """Return how many blocks of the stride's size the kernel reaches over."""
    return -(-kernel // stride)


def _framed(x: Images, width: int) -> Images:
    return jnp.pad(x, ((0, 0), (width, width), (width, width), (0, 0))) if width else x


def _blocks(x: Images, kernel: int, stride: int) -> Images:
    """Return the image as blocks of stride x stride pixels, as many as windows reach, [rows, h, w, stride^2 c]."""
    rows, *sides, c = x.shape
    height, width = ((side - kernel) // stride + taps_of(kernel, stride) for side in sides)
    short = [(0, max(0, blocks * stride - side)) for blocks, side in zip((height, width), sides, strict=True)]
    x = jnp.pad(x, ((0, 0), *short, (0, 0)))
    x = x[:, : height * stride, : width * stride].reshape(rows, height, stride, width, stride, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(rows, height, width, stride * stride * c)


def _block_taps(weight: Float[Array, "out c k k"], stride: int) -> Taps:
    """Return the kernel for blocks, with zeros where it ends inside of one."""
    outputs, c, kernel, _ = weight.shape
    m = taps_of(kernel, stride)
    end = m * stride - kernel
    weight = jnp.pad(weight, ((0, 0), (0, 0), (0, end), (0, end))).reshape(outputs, c, m, stride, m, stride)
    return weight.transpose(4, 3, 5, 1, 2, 0).reshape(m, stride * stride * c, m, outputs)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve_blocks(x: Images, taps: Taps, padding: int) -> Images:
    """Return the convolution of stride 1 with taps, after padding with zeros."""
    m, c, _, outputs = taps.shape
    beside = _beside(_framed(x, padding), m)
    rows, h, width, _ = beside.shape
    shares = (beside.reshape(-1, m * c) @ taps.reshape(m * c, m * outputs)).reshape(rows, h, width, m, outputs)
    height = h - m + 1
    y: Images = shares[:, :height, :, 0]
    for i in range(1, m):
        y = y + shares[:, i : i + height, :, i]
    return y


def _beside(x: Images, m: int) -> Float[Array, "rows _ _ _"]:
    """Return each pixel with its m - 1 right neighbours."""
    width = x.shape[2] - m + 1
    return jnp.concatenate([x[:, :, j : j + width] for j in range(m)], axis=-1)


def _convolve_blocks_forward(x: Images, taps: Taps, padding: int) -> tuple[Images, tuple[Images, Taps]]:
    return _convolve_blocks(x, taps, padding), (x, taps)


def _convolve_blocks_backward(padding: int, inputs: tuple[Images, Taps], dy: Images) -> tuple[Images, Taps]:
    x, taps = inputs
    m, c, _, outputs = taps.shape
    rows, height, width, _ = dy.shape
    h = height + m - 1
    shifted = [jnp.pad(dy, ((0, 0), (i, m - 1 - i), (0, 0), (0, 0))) for i in range(m)]
    d_shares = jnp.concatenate(shifted, axis=-1).reshape(-1, m * outputs)
    d_taps = (_beside(_framed(x, padding), m).reshape(-1, m * c).T @ d_shares).reshape(taps.shape)
    d_beside = (d_shares @ taps.reshape(m * c, m * outputs).T).reshape(rows, h, width, m, c)
    dx = jnp.pad(d_beside[..., 0, :], ((0, 0), (0, 0), (0, m - 1), (0, 0)))
    for j in range(1, m):
        dx = dx + jnp.pad(d_beside[..., j, :], ((0, 0), (0, 0), (j, m - 1 - j), (0, 0)))
    return dx[:, padding : h - padding, padding : width + m - 1 - padding], d_taps


_convolve_blocks.defvjp(_convolve_blocks_forward, _convolve_blocks_backward)


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
