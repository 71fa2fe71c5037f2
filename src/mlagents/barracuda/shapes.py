"""Layers that cut, join and arrange."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlagents.barracuda.file import RANK, BarracudaError, FloatArray, Layer
from mlagents.barracuda.operation import Operation, single, unary


def one_hot(layer: Layer) -> Operation:
    """Return alpha in the channel that the input names, beta in the others."""
    places = np.arange(single(layer, "the depth"), dtype=np.float32)
    on, off = np.float32(layer.alpha), np.float32(layer.beta)

    def encode(x: FloatArray) -> FloatArray:
        if x.shape[3] != 1:
            raise BarracudaError(f"input of shape {list(x.shape)}; expected one index in the last axis")
        return np.where(np.rint(x) == places, on, off)

    return unary(encode)


def flatten(layer: Layer) -> Operation:
    """Return rows, columns and channels as one vector, [batch, 1, 1, n]."""
    return unary(lambda x: x.reshape(len(x), 1, 1, -1))


def reshape(layer: Layer) -> Operation:
    """Return the same numbers in another shape, in which one size may be -1."""
    target = layer.pool_size
    if len(target) != RANK:
        raise BarracudaError(f"target shape {list(target)}; expected {RANK} sizes")
    return unary(lambda x: x.reshape(target))


def concat(layer: Layer) -> Operation:
    """Join along an axis; a batch of one, as constants have, is repeated."""
    axis = layer.axis
    if not -RANK <= axis < RANK:
        raise BarracudaError(f"axis {axis}; expected 0 (batch), 1 (height), 2 (width) or 3 (channels)")
    if axis in (0, -RANK):
        return lambda inputs, _: np.concatenate(inputs, axis=0)

    def concat(inputs: Sequence[FloatArray], _: np.random.Generator | None) -> FloatArray:
        rows = max(len(x) for x in inputs)
        parts = [x.repeat(rows, axis=0) if len(x) == 1 < rows else x for x in inputs]
        return np.concatenate(parts, axis=axis)

    return concat


def strided_slice(layer: Layer) -> Operation:
    """Cut along all four axes; the result keeps them."""
    starts, ends, strides = layer.pads, layer.pool_size, layer.strides
    if not len(starts) == len(ends) == len(strides) == RANK:
        raise BarracudaError(
            f"starts {list(starts)}, ends {list(ends)}, strides {list(strides)}; expected {RANK} numbers each"
        )
    index = tuple(_slice(*bounds) for bounds in zip(starts, ends, strides, strict=True))

    def cut(x: FloatArray) -> FloatArray:
        part = x[index]
        if part.size == 0 < x.size:
            raise BarracudaError(f"nothing is left of an input of shape {list(x.shape)}")
        return part

    return unary(cut)


def _slice(start: int, end: int, stride: int) -> slice:
    """End 0 goes to the end; stride 0 picks the one element at `start`."""
    if stride == 0:
        return slice(start, start + 1 or None)
    return slice(start, end or None, stride)
