"""Every message of the recorded sessions, taken apart by our codec and put together again, has the same bytes.

What travels as arrays (agents, actions) and as side-channel messages goes through arrays and values; the small rest
(headers, versions, capabilities, specs) through the protobuf classes.
"""

from __future__ import annotations

from collections import Counter

from google.protobuf.any_pb2 import Any

from interop.scene import PNG
from mlagents_envs.communicator_objects.command_pb2 import RESET
from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.communicator_objects.training_analytics_pb2 import TrainingEnvironmentInitialized
from mlagents_envs.rpc.client import PACKAGE_VERSION, all_capabilities
from mlagents_envs.rpc.codec import (
    brain_parameters,
    decode_actions,
    decoder_from_proto,
    encode_actions,
    encode_agents,
)
from mlagents_envs.rpc.wire import BYTES, scan
from mlagents_envs.side_channel.default_training_analytics_side_channel import DefaultTrainingAnalyticsSideChannel
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import (
    EnvironmentParametersChannel,
    ParameterSampler,
    decode_parameter,
)
from mlagents_envs.side_channel.float_properties_channel import FloatPropertiesChannel
from mlagents_envs.side_channel.framing import iter_frames, pack_frame
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel, encode_stat


class Rebuilder:
    """Takes messages of one session in their order: what a behavior's bytes mean was said when it was announced."""

    def __init__(self):
        self.decoders = {}
        self.kinds = Counter()

    def rebuild(self, message):
        parsed, rebuilt = EnvelopeProto.FromString(message), EnvelopeProto()
        if parsed.HasField("header"):
            rebuilt.header.status = parsed.header.status
        if parsed.HasField("unity_output"):
            self._rebuild_output(parsed.unity_output, rebuilt.unity_output)
        if parsed.HasField("unity_input"):
            self._rebuild_input(parsed.unity_input, rebuilt.unity_input)
        return rebuilt.SerializeToString()

    def _rebuild_output(self, output, rebuilt):
        if output.HasField("rl_initialization_output"):
            self._rebuild_announcement(output, rebuilt.rl_initialization_output)
        if output.HasField("rl_output"):
            for name, infos in output.rl_output.agentInfos.items():
                decoder = self.decoders[name]
                steps = decoder.decode(list(infos.value))
                encoded = encode_agents(steps, decoder.spec.observation_specs, png=PNG.get(name, ()))
                rebuilt.rl_output.agentInfos[name].value.extend(encoded)
                self.kinds["agents"] += 1
            rebuilt.rl_output.side_channel = self._rebuild_frames(output.rl_output.side_channel)

    def _rebuild_announcement(self, output, rebuilt):
        announced = output.rl_initialization_output
        if announced.HasField("capabilities"):
            rebuilt.name = announced.name
            rebuilt.communication_version = "1.5.0"
            rebuilt.package_version = PACKAGE_VERSION
            rebuilt.capabilities.CopyFrom(all_capabilities())
            self.kinds["handshake"] += 1
        for brain in announced.brain_parameters:
            first = output.rl_output.agentInfos[brain.brain_name].value[0]
            decoder = decoder_from_proto(brain, first, PACKAGE_VERSION)
            self.decoders[brain.brain_name] = decoder
            rebuilt.brain_parameters.append(brain_parameters(brain.brain_name, decoder.spec.action_spec))
            self.kinds["announcement"] += 1

    def _rebuild_input(self, given, rebuilt):
        if given.HasField("rl_initialization_input"):
            hello = given.rl_initialization_input
            rebuilt.rl_initialization_input.seed = hello.seed
            rebuilt.rl_initialization_input.communication_version = "1.5.0"
            rebuilt.rl_initialization_input.package_version = "1.1.0"
            rebuilt.rl_initialization_input.capabilities.CopyFrom(all_capabilities())
            rebuilt.rl_initialization_input.num_areas = 1
            self.kinds["handshake"] += 1
        if given.HasField("rl_input"):
            for name, actions in given.rl_input.agent_actions.items():
                spec = self.decoders[name].spec.action_spec
                rebuilt.rl_input.agent_actions[name] = encode_actions(decode_actions(actions, spec))
                self.kinds["actions"] += 1
            self.kinds["reset" if given.rl_input.command == RESET else "step"] += 1
            rebuilt.rl_input.command = given.rl_input.command
            rebuilt.rl_input.side_channel = self._rebuild_frames(given.rl_input.side_channel)

    def _rebuild_frames(self, frames):
        rebuilt = []
        for channel_id, payload in iter_frames(frames):
            rebuild = PAYLOADS[channel_id]
            self.kinds[rebuild.__name__] += 1
            rebuilt.append(pack_frame(channel_id, rebuild(payload)))
        return b"".join(rebuilt)


