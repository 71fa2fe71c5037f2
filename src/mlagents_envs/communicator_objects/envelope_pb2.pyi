from mlagents_envs.communicator_objects import command_pb2 as _command_pb2
from mlagents_envs.communicator_objects import header_pb2 as _header_pb2
from mlagents_envs.communicator_objects import unity_rl_initialization_input_pb2 as _unity_rl_initialization_input_pb2
from mlagents_envs.communicator_objects import unity_rl_initialization_output_pb2 as _unity_rl_initialization_output_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EnvelopeProto(_message.Message):
    __slots__ = ("header", "unity_output", "unity_input")
    class ListAgentInfo(_message.Message):
        __slots__ = ("value",)
        VALUE_FIELD_NUMBER: _ClassVar[int]
        value: _containers.RepeatedScalarFieldContainer[bytes]
        def __init__(self, value: _Optional[_Iterable[bytes]] = ...) -> None: ...
    class RLOutput(_message.Message):
        __slots__ = ("agentInfos", "side_channel")
        class AgentInfosEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: EnvelopeProto.ListAgentInfo
            def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[EnvelopeProto.ListAgentInfo, _Mapping]] = ...) -> None: ...
        AGENTINFOS_FIELD_NUMBER: _ClassVar[int]
        SIDE_CHANNEL_FIELD_NUMBER: _ClassVar[int]
        agentInfos: _containers.MessageMap[str, EnvelopeProto.ListAgentInfo]
        side_channel: bytes
        def __init__(self, agentInfos: _Optional[_Mapping[str, EnvelopeProto.ListAgentInfo]] = ..., side_channel: _Optional[bytes] = ...) -> None: ...
    class RLInput(_message.Message):
        __slots__ = ("agent_actions", "command", "side_channel")
        class AgentActionsEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: bytes
            def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
        AGENT_ACTIONS_FIELD_NUMBER: _ClassVar[int]
        COMMAND_FIELD_NUMBER: _ClassVar[int]
        SIDE_CHANNEL_FIELD_NUMBER: _ClassVar[int]
        agent_actions: _containers.ScalarMap[str, bytes]
        command: _command_pb2.CommandProto
        side_channel: bytes
        def __init__(self, agent_actions: _Optional[_Mapping[str, bytes]] = ..., command: _Optional[_Union[_command_pb2.CommandProto, str]] = ..., side_channel: _Optional[bytes] = ...) -> None: ...
    class Output(_message.Message):
        __slots__ = ("rl_output", "rl_initialization_output")
        RL_OUTPUT_FIELD_NUMBER: _ClassVar[int]
        RL_INITIALIZATION_OUTPUT_FIELD_NUMBER: _ClassVar[int]
        rl_output: EnvelopeProto.RLOutput
        rl_initialization_output: _unity_rl_initialization_output_pb2.UnityRLInitializationOutputProto
        def __init__(self, rl_output: _Optional[_Union[EnvelopeProto.RLOutput, _Mapping]] = ..., rl_initialization_output: _Optional[_Union[_unity_rl_initialization_output_pb2.UnityRLInitializationOutputProto, _Mapping]] = ...) -> None: ...
    class Input(_message.Message):
        __slots__ = ("rl_input", "rl_initialization_input")
        RL_INPUT_FIELD_NUMBER: _ClassVar[int]
        RL_INITIALIZATION_INPUT_FIELD_NUMBER: _ClassVar[int]
        rl_input: EnvelopeProto.RLInput
        rl_initialization_input: _unity_rl_initialization_input_pb2.UnityRLInitializationInputProto
        def __init__(self, rl_input: _Optional[_Union[EnvelopeProto.RLInput, _Mapping]] = ..., rl_initialization_input: _Optional[_Union[_unity_rl_initialization_input_pb2.UnityRLInitializationInputProto, _Mapping]] = ...) -> None: ...
    HEADER_FIELD_NUMBER: _ClassVar[int]
    UNITY_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    UNITY_INPUT_FIELD_NUMBER: _ClassVar[int]
    header: _header_pb2.HeaderProto
    unity_output: EnvelopeProto.Output
    unity_input: EnvelopeProto.Input
    def __init__(self, header: _Optional[_Union[_header_pb2.HeaderProto, _Mapping]] = ..., unity_output: _Optional[_Union[EnvelopeProto.Output, _Mapping]] = ..., unity_input: _Optional[_Union[EnvelopeProto.Input, _Mapping]] = ...) -> None: ...
