"""Protobuf's wire format, as far as reading and writing many equal messages at once needs it.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
_LONGEST_VARINT = 10


def varint(value: int) -> bytes:
    """Return the base-128 form of an int64; a negative one takes 10 bytes."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(field: int, kind: int) -> bytes:
    """Return what precedes a field's value."""
    return varint(field << 3 | kind)


@lru_cache
def head(field: int, size: int) -> bytes:
    """Return what precedes `size` bytes of a string, a message or a packed list."""
    return tag(field, BYTES) + varint(size)


def scan(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Return the fields of the message in `data[start:end]`: (number, kind, start of value, end of value).

    Raises:
      ValueError: the bytes are not a message, or use groups.
    """
    while start < end:
        key, start = read_varint(data, start, end)
        kind = key & 7
        stop = start
        if kind == VARINT:
            _, stop = read_varint(data, start, end)
        elif kind == BYTES:
            size, start = read_varint(data, start, end)
            stop = start + size
        elif kind in _FIXED_SIZES:
            stop = start + _FIXED_SIZES[kind]
        else:
            raise ValueError(f"wire type {kind} at offset {start}")
        if stop > end:
            raise ValueError(f"field {key >> 3} at offset {start} ends behind its message")
        yield key >> 3, kind, start, stop
        start = stop


def read_varint(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the number at `start`, and the offset behind it.

    Raises:
      ValueError: there is no whole number before `end`.
    """
    value = 0
    for place, offset in enumerate(range(start, min(end, start + _LONGEST_VARINT))):
        value |= (data[offset] & 0x7F) << 7 * place
        if data[offset] < 0x80:
            return value, offset + 1
    raise ValueError(f"no varint at offset {start}")
