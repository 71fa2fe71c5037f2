"""Writes the payload of a side-channel message."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from mlagents_envs.exception import UnitySideChannelException
from mlagents_envs.logging_util import get_logger

logger = get_logger(__name__)


class OutgoingMessage:
    """A payload under construction; numbers are little-endian.

    Attributes:
      buffer: what was written so far.

    Raises:
      UnitySideChannelException: from every `write_*`, when the value does not fit its type.
    """

    def __init__(self) -> None:
        self.buffer = bytearray()

    def write_bool(self, b: bool) -> None:
        """Append one byte."""
        self._pack("?", b)

    def write_int32(self, i: int) -> None:
        """Append a signed 32-bit integer."""
        self._pack("i", i)

    def write_float32(self, f: float) -> None:
        """Append a 32-bit float."""
        self._pack("f", f)

    def write_float32_list(self, float_list: Sequence[float]) -> None:
        """Append an int32 count, then that many 32-bit floats."""
        self._pack(f"i{len(float_list)}f", len(float_list), *float_list)

    def write_string(self, s: str) -> None:
        """Append an int32 byte count, then ASCII text; other characters raise `UnicodeEncodeError`."""
        text = s.encode("ascii")
        self.write_int32(len(text))
        self.buffer += text

    def set_raw_bytes(self, buffer: bytes | bytearray) -> None:
        """Make `buffer` the whole payload."""
        if self.buffer:
            logger.warning("set_raw_bytes() replaces %d bytes that were written before.", len(self.buffer))
        self.buffer = bytearray(buffer)

    def _pack(self, codes: str, *values: float) -> None:
        try:
            self.buffer += struct.pack("<" + codes, *values)
        except (struct.error, OverflowError) as error:
            raise UnitySideChannelException(f"Cannot write {values} to a side channel: {error}") from None
