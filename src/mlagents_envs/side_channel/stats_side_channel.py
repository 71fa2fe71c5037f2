"""Statistics that the scene reports to the trainer."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping
from enum import Enum

from mlagents_envs.exception import UnitySideChannelException
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SideChannel


class StatsAggregationMethod(Enum):
    """How values of one statistic within a summary period become one."""

    AVERAGE = 0
    MOST_RECENT = 1
    SUM = 2
    HISTOGRAM = 3


StatList = list[tuple[float, StatsAggregationMethod]]
EnvironmentStats = Mapping[str, StatList]


class StatsSideChannel(SideChannel):
    """Receives statistics.

    Attributes:
      stats: key -> values received since the last `get_and_reset_stats`, each with its aggregation.
    """

    CHANNEL_ID = uuid.UUID("a1d8f7b7-cec8-50f9-b78b-d3e165a78520")

    def __init__(self) -> None:
        super().__init__(self.CHANNEL_ID)
        self.stats: defaultdict[str, StatList] = defaultdict(list)

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Store one value.

        Raises:
          UnitySideChannelException: the aggregation is unknown.
        """
        key = msg.read_string()
        value = msg.read_float32()
        number = msg.read_int32()
        try:
            aggregation = StatsAggregationMethod(number)
        except ValueError:
            raise UnitySideChannelException(
                f"Statistic {key!r} has aggregation {number}; known are "
                f"{[f'{m.value} {m.name}' for m in StatsAggregationMethod]}."
            ) from None
        self.stats[key].append((value, aggregation))

    def get_and_reset_stats(self) -> EnvironmentStats:
        """Return the values received since the last call."""
        received, self.stats = self.stats, defaultdict(list)
        return received


def encode_stat(key: str, value: float, aggregation: StatsAggregationMethod) -> bytes:
    """Return the payload that `StatsSideChannel` reads, for the side that sends it."""
    message = OutgoingMessage()
    message.write_string(key)
    message.write_float32(value)
    message.write_int32(aggregation.value)
    return bytes(message.buffer)
