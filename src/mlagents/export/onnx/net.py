"""A graph as it grows; methods that add something return its name."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from mlagents.export.onnx.graph import (
    Arithmetic,
    Clip,
    Concat,
    Dense,
    FloatArray,
    Function,
    Graph,
    MatMul,
    Operation,
    Port,
    Reduce,
    Reshape,
    Slice,
    Swish,
)
from mlagents.nn import layers


class Net:
    """Inputs, constants, operations and outputs."""

    def __init__(self) -> None:
        self._inputs: list[Port] = []
        self._outputs: list[Port] = []
        self._constants: dict[str, FloatArray] = {}
        self._operations: list[Operation] = []

    def input(self, name: str, *shape: int) -> str:
        """Add an input, float32 [batch, *shape]."""
        self._inputs.append(Port(name, (None, *shape)))
        return name

    def output(self, name: str, *shape: int, dtype: Literal["float32", "int64"] = "float32") -> None:
        """Let a tensor [batch, *shape] leave the model."""
        self._outputs.append(Port(name, (None, *shape), dtype))

    def fact(self, name: str, value: ArrayLike) -> None:
        """Add a constant that leaves the model."""
        self._outputs.append(Port(self.constant(name, value), np.shape(value)))

    def constant(self, name: str, value: ArrayLike) -> str:
        """Add a constant."""
        self._constants[name] = np.asarray(value, np.float32)
        return name

    def add(self, operation: Operation) -> str:
        """Add any operation."""
        self._operations.append(operation)
        return operation.output

    def arithmetic(self, name: str, kind: Literal["Add", "Sub", "Mul", "Div"], left: str, right: str) -> str:
        """Combine two tensors element by element."""
        return self.add(Arithmetic(name, kind, left, right))

    def function(self, name: str, kind: Literal["Exp", "Log", "Relu", "Sqrt", "Tanh"], x: str) -> str:
        """Apply an elementary function."""
        return self.add(Function(name, kind, x))

    def swish(self, name: str, x: str) -> str:
        """Return x sigmoid(x)."""
        return self.add(Swish(name, x))

    def clip(self, name: str, x: str, low: float, high: float) -> str:
        """Limit every element."""
        return self.add(Clip(name, x, low, high))

    def reshape(self, name: str, x: str, *shape: int) -> str:
        """Return the same numbers as [batch, *shape]."""
        return self.add(Reshape(name, x, (-1, *shape)))

    def columns(self, name: str, x: str, start: int, stop: int) -> str:
        """Return columns of a matrix."""
        return self.add(Slice(name, x, start, stop))

    def concat(self, name: str, parts: list[str]) -> str:
        """Put tensors side by side along their second axis; a single one stays as it is."""
        return parts[0] if len(parts) == 1 else self.add(Concat(name, tuple(parts)))

    def dense(self, name: str, x: str, weight: ArrayLike, bias: ArrayLike) -> str:
        """Return x W^T + b for a matrix x; weight is [out, in]."""
        weight_name = self.constant(f"{name}.weight", weight)
        return self.add(Dense(name, x, weight_name, self.constant(f"{name}.bias", bias)))

    def rowwise_dense(self, name: str, x: str, weight: ArrayLike, bias: ArrayLike | None = None) -> str:
        """Return x W^T + b along the last axis of a tensor of any rank; weight is [out, in]."""
        weight_name = self.constant(f"{name}.weight", np.transpose(np.asarray(weight)))
        if bias is None:
            return self.add(MatMul(name, x, weight_name))
        product = self.add(MatMul(f"{name}.product", x, weight_name))
        return self.arithmetic(name, "Add", product, self.constant(f"{name}.bias", bias))

    def hidden_layers(self, name: str, x: str, mlp: layers.Mlp) -> str:
        """Return the last layer's activations."""
        for i, layer in enumerate(mlp.layers):
            x = self.dense(f"{name}.layers.{i}", x, layer.weight, layer.bias)
            x = self.swish(f"{name}.layers.{i}.swish", x)
        return x

    def layer_norm(self, name: str, x: str, axis: int) -> str:
        """Return x with mean 0 and variance 1 along its last axis, which is number `axis`."""
        mean = self.add(Reduce(f"{name}.mean", "Mean", x, axis, True))
        deviation = self.arithmetic(f"{name}.deviation", "Sub", x, mean)
        square = self.arithmetic(f"{name}.square", "Mul", deviation, deviation)
        variance = self.add(Reduce(f"{name}.variance", "Mean", square, axis, True))
        epsilon = self.constant("layer_norm.epsilon", [layers.LAYER_NORM_EPSILON])
        scale = self.function(f"{name}.scale", "Sqrt", self.arithmetic(f"{name}.enlarged", "Add", variance, epsilon))
        return self.arithmetic(name, "Div", deviation, scale)

    def graph(self) -> Graph:
        """Return the model."""
        return Graph(tuple(self._inputs), self._constants, tuple(self._operations), tuple(self._outputs))
