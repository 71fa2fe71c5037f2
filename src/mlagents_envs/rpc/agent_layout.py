"""Where the numbers stand in a serialized `AgentInfoProto`.

The agents of a behavior send messages that differ in numbers only: tags, lengths, shapes and names are the
same bytes at the same places. So the layout of one message reads many: a list of such messages is an array of
records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.rpc.wire import BYTES, FIXED32, VARINT, head, scan

# Fields of AgentInfoProto, and how they are written.
REWARD, DONE, INTERRUPTED, AGENT_ID, MASK, OBSERVATION, GROUP_ID, GROUP_REWARD = 7, 8, 9, 10, 11, 13, 14, 15
_KINDS = {
    REWARD: FIXED32,
    DONE: VARINT,
    INTERRUPTED: VARINT,
    AGENT_ID: VARINT,
    MASK: BYTES,
    OBSERVATION: BYTES,
    GROUP_ID: VARINT,
    GROUP_REWARD: FIXED32,
}
# Fields of ObservationProto and FloatData.
COMPRESSED_DATA, FLOAT_DATA = 3, 4
FLOATS = 1

_ENTRY = 1  # ListAgentInfoProto.value
_CONTINUES = 0x80  # the bit in a byte of a varint that says that another one follows
# Columns of numbers: the field, and which bits of its bytes are not part of the number.
_COLUMNS = {
    "reward": (REWARD, 0),
    "group_reward": (GROUP_REWARD, 0),
    "agent_id": (AGENT_ID, _CONTINUES),
    "group_id": (GROUP_ID, _CONTINUES),
    "mask": (MASK, 0xFE),
}
_PLACES = np.array([1 << 7 * place for place in range(5)], np.uint32)  # of the bytes of a varint

Span = tuple[int, int]


def list_entries(messages: Sequence[bytes]) -> bytes:
    """Return a serialized `ListAgentInfoProto` of messages of one length."""
    return _entry_head(len(messages[0])).join((b"", *messages))


def _entry_head(length: int) -> bytes:
    return head(_ENTRY, length)


class AgentLayout:
    """The layout of one message; holds for others that fit it.

    A message stands in a row together with what precedes it in a list, uint8 [n, size].

    Args:
      message: a valid message.
      spans: field number -> start and end of its value; absent fields are 0 or empty.
      observations: start and end of the floats of each observation.

    Attributes:
      size: bytes per row.
      done: whether the episode ended.
      interrupted: whether it was cut.
      record: a row as a structure.
      columns: the fields of that: what differs between messages. `reward`, `group_reward`, `agent_id`,
        `group_id`, `mask` as far as they are there, and the observations by their number, `0`, `1`, ...
    """

    def __init__(self, message: bytes, spans: Mapping[int, Span], observations: Sequence[Span]) -> None:
        self.done = _is_set(message, spans.get(DONE))
        self.interrupted = _is_set(message, spans.get(INTERRUPTED))
        entry = list_entries([message])
        self.size = len(entry)
        offset = len(entry) - len(message)
        numbers = {name: (spans[field], fixed) for name, (field, fixed) in _COLUMNS.items() if field in spans}
        numbers |= {str(number): (span, 0) for number, span in enumerate(observations)}
        self.columns = frozenset(numbers)
        self.record = np.dtype(
            {
                "names": list(numbers),
                "formats": [_format(name, span) for name, (span, _) in numbers.items()],
                "offsets": [offset + start for (start, _), _ in numbers.values()],
                "itemsize": self.size,
            }
        )
        # Which bits must be the same: all of them, but for numbers.
        bits = np.full(self.size, 0xFF, np.uint8)
        for (start, end), fixed in numbers.values():
            bits[offset + start : offset + end] = fixed
        picked = np.flatnonzero(bits)
        # Picking bytes pays if most are numbers; otherwise one pass over all is faster.
        self._picked = picked if 4 * len(picked) < self.size else None
        self._bits = bits if self._picked is None else bits[picked]
        self._expected = self._fixed(np.frombuffer(entry, np.uint8)[np.newaxis]).tobytes()

    def fits_all(self, rows: NDArray[np.uint8]) -> bool:
        """Return whether all messages have this layout."""
        return self._fixed(rows).tobytes() == self._expected * len(rows)

    def fits(self, rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which messages have this layout, bool [n]."""
        fits: NDArray[np.bool_] = (self._fixed(rows) == np.frombuffer(self._expected, np.uint8)).all(axis=1)
        return fits

    def records(self, rows: NDArray[np.uint8]) -> NDArray[np.void]:
        """Return contiguous rows with names for their columns: [n], without a copy."""
        return rows.reshape(-1).view(self.record)

    def floats(self, records: NDArray[np.void], name: str) -> NDArray[np.float32]:
        """Return a column of rewards, float32 [n]; zeros if it is not there."""
        return records[name].copy() if name in self.columns else np.zeros(len(records), np.float32)

    def integers(self, records: NDArray[np.void], name: str) -> NDArray[np.int32]:
        """Return a column of ids, int32 [n]; zeros if it is not there."""
        if name not in self.columns:
            return np.zeros(len(records), np.int32)
        values = records[name]
        if values.shape[1] == 1:
            return values[:, 0].astype(np.int32)
        # 5 bytes make 32 bits; what follows in a negative number repeats its sign.
        values = values[:, :5] & 0x7F
        return (values @ _PLACES[: values.shape[1]]).view(np.int32)

    def flags(self, records: NDArray[np.void], width: int) -> NDArray[np.bool_]:
        """Return who was interrupted, bool [n]; of agents that are not done the mask, bool [n, width]."""
        if self.done:
            return np.full(len(records), self.interrupted)
        if "mask" in self.columns and records["mask"].shape[1] == width:
            return records["mask"].copy()
        return np.zeros((len(records), width), np.bool_)

    def _fixed(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what must be the same in all rows, and is there 0 where numbers are."""
        return (rows if self._picked is None else rows.take(self._picked, axis=1)) & self._bits


def _format(name: str, span: Span) -> tuple[str, int] | str:
    """Return how numpy reads a column."""
    size = span[1] - span[0]
    if name.endswith("id"):
        return f"({size},)u1"
    if name == "mask":
        return f"({size},)?"
    return "<f4" if name.endswith("reward") else f"({size // 4},)<f4"


def layout_of(message: bytes) -> AgentLayout | None:
    """Return the layout of a valid message; None if it is unusual (compressed, unpacked or unknown fields)."""
    spans: dict[int, Span] = {}
    observations: list[Span] = []
    for number, kind, start, end in scan(message, 0, len(message)):
        if _KINDS.get(number) != kind or number in spans:
            return None
        if number == OBSERVATION:
            floats = _floats_of(message, start, end)
            if floats is None:
                return None
            observations.append(floats)
        else:
            spans[number] = (start, end)
    return AgentLayout(message, spans, observations)


def _floats_of(message: bytes, start: int, end: int) -> Span | None:
    fields = list(scan(message, start, end))
    if any(number == COMPRESSED_DATA for number, *_ in fields):
        return None
    data = [(first, last) for number, kind, first, last in fields if (number, kind) == (FLOAT_DATA, BYTES)]
    lists = [field for span in data for field in scan(message, *span)]
    if len(data) != 1 or len(lists) != 1 or lists[0][:2] != (FLOATS, BYTES):
        return None
    return lists[0][2:]


def _is_set(message: bytes, span: Span | None) -> bool:
    return span is not None and any(byte & ~_CONTINUES for byte in message[slice(*span)])
