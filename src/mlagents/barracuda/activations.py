"""Functions of activation layers, on float32 [batch, height, width, channels].

Barracuda's own definitions; softmax goes over channels. Where a function has a slope, it is the layer's alpha.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlagents.barracuda.file import BarracudaError, FloatArray
from mlagents.barracuda.layer_types import Activation

Function = Callable[[FloatArray], FloatArray]

_SELU_ALPHA = np.float32(1.6732632423543772)
_SELU_SCALE = np.float32(1.0507009873554805)
"""Klambauer et al. 2017 (arXiv:1706.02515), section 2."""


def activation_function(number: int, alpha: float) -> Function:
    """Return an activation by its number.

    Raises:
      BarracudaError: there is no such activation.
    """
    slope = np.float32(alpha)
    match number:
        case Activation.ELU:
            return lambda x: np.where(x > 0, x, slope * np.expm1(np.minimum(x, 0)))
        case Activation.LEAKY_RELU:
            return lambda x: np.where(x > 0, x, slope * x)
    if number not in _FUNCTIONS:
        raise BarracudaError(f"activation {number} is not known")
    return _FUNCTIONS[Activation(number)]


def _sigmoid(x: FloatArray) -> FloatArray:
    result: FloatArray = np.reciprocal(1 + np.exp(-x))  # exp may overflow to infinity, which gives 0
    return result


def _softmax(x: FloatArray) -> FloatArray:
    weights: FloatArray = np.exp(x - x.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights


def _log_softmax(x: FloatArray) -> FloatArray:
    shifted: FloatArray = x - x.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def _selu(x: FloatArray) -> FloatArray:
    return _SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0)))


_FUNCTIONS: dict[Activation, Function] = {
    Activation.LINEAR: lambda x: x,
    Activation.RELU: lambda x: np.maximum(x, 0),
    Activation.SOFTMAX: _softmax,
    Activation.TANH: np.tanh,
    Activation.SIGMOID: _sigmoid,
    Activation.RELU6: lambda x: np.clip(x, 0, 6),
    Activation.SELU: _selu,
    Activation.SWISH: lambda x: x * _sigmoid(x),
    Activation.LOG_SOFTMAX: _log_softmax,
    Activation.SOFTPLUS: lambda x: np.logaddexp(x, np.float32(0)),
    Activation.SOFTSIGN: lambda x: x / (1 + np.abs(x)),
    Activation.ABS: np.abs,
    Activation.NEG: np.negative,
    Activation.CEIL: np.ceil,
    Activation.FLOOR: np.floor,
    Activation.SQRT: np.sqrt,
    Activation.EXP: np.exp,
    Activation.LOG: np.log,
    Activation.ACOS: np.arccos,
    Activation.ACOSH: np.arccosh,
    Activation.ASIN: np.arcsin,
    Activation.ASINH: np.arcsinh,
    Activation.ATAN: np.arctan,
    Activation.ATANH: np.arctanh,
    Activation.COS: np.cos,
    Activation.COSH: np.cosh,
    Activation.SIN: np.sin,
    Activation.SINH: np.sinh,
    Activation.TAN: np.tan,
}
