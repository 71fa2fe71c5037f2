"""Layers that slide a window over images, [batch, height, width, channels]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mlagents.barracuda.file import BarracudaError, FloatArray, Layer

Function = Callable[[FloatArray], FloatArray]

_VALID, _SAME_UPPER = (0, 0, 0, 0), (-1,)


def convolution(layer: Layer) -> Function:
    """Return y = conv(x, K) + B, K [kh, kw, in, out], as one matrix product over all windows of the batch."""
    kernel, bias = (tensor.values for tensor in layer.tensors)
    height, width, channels, outputs = kernel.shape
    windows = _windows(layer, (height, width))
    matrix = kernel.reshape(-1, outputs)
    offset = _per_channel(bias, outputs)

    def convolve(x: FloatArray) -> FloatArray:
        _check_channels(x, channels)
        columns = windows(x, 0.0)
        rows = columns.reshape(-1, height * width * channels)
        return (rows @ matrix + offset).reshape(*columns.shape[:3], outputs)

    return convolve


def depthwise_convolution(layer: Layer) -> Function:
    """Return one filter per channel, K [kh, kw, channels, 1] or [kh, kw, 1, channels]."""
    kernel, bias = (tensor.values for tensor in layer.tensors)
    height, width, *sizes = kernel.shape
    if 1 not in sizes:
        raise BarracudaError(f"kernel {list(kernel.shape)}; expected one filter per channel")
    channels = max(sizes)
    windows = _windows(layer, (height, width))
    filters = kernel.reshape(height, width, channels)
    offset = _per_channel(bias, channels)

    def convolve(x: FloatArray) -> FloatArray:
        _check_channels(x, channels)
        result: FloatArray = np.einsum("nyxhwc,hwc->nyxc", windows(x, 0.0), filters) + offset
        return result

    return convolve


def max_pool(layer: Layer) -> Function:
    """Return the greatest element of each window and channel."""
    windows = _windows(layer, layer.pool_size)

    def pool(x: FloatArray) -> FloatArray:
        result: FloatArray = windows(x, -np.inf).max(axis=(3, 4))
        return result

    return pool


def average_pool(layer: Layer) -> Function:
    """Return the mean of each window and channel, without what lies outside the image."""
    windows = _windows(layer, layer.pool_size)

    def pool(x: FloatArray) -> FloatArray:
        inside = windows(np.ones_like(x[:1, :, :, :1]), 0.0).sum(axis=(3, 4))
        result: FloatArray = windows(x, 0.0).sum(axis=(3, 4)) / inside
        return result

    return pool


def _windows(layer: Layer, size: tuple[int, ...]) -> Callable[[FloatArray, float], FloatArray]:
    """Return a function (images, value outside them) -> [batch, out height, out width, kh, kw, channels]."""
    strides = layer.strides
    if len(strides) != 2 or min(strides) < 1:
        raise BarracudaError(f"strides {list(strides)}; expected two positive numbers [y, x]")
    if len(size) != 2 or min(size) < 1:
        raise BarracudaError(f"pool size {list(size)}; expected two positive numbers [y, x]")
    if layer.pads not in (_VALID, _SAME_UPPER):
        raise BarracudaError(f"pads {list(layer.pads)}; expected {list(_VALID)} (valid) or {list(_SAME_UPPER)} (same)")
    is_same = layer.pads == _SAME_UPPER

    def windows(x: FloatArray, outside: float) -> FloatArray:
        if is_same:
            edges = [_same_padding(n, k, s) for n, k, s in zip(x.shape[1:3], size, strides, strict=True)]
            x = np.pad(x, [(0, 0), *edges, (0, 0)], constant_values=outside)
        if x.shape[1] < size[0] or x.shape[2] < size[1]:
            raise BarracudaError(f"images {list(x.shape[1:3])} are smaller than windows {list(size)}")
        every = sliding_window_view(x, size, axis=(1, 2))[:, :: strides[0], :: strides[1]]
        return every.transpose(0, 1, 2, 4, 5, 3)

    return windows


def _same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """Return what to add before and after, so that ceil(size / stride) windows fit; the odd one goes behind."""
    count = -(-size // stride)
    total = max(0, (count - 1) * stride + window - size)
    return total // 2, total - total // 2


def _per_channel(bias: FloatArray, channels: int) -> FloatArray:
    if bias.size != channels:
        raise BarracudaError(f"the bias has {bias.size} numbers; expected {channels}, one per channel")
    return bias.reshape(-1)


def _check_channels(x: FloatArray, channels: int) -> None:
    if x.shape[3] != channels:
        raise BarracudaError(f"images of shape {list(x.shape)}; expected {channels} channels")
