"""What each type of layer computes, in numpy, for a whole batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlagents.barracuda import convolution, noise, shapes
from mlagents.barracuda.activations import activation_function
from mlagents.barracuda.file import BarracudaError, FloatArray, Layer
from mlagents.barracuda.layer_types import LayerType, layer_type_name
from mlagents.barracuda.operation import Operation, unary

RANDOM = frozenset({LayerType.RANDOM_NORMAL, LayerType.RANDOM_UNIFORM, LayerType.MULTINOMIAL})


def operation_of(layer: Layer) -> Operation:
    """Return the computation of a layer.

    Raises:
      BarracudaError: the type is not known, or the layer has not what it asks for.
    """
    kind = _KINDS.get(layer.type)
    if kind is None:
        raise BarracudaError(f"layers of the type {layer_type_name(layer.type)} cannot be evaluated")
    least, most = kind.inputs
    if not least <= len(layer.inputs) <= most:
        expected = str(least) if least == most else f"{least} or {'more' if most == _ANY_NUMBER else most}"
        raise BarracudaError(f"inputs: {', '.join(layer.inputs) or 'none'}; expected {expected}")
    if len(layer.tensors) != kind.tensors:
        raise BarracudaError(f"{len(layer.tensors)} tensors; expected {kind.tensors}")
    return kind.build(layer)


def _dense(layer: Layer) -> Operation:
    weight, bias = (tensor.values for tensor in layer.tensors)
    wide, *_, outputs = weight.shape
    matrix, offset = weight.reshape(wide, -1), bias.reshape(-1)
    if matrix.shape[1] != outputs or offset.size != outputs:
        raise BarracudaError(f"weights {list(weight.shape)} and bias {list(bias.shape)}; expected [in, 1, 1, out]")

    def dense(x: FloatArray) -> FloatArray:
        rows = x.reshape(len(x), -1)
        if rows.shape[1] != wide:
            raise BarracudaError(f"input of shape {list(x.shape)}; expected {wide} numbers in each row")
        return (rows @ matrix + offset)[:, np.newaxis, np.newaxis]

    return unary(dense)


def _scale_bias(layer: Layer) -> Operation:
    scale, bias = (tensor.values.reshape(-1) for tensor in layer.tensors)
    return unary(lambda x: x * scale + bias)


def _elementwise(ufunc: Callable[[FloatArray, FloatArray], FloatArray]) -> Callable[[Layer], Operation]:
    return lambda layer: lambda inputs, _: ufunc(inputs[0], inputs[1])


def _over_channels(ufunc: np.ufunc) -> Callable[[Layer], Operation]:
    return lambda layer: unary(lambda x: ufunc.reduce(x, axis=-1, keepdims=True))


def _mean_over_channels(layer: Layer) -> Operation:
    return unary(lambda x: x.mean(axis=-1, keepdims=True))


@dataclass(frozen=True)
class _Kind:
    """How a type is built, and what it asks for.

    Attributes:
      build: layer -> operation.
      inputs: least and most.
      tensors: number of weights.
    """

    build: Callable[[Layer], Operation]
    inputs: tuple[int, int] = (1, 1)
    tensors: int = 0


_ANY_NUMBER = 1 << 31
_TWO = (2, 2)
_AND_AXIS = (1, 2)
"""Reductions may name a constant with the axis, too; they always go over channels."""

_REDUCTIONS: dict[LayerType, Any] = {
    LayerType.REDUCE_MAX: np.maximum,
    LayerType.REDUCE_MIN: np.minimum,
    LayerType.REDUCE_PROD: np.multiply,
    LayerType.REDUCE_SUM: np.add,
}
_ARITHMETIC: dict[LayerType, Any] = {
    LayerType.ADD: np.add,
    LayerType.SUB: np.subtract,
    LayerType.MUL: np.multiply,
    LayerType.DIV: np.divide,
    LayerType.POW: np.power,
    LayerType.MINIMUM: np.minimum,
    LayerType.MAXIMUM: np.maximum,
}
_KINDS: Mapping[int, _Kind] = {
    LayerType.NOP: _Kind(lambda layer: unary(lambda x: x)),
    LayerType.DENSE: _Kind(_dense, tensors=2),
    LayerType.CONV_2D: _Kind(lambda layer: unary(convolution.convolution(layer)), tensors=2),
    LayerType.DEPTHWISE_CONV_2D: _Kind(lambda layer: unary(convolution.depthwise_convolution(layer)), tensors=2),
    LayerType.MAX_POOL_2D: _Kind(lambda layer: unary(convolution.max_pool(layer))),
    LayerType.AVERAGE_POOL_2D: _Kind(lambda layer: unary(convolution.average_pool(layer))),
    LayerType.GLOBAL_AVERAGE_POOL_2D: _Kind(lambda layer: unary(lambda x: x.mean(axis=(1, 2), keepdims=True))),
    LayerType.ACTIVATION: _Kind(lambda layer: unary(activation_function(layer.activation, layer.alpha))),
    LayerType.SCALE_BIAS: _Kind(_scale_bias, tensors=2),
    LayerType.RANDOM_NORMAL: _Kind(noise.random_normal),
    LayerType.RANDOM_UNIFORM: _Kind(noise.random_uniform),
    LayerType.MULTINOMIAL: _Kind(noise.multinomial),
    LayerType.ONE_HOT: _Kind(shapes.one_hot),
    **{kind: _Kind(_elementwise(ufunc), _TWO) for kind, ufunc in _ARITHMETIC.items()},
    **{kind: _Kind(_over_channels(ufunc), _AND_AXIS) for kind, ufunc in _REDUCTIONS.items()},
    LayerType.REDUCE_MEAN: _Kind(_mean_over_channels, _AND_AXIS),
    LayerType.FLATTEN: _Kind(shapes.flatten),
    LayerType.RESHAPE: _Kind(shapes.reshape),
    LayerType.CONCAT: _Kind(shapes.concat, (1, _ANY_NUMBER)),
    LayerType.STRIDED_SLICE: _Kind(shapes.strided_slice),
}
