"""Barracuda files, written."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np

from mlagents.barracuda.checks import check_model
from mlagents.barracuda.file import FORMAT_VERSION, BarracudaError, BarracudaFile, Layer


def serialized(file: BarracudaFile) -> bytes:
    """Return the bytes of a .nn file.

    Raises:
      BarracudaError: a name is not ASCII or not known where it is used, or a tensor is not of rank 4.
    """
    check_model(file)
    parts = [struct.pack("<q", FORMAT_VERSION), _integer(len(file.inputs))]
    for item in file.inputs:
        parts += _text(item.name), _integers(item.shape)
    parts.append(_texts(file.outputs))
    parts.append(_integer(len(file.memories)))
    for memory in file.memories:
        parts += _integers(memory.shape), _text(memory.input), _text(memory.output)
    parts.append(_integer(len(file.layers)))
    floats = 0
    for layer in file.layers:
        parts += _layer(layer, floats)
        floats += sum(tensor.values.size for tensor in layer.tensors)
    parts += [np.asarray(tensor.values, "<f4").tobytes() for layer in file.layers for tensor in layer.tensors]
    return b"".join(parts)


def _layer(layer: Layer, floats: int) -> list[bytes]:
    """Return the record of a layer, whose tensors begin after `floats` numbers."""
    parts = [_text(layer.name), struct.pack("<4i", layer.type, layer.activation, 0, 0)]
    parts += [_integers(numbers) for numbers in (layer.pads, layer.strides, layer.pool_size)]
    parts += struct.pack("<iffi", layer.axis, layer.alpha, layer.beta, 0), _texts(layer.inputs)
    parts.append(_integer(len(layer.tensors)))
    for tensor in layer.tensors:
        size = tensor.values.size
        parts += _text(tensor.name), _integers(tensor.values.shape), struct.pack("<qii", floats, 4, size)
        floats += size
    return parts


def _integer(value: int) -> bytes:
    return struct.pack("<i", value)


def _integers(values: tuple[int, ...]) -> bytes:
    return struct.pack(f"<{len(values) + 1}i", len(values), *values)


def _text(text: str) -> bytes:
    if not text.isascii():
        raise BarracudaError(f"the name {text!r} is not ASCII")
    return _integer(len(text)) + text.encode("ascii")


def _texts(texts: Iterable[str]) -> bytes:
    encoded = [_text(text) for text in texts]
    return _integer(len(encoded)) + b"".join(encoded)
