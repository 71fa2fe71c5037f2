"""A Barracuda model of format version 16, as values.

```
weight = Tensor.kernel("w", [[1, 2], [3, 4]])
layers = (
    Layer("version_number", LayerType.LOAD, tensors=(Tensor.row("version_number", [2]),)),
    Layer("d", LayerType.DENSE, ("x",), (weight, Tensor.row("b", [0.5, -0.5]))),
    Layer("action", LayerType.ACTIVATION, ("d",)),
)
BarracudaFile((Input("x", (-1, 1, 1, 2)),), ("action",), (), layers)
```

Arrays are laid out [batch, height, width, channels] everywhere; a vector is [batch, 1, 1, n].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents.barracuda.layer_types import LayerType

FORMAT_VERSION = 16
RANK = 4

FloatArray = NDArray[np.float32]
Shape = tuple[int, ...]


class BarracudaError(Exception):
    """A file is damaged or not a Barracuda model, or its layers cannot be evaluated; the message names the layer."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A weight, or a constant.

    Names of weights are not unique in a file: address a weight by its layer and place.

    Attributes:
      name: ASCII.
      values: float32, rank 4.
    """

    name: str
    values: FloatArray

    @staticmethod
    def row(name: str, values: ArrayLike) -> Tensor:
        """Return numbers as [1, 1, 1, n]: constants and biases."""
        return Tensor(name, np.asarray(values, np.float32).reshape(1, 1, 1, -1))

    @staticmethod
    def kernel(name: str, values: ArrayLike) -> Tensor:
        """Return a matrix [in, out] as the kernel of a dense layer, [in, 1, 1, out]."""
        matrix = np.asarray(values, np.float32)
        return Tensor(name, matrix[:, np.newaxis, np.newaxis, :])

    def __eq__(self, other: object) -> bool:
        """Return whether both have equal name, shape and bits."""
        if not isinstance(other, Tensor):
            return NotImplemented
        same_shape = self.name == other.name and self.values.shape == other.values.shape
        return same_shape and self.values.tobytes() == other.values.tobytes()

    def __hash__(self) -> int:
        return hash((self.name, self.values.shape))


@dataclass(frozen=True)
class Layer:
    """One step of the computation.

    Attributes:
      name: also of its result; the name of a load layer is only that of its first constant.
      type: a `LayerType`, or a number that it does not know.
      inputs: names of inputs, memory inputs, constants or results of earlier layers; weights are not among them.
      tensors: weights, in the order that the type asks for; of a load layer, the constants.
      activation: an `Activation`, for activation layers.
      pads: (0, 0, 0, 0) valid, (-1,) same-upper; of a strided slice, the starts.
      strides: [y, x]; of a strided slice, one per axis.
      pool_size: kernel [y, x]; target of a reshape, ends of a strided slice, (depth,) of a one-hot.
      axis: of a concatenation.
      alpha: on-value of a one-hot, slope or scale.
      beta: off-value of a one-hot, or offset.
    """

    name: str
    type: int
    inputs: tuple[str, ...] = ()
    tensors: tuple[Tensor, ...] = ()
    activation: int = 0
    pads: tuple[int, ...] = (0, 0, 0, 0)
    strides: tuple[int, ...] = ()
    pool_size: tuple[int, ...] = ()
    axis: int = -1
    alpha: float = 1.0
    beta: float = 0.0


@dataclass(frozen=True)
class Input:
    """What is fed from outside.

    Attributes:
      name: ASCII.
      shape: rank 4; -1 is any size, such as that of the batch.
    """

    name: str
    shape: Shape


@dataclass(frozen=True)
class Memory:
    """What one call leaves for the next one.

    Attributes:
      shape: [1, 1, 1, n] of one agent.
      input: the name under which layers read it.
      output: the layer whose result is read there in the next call.
    """

    shape: Shape
    input: str
    output: str


@dataclass(frozen=True)
class BarracudaFile:
    """A model.

    Attributes:
      inputs: without memories.
      outputs: names of results.
      memories: in the order in which an agent's memory holds them.
      layers: in executable order.
    """

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    memories: tuple[Memory, ...]
    layers: tuple[Layer, ...]

    def constants(self) -> dict[str, FloatArray]:
        """Return name -> float32 array of rank 4, of all load layers."""
        return {tensor.name: tensor.values for tensor in self._loaded()}

    def _loaded(self) -> Iterator[Tensor]:
        for layer in self.layers:
            if layer.type == LayerType.LOAD:
                yield from layer.tensors
