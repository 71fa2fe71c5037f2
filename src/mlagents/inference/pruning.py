"""Models reduced to the outputs that are wanted, since a runtime computes every output that a model has."""

from __future__ import annotations

from collections.abc import Iterable

from onnx import ModelProto


def keep_outputs(model: ModelProto, outputs: Iterable[str]) -> None:
    """Remove all other outputs from the model, and all nodes and constants that only those need."""
    original, graph = ModelProto.FromString(model.SerializeToString()).graph, model.graph
    needed, nodes = set(outputs), []
    del graph.output[:], graph.node[:], graph.initializer[:]
    graph.output.extend(port for port in original.output if port.name in needed)
    for node in reversed(original.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    graph.node.extend(reversed(nodes))
    graph.initializer.extend(constant for constant in original.initializer if constant.name in needed)
