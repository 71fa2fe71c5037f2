"""A Barracuda model as it grows, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from mlagents.barracuda import Activation, BarracudaFile, Input, Layer, LayerType, Memory, Tensor


class BarracudaNet:
    """Inputs, constants, layers and memories; methods that add something return its name."""

    def __init__(self) -> None:
        self._inputs: list[Input] = []
        self._constants: list[Tensor] = []
        self._layers: list[Layer] = []
        self._memories: list[Memory] = []

    def input(self, name: str, *shape: int) -> str:
        """Add an input [batch, *shape]; a single number is the width of a vector."""
        sizes = (1, 1, *shape) if len(shape) == 1 else shape
        self._inputs.append(Input(name, (-1, *sizes)))
        return name

    def constant(self, name: str, values: ArrayLike) -> str:
        """Add a row of numbers; a name that is there already keeps its values."""
        if name not in (tensor.name for tensor in self._constants):
            self._constants.append(Tensor.row(name, values))
        return name

    def memory(self, output: str, input: str, size: int) -> None:
        """Keep the result of a layer for the next call."""
        self._memories.append(Memory((1, 1, 1, size), input, output))

    def add(self, layer: Layer) -> str:
        """Add a layer."""
        self._layers.append(layer)
        return layer.name

    def apply(self, kind: LayerType, name: str, *inputs: str) -> str:
        """Add a layer without weights or settings, such as arithmetic."""
        return self.add(Layer(name, kind, inputs))

    def activation(self, function: Activation, name: str, x: str) -> str:
        """Apply a function to every number, or to the channels."""
        return self.add(Layer(name, LayerType.ACTIVATION, (x,), activation=function))

    def dense(self, name: str, x: str, weight: ArrayLike, bias: ArrayLike) -> str:
        """Return W x + b; weight is [out, in]."""
        kernel = Tensor.kernel(f"{name}/kernel", np.asarray(weight, np.float32).T)
        return self.add(Layer(name, LayerType.DENSE, (x,), (kernel, Tensor.row(f"{name}/bias", bias))))

    def concat(self, name: str, parts: Sequence[str]) -> str:
        """Put vectors side by side; a single one stays as it is."""
        return parts[0] if len(parts) == 1 else self.add(Layer(name, LayerType.CONCAT, tuple(parts), axis=3))

    def columns(self, name: str, x: str, start: int, stop: int) -> str:
        """Return the columns start <= c < stop of a vector."""
        ends, strides = (0, 0, 0, stop), (1, 1, 1, 1)
        return self.add(Layer(name, LayerType.STRIDED_SLICE, (x,), (), 0, (0, 0, 0, start), strides, ends))

    def clip(self, name: str, x: str, low: float, high: float) -> str:
        """Limit every number to [low, high]."""
        below = self.apply(LayerType.MINIMUM, f"{name}/minimum", x, self.constant(f"{name}/high", [high]))
        return self.apply(LayerType.MAXIMUM, name, below, self.constant(f"{name}/low", [low]))

    def file(self) -> BarracudaFile:
        """Return the model; its outputs are the results that no layer reads, and those of linear layers."""
        loads = Layer(self._constants[0].name, LayerType.LOAD, tensors=tuple(self._constants))
        read = {name for layer in self._layers for name in layer.inputs}
        outputs = tuple(layer.name for layer in self._layers if layer.name not in read or _is_linear(layer))
        return BarracudaFile(tuple(self._inputs), outputs, tuple(self._memories), (loads, *self._layers))


def _is_linear(layer: Layer) -> bool:
    return layer.type == LayerType.ACTIVATION and layer.activation == Activation.LINEAR
