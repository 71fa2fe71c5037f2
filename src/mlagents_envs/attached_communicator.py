"""The communicator of a trainer that calls a player which listens; the messages are those of players that call."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from typing import Any

from mlagents_envs.communicator import Communicator
from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.communicator_objects.unity_output_pb2 import UnityOutputProto
from mlagents_envs.exception import (
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityException,
    UnityTimeOutException,
)
from mlagents_envs.rpc.address import Address, await_answer
from mlagents_envs.rpc.client import Connection
from mlagents_envs.rpc.security import PLAIN_CLIENT, ClientSecurity
from mlagents_envs.rpc.server import METHOD_OF_LISTENERS, PollCallback
from mlagents_envs.rpc_communicator import GOING_ON, LEAVING, envelope, parse_message

_RETRY_S = 0.3
_LEAVE_S = 2.0


class AttachedCommunicator(Communicator):
    """Calls a player that listens.

    Args:
      address: `HOST:PORT` of the player.
      worker_id: number of the environment.
      timeout_wait: how long the player may take for each of its messages, in seconds.
      security: encryption and token.

    Raises:
      UnityEnvironmentException: there is no such address, or `security` names files that are no use.
    """

    def __init__(
        self, address: str, worker_id: int = 0, timeout_wait: float = 30, security: ClientSecurity = PLAIN_CLIENT
    ) -> None:
        try:
            self._address = Address.parse(address)
        except ValueError as error:
            raise UnityEnvironmentException(f"attach: {error}") from None
        super().__init__(worker_id, self._address.port - worker_id)
        self.timeout_wait = timeout_wait
        self._security = security
        self._connection: Connection | None = Connection(
            self._address.port,
            self._address.host,
            security,
            method=METHOD_OF_LISTENERS,
            peer="player",
            session=uuid.uuid4().hex,
        )

    def initialize(self, inputs: UnityInputProto, poll_callback: PollCallback | None = None) -> Any:
        """Shake hands, as soon as the player listens and has no other trainer.

        Raises:
          UnityTimeOutException: nobody answers.
          UnityCommunicatorStoppedException: the player left, or is busy with another trainer.
          UnityEnvironmentException: what answers is no player, or lets us not in.
        """
        deadline = time.monotonic() + self.timeout_wait
        await_answer(self._address, self._security, self.timeout_wait)
        request = envelope(EnvelopeProto.Input.FromString(inputs.SerializeToString()))
        while True:
            try:
                answer = self._exchange(request, max(0.1, deadline - time.monotonic()))
                break
            except UnityCommunicatorStoppedException:  # busy, or between two trainers
                if time.monotonic() + _RETRY_S > deadline:
                    raise
            time.sleep(_RETRY_S)
        if answer is None or not answer.HasField("rl_initialization_output"):
            raise UnityEnvironmentException(f"What listens at {self._address} does not say who it is: it is no player.")
        self.environment_version = answer.rl_initialization_output.package_version
        return parse_message(UnityOutputProto, answer.SerializeToString())

    def exchange_envelope(self, inputs: Any, poll_callback: PollCallback | None = None) -> Any:
        """See `Communicator.exchange_envelope`.

        Raises:
          UnityTimeOutException: the player does not answer.
          UnityEnvironmentException: it closed the connection in the middle; one that is started anew can be attached.
        """
        return self._exchange(envelope(inputs), None)

    def exchange(self, inputs: UnityInputProto, poll_callback: PollCallback | None = None) -> Any:
        """See `Communicator.exchange`."""
        output = self.exchange_envelope(EnvelopeProto.Input.FromString(inputs.SerializeToString()), poll_callback)
        return None if output is None else parse_message(UnityOutputProto, output.SerializeToString())

    def close(self) -> None:
        """Tell the player that we leave, and hang up; it goes on to the next trainer."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if self.environment_version is not None:
                leaving = EnvelopeProto(header={"status": LEAVING}).SerializeToString()
                with suppress(UnityException):  # it is gone already
                    connection.exchange(leaving, answer_timeout_s=_LEAVE_S)
            connection.close()

    def _exchange(self, request: bytes, connect_timeout_s: float | None) -> Any:
        """Return the `EnvelopeProto.Output` of the answer; None if it says that the player leaves."""
        if self._connection is None:
            raise UnityCommunicatorStoppedException(f"The connection to the player at {self._address} is closed.")
        try:
            data = self._connection.exchange(request, connect_timeout_s, self.timeout_wait)
        except UnityTimeOutException as error:
            text = f"{error} It may hang, or need longer: raise timeout_wait (--timeout-wait)."
            raise UnityTimeOutException(text) from None
        except UnityCommunicatorStoppedException as error:
            if self.environment_version is None:
                raise
            raise UnityEnvironmentException(str(error)) from None
        message = parse_message(EnvelopeProto, data)
        return message.unity_output if message.header.status == GOING_ON else None
