"""Graphs as ONNX files of any operator set from 9 to 18.

The oldest of them in IR version 4 is what Unity's own exports use; each set is written with the oldest IR version that
has it. What changed in between is where numbers such as limits and axes stand: as attributes of a node, or as inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from mlagents.export.onnx.graph import (
    ArgMax,
    Arithmetic,
    Arrangement,
    Below,
    Clip,
    Concat,
    Convolution,
    Dense,
    Elementwise,
    Function,
    Graph,
    Identity,
    LeakyRelu,
    Lstm,
    MatMul,
    MaxPool,
    Noise,
    Operation,
    Port,
    Product,
    Reduce,
    Reshape,
    Rowwise,
    Sample,
    Slice,
    Softmax,
    Swish,
    Transpose,
)
from mlagents_envs import __version__

OPSETS = range(9, 19)
_ELEMENT = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
_AXES_ARE_INPUTS = {"Slice": 10, "ReduceSum": 13, "Squeeze": 13, "ReduceMean": 18}
"""First operator set in which a node takes its axes (and limits) as inputs."""


def onnx_model(graph: Graph, opset: int = 9) -> ModelProto:
    """Return the graph as an ONNX model with a symbolic batch axis; weights are initialisers.

    Raises:
      ValueError: the operator set is none of `OPSETS`.
    """
    if opset not in OPSETS:
        raise ValueError(f"operator set {opset}; expected one from {OPSETS[0]} to {OPSETS[-1]}")
    writer = _Writer(graph, opset)
    for operation in graph.operations:
        writer.add(operation)
    for port in graph.outputs:
        if port.name in graph.constants:  # runtimes look for an output that a node produces
            writer.rename_constant(port.name)
    proto = helper.make_graph(
        writer.nodes,
        "policy",
        [_value_info(port) for port in graph.inputs],
        [_value_info(port) for port in graph.outputs],
        [numpy_helper.from_array(value, name) for name, value in writer.constants.items()],
    )
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(
        proto,
        ir_version=helper.find_min_ir_version_for(imports),
        opset_imports=imports,
        producer_name="mlagents",
        producer_version=__version__,
    )


def _value_info(port: Port) -> ValueInfoProto:
    shape = ["batch" if size is None else size for size in port.shape]
    return helper.make_tensor_value_info(port.name, _ELEMENT[port.dtype], shape)


class _Writer:
    """Nodes and initialisers as they gather."""

    def __init__(self, graph: Graph, opset: int) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = dict(graph.constants)
        self._opset = opset

    def add(self, operation: Operation) -> None:
        """Add the nodes of an operation."""
        match operation:
            case Concat() | Slice() | Reshape() | Transpose():
                self._arrangement(operation)
            case Dense() | MatMul() | Convolution() | MaxPool() | Lstm():
                self._product(operation)
            case Swish() | LeakyRelu() | Function() | Arithmetic() | Clip() | Below() | Identity():
                self._elementwise(operation)
            case Reduce() | Softmax() | Noise() | Sample() | ArgMax():
                self._rowwise(operation)
            case _:
                assert_never(operation)

    def rename_constant(self, name: str) -> None:
        """Let a node pass on a constant by its name."""
        self.constants[f"{name}.value"] = self.constants.pop(name)
        self._node("Identity", [f"{name}.value"], name)

    def _node(self, kind: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))

    def _integers(self, name: str, values: Sequence[int]) -> str:
        self.constants[name] = np.array(values, np.int64)
        return name

    def _arrangement(self, operation: Arrangement) -> None:
        out = operation.output
        match operation:
            case Concat(_, inputs, axis):
                self._node("Concat", inputs, out, axis=axis)
            case Slice(_, x, start, stop):
                self._slice(x, out, 1, start, stop)
            case Reshape(_, x, shape):
                self._node("Reshape", [x, self._integers(f"{out}.shape", shape)], out)
            case Transpose(_, x, axes):
                self._node("Transpose", [x], out, perm=axes)

    def _product(self, operation: Product) -> None:
        out = operation.output
        match operation:
            case Dense(_, x, weight, bias):
                self._node("Gemm", [x, weight, bias], out, transB=1)
            case MatMul(_, left, right):
                self._node("MatMul", [left, right], out)
            case Convolution(_, x, weight, bias, stride, padding):
                kernel, strides, pads = self.constants[weight].shape[2:], [stride, stride], [padding] * 4
                self._node("Conv", [x, weight, bias], out, kernel_shape=kernel, strides=strides, pads=pads)
            case MaxPool(_, x, size, stride):
                self._node("MaxPool", [x], out, kernel_shape=[size, size], strides=[stride, stride])
            case Lstm():
                self._lstm(operation)

    def _elementwise(self, operation: Elementwise) -> None:
        out = operation.output
        match operation:
            case Swish(_, x):
                self._node("Sigmoid", [x], f"{out}.gate")
                self._node("Mul", [x, f"{out}.gate"], out)
            case LeakyRelu(_, x, slope):
                self._node("LeakyRelu", [x], out, alpha=slope)
            case Function(_, kind, x):
                self._node(kind, [x], out)
            case Arithmetic(_, kind, left, right):
                self._node(kind, [left, right], out)
            case Clip():
                self._clip(operation)
            case Below(_, x, limit):
                self._node("Less", [x, limit], f"{out}.is")
                self._node("Cast", [f"{out}.is"], out, to=TensorProto.FLOAT)
            case Identity(_, x):
                self._node("Identity", [x], out)

    def _rowwise(self, operation: Rowwise) -> None:
        out = operation.output
        match operation:
            case Reduce(_, kind, x, axis, keeps_axis):
                self._over_axes(f"Reduce{kind}", x, out, [axis], keepdims=int(keeps_axis))
            case Softmax(_, x, axis):
                self._node("Softmax", [x], out, axis=axis)
            case Noise(_, like):
                self._node("RandomNormalLike", [like], out, dtype=TensorProto.FLOAT)
            case Sample(_, log_probs):
                self._node("Multinomial", [log_probs], out, dtype=TensorProto.INT64, sample_size=1)
            case ArgMax(_, x):
                self._node("ArgMax", [x], out, axis=1, keepdims=1)

    def _clip(self, clip: Clip) -> None:
        if self._opset < 11:
            self._node("Clip", [clip.input], clip.output, min=clip.low, max=clip.high)
            return
        limits = {f"{clip.output}.min": clip.low, f"{clip.output}.max": clip.high}
        self.constants |= {name: np.array(value, np.float32) for name, value in limits.items()}
        self._node("Clip", [clip.input, *limits], clip.output)

    def _slice(self, x: str, out: str, axis: int, start: int, stop: int) -> None:
        if self._opset < _AXES_ARE_INPUTS["Slice"]:
            self._node("Slice", [x], out, axes=[axis], starts=[start], ends=[stop])
            return
        values = {"starts": [start], "ends": [stop], "axes": [axis]}
        self._node("Slice", [x, *(self._integers(f"{out}.{name}", v) for name, v in values.items())], out)

    def _over_axes(self, kind: str, x: str, out: str, axes: list[int], **attributes: int) -> None:
        if self._opset < _AXES_ARE_INPUTS[kind]:
            self._node(kind, [x], out, axes=axes, **attributes)
        else:
            self._node(kind, [x, self._integers(f"{out}.axes", axes)], out, **attributes)

    def _lstm(self, lstm: Lstm) -> None:
        """Add ONNX's LSTM, which has the batch as its second axis, as Unity's exports do: between transpositions."""
        name, w, r = lstm.output, self.constants[lstm.input_weight], self.constants[lstm.hidden_weight]
        bias = self.constants[lstm.bias]
        weights = {"W": w[None], "R": r[None], "B": np.concatenate([bias, np.zeros_like(bias)])[None]}
        for unused in (lstm.input_weight, lstm.hidden_weight, lstm.bias):
            del self.constants[unused]
        self.constants |= {f"{name}.{key}": value for key, value in weights.items()}
        cells = r.shape[1]
        self._node("Reshape", [lstm.input, self._integers(f"{name}.steps.shape", [-1, 1, w.shape[1]])], f"{name}.steps")
        self._node("Transpose", [f"{name}.steps"], f"{name}.x", perm=[1, 0, 2])
        self._node("Transpose", [lstm.memory], f"{name}.memory", perm=[1, 0, 2])
        self._slice(f"{name}.memory", f"{name}.h", 2, 0, cells)
        self._slice(f"{name}.memory", f"{name}.c", 2, cells, 2 * cells)
        inputs = [f"{name}.x", f"{name}.W", f"{name}.R", f"{name}.B", "", f"{name}.h", f"{name}.c"]
        self._node("LSTM", inputs, f"{name}.y", f"{name}.y_h", f"{name}.y_c", hidden_size=cells)
        self._over_axes("Squeeze", f"{name}.y", f"{name}.y.steps", [1])
        self._node("Transpose", [f"{name}.y.steps"], f"{name}.y.rows", perm=[1, 0, 2])
        self._node("Reshape", [f"{name}.y.rows", self._integers(f"{name}.shape", [-1, cells])], name)
        self._node("Concat", [f"{name}.y_h", f"{name}.y_c"], f"{name}.after", axis=2)
        self._node("Transpose", [f"{name}.after"], lstm.after, perm=[1, 0, 2])
