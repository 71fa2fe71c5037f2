"""The base of all side channels."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from mlagents_envs._imported_names import names_of
from mlagents_envs.exception import UnityCommunicationException
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


class SideChannel(ABC):
    """One named line to the other side. Subclasses call `super().__init__` and define `on_message_received`.

    ```
    class Chat(SideChannel):
        def __init__(self) -> None:
            super().__init__(uuid.UUID("621f0a70-4f87-11ea-a6bf-784f4387d1f7"))

        def on_message_received(self, msg: IncomingMessage) -> None:
            print(msg.read_string())

        def say(self, text: str) -> None:
            msg = OutgoingMessage()
            msg.write_string(text)
            self.queue_message_to_send(msg)
    ```

    Args:
      channel_id: the same UUID on both sides.

    Attributes:
      message_queue: payloads that leave with the next `reset()` or `step()`.
    """

    def __init__(self, channel_id: uuid.UUID) -> None:
        self._channel_id = channel_id
        self.message_queue: list[bytearray] = []

    @property
    def channel_id(self) -> uuid.UUID:
        """The UUID that routes messages to this channel."""
        return self._channel_id

    def queue_message_to_send(self, msg: OutgoingMessage) -> None:
        """Put `msg` in line for the next `reset()` or `step()`."""
        self.message_queue.append(msg.buffer)

    @abstractmethod
    def on_message_received(self, msg: IncomingMessage) -> None:
        """Take in a message; called inside `reset()` and `step()`, once per message, after the new steps are there."""


class SendOnlySideChannel(SideChannel):
    """A channel on which the environment never answers."""

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Raise `UnityCommunicationException`."""
        raise UnityCommunicationException(
            f"The environment sent a message on {type(self).__name__}, which only sends. Another "
            f"channel of the environment may have its id, {self.channel_id}."
        )
