"""Routes side-channel bytes to channels, and collects what channels want to send."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.framing import iter_frames, pack_frame
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.side_channel import SideChannel

logger = get_logger(__name__)


class SideChannelManager:
    """The channels of one environment.

    Args:
      side_channels: in the order in which their messages are sent; None for no channels.

    Raises:
      UnityEnvironmentException: two channels have one id.
    """

    def __init__(self, side_channels: Sequence[SideChannel] | None = None) -> None:
        self._side_channels_dict: dict[uuid.UUID, SideChannel] = {}
        self._unknown: set[uuid.UUID] = set()
        for channel in side_channels or ():
            other = self._side_channels_dict.setdefault(channel.channel_id, channel)
            if other is not channel:
                raise UnityEnvironmentException(
                    f"Two side channels have the id {channel.channel_id}: a {type(other).__name__} and a "
                    f"{type(channel).__name__}. Give each its own."
                )

    def process_side_channel_message(self, data: bytes | bytearray) -> None:
        """Hand every frame in `data` to its channel; skip unknown channels, with one warning each.

        Raises:
          UnityEnvironmentException: `data` are not a sequence of whole frames.
        """
        for channel_id, payload in iter_frames(data):
            channel = self._side_channels_dict.get(channel_id)
            if channel is not None:
                channel.on_message_received(IncomingMessage(payload))
            elif channel_id not in self._unknown:
                self._unknown.add(channel_id)
                logger.warning(
                    "The environment sends on side channel %s, which is not among side_channels: ignored.",
                    channel_id,
                )

    def generate_side_channel_messages(self) -> bytearray:
        """Return all queued messages as frames, in the order of registration; empty the queues."""
        frames = bytearray()
        for channel_id, channel in self._side_channels_dict.items():
            for payload in channel.message_queue:
                frames += pack_frame(channel_id, payload)
            channel.message_queue = []
        return frames
