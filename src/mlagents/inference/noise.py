"""Randomness from outside: the nodes of a model that draw numbers become inputs.

So one generator of the caller decides everything that is sampled, alike on every machine, and without noise a
model takes its most likely action even if it has no outputs for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, shape_inference

from mlagents.inference.errors import ModelError
from mlagents.inference.widths import Widths

EPSILON = "epsilon"
"""The input by which models of version 2 ask for normal noise."""

_SMALLEST = np.float32(1e-30)
_CALLS_AHEAD = 16
_MOST_AHEAD = 2**14
FloatArray = NDArray[np.float32]
Draw = Callable[[np.random.Generator, int], FloatArray]
"""(generator, how many) -> that many numbers."""


@dataclass(frozen=True)
class NoiseInput:
    """An input that wants fresh noise in every call.

    Attributes:
      name: of the input.
      width: numbers per agent.
      draw: its distribution.
    """

    name: str
    width: int
    draw: Draw


def normal(rng: np.random.Generator, count: int) -> FloatArray:
    """Return standard normal noise, float32 [count]."""
    return rng.standard_normal(count, np.float32)


def log_exponential(rng: np.random.Generator, count: int) -> FloatArray:
    """Return log E with E ~ Exp(1), float32 [count].

    argmax(log_probs - log E) is a sample (the Gumbel-max trick).
    """
    noise = rng.standard_exponential(count, np.float32)
    noise += _SMALLEST
    return np.log(noise, out=noise)


class NoiseSource:
    """Draws for several inputs and several calls at once, which costs little more than for one."""

    def __init__(self, inputs: Iterable[NoiseInput]) -> None:
        groups: dict[Draw, list[NoiseInput]] = {}
        for item in inputs:
            groups.setdefault(item.draw, []).append(item)
        self._groups = [(_Reserve(draw), group, sum(item.width for item in group)) for draw, group in groups.items()]

    def draw(self, rows: int, rng: np.random.Generator | None) -> dict[str, FloatArray]:
        """Return input name -> float32 [rows, width].

        Without a generator it is zeros, under which a model takes its most likely action.
        """
        feeds: dict[str, FloatArray] = {}
        for reserve, inputs, width in self._groups:
            noise = np.zeros(rows * width, np.float32) if rng is None else reserve.take(rng, rows * width)
            start = 0
            for item in inputs:
                stop = start + rows * item.width
                feeds[item.name] = noise[start:stop].reshape(rows, item.width)
                start = stop
        return feeds


class _Reserve:
    """Noise of one kind, drawn ahead; a new generator starts a new reserve."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._rng: np.random.Generator | None = None
        self._noise = np.zeros(0, np.float32)
        self._used = 0

    def take(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Return fresh noise, float32 [count]."""
        if rng is not self._rng or self._used + count > len(self._noise):
            self._noise = self._draw(rng, count * max(1, min(_CALLS_AHEAD, _MOST_AHEAD // max(count, 1))))
            self._rng, self._used = rng, 0
        start = self._used
        self._used += count
        return self._noise[start : self._used]


def noise_as_inputs(model: ModelProto, continuous_size: int = 0) -> list[NoiseInput]:
    """Change the model so that what it drew itself comes in as inputs, and return those.

    RandomNormalLike becomes a normal input, Multinomial(log_probs) becomes ArgMax(log_probs - input). Where log_probs
    is log softmax(x), it becomes ArgMax(x - input): the same, as both differ by one number per row.

    Args:
      model: changed in place.
      continuous_size: number of continuous actions, which is how wide normal noise is if the model does not tell.

    Raises:
      ModelError: the width of a random tensor cannot be told.
    """
    original = shape_inference.infer_shapes(model).graph  # a copy, with the shapes of all tensors
    widths = Widths(original)
    sources = _logits(original)
    noise: list[NoiseInput] = []
    del model.graph.node[:]
    for node in original.node:
        if node.op_type not in ("RandomNormalLike", "Multinomial"):
            model.graph.node.append(node)
            continue
        (output,) = node.output
        source = sources.get(node.input[0], node.input[0]) if node.op_type == "Multinomial" else node.input[0]
        is_normal = node.op_type == "RandomNormalLike"
        width = widths.of(source) or (continuous_size if is_normal else 0)
        if not width:
            raise ModelError(f"the width of {source!r}, which {node.op_type} samples from, is not known")
        item = NoiseInput(f"{output}/noise", width, normal if is_normal else log_exponential)
        port = helper.make_tensor_value_info(item.name, TensorProto.FLOAT, ("batch", item.width))
        model.graph.input.append(port)
        model.graph.node.extend(_without_randomness(node, source, item.name))
        noise.append(item)
    return noise


def _logits(graph: GraphProto) -> dict[str, str]:
    """Return name of log softmax(x) -> name of x, for matrices x."""
    softmax = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Softmax" and _last_of_two(n)}
    return {n.output[0]: softmax[n.input[0]] for n in graph.node if n.op_type == "Log" and n.input[0] in softmax}


def _last_of_two(node: NodeProto) -> bool:
    """Return whether the node works along the rows of a matrix, in every operator set."""
    return any(attribute.name == "axis" and attribute.i in (1, -1) for attribute in node.attribute)


def _without_randomness(node: NodeProto, source: str, noise: str) -> list[NodeProto]:
    (output,) = node.output
    if node.op_type == "RandomNormalLike":
        return [helper.make_node("Identity", [noise], [output])]
    dtype = next((a.i for a in node.attribute if a.name == "dtype"), TensorProto.INT32)
    return [
        helper.make_node("Sub", [source, noise], [f"{output}/noisy"]),
        helper.make_node("ArgMax", [f"{output}/noisy"], [f"{output}/index"], axis=1, keepdims=1),
        helper.make_node("Cast", [f"{output}/index"], [output], to=dtype),
    ]
