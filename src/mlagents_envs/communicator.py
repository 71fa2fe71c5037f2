"""What carries messages between `UnityEnvironment` and the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlagents_envs._imported_names import names_of
from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.rpc.server import PollCallback

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


__all__ = ["Communicator", "PollCallback"]


class Communicator:
    """The interface, to be subclassed; `RpcCommunicator` is the real one, `MockCommunicator` one for tests.

    Args:
      worker_id: added to `base_port`.
      base_port: first port of a range.

    Attributes:
      environment_version: version of the environment's Unity package, once it has said so.
    """

    environment_version: str | None = None

    def __init__(self, worker_id: int = 0, base_port: int = 5005) -> None:
        self.worker_id = worker_id
        self.port = base_port + worker_id

    def initialize(self, inputs: UnityInputProto, poll_callback: PollCallback | None = None) -> Any:
        """Wait for the environment and shake hands: `UnityOutputProto` of its first message.

        Args:
          inputs: our part, in `rl_initialization_input`.
          poll_callback: called now and then; raises to interrupt the waiting.
        """
        raise NotImplementedError

    def exchange(self, inputs: UnityInputProto, poll_callback: PollCallback | None = None) -> Any:
        """Send a command, get what comes of it: `UnityOutputProto`, or None if the environment left."""
        raise NotImplementedError

    def close(self) -> None:
        """Tell the environment to leave."""
        raise NotImplementedError

    def exchange_envelope(self, inputs: Any, poll_callback: PollCallback | None = None) -> Any:
        """Do as `exchange` for `EnvelopeProto.Input` and `.Output`, which leave the agents in bytes."""
        output = self.exchange(UnityInputProto.FromString(inputs.SerializeToString()), poll_callback)
        return None if output is None else EnvelopeProto.Output.FromString(output.SerializeToString())
