"""What an operation is: the computation of one layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mlagents.barracuda.file import BarracudaError, FloatArray, Layer

Operation = Callable[[Sequence[FloatArray], np.random.Generator | None], FloatArray]
"""(inputs, source of randomness) -> result; without a source, the most likely result."""


def unary(function: Callable[[FloatArray], FloatArray]) -> Operation:
    """Return an operation of one input and no randomness."""
    return lambda inputs, _: function(inputs[0])


def single(layer: Layer, what: str) -> int:
    """Return the one number of a layer's pool size.

    Raises:
      BarracudaError: there is none, or it is not positive.
    """
    if len(layer.pool_size) != 1 or layer.pool_size[0] < 1:
        raise BarracudaError(f"pool size {list(layer.pool_size)}; expected {what}, one positive number")
    return layer.pool_size[0]
