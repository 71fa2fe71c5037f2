"""Tells the Unity editor's usage statistics that some program, not a known trainer, steps the environment."""

from __future__ import annotations

import platform
import uuid
from typing import TYPE_CHECKING

from google.protobuf.any_pb2 import Any

import mlagents_envs
from mlagents_envs._imported_names import names_of
from mlagents_envs.communicator_objects.training_analytics_pb2 import TrainingEnvironmentInitialized
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SendOnlySideChannel

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


class DefaultTrainingAnalyticsSideChannel(SendOnlySideChannel):
    """What `UnityEnvironment` adds when the user gives no channel for analytics."""

    CHANNEL_ID = uuid.UUID("b664a4a9-d86f-5a5f-95cb-e8353a7e8356")

    def __init__(self) -> None:
        super().__init__(self.CHANNEL_ID)

    def environment_initialized(self) -> None:
        """Queue the versions of Python and of this package; nothing about the user or the task."""
        event = TrainingEnvironmentInitialized(
            mlagents_version="Custom",
            mlagents_envs_version=mlagents_envs.__version__,
            python_version=platform.python_version(),
            torch_version="Unknown",
            torch_device_type="Unknown",
        )
        packed = Any()
        packed.Pack(event)
        message = OutgoingMessage()
        message.set_raw_bytes(packed.SerializeToString())
        self.queue_message_to_send(message)
