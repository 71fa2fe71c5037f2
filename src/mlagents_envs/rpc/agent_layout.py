"""Where the numbers stand in a serialized `AgentInfoProto`.

The agents of a behavior send messages that differ in numbers only: tags, lengths, shapes and names are the
same bytes at the same places. So the layout of one message reads many, by slicing a byte matrix that has a
row per agent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.rpc.wire import BYTES, FIXED32, VARINT, scan

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

_CONTINUES = 0x80  # the bit in a byte of a varint that says that another one follows
_FLOATING = ((REWARD, 0), (GROUP_REWARD, 0))

Span = tuple[int, int]


class AgentLayout:
    """The layout of one message; holds for others that show no `differences`.

    Args:
      message: A valid message.
      spans: Field number -> start and end of its value; absent fields are 0 or empty.
      observations: Start and end of the floats of each observation.
    """

    def __init__(self, message: bytes, spans: Mapping[int, Span], observations: Sequence[Span]) -> None:
        self.spans = spans
        self.observations = observations
        self.done = _is_set(message, spans.get(DONE))
        self.interrupted = _is_set(message, spans.get(INTERRUPTED))
        # Which bits must be the same: all of them, but for numbers.
        bits = np.full(len(message), 0xFF, np.uint8)
        for number, same in ((AGENT_ID, _CONTINUES), (GROUP_ID, _CONTINUES), (MASK, 0xFE), *_FLOATING):
            if number in spans:
                bits[slice(*spans[number])] = same
        for span in observations:
            bits[slice(*span)] = 0
        fixed = np.flatnonzero(bits)
        # Picking columns pays if most bytes are numbers; otherwise one pass over all is faster.
        self._fixed = fixed if 4 * len(fixed) < len(bits) else slice(None)
        self._bits = bits[self._fixed]
        self._expected = np.frombuffer(message, np.uint8)[self._fixed] & self._bits

    def differences(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Where messages, uint8 [n, length], are not of this layout: uint8 [n, k], all 0 in rows that are."""
        return (rows[:, self._fixed] & self._bits) ^ self._expected


def layout_of(message: bytes) -> AgentLayout | None:
    """The layout of a valid message; None if it is unusual (compressed, unpacked or unknown fields)."""
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


def read_floats(rows: NDArray[np.uint8], span: Span) -> NDArray[np.float32]:
    """float32 [n, k] from the bytes at `span` of messages uint8 [n, length]."""
    return rows[:, slice(*span)].view("<f4")


def read_varints(rows: NDArray[np.uint8], span: Span) -> NDArray[np.int32]:
    """int32 [n] from the varints, all of one width, at `span` of messages uint8 [n, length]."""
    start, end = span
    if end == start + 1:
        return rows[:, start].astype(np.int32)
    value = np.zeros(len(rows), np.uint32)
    # 5 bytes make 32 bits; what follows in a negative number repeats its sign.
    for place, column in enumerate(range(start, min(end, start + 5))):
        value |= (rows[:, column].astype(np.uint32) & 0x7F) << 7 * place
    return value.view(np.int32)
