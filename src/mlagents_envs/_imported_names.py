"""Names that programs import from modules where they are not defined, because the original's modules import them there.

Each module of the table has `__getattr__ = names_of(__name__)`: nothing is loaded before somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

_MESSAGES = "mlagents_envs.communicator_objects."
_NAMES = {
    "base_env": {"exception": "UnityActionException"},
    "communicator": {_MESSAGES + "unity_output_pb2": "UnityOutputProto"},
    "env_utils": {"logging_util": "get_logger DEBUG"},
    "environment": {
        "env_utils": "",
        "exception": "UnityActionException",
        "rpc_utils": "behavior_spec_from_proto steps_from_proto",
        "timers": "timed",
        _MESSAGES + "agent_action_pb2": "AgentActionProto",
        _MESSAGES + "capabilities_pb2": "UnityRLCapabilitiesProto",
        _MESSAGES + "command_pb2": "STEP",
        _MESSAGES + "unity_output_pb2": "UnityOutputProto",
        _MESSAGES + "unity_rl_initialization_input_pb2": "UnityRLInitializationInputProto",
        _MESSAGES + "unity_rl_input_pb2": "UnityRLInputProto",
        _MESSAGES + "unity_rl_output_pb2": "UnityRLOutputProto",
    },
    "envs.pettingzoo_env_factory": {"logging_util": ""},
    "envs.unity_aec_env": {"envs.unity_pettingzoo_base_env": "UnityPettingzooBaseEnv"},
    "envs.unity_gym_env": {"logging_util": ""},
    "mock_communicator": {
        _MESSAGES + "agent_info_pb2": "AgentInfoProto",
        _MESSAGES + "brain_parameters_pb2": "ActionSpecProto BrainParametersProto",
        _MESSAGES + "observation_pb2": "ObservationProto",
        _MESSAGES + "unity_rl_initialization_output_pb2": "UnityRLInitializationOutputProto",
        _MESSAGES + "unity_rl_output_pb2": "UnityRLOutputProto",
    },
    "registry.binary_utils": {"env_utils": "validate_environment_path", "logging_util": "get_logger"},
    "registry.remote_registry_entry": {"base_env": "BaseEnv", "environment": "UnityEnvironment"},
    "registry.unity_env_registry": {
        "registry": "default_registry",
        "registry.remote_registry_entry": "RemoteRegistryEntry",
    },
    "rpc_communicator": {
        _MESSAGES + "unity_message_pb2": "UnityMessageProto",
        _MESSAGES + "unity_to_external_pb2_grpc": (
            "UnityToExternalProtoServicer add_UnityToExternalProtoServicer_to_server"
        ),
    },
    "rpc_utils": {
        "base_env": (
            "ActionSpec BehaviorSpec DecisionSteps DimensionProperty ObservationSpec ObservationType TerminalSteps"
        ),
        "exception": "UnityObservationException",
        "timers": "hierarchical_timer timed",
        _MESSAGES + "agent_info_pb2": "AgentInfoProto",
        _MESSAGES + "brain_parameters_pb2": "BrainParametersProto",
        _MESSAGES + "observation_pb2": "ObservationProto",
    },
    "side_channel.default_training_analytics_side_channel": {
        "exception": "UnityCommunicationException",
        "side_channel": "IncomingMessage SideChannel",
    },
    "side_channel.engine_configuration_channel": {
        "exception": "UnityCommunicationException",
        "side_channel": "IncomingMessage SideChannel",
    },
    "side_channel.environment_parameters_channel": {
        "exception": "UnityCommunicationException",
        "side_channel": "SideChannel",
    },
    "side_channel.side_channel": {"logging_util": "get_logger"},
}
"""Module -> module that defines -> its names, or the module itself if there are none."""


def names_of(module: str) -> Callable[[str], Any]:
    """Return what looks up the names of one module, its `__getattr__`."""
    sources = {
        name: origin if origin.startswith(_MESSAGES) else f"mlagents_envs.{origin}"
        for origin, names in _NAMES[module.removeprefix("mlagents_envs.")].items()
        for name in names.split() or [origin.rpartition(".")[2]]
    }

    def find(name: str) -> Any:
        if name not in sources:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        origin = import_module(sources[name])
        return getattr(origin, name, origin)

    return find
