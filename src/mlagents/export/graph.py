"""What a model file computes: a short list of operations on named tensors; each format is written from it.

Operations are in executable order, each names its result `output`, and a matrix has one row per agent.
Formats differ in how they spell an operation (ONNX has no swish, Barracuda other weight layouts): the list
says what is meant, and the writer of a format how it is spelled there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Port:
    """A tensor that enters or leaves the model.

    Attributes:
      name: as the runtime addresses it.
      shape: None is the batch axis.
      dtype: of its elements.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: Literal["float32", "int64"] = "float32"


@dataclass(frozen=True)
class Concat:
    """Columns side by side."""

    output: str
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Slice:
    """The columns start <= c < stop."""

    output: str
    input: str
    start: int
    stop: int


@dataclass(frozen=True)
class Dense:
    """Return x W^T + b; the constants `weight` and `bias` are float32 [out, in] and [out]."""

    output: str
    input: str
    weight: str
    bias: str


@dataclass(frozen=True)
class Swish:
    """Return x sigmoid(x)."""

    output: str
    input: str


@dataclass(frozen=True)
class Function:
    """Apply an elementary function to every element."""

    output: str
    kind: Literal["Exp", "Tanh"]
    input: str


@dataclass(frozen=True)
class Arithmetic:
    """Return left (kind) right element by element; a constant row [n] or [1] is broadcast over the batch."""

    output: str
    kind: Literal["Add", "Sub", "Mul", "Div"]
    left: str
    right: str


@dataclass(frozen=True)
class Clip:
    """Limit every element to [low, high]."""

    output: str
    input: str
    low: float
    high: float


@dataclass(frozen=True)
class Noise:
    """Independent standard normal numbers in the shape of `like`."""

    output: str
    like: str


@dataclass(frozen=True)
class LogSoftmax:
    """Return the log-probabilities of logits, row by row."""

    output: str
    input: str


@dataclass(frozen=True)
class Sample:
    """One index per row, int64 [batch, 1], drawn by log-probability."""

    output: str
    log_probs: str


@dataclass(frozen=True)
class ArgMax:
    """The index of the greatest element of each row, int64 [batch, 1]."""

    output: str
    input: str


Operation = Concat | Slice | Dense | Swish | Function | Arithmetic | Clip | Noise | LogSoftmax | Sample | ArgMax


@dataclass(frozen=True)
class Graph:
    """A model.

    Attributes:
      inputs: in the order of the file.
      constants: weights and facts about the model; a constant may be an output too.
      operations: in executable order.
      outputs: in the order of the file.
    """

    inputs: tuple[Port, ...]
    constants: Mapping[str, FloatArray]
    operations: tuple[Operation, ...]
    outputs: tuple[Port, ...]
