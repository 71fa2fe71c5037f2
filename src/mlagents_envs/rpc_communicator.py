"""The gRPC communicator: `ExchangeServer`, and the headers and handshake of the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from mlagents_envs._imported_names import names_of
from mlagents_envs.communicator import Communicator
from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.communicator_objects.unity_output_pb2 import UnityOutputProto
from mlagents_envs.exception import UnityCommunicatorStoppedException, UnityEnvironmentException
from mlagents_envs.rpc.security import PLAIN_SERVER, ServerSecurity
from mlagents_envs.rpc.server import ExchangeServer, PollCallback
from mlagents_envs.rpc.wire import head

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


GOING_ON, LEAVING = 200, 400
_START = EnvelopeProto(header={"status": GOING_ON}).SerializeToString()
# Unity package 1.0.8 leaves without a word when Python's version is above 0.25.999.
_VERSION_FOR_1_0 = "0.25.1"


class RpcCommunicator(Communicator):
    """Listens on `base_port + worker_id`.

    Args:
      worker_id: added to `base_port`.
      base_port: first port of a range.
      timeout_wait: how long a player may take for each of its messages, in seconds.
      bind: address to listen on; `localhost` is both loopback addresses.
      security: encryption and token.

    Attributes:
      is_open: False after `close()`.

    Raises:
      UnityWorkerInUseException: the port is taken.
      UnityEnvironmentException: the port or address cannot be used at all, or not without encryption.
    """

    def __init__(
        self,
        worker_id: int = 0,
        base_port: int = 5005,
        timeout_wait: float = 30,
        bind: str = "localhost",
        security: ServerSecurity = PLAIN_SERVER,
    ) -> None:
        super().__init__(worker_id, base_port)
        self.timeout_wait = timeout_wait
        self.server = ExchangeServer(self.port, worker_id, bind, security)
        self.is_open = True

    def initialize(self, inputs: UnityInputProto, poll_callback: PollCallback | None = None) -> Any:
        """Take the player's first message, answer it, wait for the call that the first command answers.

        Raises:
          UnityTimeOutException: one of the two messages did not come in time.
          UnityEnvironmentException: the first message is not a handshake.
          UnityCommunicatorStoppedException: the player left.
        """
        first = self._read(self.server.receive(self.timeout_wait, poll_callback))
        if first is None:
            raise UnityCommunicatorStoppedException("The environment left before it said who it is.")
        if not first.HasField("rl_initialization_output"):
            raise UnityEnvironmentException(
                f"What connected to port {self.port} is not a new environment: its first message has no "
                "handshake. An environment of an earlier run may still be trying to connect; close it."
            )
        self.environment_version = first.rl_initialization_output.package_version
        answer = UnityInputProto()
        answer.CopyFrom(inputs)
        if self.environment_version.startswith("1.0."):
            answer.rl_initialization_input.package_version = _VERSION_FOR_1_0
        hello = envelope(EnvelopeProto.Input.FromString(answer.SerializeToString()))
        second = self.server.exchange(hello, self.timeout_wait, poll_callback)
        if self._read(second) is None:
            raise UnityCommunicatorStoppedException("The environment left during the handshake.")
        return parse_message(UnityOutputProto, first.SerializeToString())

    def exchange(self, inputs: UnityInputProto, poll_callback: PollCallback | None = None) -> Any:
        """See `Communicator.exchange`."""
        output = self.exchange_envelope(EnvelopeProto.Input.FromString(inputs.SerializeToString()), poll_callback)
        return None if output is None else parse_message(UnityOutputProto, output.SerializeToString())

    def exchange_envelope(self, inputs: Any, poll_callback: PollCallback | None = None) -> Any:
        """See `Communicator.exchange_envelope`; raises as `ExchangeServer.exchange`."""
        return self._read(self.server.exchange(envelope(inputs), self.timeout_wait, poll_callback))

    def close(self) -> None:
        """Tell the player to leave, and free the port."""
        if self.is_open:
            self.is_open = False
            self.server.close(EnvelopeProto(header={"status": LEAVING}).SerializeToString())

    def _read(self, data: bytes) -> Any:
        """Return the `EnvelopeProto.Output` of a request; None if it says that the player leaves."""
        message = parse_message(EnvelopeProto, data)
        if message.header.status == GOING_ON:
            return message.unity_output
        self.close()  # answers at once, so that the player is not held up
        return None


def parse_message(kind: Any, data: bytes) -> Any:
    """Return the message of class `kind` in `data`; `UnityEnvironmentException` if there is none."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise UnityEnvironmentException(
            f"The environment sent {len(data)} bytes that are not a {kind.DESCRIPTOR.name}: {error}"
        ) from None


def envelope(inputs: Any) -> bytes:
    """Return an `EnvelopeProto` with `inputs`, put together from its parts, since messages are copied into others."""
    data = inputs.SerializeToString()
    return bytes(_START + head(EnvelopeProto.UNITY_INPUT_FIELD_NUMBER, len(data)) + data)
