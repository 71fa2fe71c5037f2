"""Bytes whose meaning is up to the user."""

from __future__ import annotations

import uuid

from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SideChannel


class RawBytesChannel(SideChannel):
    """Sends and receives payloads as they are.

    Args:
      channel_id: the same UUID as in the scene.
    """

    def __init__(self, channel_id: uuid.UUID) -> None:
        super().__init__(channel_id)
        self._received_messages: list[bytearray] = []

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Keep the payload for `get_and_clear_received_messages`."""
        self._received_messages.append(msg.get_raw_bytes())

    def send_raw_data(self, data: bytes | bytearray) -> None:
        """Queue one payload."""
        message = OutgoingMessage()
        message.set_raw_bytes(data)
        self.queue_message_to_send(message)

    def get_and_clear_received_messages(self) -> list[bytearray]:
        """Return the payloads received since the last call, oldest first."""
        received, self._received_messages = self._received_messages, []
        return received
