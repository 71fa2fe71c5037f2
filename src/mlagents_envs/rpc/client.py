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
from typing import Any, NamedTuple, Protocol, Self

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
from mlagents_envs.rpc.address import Address
from mlagents_envs.rpc.codec import brain_parameters, decode_actions, encode_agents
from mlagents_envs.rpc.security import PLAIN_CLIENT, ClientSecurity
from mlagents_envs.rpc.server import METHOD, SESSION_KEY, UNLIMITED

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
    ("grpc.client_idle_timeout_ms", 2**31 - 1),  # an idle connection says that we are still there
]


def all_capabilities() -> Any:
    """Return `UnityRLCapabilitiesProto` of a side that understands everything up to API 1.5."""
    return UnityRLCapabilitiesProto(
        **{descriptor.name: True for descriptor in UnityRLCapabilitiesProto.DESCRIPTOR.fields}
    )


def is_compatible(ours: str, theirs: str) -> bool:
    """Return whether two versions `x.y[.z]` of the protocol work together: the same x, and for x = 0 the same y."""
    form = re.compile(r"0*(\d{1,9})\.0*(\d{1,9})(\.|$)", re.ASCII)
    we, they = form.match(ours), form.match(theirs)
    if we is None or they is None or we[1] != they[1]:
        return False
    return we[1] != "0" or we[2] == they[2]


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


class Exchanging(Protocol):
    """What carries a player's reports and brings commands: it called, or was called."""

    def exchange(self, message: bytes, connect_timeout_s: float | None = None) -> bytes:
        """Send `UnityMessageProto` bytes, return those that come back; see `Connection`."""

    def close(self) -> None:
        """Cut the connection."""


class Connection:
    """Calls a server with serialized messages, one call at a time.

    Args:
      port: of the server.
      host: of the server.
      security: encryption and token.
      method: which the server offers.
      peer: what the server is, for messages.
      session: that all calls are part of, where the server may have several callers.

    Raises:
      UnityEnvironmentException: `security` names files that are no use.
    """

    def __init__(
        self,
        port: int,
        host: str = "localhost",
        security: ClientSecurity = PLAIN_CLIENT,
        *,
        method: str = METHOD,
        peer: str = "Python program",
        session: str | None = None,
    ) -> None:
        self.address = str(Address(host.strip("[]"), port))
        self._kind, self._peer = peer, f"{peer} at {self.address}"
        self._metadata = security.metadata(host)
        if session is not None:
            self._metadata += ((SESSION_KEY, session),)
        self._channel = security.channel(self.address, _OPTIONS)
        self._exchange = self._channel.unary_unary(method)

    def exchange(
        self, message: bytes, connect_timeout_s: float | None = None, answer_timeout_s: float | None = None
    ) -> bytes:
        """Send `UnityMessageProto` bytes, return those of the answer, which may take any time.

        Args:
          message: the request.
          connect_timeout_s: wait so long for the server to come up and answer; None if it is known to be up.
          answer_timeout_s: wait so long for the answer of a server that is up; None for ever.

        Raises:
          UnityTimeOutException: the server did not come up, or did not answer.
          UnityCommunicatorStoppedException: the server is gone, or wants no more calls.
          UnityEnvironmentException: the message is larger than the server takes, or it takes none from us.
        """
        waits = connect_timeout_s is not None
        timeout = connect_timeout_s if waits else answer_timeout_s
        try:
            return bytes(self._exchange(message, timeout=timeout, wait_for_ready=waits, metadata=self._metadata))
        except grpc.RpcError as error:
            raise self._explained(error, len(message), timeout, waits) from None

    def _explained(self, error: Any, size: int, timeout_s: float | None, waits: bool) -> Exception:
        """Return what to raise for gRPC's error."""
        code, details = error.code(), error.details() or ""
        if code == grpc.StatusCode.DEADLINE_EXCEEDED and timeout_s is not None:
            what = f"No {self._kind} answered at {self.address}" if waits else f"The {self._peer} sent nothing"
            return UnityTimeOutException(f"{what} for {timeout_s:g} seconds.")
        if code == grpc.StatusCode.UNAUTHENTICATED:
            return UnityEnvironmentException(
                f"The {self._peer} lets nobody in without its token: expected the same --token-file there and here."
            )
        if code == grpc.StatusCode.UNIMPLEMENTED:
            return UnityEnvironmentException(f"What listens at {self.address} speaks gRPC, but is no {self._kind}.")
        limit = _LARGER.search(details)
        if limit and code == grpc.StatusCode.RESOURCE_EXHAUSTED:
            return UnityEnvironmentException(
                f"The message has {size:,} bytes; the {self._peer} takes at most "
                f"{int(limit[1]):,}. Report fewer agents or smaller images at a time, or send images as PNG."
            )
        return UnityCommunicatorStoppedException(f"The {self._peer} closed the connection: {code.name} {details}")

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
      security: encryption and token.
      connection: over which to play, instead of one to `host` and `port`.

    Attributes:
      initialization: after `connect()`: `UnityRLInitializationInputProto` with the seed and `num_areas`.
    """

    def __init__(
        self,
        port: int,
        host: str = "localhost",
        name: str = "Environment",
        png: Mapping[str, Collection[int]] | None = None,
        security: ClientSecurity = PLAIN_CLIENT,
        connection: Exchanging | None = None,
    ) -> None:
        self.initialization: Any = None
        self._connection = Connection(port, host, security) if connection is None else connection
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
