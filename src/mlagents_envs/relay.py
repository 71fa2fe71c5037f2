"""Between a player that calls this machine, as Unity's do, and a trainer elsewhere: messages pass through as they are.

A Unity build looks for its trainer once, when it starts, on its own machine, without encryption, and then waits for
each answer as long as it takes. A relay beside it is called by it and keeps it waiting until a trainer comes.
"""

from __future__ import annotations

from contextlib import suppress

from google.protobuf.message import DecodeError

from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.exception import UnityCommunicatorStoppedException, UnityTimeOutException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.rpc.client import Exchanging
from mlagents_envs.rpc.listener import IDLE_S
from mlagents_envs.rpc.server import ExchangeServer

logger = get_logger(__name__)

_LEAVE_S = 1.0
_LEAVING = EnvelopeProto(header={"status": 400}).SerializeToString()


class Relay:
    """Passes on what one player says, until it or the trainer leaves.

    Args:
      player_port: that the player calls, on this machine.

    Raises:
      UnityWorkerInUseException: the port is taken.
    """

    def __init__(self, player_port: int) -> None:
        self._player = ExchangeServer(player_port)
        self._hello = b""

    def await_player(self, timeout_s: float) -> None:
        """Wait until the player calls, and keep it waiting.

        Raises:
          UnityTimeOutException: no player came in time.
        """
        self._hello = self._player.receive(timeout_s)
        logger.info("A player is here; it waits for a trainer.")

    def check_player(self) -> None:
        """Raise an error if the player is gone.

        Raises:
          UnityCommunicatorStoppedException: it is.
        """
        self._player.check_waiting()

    def pass_on(self, trainer: Exchanging, timeout_s: float) -> None:
        """Let the player and a trainer talk to each other until one of them leaves.

        Args:
          trainer: to whom the player's messages go.
          timeout_s: how long to wait for the trainer, in seconds.

        Raises:
          UnityTimeOutException: no trainer came in time, or the player sent no report for `IDLE_S`.
          UnityCommunicatorStoppedException: one of the two hung up.
        """
        answer = trainer.exchange(self._hello, timeout_s)
        logger.info("A trainer is here.")
        while True:
            if _leaves(answer):
                return
            report = self._player.exchange(answer, IDLE_S)
            if _leaves(report):
                with suppress(UnityTimeOutException, UnityCommunicatorStoppedException):
                    trainer.exchange(report, _LEAVE_S)
                return
            answer = trainer.exchange(report)

    def close(self) -> None:
        """Tell the player, if it waits, to leave."""
        self._player.close(_LEAVING)


def _leaves(message: bytes) -> bool:
    try:
        return bool(EnvelopeProto.FromString(message).header.status != 200)
    except DecodeError:
        return False  # whoever gets it says what is wrong with it
