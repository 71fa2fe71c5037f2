"""Recordings made in Unity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message

from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto

BRAIN_OFFSET = 33  # the meta message has 32 bytes and its length


def varint(data: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[offset]
        value |= (byte & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 0x80:
            return value, offset


def messages(data: bytes, offset: int, kind: type[Message]) -> Iterator[Message]:
    while True:
        length, offset = varint(data, offset)
        yield kind.FromString(data[offset : offset + length])
        offset += length


@pytest.fixture(scope="session")
def read_demo(shared_data: Path) -> Callable[[str], list[AgentInfoActionPairProto]]:
    """File name -> all pairs of (agent info, action), terminal ones included."""

    def read(name: str) -> list[AgentInfoActionPairProto]:
        data = (shared_data / "demos" / name).read_bytes()
        meta = next(messages(data, 0, DemonstrationMetaProto))
        brain_length, pairs_offset = varint(data, BRAIN_OFFSET)
        pairs = messages(data, pairs_offset + brain_length, AgentInfoActionPairProto)
        return [next(pairs) for _ in range(meta.number_steps)]

    return read
