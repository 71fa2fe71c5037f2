"""Named parameters of the scene: constants, and samplers that the environment draws from."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from mlagents_envs._imported_names import names_of
from mlagents_envs.exception import UnitySideChannelException
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SendOnlySideChannel

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


class EnvironmentParametersChannel(SendOnlySideChannel):
    """Sends parameters; the environment never answers.

    What is queued before a `reset()` holds when the scene resets. Samplers need Unity package 1.2.0 or newer.
    """

    CHANNEL_ID = uuid.UUID("534c891e-810f-11ea-a9d0-822485860400")

    class EnvironmentDataTypes(IntEnum):
        """What follows the key of a message."""

        FLOAT = 0
        SAMPLER = 1

    class SamplerTypes(IntEnum):
        """How the environment draws a value."""

        UNIFORM = 0
        GAUSSIAN = 1
        MULTIRANGEUNIFORM = 2

    def __init__(self) -> None:
        super().__init__(self.CHANNEL_ID)

    def set_float_parameter(self, key: str, value: float) -> None:
        """Make `key` the constant `value`."""
        message = OutgoingMessage()
        message.write_string(key)
        message.write_int32(self.EnvironmentDataTypes.FLOAT)
        message.write_float32(value)
        self.queue_message_to_send(message)

    def set_uniform_sampler_parameters(self, key: str, min_value: float, max_value: float, seed: int) -> None:
        """Let the environment draw `key` uniformly from [min_value, max_value]."""
        message = self._sampler(key, self.SamplerTypes.UNIFORM, seed)
        message.write_float32(min_value)
        message.write_float32(max_value)
        self.queue_message_to_send(message)

    def set_gaussian_sampler_parameters(self, key: str, mean: float, st_dev: float, seed: int) -> None:
        """Let the environment draw `key` from a normal distribution."""
        message = self._sampler(key, self.SamplerTypes.GAUSSIAN, seed)
        message.write_float32(mean)
        message.write_float32(st_dev)
        self.queue_message_to_send(message)

    def set_multirangeuniform_sampler_parameters(
        self, key: str, intervals: Sequence[tuple[float, float] | Sequence[float]], seed: int
    ) -> None:
        """Let the environment draw `key` from a union of ranges, chosen with probability proportional to their widths.

        Args:
          key: name of the parameter.
          intervals: (min, max) of every range.
          seed: of the sampler's own generator.
        """
        for interval in intervals:
            if len(interval) != 2:
                raise UnitySideChannelException(f"An interval of {key!r} must be (min, max); got {interval}.")
        message = self._sampler(key, self.SamplerTypes.MULTIRANGEUNIFORM, seed)
        message.write_float32_list([bound for interval in intervals for bound in interval])
        self.queue_message_to_send(message)

    def _sampler(self, key: str, kind: SamplerTypes, seed: int) -> OutgoingMessage:
        message = OutgoingMessage()
        message.write_string(key)
        message.write_int32(self.EnvironmentDataTypes.SAMPLER)
        message.write_int32(seed)
        message.write_int32(kind)
        return message


class ParameterSampler(NamedTuple):
    """A sampler as the environment receives it.

    Attributes:
      kind: the distribution.
      seed: of the sampler's own generator.
      arguments: (min, max), (mean, standard deviation), or min1, max1, min2, max2, ...
    """

    kind: EnvironmentParametersChannel.SamplerTypes
    seed: int
    arguments: tuple[float, ...]


def decode_parameter(payload: bytes) -> tuple[str, float | ParameterSampler]:
    """Return what a message of `EnvironmentParametersChannel` says, for the receiving side: (key, value or sampler).

    Raises:
      UnitySideChannelException: the payload is none of the channel's messages.
    """
    message = IncomingMessage(payload)
    key = message.read_string()
    data_types = EnvironmentParametersChannel.EnvironmentDataTypes
    data_type = message.read_int32(default_value=-1)
    if data_type == data_types.FLOAT:
        return key, message.read_float32()
    if data_type != data_types.SAMPLER:
        raise UnitySideChannelException(
            f"Parameter {key!r} has data type {data_type}; known are {[f'{t:d} {t.name}' for t in data_types]}."
        )
    seed = message.read_int32()
    return key, _decode_sampler(message, key, seed)


def _decode_sampler(message: IncomingMessage, key: str, seed: int) -> ParameterSampler:
    sampler_types = EnvironmentParametersChannel.SamplerTypes
    number = message.read_int32(default_value=-1)
    if number not in list(sampler_types):
        raise UnitySideChannelException(
            f"The sampler of parameter {key!r} has type {number}; "
            f"known are {[f'{t:d} {t.name}' for t in sampler_types]}."
        )
    kind = sampler_types(number)
    if kind is not sampler_types.MULTIRANGEUNIFORM:
        return ParameterSampler(kind, seed, (message.read_float32(), message.read_float32()))
    bounds = message.read_float32_list()
    if not bounds or len(bounds) % 2:
        raise UnitySideChannelException(
            f"The ranges of parameter {key!r} must be pairs of bounds; got {len(bounds)} numbers."
        )
    return ParameterSampler(kind, seed, tuple(bounds))
