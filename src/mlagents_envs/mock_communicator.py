"""An environment in memory, for tests of programs that use `UnityEnvironment`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlagents_envs._imported_names import names_of
from mlagents_envs.base_env import (
    ActionSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.communicator import Communicator
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.communicator_objects.unity_output_pb2 import UnityOutputProto
from mlagents_envs.rpc.client import API_VERSION, PACKAGE_VERSION, all_capabilities
from mlagents_envs.rpc.codec import brain_parameters, encode_agents
from mlagents_envs.rpc.server import PollCallback

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


_IMAGE_SHAPE = (3, 30, 40)


class MockCommunicator(Communicator):
    """One behavior whose agents always say the same: reward 1, vector 1, 2, 3, ..., black images; the last one is done.

    Args:
      discrete_action: branches (3, 2), otherwise 2 continuous actions.
      visual_inputs: the number of images.
      num_agents: the number of agents.
      brain_name: name of the behavior.
      vec_obs_size: length of the vector.

    Attributes:
      has_been_closed: `close()` was called.
    """

    def __init__(
        self,
        discrete_action: bool = False,
        visual_inputs: int = 0,
        num_agents: int = 3,
        brain_name: str = "RealFakeBrain",
        vec_obs_size: int = 3,
    ) -> None:
        super().__init__()
        self.has_been_closed = False
        self._brain_name = brain_name
        self._action_spec = ActionSpec(0, (3, 2)) if discrete_action else ActionSpec(2, ())
        shapes = [_IMAGE_SHAPE] * visual_inputs + ([(vec_obs_size,)] if vec_obs_size else [])
        specs = [_observation_spec(shape) for shape in shapes]
        obs = [np.zeros((num_agents, *shape), np.float32) for shape in shapes]
        if vec_obs_size:
            obs[-1][:] = np.arange(1, vec_obs_size + 1)
        ids, ones = np.arange(num_agents, dtype=np.int32), np.ones(num_agents, np.float32)
        deciding, ended = slice(0, num_agents - 1), slice(num_agents - 1, num_agents)
        steps = (
            DecisionSteps([column[deciding] for column in obs], ones[deciding], ids[deciding], None),
            TerminalSteps([column[ended] for column in obs], ones[ended], np.zeros(1, np.bool_), ids[ended]),
        )
        self._infos = encode_agents(steps, specs, png=range(visual_inputs))

    def initialize(self, inputs: UnityInputProto, poll_callback: PollCallback | None = None) -> Any:
        """Return the handshake, with the behavior in it."""
        output = self._report()
        hello = output.rl_initialization_output
        hello.name = self._brain_name
        hello.communication_version, hello.package_version = API_VERSION, PACKAGE_VERSION
        hello.capabilities.CopyFrom(all_capabilities())
        hello.brain_parameters.append(brain_parameters(self._brain_name, self._action_spec))
        return output

    def exchange(self, inputs: UnityInputProto, poll_callback: PollCallback | None = None) -> Any:
        """Return the same report, whatever the command."""
        return self._report()

    def close(self) -> None:
        """See `has_been_closed`."""
        self.has_been_closed = True

    def _report(self) -> UnityOutputProto:
        output = UnityOutputProto()
        agents = output.rl_output.agentInfos[self._brain_name].value
        for info in self._infos:
            agents.add().ParseFromString(info)
        return output


def _observation_spec(shape: tuple[int, ...]) -> ObservationSpec:
    properties = [DimensionProperty.NONE]
    if len(shape) == 3:
        properties += [DimensionProperty.TRANSLATIONAL_EQUIVARIANCE] * 2
    return ObservationSpec(shape, tuple(properties), ObservationType.DEFAULT, "")
