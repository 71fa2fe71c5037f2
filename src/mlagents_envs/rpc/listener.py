"""A player that listens, so that trainers come and go while it runs: the calls go the other way, the messages do not.

A trainer's call carries a command and returns with what came of it. The first carries its part of the handshake and
returns with the player's.
"""

from __future__ import annotations

from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.rpc.security import PLAIN_SERVER, ServerSecurity
from mlagents_envs.rpc.server import METHOD_OF_LISTENERS, ExchangeServer, PollCallback

IDLE_S = 1800.0
"""A trainer that sends no command for so long has left, though its connection, over a network that broke, may stand."""


class ListeningConnection:
    """What `Connection` is for a player that calls: it takes what the player reports, and brings commands.

    Args:
      port: to listen on, for one trainer.
      bind: address to listen on.
      security: encryption and token.
      idle_s: seconds without a command after which the trainer counts as gone.
      poll: called now and then while waiting; what it raises ends the waiting.

    Raises:
      UnityWorkerInUseException: the port is taken.
      UnityEnvironmentException: it cannot be used at all, or not without encryption.
    """

    def __init__(
        self,
        port: int,
        bind: str = "localhost",
        security: ServerSecurity = PLAIN_SERVER,
        idle_s: float = IDLE_S,
        poll: PollCallback | None = None,
    ) -> None:
        self._server = ExchangeServer(port, 0, bind, security, METHOD_OF_LISTENERS)
        self._idle_s = idle_s
        self._poll = poll
        self._exchanges = 0

    def exchange(self, message: bytes, connect_timeout_s: float | None = None) -> bytes:
        """Report to the trainer with `UnityMessageProto` bytes, and return those of its next command.

        The first message is the player's part of the handshake, and the trainer's comes back. The second, which says
        that the player is ready, is not sent: to be called is to be ready.

        Args:
          message: the report.
          connect_timeout_s: wait so long for a trainer; None when it is there.

        Raises:
          UnityTimeOutException: no trainer came, or it sent nothing for `idle_s`.
          UnityCommunicatorStoppedException: it has left.
        """
        timeout = self._idle_s if connect_timeout_s is None else connect_timeout_s
        self._exchanges += 1
        if self._exchanges == 1:
            try:
                request = self._server.receive(timeout, self._poll)
            except BaseException:
                self._exchanges = 0
                raise
            self._server.answer(message)
            return request
        if self._exchanges > 2:
            self._server.answer(message)
        return self._server.receive(timeout, self._poll)

    def close(self) -> None:
        """Tell the trainer, if it waits for us, that the player leaves, and free the port."""
        self._server.close(EnvelopeProto(header={"status": 400}).SerializeToString())
