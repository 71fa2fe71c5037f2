"""What a model file computes: a short list of operations on named tensors; the ONNX file is written from it.

Operations are in executable order, each names its result `output`, and the first axis of every tensor is the batch, one
row per agent. Operator sets differ in how they spell an operation: the list says what is meant, and the writer how it
is spelled there.
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
    """Tensors one after the other along an axis."""

    output: str
    inputs: tuple[str, ...]
    axis: int = 1


@dataclass(frozen=True)
class Slice:
    """The columns start <= c < stop of a matrix."""

    output: str
    input: str
    start: int
    stop: int


@dataclass(frozen=True)
class Reshape:
    """The same numbers in the same order, in another shape; -1 is the batch axis."""

    output: str
    input: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Transpose:
    """The axes in another order."""

    output: str
    input: str
    axes: tuple[int, ...]


@dataclass(frozen=True)
class Dense:
    """Return x W^T + b; the constants `weight` and `bias` are float32 [out, in] and [out], x is a matrix."""

    output: str
    input: str
    weight: str
    bias: str


@dataclass(frozen=True)
class MatMul:
    """Return the products of the matrices in the last two axes; the axes before them are broadcast."""

    output: str
    left: str
    right: str


@dataclass(frozen=True)
class Convolution:
    """A convolution of images [batch, channels, height, width] with a constant kernel float32 [out, in, k, k], plus b.

    Windows are `stride` pixels apart, and the image has a frame of `padding` pixels of zeros.
    """

    output: str
    input: str
    weight: str
    bias: str
    stride: int
    padding: int


@dataclass(frozen=True)
class MaxPool:
    """The maximum over windows of size x size pixels, `stride` pixels apart, without padding."""

    output: str
    input: str
    size: int
    stride: int


@dataclass(frozen=True)
class Lstm:
    """One step of an LSTM (`mlagents.nn.memory`): output = h', float32 [batch, H].

    Attributes:
      input: float32 [batch, in].
      memory: float32 [batch, 1, 2H], h and c before the step.
      after: name of the memory after the step, of the same shape.
      input_weight, hidden_weight, bias: constants W [4H, in], R [4H, H] and b [4H]; gates in the order i, o, f, g.
    """

    output: str
    input: str
    memory: str
    after: str
    input_weight: str
    hidden_weight: str
    bias: str


@dataclass(frozen=True)
class Swish:
    """Return x sigmoid(x)."""

    output: str
    input: str


@dataclass(frozen=True)
class LeakyRelu:
    """Return x where x > 0, else slope x."""

    output: str
    input: str
    slope: float


@dataclass(frozen=True)
class Function:
    """Apply an elementary function to every element."""

    output: str
    kind: Literal["Exp", "Log", "Relu", "Sqrt", "Tanh"]
    input: str


@dataclass(frozen=True)
class Arithmetic:
    """Return left (kind) right element by element; axes of size 1, and missing ones in front, are broadcast."""

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
class Below:
    """Return 1 where an element is less than the constant `limit`, else 0."""

    output: str
    input: str
    limit: str


@dataclass(frozen=True)
class Reduce:
    """The sum or mean along one axis, which stays with size 1 if `keeps_axis`."""

    output: str
    kind: Literal["Mean", "Sum"]
    input: str
    axis: int
    keeps_axis: bool


@dataclass(frozen=True)
class Softmax:
    """Return exp(x) / sum exp(x) along the last axis, which is number `axis`."""

    output: str
    input: str
    axis: int


@dataclass(frozen=True)
class Noise:
    """Independent standard normal numbers in the shape of `like`."""

    output: str
    like: str


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


@dataclass(frozen=True)
class Identity:
    """The same tensor by another name."""

    output: str
    input: str


Arrangement = Concat | Slice | Reshape | Transpose
Product = Dense | MatMul | Convolution | MaxPool | Lstm
Elementwise = Swish | LeakyRelu | Function | Arithmetic | Clip | Below | Identity
Rowwise = Reduce | Softmax | Noise | Sample | ArgMax
Operation = Arrangement | Product | Elementwise | Rowwise


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
