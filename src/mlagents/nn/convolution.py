"""Convolutions and pooling over images.

On the CPU, XLA has fast convolutions of stride 1 for one order of dimensions: images [rows, height, width, channels],
kernels [height, width, in, out]. Outside of loops it brings others to that order; inside of compiled loops, where
updates run, it does not, and takes up to sixty times as long. The gradients that JAX derives are in other orders. So
here an image is cut into blocks as large as the stride (space-to-depth), which leaves a convolution of stride 1, and
its gradients are written as convolutions in the fast order, too. Other devices need none of this.
"""

from __future__ import annotations

from functools import partial, reduce

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from mlagents.arrays import Array

Images = Float[Array, "rows _ _ _"]
"""Images with channels last, [rows, height, width, channels]."""
Taps = Float[Array, "m m block out"]
"""Weights by row, column, input channel and output channel."""

_FEW = 64
"""Products of one pixel with all taps, up to which one matrix product is faster than the convolution."""


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


def make_convolution(
    rng: np.random.Generator, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0
) -> Convolution:
    """Return a layer with weights from N(0, 2 / (inputs kernel^2)) and no bias, arXiv:1502.01852 eq. 10.

    On pictures that hardly differ from state to state, smaller weights leave an untrained network with gradients that
    move all states alike, hundreds of times larger than those that tell them apart: the policy then loses its entropy
    before it has learned anything.
    """
    std = np.float32((2.0 / (inputs * kernel**2)) ** 0.5)
    weight = std * rng.standard_normal((outputs, inputs, kernel, kernel), np.float32)
    return Convolution(weight, np.zeros(outputs, np.float32), stride, padding)


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
    if stride > 1:
        x, padding = _blocks(_framed(x, padding), weight.shape[-1], stride), 0
    return _convolve_blocks(x, _block_taps(weight, stride), padding)


def _framed(x: Images, width: int) -> Images:
    return jnp.pad(x, ((0, 0), (width, width), (width, width), (0, 0))) if width else x


def _blocks(x: Images, kernel: int, stride: int) -> Images:
    """Return the image as blocks of stride x stride pixels, as many as windows reach, [rows, h, w, stride^2 c]."""
    rows, *sides, c = x.shape
    height, width = ((side - kernel) // stride + -(-kernel // stride) for side in sides)
    short = [(0, max(0, blocks * stride - side)) for blocks, side in zip((height, width), sides, strict=True)]
    x = jnp.pad(x, ((0, 0), *short, (0, 0)))
    x = x[:, : height * stride, : width * stride].reshape(rows, height, stride, width, stride, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(rows, height, width, stride * stride * c)


def _block_taps(weight: Float[Array, "out c k k"], stride: int) -> Taps:
    """Return the kernel for blocks, with zeros where it ends inside of one."""
    outputs, c, kernel, _ = weight.shape
    m = -(-kernel // stride)
    end = m * stride - kernel
    weight = jnp.pad(weight, ((0, 0), (0, 0), (0, end), (0, end))).reshape(outputs, c, m, stride, m, stride)
    return weight.transpose(2, 4, 3, 5, 1, 0).reshape(m, m, stride * stride * c, outputs)


def _fast(x: Images, kernel: Float[Array, "k_h k_w in out"], padding: int) -> Images:
    """Return the convolution of stride 1, in the order of dimensions that is fast."""
    return lax.conv_general_dilated(
        jnp.asarray(x),
        jnp.asarray(kernel),
        (1, 1),
        2 * [(padding, padding)],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve_blocks(x: Images, taps: Taps, padding: int) -> Images:
    """Return the convolution of stride 1 with taps, after padding with zeros."""
    m, _, _, outputs = taps.shape
    return _sum_of_products(x, taps) if padding == 0 and m * m * outputs <= _FEW else _fast(x, taps, padding)


def _sum_of_products(x: Images, taps: Taps) -> Images:
    """Return the convolution of stride 1 as one product and a sum: y[h, w] = sum_ij (x taps_ij)[h + i, w + j]."""
    m = len(taps)
    height, width = (side - m + 1 for side in x.shape[1:3])
    products = jnp.einsum("nhwc,ijco->nhwijo", x, taps)
    return reduce(jnp.add, (products[:, i : i + height, j : j + width, i, j] for i in range(m) for j in range(m)))


def _convolve_blocks_forward(x: Images, taps: Taps, padding: int) -> tuple[Images, tuple[Images, Taps]]:
    return _convolve_blocks(x, taps, padding), (x, taps)


def _convolve_blocks_backward(padding: int, inputs: tuple[Images, Taps], dy: Images) -> tuple[Images, Taps]:
    """Return the gradients of x, with the taps turned round, and of the taps, with channels and rows exchanged.

    With y[n, h, w, o] = sum_ijc x[n, h + i, w + j, c] taps[i, j, c, o], and dx, dy, dtaps the gradients:

        dx[n, h, w, c]    = sum_ijo dy[n, h - i, w - j, o] taps[i, j, c, o]
        dtaps[i, j, c, o] = sum_hwn x[n, h + i, w + j, c] dy[n, h, w, o]
    """
    x, taps = inputs
    dx = _fast(dy, taps[::-1, ::-1].swapaxes(2, 3), len(taps) - 1 - padding)
    d_taps = _fast(x.transpose(3, 1, 2, 0), dy.transpose(1, 2, 0, 3), padding)
    return dx, d_taps.transpose(1, 2, 0, 3)


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
