"""The bytes of a `.demo` file.

| part | where | what |
|---|---|---|
| meta | byte 0 | length, `DemonstrationMetaProto`; 33 bytes are reserved for both |
| behavior | byte 33 | length, `BrainParametersProto` |
| pairs | behind it | length, `AgentInfoActionPairProto`, as often as the meta says |
| tail | behind them | the meta again without a length, if Unity wrote it; nobody reads it |

Lengths are varints. The meta is written last: a recording that was killed says that it has no pairs.

Behind the fields that Unity knows, the behavior in our own files has one more, `PAIRING_FIELD`: it says that each
action stands beside the observation that it answers (see `pairing`). Protobuf skips fields that it does not know.
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
PAIRING_FIELD: Final = 1000
"""Of `BrainParametersProto`: a string, `same` or `next`, that our recorder writes."""

_PAIR_FIELDS: Final = {1, 2}  # of AgentInfoActionPairProto
_LAST_OLD_FIELD: Final = 12  # of AgentInfoProto in 2019


class DemonstrationError(UnityException, RuntimeError):
    """A demonstration is damaged, of an unknown version, or of another behavior; the message names the file."""


class DemonstrationPathError(DemonstrationError, ValueError):
    """What should be a demonstration is neither a `.demo` file nor a folder of them."""


@dataclass
class Recording:
    """A file, part by part.

    Attributes:
      meta: `DemonstrationMetaProto`.
      padding: what the reserved bytes hold behind the meta.
      brain: `BrainParametersProto`.
      pairs: `AgentInfoActionPairProto` in their order, terminal ones included.
      tail: what follows the pairs.
      is_cut: the file ends before the recording did: in the middle of a pair, or without saying how many it has.
    """

    meta: Any
    padding: bytes
    brain: Any
    pairs: list[Any]
    tail: bytes
    is_cut: bool = False

    @property
    def stated_pairing(self) -> str | None:
        """What the recorder says about which action belongs to which observation; None if nothing."""
        data = self.brain.SerializeToString()
        found = [data[start:end] for number, _, start, end in scan(data, 0, len(data)) if number == PAIRING_FIELD]
        return found[-1].decode("ascii", "replace") if found else None

    def serialize(self) -> bytes:
        """Return the bytes of the file."""
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

    Of a recording that was killed, or a file that ends too early, all whole pairs are read.

    Raises:
      DemonstrationPathError: the name does not end in `.demo`.
      FileNotFoundError: there is no such file.
      DemonstrationError: the file is empty, damaged, without a whole pair, or of an unknown version.
    """
    if path.suffix != ".demo":
        raise DemonstrationPathError(f"{path}: expected a file whose name ends in .demo.")
    return _Reader(path).read()


class _CutShort(DemonstrationError):
    """A message goes on where the file ends."""


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._data = path.read_bytes()
        self._offset = 0

    def read(self) -> Recording:
        if not self._data:
            raise DemonstrationError(f"{self._path}: the file is empty. Record it again, and let the recording end.")
        meta = self._message(DemonstrationMetaProto, "the meta data", RESERVED_BYTES)
        if meta.api_version not in KNOWN_VERSIONS:
            raise DemonstrationError(
                f"{self._path}: the file has version {meta.api_version}; known are 0 and 1. It may come from a later "
                "Unity package, or not be a demonstration at all."
            )
        padding = self._data[self._offset : RESERVED_BYTES]
        self._offset = RESERVED_BYTES
        brain = self._message(BrainParametersProto, "the behavior")
        is_empty = not meta.number_steps and self._data[self._offset :] == meta.SerializeToString() != b""
        pairs = [] if is_empty else self._pairs(meta.number_steps)
        is_cut = not is_empty and len(pairs) < (meta.number_steps or len(pairs) + 1)
        return Recording(meta, padding, brain, pairs, self._data[self._offset :], is_cut)

    def _pairs(self, count: int) -> list[Any]:
        """Read as many pairs as the file should have, 0 for unknown, or as many as are whole."""
        pairs: list[Any] = []
        largest = 0
        while self._offset < len(self._data) and (not count or len(pairs) < count):
            start = self._offset
            try:
                if not pairs:
                    self._refuse_what_is_no_pair(start)
                pairs.append(self._message(AgentInfoActionPairProto, _place(len(pairs), count)))
            except _CutShort as error:
                # A length that is far too large for what other pairs take is no sign of an early end.
                if not pairs or len(self._data) - start > 2 * largest:
                    raise DemonstrationError(str(error)) from None
                break
            largest = max(largest, self._offset - start)
        if count and not pairs:
            raise self._damage(self._offset, _place(0, count), f"the end, after {len(self._data)} bytes")
        return pairs

    def _refuse_what_is_no_pair(self, start: int) -> None:
        """Look for `AgentInfoProto` in the place of the first pair, as recorders of early 2019 wrote."""
        try:
            size, first = read_varint(self._data, start, len(self._data))
            fields = {field for field, *_ in scan(self._data, first, min(first + size, len(self._data)))}
        except ValueError:
            return  # said when it is read
        if fields - _PAIR_FIELDS and max(fields) <= _LAST_OLD_FIELD:
            raise DemonstrationError(
                f"{self._path}: recorded by an older version of the toolkit (2019), which wrote no pairs of an "
                f"observation and an action (the first has the fields {sorted(fields)}). Record it with a newer one."
            )

    def _message(self, kind: Any, what: str, end: int | None = None) -> Any:
        """Read a length and a message, which must lie before `end`."""
        start, end = self._offset, min(len(self._data), end or len(self._data))
        try:
            size, first = read_varint(self._data, start, end)
        except ValueError:
            raise self._damage(start, what, f"the file ends there, after {len(self._data)} bytes", _CutShort) from None
        if first + size > end:
            raise self._damage(start, what, f"a length of {size} bytes, where {end - first} are left", _CutShort)
        try:
            message = kind.FromString(self._data[first : first + size])
        except DecodeError as error:
            raise self._damage(first, what, f"{size} bytes that are no {kind.DESCRIPTOR.name} ({error})") from None
        self._offset = first + size
        return message

    def _damage(
        self, offset: int, what: str, found: str, kind: type[DemonstrationError] = DemonstrationError
    ) -> DemonstrationError:
        return kind(
            f"{self._path}: at byte {offset} there should be {what}, but found {found}. The file is cut short or "
            "damaged, or no demonstration."
        )


def _place(number: int, count: int) -> str:
    return f"pair {number} of {count}" if count else f"pair {number}"


def _in_order(message: bytes) -> bytes:
    """Return the fields by number: protobuf puts those that it does not know, as in old brain parameters, last."""
    fields, start = [], 0
    for number, _, _, end in scan(message, 0, len(message)):
        fields.append((number, message[start:end]))
        start = end
    return b"".join(field for _, field in sorted(fields, key=lambda field: field[0]))


def _with_length(message: bytes) -> bytes:
    return varint(len(message)) + message
