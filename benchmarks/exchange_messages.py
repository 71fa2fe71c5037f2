"""The messages of a player that always sends the same report: agents with 8 observations and 2 actions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.rpc.client import API_VERSION, PACKAGE_VERSION, all_capabilities
from mlagents_envs.rpc.codec import brain_parameters, encode_actions, encode_agents

BEHAVIOR = "Agents?team=0"
SPEC = BehaviorSpec(
    [ObservationSpec((8,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "VectorSensor_size8")],
    ActionSpec(2, ()),
)


class Messages(NamedTuple):
    """Serialized, as they are sent.

    Attributes:
      session: the player's, in order; the last one is repeated for ever.
      command: the trainer's, with an action for every agent.
      action: that action.
    """

    session: list[bytes]
    command: bytes
    action: ActionTuple


def messages(agents: int) -> Messages:
    """Return the messages of so many agents; observations, rewards and actions are random."""
    rng = np.random.default_rng(1)
    obs, reward = rng.normal(size=(agents, 8)).astype(np.float32), rng.random(agents, np.float32)
    steps = DecisionSteps([obs], reward, np.arange(agents, dtype=np.int32), None), TerminalSteps.empty(SPEC)
    hello, ready, first, later = (EnvelopeProto(header={"status": 200}) for _ in range(4))
    greeting = hello.unity_output.rl_initialization_output
    greeting.communication_version, greeting.package_version = API_VERSION, PACKAGE_VERSION
    greeting.capabilities.CopyFrom(all_capabilities())
    for report in (first, later):
        infos = encode_agents(steps, SPEC.observation_specs)
        report.unity_output.rl_output.agentInfos[BEHAVIOR].value.extend(infos)
    announced = first.unity_output.rl_initialization_output.brain_parameters
    announced.append(brain_parameters(BEHAVIOR, SPEC.action_spec))
    action = ActionTuple(rng.uniform(-1, 1, (agents, 2)).astype(np.float32))
    command = EnvelopeProto(header={"status": 200})
    command.unity_input.rl_input.agent_actions[BEHAVIOR] = encode_actions(action)
    session = [message.SerializeToString() for message in (hello, ready, first, later)]
    return Messages(session, command.SerializeToString(), action)
