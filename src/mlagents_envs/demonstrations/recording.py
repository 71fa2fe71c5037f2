"""The bytes of a `.demo` file.

| part | where | what |
|---|---|---|
| meta | byte 0 | length, `DemonstrationMetaProto`; 33 bytes are reserved for both |
| behavior | byte 33 | length, `BrainParametersProto` |
| pairs | behind it | length, `AgentInfoActionPairProto`, as often as the meta says |
| tail | behind them | the meta again without a length, if Unity wrote it; nobody reads it |

Lengths are varints. The meta is written last: a recording that was killed says that it has no pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError

from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto
from mlagents_envs.exception import UnityException
from mlagents_envs.rpc.wire import read_varint, scan, varint

RESERVED_BYTES: Final = 33
API_VERSION: Final = 1
KNOWN_VERSIONS: Final = (0, 1)


class DemonstrationError(UnityException, RuntimeError):
    """A demonstration is damaged, of an unknown version, or of another behavior; the message names the file."""


class DemonstrationPathError(DemonstrationError, ValueError):
    """What should be a demonstration is neither a `.demo` file nor a folder of them."""


@dataclass
class Recording:
    """A file, part by part.

    Attributes:
      meta: `DemonstrationMetaProto`.
      padding: What the reserved bytes hold behind the meta.
      brain: `BrainParametersProto`.
      pairs: `AgentInfoActionPairProto` in their order, terminal ones included.
      tail: What follows the pairs.
    """

    meta: Any
    padding: bytes
    brain: Any
    pairs: list[Any]
    tail: bytes

    def serialize(self) -> bytes:
        """The bytes of the file."""
        return b"".join(
            (
                _with_length(self.meta.SerializeToString()),
                self.padding,
                _with_length(_in_order(self.brain.SerializeToString())),
                *(_with_length(pair.SerializeToString()) for pair in self.pairs),
                self.tail,
            )
        )


def read_recording(path: Path) -> Recording:
    """Read a `.demo` file.

    Of a recording that was killed, which does not say how many pairs it has, all whole ones are read.

    Raises:
      DemonstrationPathError: the name does not end in `.demo`.
      FileNotFoundError: there is no such file.
      DemonstrationError: the file is damaged, or of an unknown version.
    """
    if path.suffix != ".demo":
        raise DemonstrationPathError(f"{path}: expected a file whose name ends in .demo.")
    return _Reader(path).read()


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._data = path.read_bytes()
        self._offset = 0

    def read(self) -> Recording:
        meta = self._message(DemonstrationMetaProto, "the meta data", RESERVED_BYTES)
        if meta.api_version not in KNOWN_VERSIONS:
            raise DemonstrationError(
                f"{self._path}: the file has version {meta.api_version}; known are 0 and 1. It may come from a later "
                "Unity package, or not be a demonstration at all."
            )
        padding = self._data[self._offset : RESERVED_BYTES]
        self._offset = RESERVED_BYTES
        brain = self._message(BrainParametersProto, "the behavior")
        pairs = self._pairs(meta.number_steps) if meta.number_steps else self._whole_pairs()
        return Recording(meta, padding, brain, pairs, self._data[self._offset :])

    def _pairs(self, count: int) -> list[Any]:
        return [self._message(AgentInfoActionPairProto, f"pair {i} of {count}") for i in range(count)]

    def _whole_pairs(self) -> list[Any]:
        pairs: list[Any] = []
        while self._offset < len(self._data):
            start = self._offset
            try:
                pairs.append(self._message(AgentInfoActionPairProto, f"pair {len(pairs)}"))
            except DemonstrationError:
                self._offset = start
                break
        return pairs

    def _message(self, kind: Any, what: str, end: int | None = None) -> Any:
        """Read a length and a message, which must lie before `end`."""
        start, end = self._offset, min(len(self._data), end or len(self._data))
        try:
            size, first = read_varint(self._data, start, end)
        except ValueError:
            raise self._damage(start, what, f"the file ends there, after {len(self._data)} bytes") from None
        if first + size > end:
            raise self._damage(start, what, f"a length of {size} bytes, where {end - first} are left")
        try:
            message = kind.FromString(self._data[first : first + size])
        except DecodeError as error:
            raise self._damage(first, what, f"{size} bytes that are no {kind.DESCRIPTOR.name} ({error})") from None
        self._offset = first + size
        return message

    def _damage(self, offset: int, what: str, found: str) -> DemonstrationError:
        return DemonstrationError(
            f"{self._path}: at byte {offset} there should be {what}, but found {found}. The file is cut short or "
            "damaged, or no demonstration."
        )


def _in_order(message: bytes) -> bytes:
    """The fields by number: protobuf puts those that it does not know, as in old brain parameters, last."""
    fields, start = [], 0
    for number, _, _, end in scan(message, 0, len(message)):
        fields.append((number, message[start:end]))
        start = end
    return b"".join(field for _, field in sorted(fields, key=lambda field: field[0]))


def _with_length(message: bytes) -> bytes:
    return varint(len(message)) + message
