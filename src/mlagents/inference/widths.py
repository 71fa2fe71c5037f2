"""How wide tensors of a model are, also where ONNX's shape inference gives up."""

from __future__ import annotations

from onnx import GraphProto, NodeProto

_SAME_WIDTH = {
    *("Abs", "Cast", "Clip", "Elu", "Exp", "HardSigmoid", "Identity", "LeakyRelu", "Log", "LogSoftmax", "Neg", "Relu"),
    *("Selu", "Sigmoid", "Softmax", "Softplus", "Softsign", "Sqrt", "Tanh"),
}
_BROADCAST = {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"}


class Widths:
    """Sizes of last axes.

    Args:
      graph: With the shapes that inference found.
    """

    def __init__(self, graph: GraphProto) -> None:
        shapes = {
            item.name: item.type.tensor_type.shape.dim for item in (*graph.input, *graph.value_info, *graph.output)
        }
        self._known = {name: dims[-1].dim_value for name, dims in shapes.items() if dims and dims[-1].dim_value > 0}
        self._constants = {item.name: tuple(item.dims) for item in graph.initializer}
        self._makers = {output: node for node in graph.node for output in node.output}

    def of(self, name: str) -> int | None:
        """Return the size of the last axis of a tensor; None if it cannot be told."""
        if name in self._known:
            return self._known[name]
        if name in self._constants:
            return (self._constants[name] or (1,))[-1]
        node = self._makers.get(name)
        width = None if node is None else self._made_by(node)
        if width is not None:
            self._known[name] = width
        return width

    def _made_by(self, node: NodeProto) -> int | None:
        kind, inputs = node.op_type, [name for name in node.input if name]
        if kind in _SAME_WIDTH:
            return self.of(inputs[0])
        if kind in _BROADCAST:
            found = [self.of(name) for name in inputs]
            wide = [width for width in found if width is not None and width > 1]
            return wide[0] if wide else (1 if None not in found else None)
        if kind == "Gemm" and inputs[1] in self._constants:
            is_turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            return self._constants[inputs[1]][0 if is_turned else -1]
        if kind in ("Gemm", "MatMul"):
            return self.of(inputs[-1])  # the bias, which is as wide, or the matrix
        return None