def engine_setting(payload):
    channel, message = EngineConfigurationChannel(), IncomingMessage(payload)
    kinds = channel.ConfigurationType
    kind = kinds(message.read_int32())
    read = message.read_float32 if kind is kinds.TIME_SCALE else message.read_int32
    names = ("width", "height") if kind is kinds.SCREEN_RESOLUTION else (kind.name.lower(),)
    channel.set_configuration_parameters(**{name: read() for name in names})
    return channel.message_queue[0]


def parameter(payload):
    channel = EnvironmentParametersChannel()
    name, value = decode_parameter(payload)
    if not isinstance(value, ParameterSampler):
        channel.set_float_parameter(name, value)
    elif value.kind is channel.SamplerTypes.UNIFORM:
        channel.set_uniform_sampler_parameters(name, *value.arguments, value.seed)
    elif value.kind is channel.SamplerTypes.GAUSSIAN:
        channel.set_gaussian_sampler_parameters(name, *value.arguments, value.seed)
    else:
        bounds = value.arguments
        intervals = list(zip(bounds[::2], bounds[1::2], strict=True))
        channel.set_multirangeuniform_sampler_parameters(name, intervals, value.seed)
    return channel.message_queue[0]


def statistic(payload):
    channel = StatsSideChannel()
    channel.on_message_received(IncomingMessage(payload))
    ((key, ((value, aggregation),)),) = channel.stats.items()
    return encode_stat(key, value, aggregation)


def float_property(payload):
    channel = FloatPropertiesChannel()
    channel.on_message_received(IncomingMessage(payload))
    ((key, value),) = channel.get_property_dict_copy().items()
    channel.set_property(key, value)
    return channel.message_queue[0]


def analytics(payload):
    event, packed = TrainingEnvironmentInitialized(), Any()
    Any.FromString(payload).Unpack(event)
    packed.Pack(event)
    return packed.SerializeToString()


PAYLOADS = {
    EngineConfigurationChannel.CHANNEL_ID: engine_setting,
    EnvironmentParametersChannel.CHANNEL_ID: parameter,
    StatsSideChannel.CHANNEL_ID: statistic,
    FloatPropertiesChannel.CHANNEL_ID: float_property,
    DefaultTrainingAnalyticsSideChannel.CHANNEL_ID: analytics,
}


def fields(message, depth=3):
    """The fields of a message and of those within, sorted: protobuf does not say in which order a map is written."""
    if depth == 0:
        return message
    found = [
        (number, fields(message[start:end], depth - 1) if kind == BYTES else message[start:end])
        for number, kind, start, end in scan(message, 0, len(message))
    ]
    return sorted(found)


def test_each_message_is_built_again_byte_for_byte(session):
    rebuilder = Rebuilder()
    for _, message in session.messages:
        rebuilt = rebuilder.rebuild(message)
        if session.environment == "scene":  # two behaviors
            assert fields(rebuilt) == fields(message)
        else:
            assert rebuilt == message
    # The last request is answered with the order to leave. Before it come two for the handshake.
    steps = 2 * session.steps + 1
    kinds = rebuilder.kinds
    assert len(session.messages) == 2 * (1 + 1 + 2 + steps)
    assert kinds["handshake"] == 2
    assert kinds["reset"] == 2
    assert kinds["step"] == steps
    assert kinds["engine_setting"] == 5
    assert kinds["parameter"] == 5
    assert kinds["float_property"] == kinds["analytics"] == 1
    if session.environment == "scene":
        assert kinds["announcement"] == 2
        assert kinds["statistic"] == steps + 2
        assert kinds["agents"] == 2 * kinds["statistic"] - 2
        assert kinds["actions"] == 2 * steps - 2
