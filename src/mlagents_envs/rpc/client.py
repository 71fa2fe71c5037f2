"""The side that a player plays: connects to a Python program, reports what agents see, takes commands.

```
with Player(port) as player:
    player.connect()
    command = player.first_command()
    while True:
        if command.reset: ...
        command = player.report(specs, steps)  # raises UnityCommunicatorStoppedException at the end
```
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Self

import grpc
from google.protobuf.message import DecodeError

from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.communicator_objects.capabilities_pb2 import UnityRLCapabilitiesProto
from mlagents_envs.communicator_objects.command_pb2 import QUIT, RESET
from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.exception import (
    UnityActionException,
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityTimeOutException,
)
from mlagents_envs.rpc.codec import brain_parameters, decode_actions, encode_agents
from mlagents_envs.rpc.server import METHOD, UNLIMITED

API_VERSION = "1.5.0"
# Readers that look at the package version take this for a Unity that sends (channels, height, width).
PACKAGE_VERSION = "3.0.0"
_LEAVE_S = 1.0
_LARGER = re.compile(r"larger than max \(\d+ vs\. (\d+)\)")  # how gRPC servers refuse a message

_OPTIONS = [
    *UNLIMITED,
    ("grpc.enable_http_proxy", 0),  # a proxy has no business between two processes of one machine
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


def all_capabilities() -> Any:
    """Return `UnityRLCapabilitiesProto` of a side that understands everything up to API 1.5."""
    return UnityRLCapabilitiesProto(
        **{descriptor.name: True for descriptor in UnityRLCapabilitiesProto.DESCRIPTOR.fields}
    )


class Command(NamedTuple):
    """What Python wants next.

    Attributes:
      reset: start all episodes anew; otherwise step.
      actions: by behavior name, rows in the order of the last decisions; behaviors that are missing act with
        zeros.
      side_channel: frames for the environment's side channels, to be handled before anything else.
    """

    reset: bool
    actions: dict[str, ActionTuple]
    side_channel: bytes


class Connection:
    """Calls a server with serialized messages, one call at a time.

    Args:
      port: of the server.
      host: of the server.
    """

    def __init__(self, port: int, host: str = "localhost") -> None:
        self.address = f"{host}:{port}"
        self._channel = grpc.insecure_channel(self.address, options=_OPTIONS)
        self._exchange = self._channel.unary_unary(METHOD)

    def exchange(self, message: bytes, connect_timeout_s: float | None = None) -> bytes:
        """Send `UnityMessageProto` bytes, return those of the answer, which may take any time.

        Args:
          message: the request.
          connect_timeout_s: wait so long for the server to come up and answer; None if it is known to be up.

        Raises:
          UnityTimeOutException: the server did not come up.
          UnityCommunicatorStoppedException: the server is gone, or wants no more calls.
          UnityEnvironmentException: the message is larger than the server takes.
        """
        waits = connect_timeout_s is not None
        try:
            return bytes(self._exchange(message, timeout=connect_timeout_s, wait_for_ready=waits))
        except grpc.RpcError as error:
            if waits and error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise UnityTimeOutException(
                    f"No Python program answered at {self.address} for {connect_timeout_s:g} seconds."
                ) from None
            limit = _LARGER.search(error.details() or "")
            if limit and error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise UnityEnvironmentException(
                    f"The message has {len(message):,} bytes; the Python program at {self.address} takes at most "
                    f"{int(limit[1]):,}. Report fewer agents or smaller images at a time, or send images as PNG."
                ) from None
            raise UnityCommunicatorStoppedException(
                f"The Python program at {self.address} closed the connection: {error.code().name} {error.details()}"
            ) from None

    def close(self) -> None:
        """Cut the connection."""
        self._channel.close()


class Player:
    """Plays Unity's part of the protocol for any environment.

    Args:
      port: of the Python program.
      host: of the Python program.
      name: of the environment.
      png: by behavior name, which of its observations (by position) are images to compress.

    Attributes:
      initialization: after `connect()`: `UnityRLInitializationInputProto` with the seed and `num_areas`.
    """

    def __init__(
        self,
        port: int,
        host: str = "localhost",
        name: str = "Environment",
        png: Mapping[str, Collection[int]] | None = None,
    ) -> None:
        self.initialization: Any = None
        self._connection = Connection(port, host)
        self._name = name
        self._png = {} if png is None else png
        self._specs: dict[str, BehaviorSpec] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self, timeout_s: float = 60.0) -> None:
        """Wait for the Python program and shake hands.

        Raises:
          UnityTimeOutException: nobody answered in time.
          UnityEnvironmentException: the program speaks another major version of the protocol.
          UnityCommunicatorStoppedException: the program wants no environment.
        """
        message = EnvelopeProto(header={"status": 200})
        hello = message.unity_output.rl_initialization_output
        hello.name = self._name
        hello.communication_version = API_VERSION
        hello.package_version = PACKAGE_VERSION
        hello.capabilities.CopyFrom(all_capabilities())
        answer = self._call(message, timeout_s)
        self.initialization = answer.rl_initialization_input
        theirs = self.initialization.communication_version
        if theirs.partition(".")[0] != API_VERSION.partition(".")[0]:
            raise UnityEnvironmentException(
                f"The Python program speaks version {theirs!r} of the protocol, this environment {API_VERSION}."
            )

    def first_command(self) -> Command:
        """Wait for the program's first command, a reset.

        Raises:
          UnityCommunicatorStoppedException: the program left.
        """
        return self._command(self._call(EnvelopeProto(header={"status": 200})))

    def report(
        self,
        specs: Mapping[str, BehaviorSpec],
        steps: Mapping[str, tuple[DecisionSteps, TerminalSteps]],
        side_channel: bytes | bytearray = b"",
    ) -> Command:
        """Send what the agents see, and wait for the next command.

        Args:
          specs: of all behaviors in `steps`; each is announced once.
          steps: by behavior name, fully qualified (`3DBall?team=0`).
          side_channel: frames from the environment's side channels.

        Raises:
          UnityCommunicatorStoppedException: the program is done.
          UnityActionException: its actions do not fit the specs.
        """
        message = EnvelopeProto(header={"status": 200})
        output = message.unity_output.rl_output
        output.side_channel = bytes(side_channel)
        for name, batch in steps.items():
            spec = specs[name]
            infos = encode_agents(
                batch,
                spec.observation_specs,
                png=self._png.get(name, ()),
                images_channels_last=self._is_before_1_0,
            )
            output.agentInfos[name].value.extend(infos)
            if infos and name not in self._specs:
                self._announce(message, name, spec)
        return self._command(self._call(message))

    def close(self) -> None:
        """Tell the program that the environment leaves, if it still listens."""
        leaving = EnvelopeProto(header={"status": 400}).SerializeToString()
        try:
            if self.initialization is not None:
                self._connection.exchange(leaving, _LEAVE_S)
        except (UnityTimeOutException, UnityCommunicatorStoppedException):
            pass  # gone already, or one that never answers this
        finally:
            self.initialization = None
            self._connection.close()

    @property
    def _is_before_1_0(self) -> bool:
        """Whether the program expects images as (height, width, channels)."""
        return bool(self.initialization.package_version.startswith("0."))

    def _announce(self, message: Any, name: str, spec: BehaviorSpec) -> None:
        self._specs[name] = spec
        legacy = not self.initialization.capabilities.hybridActions
        announced = message.unity_output.rl_initialization_output.brain_parameters
        announced.append(brain_parameters(name, spec.action_spec, legacy=legacy))

    def _call(self, message: Any, connect_timeout_s: float | None = None) -> Any:
        data = self._connection.exchange(message.SerializeToString(), connect_timeout_s)
        try:
            answer = EnvelopeProto.FromString(data)
        except DecodeError as error:
            raise UnityEnvironmentException(
                f"The Python program sent {len(data)} bytes that are not a UnityMessageProto: {error}"
            ) from None
        if answer.header.status != 200:
            self.initialization = None  # it is leaving: nothing more to say
            raise UnityCommunicatorStoppedException("The Python program is done with the environment.")
        return answer.unity_input

    def _command(self, answer: Any) -> Command:
        command = answer.rl_input
        if command.command == QUIT:
            raise UnityCommunicatorStoppedException("The Python program asks the environment to quit.")
        unknown = set(command.agent_actions) - set(self._specs)
        if unknown:
            raise UnityActionException(
                f"The Python program sent actions for {sorted(unknown)}; announced are {sorted(self._specs)}."
            )
        actions = {
            name: decode_actions(data, self._specs[name].action_spec) for name, data in command.agent_actions.items()
        }
        return Command(command.command == RESET, actions, command.side_channel)
