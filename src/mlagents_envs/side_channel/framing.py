"""Side-channel bytes of one wire message: frames back to back.

A frame is the UUID of its channel (16 bytes), the length of the payload (int32), the payload. All numbers are
little-endian; the UUID has the byte order of a .NET Guid.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator

from mlagents_envs.exception import UnityEnvironmentException

_LENGTH = struct.Struct("<i")
_HEAD_SIZE = 16 + _LENGTH.size


def pack_frame(channel_id: uuid.UUID, payload: bytes | bytearray) -> bytes:
    """Return one frame, ready to be joined with others."""
    return channel_id.bytes_le + _LENGTH.pack(len(payload)) + payload


def iter_frames(data: bytes | bytearray) -> Iterator[tuple[uuid.UUID, bytes]]:
    """Return the frames in `data`, in order, as (channel id, payload).

    Raises:
      UnityEnvironmentException: a frame is cut short, or its length is negative.
    """
    data = bytes(data)
    offset = 0
    while offset < len(data):
        start = offset + _HEAD_SIZE
        if start > len(data):
            raise UnityEnvironmentException(
                f"Side-channel data end inside the head of a frame: {_HEAD_SIZE} bytes were expected "
                f"at offset {offset}, {len(data) - offset} are left."
            )
        channel_id = uuid.UUID(bytes_le=data[offset : offset + 16])
        (length,) = _LENGTH.unpack_from(data, offset + 16)
        if not 0 <= length <= len(data) - start:
            raise UnityEnvironmentException(
                f"The frame of side channel {channel_id} at offset {offset} announces a payload of "
                f"{length} bytes, but {len(data) - start} are left."
            )
        offset = start + length
        yield channel_id, data[start:offset]
