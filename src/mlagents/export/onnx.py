"""Graphs as ONNX files.

Operator set 9 in IR version 4: what Unity's own exports use, and what Barracuda 1 to 3 and Sentis read.
"""

from __future__ import annotations

from typing import assert_never

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from mlagents.export.graph import (
    ArgMax,
    Arithmetic,
    Clip,
    Concat,
    Dense,
    Function,
    Graph,
    LogSoftmax,
    Noise,
    Operation,
    Port,
    Sample,
    Slice,
    Swish,
)
from mlagents_envs import __version__

OPSET = 9
IR_VERSION = 4
_ELEMENT = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


def onnx_model(graph: Graph) -> ModelProto:
    """Return the graph as an ONNX model with a symbolic batch axis; weights are initialisers."""
    nodes = [node for operation in graph.operations for node in _nodes(operation)]
    constants = dict(graph.constants)
    for port in graph.outputs:
        if port.name in constants:  # runtimes look for an output that a node produces
            constants[f"{port.name}.value"] = constants.pop(port.name)
            nodes.append(helper.make_node("Identity", [f"{port.name}.value"], [port.name]))
    proto = helper.make_graph(
        nodes,
        "policy",
        [_value_info(port) for port in graph.inputs],
        [_value_info(port) for port in graph.outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(
        proto,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="mlagents",
        producer_version=__version__,
    )


def _value_info(port: Port) -> ValueInfoProto:
    shape = ["batch" if size is None else size for size in port.shape]
    return helper.make_tensor_value_info(port.name, _ELEMENT[port.dtype], shape)


def _nodes(operation: Operation) -> list[NodeProto]:
    node, out = helper.make_node, [operation.output]
    match operation:
        case Concat(_, inputs):
            return [node("Concat", list(inputs), out, axis=1)]
        case Slice(_, x, start, stop):
            return [node("Slice", [x], out, axes=[1], starts=[start], ends=[stop])]
        case Dense(_, x, weight, bias):
            return [node("Gemm", [x, weight, bias], out, transB=1)]
        case Swish(name, x):
            return [node("Sigmoid", [x], [f"{name}.gate"]), node("Mul", [x, f"{name}.gate"], out)]
        case Function(_, kind, x):
            return [node(kind, [x], out)]
        case Arithmetic(_, kind, left, right):
            return [node(kind, [left, right], out)]
        case Clip(_, x, low, high):
            return [node("Clip", [x], out, min=low, max=high)]
        case Noise(_, like):
            return [node("RandomNormalLike", [like], out, dtype=TensorProto.FLOAT)]
        case LogSoftmax(name, x):
            return [node("Softmax", [x], [f"{name}.probs"], axis=1), node("Log", [f"{name}.probs"], out)]
        case Sample(_, log_probs):
            return [node("Multinomial", [log_probs], out, dtype=TensorProto.INT64, sample_size=1)]
        case ArgMax(_, x):
            return [node("ArgMax", [x], out, axis=1, keepdims=1)]
    assert_never(operation)
