"""Reads the payload of a side-channel message."""

from __future__ import annotations

import struct
from typing import Any

from mlagents_envs.exception import UnitySideChannelException


class IncomingMessage:
    """A payload with a read position; numbers are little-endian.

    Every `read_*` gives its default when nothing is left: a shorter message of an older sender can be read.

    Args:
      buffer: the payload.
      offset: where reading begins, in bytes.

    Raises:
      UnitySideChannelException: from every `read_*`, when the value is cut short or is not ASCII text.
    """

    def __init__(self, buffer: bytes, offset: int = 0) -> None:
        self.buffer = buffer
        self.offset = offset

    def read_bool(self, default_value: bool = False) -> bool:
        """Read one byte; anything but 0 is true."""
        return default_value if self._at_end() else bool(self._unpack("?"))

    def read_int32(self, default_value: int = 0) -> int:
        """Read a signed 32-bit integer."""
        return default_value if self._at_end() else int(self._unpack("i"))

    def read_float32(self, default_value: float = 0.0) -> float:
        """Read a 32-bit float."""
        return default_value if self._at_end() else float(self._unpack("f"))

    def read_float32_list(self, default_value: list[float] | None = None) -> list[float]:
        """Read an int32 count, then that many 32-bit floats."""
        if self._at_end():
            return [] if default_value is None else default_value
        count = self._read_count(item_size=4)
        values = struct.unpack_from(f"<{count}f", self.buffer, self.offset)
        self.offset += 4 * count
        return list(values)

    def read_string(self, default_value: str = "") -> str:
        """Read an int32 byte count, then ASCII text."""
        if self._at_end():
            return default_value
        count = self._read_count(item_size=1)
        text = bytes(self.buffer[self.offset : self.offset + count])
        try:
            value = text.decode("ascii")
        except UnicodeDecodeError:
            raise UnitySideChannelException(
                f"The string at offset {self.offset} of a side-channel message is not ASCII: {text[:40]!r}"
            ) from None
        self.offset += count
        return value

    def get_raw_bytes(self) -> bytearray:
        """Return a copy of the whole payload, whatever was read before."""
        return bytearray(self.buffer)

    def _at_end(self) -> bool:
        return self.offset >= len(self.buffer)

    def _unpack(self, code: str) -> Any:
        try:
            (value,) = struct.unpack_from("<" + code, self.buffer, self.offset)
        except struct.error:
            raise UnitySideChannelException(
                f"A side-channel message ends inside a value: {struct.calcsize('<' + code)} bytes were "
                f"expected at offset {self.offset}, {len(self.buffer) - self.offset} are left."
            ) from None
        self.offset += struct.calcsize("<" + code)
        return value

    def _read_count(self, item_size: int) -> int:
        count = int(self._unpack("i"))
        left = len(self.buffer) - self.offset
        if not 0 <= count * item_size <= left:
            raise UnitySideChannelException(
                f"A side-channel message announces {count} items of {item_size} bytes "
                f"at offset {self.offset}, but {left} bytes are left."
            )
        return count
