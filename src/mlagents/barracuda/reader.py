"""Barracuda files, read strictly: what is not understood to the last byte is refused."""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlagents.barracuda.checks import check_model
from mlagents.barracuda.file import (
    FORMAT_VERSION,
    RANK,
    BarracudaError,
    BarracudaFile,
    FloatArray,
    Input,
    Layer,
    Memory,
    Tensor,
)

_ITEM_SIZE = 4


def read_barracuda(path: str | os.PathLike[str]) -> BarracudaFile:
    """Return the model in a .nn file.

    Raises:
      BarracudaError: the file is damaged, or something else; the message begins with the path.
      OSError: it cannot be read.
    """
    try:
        return parse(Path(path).read_bytes())
    except BarracudaError as error:
        raise BarracudaError(f"{path}: {error}") from error


def parse(data: bytes) -> BarracudaFile:
    """Return the model that the bytes hold; its tensors are read-only views of them.

    Nothing is allocated by a size that the bytes only claim.

    Raises:
      BarracudaError: the message says where, what was expected, and what is there.
    """
    source = _Source(data)
    version = source.number("<q", "the format version")
    if version != FORMAT_VERSION:
        raise BarracudaError(
            f"format version {version}; expected {FORMAT_VERSION}. This is no Barracuda (.nn) model as the ML-Agents"
            " trainers write it"
        )
    inputs = tuple(_input(source) for _ in range(source.count("inputs", 8)))
    outputs = tuple(source.text("the name of an output") for _ in range(source.count("outputs", 4)))
    memories = tuple(_memory(source) for _ in range(source.count("memories", 12)))
    drafts, floats = [], 0
    for index in range(source.count("layers", 56)):
        drafts.append(_layer(source, index, floats))
        floats += sum(slot.length for slot in drafts[-1][1])
    values = source.floats(floats)
    layers = tuple(_with_tensors(layer, slots, values) for layer, slots in drafts)
    file = BarracudaFile(inputs, outputs, memories, layers)
    check_model(file)
    return file


@dataclass(frozen=True)
class _Slot:
    """Where a tensor lies among the floats at the end of the file."""

    name: str
    shape: tuple[int, ...]
    offset: int
    length: int


class _Source:
    """Bytes that are read from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def number(self, code: str, what: str) -> Any:
        """Read one number by its `struct` code."""
        self._require(struct.calcsize(code), what)
        (value,) = struct.unpack_from(code, self._data, self._position)
        self._position += struct.calcsize(code)
        return value

    def integer(self, what: str) -> int:
        value: int = self.number("<i", what)
        return value

    def count(self, what: str, size: int) -> int:
        """Read a number of items that take at least `size` bytes each."""
        count = self.integer(f"the number of {what}")
        left = len(self._data) - self._position
        if not 0 <= count * size <= left:
            raise BarracudaError(
                f"byte {self._position - 4}: {count} as the number of {what}; {left} bytes are left, enough for"
                f" {left // size}"
            )
        return count

    def integers(self, what: str) -> tuple[int, ...]:
        """Read a list of integers."""
        count = self.count(what, 4)
        values = struct.unpack_from(f"<{count}i", self._data, self._position)
        self._position += 4 * count
        return values

    def text(self, what: str) -> str:
        length = self.count(f"letters of {what}", 1)
        raw = self._data[self._position : self._position + length]
        self._position += length
        if not raw.isascii():
            raise BarracudaError(f"byte {self._position - length}: {raw[:40]!r} as {what}; expected ASCII")
        return raw.decode("ascii")

    def floats(self, count: int) -> FloatArray:
        """Read the rest, which has to be `count` floats."""
        left = len(self._data) - self._position
        if left != _ITEM_SIZE * count:
            raise BarracudaError(
                f"the layers' tensors have {count} numbers in all, {_ITEM_SIZE * count} bytes; {left} bytes follow the"
                " layers. The file is damaged or incomplete"
            )
        return np.frombuffer(self._data, "<f4", offset=self._position)

    def _require(self, size: int, what: str) -> None:
        if len(self._data) - self._position < size:
            raise BarracudaError(
                f"the file ends at byte {len(self._data)}, in {what}; expected {size} more bytes from byte"
                f" {self._position}. The file is damaged or incomplete"
            )


def _input(source: _Source) -> Input:
    name = source.text("the name of an input")
    return Input(name, source.integers(f"sizes of input {name!r}"))


def _memory(source: _Source) -> Memory:
    shape = source.integers("sizes of a memory")
    return Memory(shape, source.text("the input of a memory"), source.text("the output of a memory"))


def _layer(source: _Source, index: int, floats: int) -> tuple[Layer, list[_Slot]]:
    """Read layer `index`, whose tensors begin after `floats` numbers; it comes without them."""
    name = source.text(f"the name of layer {index}")
    try:
        return _layer_after_name(source, name, floats)
    except BarracudaError as error:
        raise BarracudaError(f"layer {name!r}: {error}") from error


def _layer_after_name(source: _Source, name: str, floats: int) -> tuple[Layer, list[_Slot]]:
    kind, activation = source.integer("the type"), source.integer("the activation")
    _reserved(source)
    _reserved(source)
    pads, strides, pool_size = (source.integers(what) for what in ("pads", "strides", "pool sizes"))
    axis = source.integer("the axis")
    alpha, beta = source.number("<f", "alpha"), source.number("<f", "beta")
    _reserved(source)
    inputs = tuple(source.text("the name of an input") for _ in range(source.count("inputs", 4)))
    slots = []
    for _ in range(source.count("tensors", 24)):
        slots.append(_slot(source, floats))
        floats += slots[-1].length
    layer = Layer(name, kind, inputs, (), activation, pads, strides, pool_size, axis, alpha, beta)
    return layer, slots


def _reserved(source: _Source) -> None:
    value = source.integer("a reserved field")
    if value != 0:
        raise BarracudaError(f"a reserved field is {value}; expected 0")


def _slot(source: _Source, floats: int) -> _Slot:
    name = source.text("the name of a tensor")
    shape = source.integers(f"sizes of tensor {name!r}")
    offset: int = source.number("<q", f"the offset of tensor {name!r}")
    item_size = source.integer(f"the item size of tensor {name!r}")
    length = source.integer(f"the length of tensor {name!r}")
    where = f"tensor {name!r}"
    if len(shape) != RANK or min(shape) < 1 or math.prod(shape) != length:
        raise BarracudaError(
            f"{where} has shape {list(shape)}; expected {RANK} positive sizes with the product {length}"
        )
    if item_size != _ITEM_SIZE:
        raise BarracudaError(f"{where} has items of {item_size} bytes; expected {_ITEM_SIZE}")
    if offset != floats:
        raise BarracudaError(f"{where} begins at number {offset}; expected {floats}, the end of the tensor before")
    return _Slot(name, shape, offset, length)


def _with_tensors(layer: Layer, slots: list[_Slot], values: FloatArray) -> Layer:
    tensors = tuple(
        Tensor(slot.name, values[slot.offset : slot.offset + slot.length].reshape(slot.shape)) for slot in slots
    )
    return replace(layer, tensors=tensors)
