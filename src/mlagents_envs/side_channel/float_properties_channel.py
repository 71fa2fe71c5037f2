"""Named numbers that both sides may set; the scene must register its own end of the channel."""

from __future__ import annotations

import uuid

from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SideChannel


class FloatPropertiesChannel(SideChannel):
    """A dictionary of floats, shared with the environment.

    Args:
      channel_id: None for the channel's usual id.
    """

    CHANNEL_ID = uuid.UUID("60ccf7d0-4f7e-11ea-b238-784f4387d1f7")

    def __init__(self, channel_id: uuid.UUID | None = None) -> None:
        super().__init__(channel_id or self.CHANNEL_ID)
        self._float_properties: dict[str, float] = {}

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Take over a property that the environment set."""
        key = msg.read_string()
        self._float_properties[key] = msg.read_float32()

    def set_property(self, key: str, value: float) -> None:
        """Set a property here, and in the environment with the next `reset()` or `step()`."""
        self._float_properties[key] = value
        message = OutgoingMessage()
        message.write_string(key)
        message.write_float32(value)
        self.queue_message_to_send(message)

    def get_property(self, key: str) -> float | None:
        """Return the value of `key`; None if no side has set it."""
        return self._float_properties.get(key)

    def list_properties(self) -> list[str]:
        """Return the names of all properties."""
        return list(self._float_properties)

    def get_property_dict_copy(self) -> dict[str, float]:
        """Return a copy of all properties."""
        return dict(self._float_properties)
