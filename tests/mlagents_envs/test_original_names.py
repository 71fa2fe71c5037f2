"""Every public name that the modules of mlagents_envs 1.1.0 show, their own and those that they import from each other.

Left out are private names, loggers, and parts that only the original's own code uses: the type variables of its timers,
its image buffer, its servicer and its zip reader.
"""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec, BehaviorSpec
from mlagents_envs.exception import UnityActionException

SHOWN = """
base_env: ActionSpec ActionTuple AgentId BaseEnv BehaviorMapping BehaviorName BehaviorSpec DecisionStep
  DecisionSteps DimensionProperty GroupId ObservationSpec ObservationType TerminalStep TerminalSteps
  UnityActionException _ActionTupleBase
communicator: Communicator PollCallback UnityInputProto UnityOutputProto
env_utils: DEBUG UnityEnvironmentException get_logger get_platform launch_executable validate_environment_path
environment: ActionTuple AgentActionProto AgentId BaseEnv BehaviorMapping BehaviorName BehaviorSpec DecisionSteps
  DefaultTrainingAnalyticsSideChannel RESET STEP SideChannel SideChannelManager TerminalSteps UnityActionException
  UnityCommunicatorStoppedException UnityEnvironment UnityEnvironmentException UnityInputProto UnityOutputProto
  UnityRLCapabilitiesProto UnityRLInitializationInputProto UnityRLInputProto UnityRLOutputProto
  UnityTimeOutException behavior_spec_from_proto env_utils get_logger hierarchical_timer steps_from_proto timed
envs: PettingZooEnvFactory default_registry
envs.env_helpers: _agent_id_to_behavior _behavior_to_agent_id _parse_behavior _unwrap_batch_steps
envs.pettingzoo_env_factory: EngineConfigurationChannel EnvironmentParametersChannel PettingZooEnvFactory
  StatsSideChannel UnityAECEnv UnityWorkerInUseException default_registry logging_util
envs.unity_aec_env: BaseEnv UnityAECEnv UnityPettingzooBaseEnv
envs.unity_gym_env: ActionFlattener ActionTuple BaseEnv DecisionSteps GymStepResult TerminalSteps
  UnityGymException UnityToGymWrapper logging_util
envs.unity_parallel_env: BaseEnv UnityParallelEnv UnityPettingzooBaseEnv
envs.unity_pettingzoo_base_env: ActionTuple BaseEnv UnityPettingzooBaseEnv
exception: UnityActionException UnityCommunicationException UnityCommunicatorStoppedException
  UnityEnvironmentException UnityException UnityObservationException UnityPolicyException
  UnitySideChannelException UnityTimeOutException UnityWorkerInUseException
logging_util: CRITICAL DATE_FORMAT DEBUG DEBUG_LOG_FORMAT ERROR FATAL INFO LOG_FORMAT NOTSET WARNING get_logger
  set_log_level
mock_communicator: ActionSpecProto AgentInfoProto BrainParametersProto MockCommunicator ObservationProto
  UnityInputProto UnityOutputProto UnityRLInitializationOutputProto UnityRLOutputProto
registry: UnityEnvRegistry default_registry
registry.base_registry_entry: BaseEnv BaseRegistryEntry
registry.binary_utils: download_and_extract_zip get_local_binary_path get_local_binary_path_if_exists get_logger
  get_tmp_dirs load_local_manifest load_remote_manifest print_progress validate_environment_path
registry.remote_registry_entry: BaseEnv BaseRegistryEntry RemoteRegistryEntry UnityEnvironment
  get_local_binary_path
registry.unity_env_registry: BaseRegistryEntry RemoteRegistryEntry UnityEnvRegistry default_registry
  load_local_manifest load_remote_manifest
rpc_communicator: RpcCommunicator UnityInputProto UnityMessageProto UnityOutputProto UnityToExternalProtoServicer
  add_UnityToExternalProtoServicer_to_server
rpc_utils: ActionSpec AgentInfoProto BehaviorSpec BrainParametersProto DecisionSteps DimensionProperty
  ObservationProto ObservationSpec ObservationType PNG_HEADER TerminalSteps UnityObservationException
  behavior_spec_from_proto hierarchical_timer process_pixels steps_from_proto timed
side_channel: DefaultTrainingAnalyticsSideChannel IncomingMessage OutgoingMessage SideChannel
side_channel.default_training_analytics_side_channel: DefaultTrainingAnalyticsSideChannel IncomingMessage
  OutgoingMessage SideChannel TrainingEnvironmentInitialized UnityCommunicationException
side_channel.engine_configuration_channel: EngineConfig EngineConfigurationChannel IncomingMessage OutgoingMessage
  SideChannel UnityCommunicationException UnitySideChannelException
side_channel.environment_parameters_channel: EnvironmentParametersChannel IncomingMessage OutgoingMessage
  SideChannel UnityCommunicationException
side_channel.float_properties_channel: FloatPropertiesChannel IncomingMessage OutgoingMessage SideChannel
side_channel.incoming_message: IncomingMessage
side_channel.outgoing_message: OutgoingMessage get_logger
side_channel.raw_bytes_channel: IncomingMessage OutgoingMessage RawBytesChannel SideChannel
side_channel.side_channel: IncomingMessage OutgoingMessage SideChannel get_logger
side_channel.side_channel_manager: IncomingMessage SideChannel SideChannelManager UnityEnvironmentException
  get_logger
side_channel.stats_side_channel: EnvironmentStats IncomingMessage SideChannel StatList StatsAggregationMethod
  StatsSideChannel
timers: GaugeNode TIMER_FORMAT_VERSION TimerNode TimerStack add_metadata get_timer_root get_timer_stack_for_thread
  get_timer_tree hierarchical_timer merge_gauges reset_timers set_gauge timed
"""


def shown():
    module = ""
    for word in SHOWN.split():
        if word.endswith(":"):
            module = f"mlagents_envs.{word[:-1]}".rstrip(".")
        else:
            yield module, word


@pytest.mark.parametrize(("module", "name"), list(shown()))
def test_it_can_be_imported(module, name):
    found = getattr(importlib.import_module(module), name)
    origin = getattr(found, "__module__", None)
    if isinstance(found, type) and origin != module and origin.startswith("mlagents_envs."):
        assert getattr(importlib.import_module(origin), name) is found


def test_a_name_that_is_nowhere_is_an_import_error():
    with pytest.raises(ImportError, match="UnityEnvironmnt"):
        from mlagents_envs.environment import UnityEnvironmnt  # noqa: F401


def test_random_actions_of_2020():
    np.random.seed(3)  # the generator that programs of 2020 seed
    numbers = BehaviorSpec([], ActionSpec(2, ())).create_random_action(500)
    assert (numbers.dtype, numbers.shape) == (np.float32, (500, 2))
    assert numbers.min() >= -1.0
    assert numbers.max() < 1.0
    choices = BehaviorSpec([], ActionSpec(0, (3, 2))).create_random_action(500)
    assert (choices.dtype, choices.shape) == (np.int32, (500, 2))
    assert (choices.min(axis=0).tolist(), choices.max(axis=0).tolist()) == ([0, 0], [2, 1])
    with pytest.raises(UnityActionException):
        BehaviorSpec([], ActionSpec(1, (2,))).create_random_action(1)
