"""What every Barracuda model must keep, whoever made it."""

from __future__ import annotations

from collections.abc import Iterable

from mlagents.barracuda.file import RANK, BarracudaError, BarracudaFile, Layer
from mlagents.barracuda.layer_types import LayerType


def check_model(file: BarracudaFile) -> None:
    """Check ranks, and that every name is defined once, before it is used.

    Raises:
      BarracudaError: the message names the layer, input or memory.
    """
    known: set[str] = set()
    for item in file.inputs:
        if len(item.shape) != RANK or any(size < 1 and size != -1 for size in item.shape):
            raise BarracudaError(
                f"input {item.name!r} has shape {list(item.shape)}; expected {RANK} sizes, each positive or -1 (any)"
            )
        _define(known, [item.name], f"input {item.name!r}")
    for memory in file.memories:
        if len(memory.shape) != RANK or memory.shape[:3] != (1, 1, 1) or memory.shape[3] < 1:
            raise BarracudaError(
                f"memory {memory.input!r} has shape {list(memory.shape)}; expected [1, 1, 1, n] with a positive n"
            )
        _define(known, [memory.input], f"memory {memory.input!r}")
    for layer in file.layers:
        _check_layer(layer, known)
    for name in file.outputs:
        if name not in known:
            raise BarracudaError(f"output {name!r}: expected the name of a layer, constant or input")
    for memory in file.memories:
        if memory.output not in known:
            raise BarracudaError(f"memory {memory.input!r}: its output {memory.output!r} is not the name of a layer")


def _check_layer(layer: Layer, known: set[str]) -> None:
    where = f"layer {layer.name!r}"
    for name in layer.inputs:
        if name not in known:
            raise BarracudaError(f"{where}: its input {name!r} is no input, memory, constant or earlier layer")
    for tensor in layer.tensors:
        shape = tensor.values.shape
        if len(shape) != RANK or min(shape) < 1:
            raise BarracudaError(
                f"{where}: tensor {tensor.name!r} has shape {list(shape)}; expected {RANK} positive sizes"
            )
    is_load = layer.type == LayerType.LOAD
    _define(known, [tensor.name for tensor in layer.tensors] if is_load else [layer.name], where)


def _define(known: set[str], names: Iterable[str], where: str) -> None:
    for name in names:
        if name in known:
            raise BarracudaError(f"{where}: the name {name!r} is defined a second time")
        known.add(name)
