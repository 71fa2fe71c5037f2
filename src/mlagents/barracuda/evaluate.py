"""Run a Barracuda model with numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlagents.barracuda.checks import check_model
from mlagents.barracuda.file import BarracudaError, BarracudaFile, FloatArray, Layer, Shape
from mlagents.barracuda.layer_types import LayerType, layer_type_name
from mlagents.barracuda.operation import Operation
from mlagents.barracuda.operations import RANDOM, operation_of


@dataclass(frozen=True)
class _Step:
    layer: Layer
    operation: Operation

    def run(self, values: Mapping[str, FloatArray], rng: np.random.Generator | None) -> FloatArray:
        inputs = [values[name] for name in self.layer.inputs]
        try:
            return self.operation(inputs, rng)
        except BarracudaError as error:
            raise _in_layer(self.layer, error) from error
        except (ValueError, IndexError, MemoryError) as error:
            shapes = ", ".join(f"{name} {list(x.shape)}" for name, x in zip(self.layer.inputs, inputs, strict=True))
            raise _in_layer(self.layer, f"{error} (inputs: {shapes})") from error


class Evaluator:
    """The part of a model that some of its results need.

    What depends on constants alone is computed once.

    Args:
      file: the model.
      outputs: names of the results that are wanted: layers, constants or inputs.

    Raises:
      BarracudaError: names are not defined as they should be, there is no such result, or a layer that it needs
        cannot be evaluated.
    """

    def __init__(self, file: BarracudaFile, outputs: Sequence[str]) -> None:
        check_model(file)
        layers, names = _needed(file, outputs)
        declared = {item.name: item.shape for item in file.inputs}
        declared |= {memory.input: memory.shape for memory in file.memories}
        self._outputs = tuple(outputs)
        self._inputs = {name: shape for name, shape in declared.items() if name in names}
        self._constants = {name: values for name, values in file.constants().items() if name in names}
        if unknown := names - {layer.name for layer in layers} - self._inputs.keys() - self._constants.keys():
            raise BarracudaError(f"the model has no layer {', '.join(sorted(unknown))}")
        self._steps: list[_Step] = []
        for layer in layers:
            self._add(layer)

    def __call__(
        self, inputs: Mapping[str, FloatArray], rng: np.random.Generator | None = None
    ) -> dict[str, FloatArray]:
        """Evaluate a batch of one or more.

        Args:
          inputs: float32 [batch, height, width, channels] by name, memory inputs among them; a surplus is ignored.
          rng: of layers that draw numbers. Without it they give the mean, or the most likely choice.

        Returns: float32 [batch, height, width, channels] by name; the batch is 1 where a result does not depend on
          inputs.

        Raises:
          BarracudaError: an input is missing or of another shape than declared, or the shapes do not fit a layer.
        """
        values = dict(self._constants)
        for name, shape in self._inputs.items():
            values[name] = _checked(inputs, name, shape)
        with np.errstate(all="ignore"):
            for step in self._steps:
                values[step.layer.name] = step.run(values, rng)
        return {name: values[name] for name in self._outputs}

    def _add(self, layer: Layer) -> None:
        try:
            step = _Step(layer, operation_of(layer))
        except BarracudaError as error:
            raise _in_layer(layer, error) from error
        if layer.type in RANDOM or not self._constants.keys() >= set(layer.inputs):
            self._steps.append(step)
            return
        with np.errstate(all="ignore"):
            self._constants[layer.name] = step.run(self._constants, None)


def _needed(file: BarracudaFile, outputs: Sequence[str]) -> tuple[list[Layer], set[str]]:
    """Return the layers on the way to the outputs, in order, and all names that they and the outputs need."""
    names = set(outputs)
    layers = []
    for layer in reversed(file.layers):
        if layer.name in names and layer.type != LayerType.LOAD:
            names.update(layer.inputs)
            layers.append(layer)
    return layers[::-1], names


def _checked(inputs: Mapping[str, FloatArray], name: str, shape: Shape) -> FloatArray:
    """Return an input; its first axis is the batch, of any size."""
    if name not in inputs:
        raise BarracudaError(f"input {name!r} of shape {list(shape)} is missing; given: {', '.join(inputs) or 'none'}")
    found = inputs[name].shape
    if len(found) != len(shape) or any(a not in (-1, b) for a, b in zip(shape[1:], found[1:], strict=True)):
        raise BarracudaError(f"input {name!r} has shape {list(found)}; expected {['batch', *shape[1:]]}")
    return inputs[name]


def _in_layer(layer: Layer, what: object) -> BarracudaError:
    return BarracudaError(f"layer {layer.name!r}, {layer_type_name(layer.type)}: {what}")
