"""Resolution, quality and speed of the engine."""

from __future__ import annotations

import uuid
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from mlagents_envs._imported_names import names_of
from mlagents_envs.exception import UnitySideChannelException
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SendOnlySideChannel

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


class EngineConfig(NamedTuple):
    """Engine settings; None leaves one as it is.

    Attributes:
      width: of the window, in pixels; given together with `height`.
      height: of the window, in pixels.
      quality_level: index into the project's quality levels.
      time_scale: simulated seconds per real second; Unity clamps it to at least 1.
      target_frame_rate: frames per second; -1 for as many as possible.
      capture_frame_rate: frames per simulated second; 0 for real time.
    """

    width: int | None
    height: int | None
    quality_level: int | None
    time_scale: float | None
    target_frame_rate: int | None
    capture_frame_rate: int | None

    @staticmethod
    def default_config() -> EngineConfig:
        """Return the configuration of a small, fast window, as training uses it."""
        return EngineConfig(80, 80, 1, 20.0, -1, 60)


class EngineConfigurationChannel(SendOnlySideChannel):
    """Sends engine settings; the environment never answers."""

    CHANNEL_ID = uuid.UUID("e951342c-4f7e-11ea-b238-784f4387d1f7")

    class ConfigurationType(IntEnum):
        """First int32 of a message: which setting follows."""

        SCREEN_RESOLUTION = 0
        QUALITY_LEVEL = 1
        TIME_SCALE = 2
        TARGET_FRAME_RATE = 3
        CAPTURE_FRAME_RATE = 4

    def __init__(self) -> None:
        super().__init__(self.CHANNEL_ID)

    def set_configuration_parameters(
        self,
        width: int | None = None,
        height: int | None = None,
        quality_level: int | None = None,
        time_scale: float | None = None,
        target_frame_rate: int | None = None,
        capture_frame_rate: int | None = None,
    ) -> None:
        """Queue one message per setting that is given; see `EngineConfig`.

        Raises:
          UnitySideChannelException: only one of `width` and `height` is given.
        """
        if (width is None) != (height is None):
            raise UnitySideChannelException(
                f"width and height must be given together; got width={width}, height={height}."
            )
        kinds = self.ConfigurationType
        if width is not None and height is not None:
            message = self._start(kinds.SCREEN_RESOLUTION)
            message.write_int32(width)
            message.write_int32(height)
            self.queue_message_to_send(message)
        self._queue_int(kinds.QUALITY_LEVEL, quality_level)
        if time_scale is not None:
            message = self._start(kinds.TIME_SCALE)
            message.write_float32(time_scale)
            self.queue_message_to_send(message)
        self._queue_int(kinds.TARGET_FRAME_RATE, target_frame_rate)
        self._queue_int(kinds.CAPTURE_FRAME_RATE, capture_frame_rate)

    def set_configuration(self, config: EngineConfig) -> None:
        """Queue one message per setting of `config` that is not None."""
        self.set_configuration_parameters(**config._asdict())

    def _start(self, kind: ConfigurationType) -> OutgoingMessage:
        message = OutgoingMessage()
        message.write_int32(kind)
        return message

    def _queue_int(self, kind: ConfigurationType, value: int | None) -> None:
        if value is not None:
            message = self._start(kind)
            message.write_int32(value)
            self.queue_message_to_send(message)
