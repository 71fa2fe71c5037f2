from __future__ import annotations

import contextlib
import logging
import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlagents_envs.communicator_objects.training_analytics_pb2 import TrainingEnvironmentInitialized
from mlagents_envs.exception import (
    UnityCommunicationException,
    UnityEnvironmentException,
    UnityException,
    UnitySideChannelException,
)
from mlagents_envs.side_channel import (
    DefaultTrainingAnalyticsSideChannel,
    IncomingMessage,
    OutgoingMessage,
    SideChannel,
)
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfig, EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import (
    EnvironmentParametersChannel,
    ParameterSampler,
    decode_parameter,
)
from mlagents_envs.side_channel.float_properties_channel import FloatPropertiesChannel
from mlagents_envs.side_channel.framing import iter_frames, pack_frame
from mlagents_envs.side_channel.raw_bytes_channel import RawBytesChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_envs.side_channel.stats_side_channel import (
    StatsAggregationMethod,
    StatsSideChannel,
    encode_stat,
)

CHAT_ID = uuid.UUID("621f0a70-4f87-11ea-a6bf-784f4387d1f7")
SAMPLERS = EnvironmentParametersChannel.SamplerTypes


class Chat(SideChannel):
    """A channel as users write it."""

    def __init__(self):
        super().__init__(CHAT_ID)
        self.heard = []

    def on_message_received(self, msg):
        self.heard.append(msg.read_string())

    def say(self, text):
        msg = OutgoingMessage()
        msg.write_string(text)
        super().queue_message_to_send(msg)


def queued_hex(channel):
    return [payload.hex() for payload in channel.message_queue]


# ---- bytes observed on the wire of the original package


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (EngineConfigurationChannel(), "2c3451e97e4fea11b238784f4387d1f7"),
        (EnvironmentParametersChannel(), "1e894c530f81ea11a9d0822485860400"),
        (FloatPropertiesChannel(), "d0f7cc607e4fea11b238784f4387d1f7"),
        (StatsSideChannel(), "b7f7d8a1c8cef950b78bd3e165a78520"),
        (DefaultTrainingAnalyticsSideChannel(), "a9a464b66fd85f5a95cbe8353a7e8356"),
    ],
)
def test_uuid_bytes(channel, expected):
    assert pack_frame(channel.channel_id, b"").hex() == expected + "00000000"


def test_engine_configuration_payloads():
    channel = EngineConfigurationChannel()
    channel.set_configuration(EngineConfig(84, 64, 5, 20.0, -1, 60))
    assert queued_hex(channel) == [
        "000000005400000040000000",
        "0100000005000000",
        "020000000000a041",
        "03000000ffffffff",
        "040000003c000000",
    ]


def test_environment_parameter_payloads():
    channel = EnvironmentParametersChannel()
    channel.set_float_parameter("mass", 1.5)
    channel.set_uniform_sampler_parameters("u", 0.5, 2.0, 7)
    channel.set_gaussian_sampler_parameters("g", 1.0, 0.5, 8)
    channel.set_multirangeuniform_sampler_parameters("m", [(1, 2), (3, 4)], 9)
    assert queued_hex(channel) == [
        "040000006d617373000000000000c03f",
        "01000000750100000007000000000000000000003f00000040",
        "01000000670100000008000000010000000000803f0000003f",
        "010000006d010000000900000002000000040000000000803f000000400000404000008040",
    ]
    assert [decode_parameter(bytes(payload)) for payload in channel.message_queue] == [
        ("mass", 1.5),
        ("u", ParameterSampler(SAMPLERS.UNIFORM, 7, (0.5, 2.0))),
        ("g", ParameterSampler(SAMPLERS.GAUSSIAN, 8, (1.0, 0.5))),
        ("m", ParameterSampler(SAMPLERS.MULTIRANGEUNIFORM, 9, (1.0, 2.0, 3.0, 4.0))),
    ]


def test_analytics_payload_is_a_packed_message():
    channel = DefaultTrainingAnalyticsSideChannel()
    channel.environment_initialized()
    (payload,) = channel.message_queue
    url = b"type.googleapis.com/communicator_objects.TrainingEnvironmentInitialized"
    # google.protobuf.Any: field 1 the type URL, field 2 the message.
    assert payload.startswith(b"\x0a" + bytes([len(url)]) + url + b"\x12")
    event = TrainingEnvironmentInitialized.FromString(bytes(payload[2 + len(url) + 2 :]))
    assert (event.mlagents_version, event.torch_version, event.num_envs) == ("Custom", "Unknown", 0)


# ---- messages


def test_message_primitives_in_order():
    message = OutgoingMessage()
    message.write_bool(True)
    message.write_int32(-2)
    message.write_float32(0.5)
    message.write_string("ab")
    message.write_float32_list([1.0, -1.0])
    assert message.buffer.hex() == "01feffffff0000003f020000006162020000000000803f000080bf"
    read = IncomingMessage(bytes(message.buffer))
    assert (read.read_bool(), read.read_int32(), read.read_float32()) == (True, -2, 0.5)
    assert (read.read_string(), read.read_float32_list()) == ("ab", [1.0, -1.0])
    assert read.get_raw_bytes() == message.buffer
    assert (read.read_bool(), read.read_int32(), read.read_float32(), read.read_string()) == (
        False,
        0,
        0.0,
        "",
    )
    assert read.read_float32_list() == []
    assert read.read_float32_list([3.0]) == [3.0]
    assert read.read_string("none") == "none"


def test_values_that_do_not_fit():
    message = OutgoingMessage()
    with pytest.raises(UnitySideChannelException, match="side channel"):
        message.write_int32(2**31)
    with pytest.raises(UnitySideChannelException, match="side channel"):
        message.write_float32(1e39)
    with pytest.raises(UnicodeEncodeError):
        message.write_string("Kugel ä")
    assert not message.buffer


def test_set_raw_bytes_replaces_with_a_warning(caplog):
    message = OutgoingMessage()
    message.write_int32(1)
    message.set_raw_bytes(b"xyz")
    assert message.buffer == b"xyz"
    assert "replaces 4 bytes" in caplog.text


@pytest.mark.parametrize(
    ("payload", "read"),
    [
        (b"\x01\x02", "read_int32"),
        (b"\x01\x02\x03", "read_float32"),
        (b"\x05\x00\x00\x00abc", "read_string"),
        (b"\xff\xff\xff\xff", "read_string"),
        (b"\x02\x00\x00\x00\xff\xfe", "read_string"),
        (b"\xff\xff\xff\x7f\x00\x00\x00\x00", "read_float32_list"),
        (b"\x01\x00\x00\x00\x00", "read_float32_list"),
    ],
)
def test_cut_values_are_reported_with_their_offset(payload, read):
    with pytest.raises(UnitySideChannelException, match="offset"):
        getattr(IncomingMessage(payload), read)()


# ---- frames and routing

frames_strategy = st.lists(st.tuples(st.uuids(), st.binary(max_size=40)), max_size=6)


@given(frames_strategy)
def test_frames_round_trip(frames):
    assert list(iter_frames(b"".join(pack_frame(*frame) for frame in frames))) == frames


@given(frames_strategy.filter(bool), st.data())
def test_cut_frames_are_an_error(frames, data):
    joined = b"".join(pack_frame(*frame) for frame in frames)
    last = len(pack_frame(*frames[-1]))
    cut = data.draw(st.integers(1, last - 1))
    with pytest.raises(UnityEnvironmentException, match="offset"):
        list(iter_frames(joined[:-cut]))


def test_cut_frame_names_channel_and_offset():
    whole = pack_frame(CHAT_ID, b"whole")
    with pytest.raises(UnityEnvironmentException, match=f"{CHAT_ID} at offset {len(whole)}.*9 bytes.*8 are left"):
        list(iter_frames(whole + pack_frame(CHAT_ID, b"truncated")[:-1]))
    with pytest.raises(UnityEnvironmentException, match="-5 bytes"):
        list(iter_frames(CHAT_ID.bytes_le + struct.pack("<i", -5)))


def test_user_channel_both_ways():
    ours, theirs = Chat(), Chat()
    ours.say("one")
    ours.say("two")
    manager = SideChannelManager([EngineConfigurationChannel(), ours])
    sent = manager.generate_side_channel_messages()
    assert manager.generate_side_channel_messages() == b""
    SideChannelManager([theirs]).process_side_channel_message(sent)
    assert theirs.heard == ["one", "two"]


def test_frames_leave_in_the_order_of_registration():
    chat, floats = Chat(), FloatPropertiesChannel()
    chat.say("a")
    floats.set_property("p", 1.0)
    chat.say("b")
    frames = list(iter_frames(SideChannelManager([floats, chat]).generate_side_channel_messages()))
    assert [frame[0] for frame in frames] == [floats.channel_id, CHAT_ID, CHAT_ID]


def test_unknown_channel_is_skipped_and_named_once(caplog):
    chat = Chat()
    other = uuid.uuid4()
    heard = OutgoingMessage()
    heard.write_string("hello")
    data = pack_frame(other, b"?") + pack_frame(CHAT_ID, heard.buffer) + pack_frame(other, b"!")
    manager = SideChannelManager([chat])
    with caplog.at_level(logging.WARNING):
        manager.process_side_channel_message(data)
        manager.process_side_channel_message(data)
    assert chat.heard == ["hello", "hello"]
    assert caplog.text.count(str(other)) == 1


def test_two_channels_with_one_id():
    with pytest.raises(UnityEnvironmentException, match="Chat and a RawBytesChannel"):
        SideChannelManager([Chat(), RawBytesChannel(CHAT_ID)])


# ---- the ready-made channels


@pytest.mark.parametrize(
    "channel_type",
    [EngineConfigurationChannel, EnvironmentParametersChannel, DefaultTrainingAnalyticsSideChannel],
)
def test_send_only_channels(channel_type):
    channel = channel_type()
    with pytest.raises(UnityCommunicationException, match=channel_type.__name__):
        SideChannelManager([channel]).process_side_channel_message(pack_frame(channel.channel_id, b"x"))


def test_engine_configuration_leaves_none_alone():
    channel = EngineConfigurationChannel()
    channel.set_configuration_parameters(time_scale=1.0)
    assert queued_hex(channel) == ["020000000000803f"]
    with pytest.raises(UnitySideChannelException, match="height=None"):
        channel.set_configuration_parameters(width=80)
    assert EngineConfig.default_config() == (80, 80, 1, 20.0, -1, 60)


def test_float_properties():
    one, other = FloatPropertiesChannel(), FloatPropertiesChannel()
    one.set_property("gravity", -9.5)
    sent = SideChannelManager([one]).generate_side_channel_messages()
    SideChannelManager([other]).process_side_channel_message(sent)
    assert other.get_property("gravity") == -9.5
    assert other.get_property("mass") is None
    assert other.list_properties() == ["gravity"]
    copy = other.get_property_dict_copy()
    copy["gravity"] = 0.0
    assert other.get_property("gravity") == -9.5
    assert FloatPropertiesChannel(CHAT_ID).channel_id == CHAT_ID


def test_raw_bytes():
    channel = RawBytesChannel(CHAT_ID)
    channel.send_raw_data(b"\x00\xff")
    manager = SideChannelManager([channel])
    manager.process_side_channel_message(manager.generate_side_channel_messages())
    assert channel.get_and_clear_received_messages() == [b"\x00\xff"]
    assert channel.get_and_clear_received_messages() == []


def test_stats():
    channel = StatsSideChannel()
    manager = SideChannelManager([channel])
    for value in (1.0, 2.5):
        payload = encode_stat("score", value, StatsAggregationMethod.MOST_RECENT)
        manager.process_side_channel_message(pack_frame(channel.channel_id, payload))
    recent = StatsAggregationMethod.MOST_RECENT
    assert channel.get_and_reset_stats() == {"score": [(1.0, recent), (2.5, recent)]}
    assert channel.get_and_reset_stats() == {}
    with pytest.raises(UnitySideChannelException, match="'score' has aggregation 9"):
        channel.on_message_received(IncomingMessage(payload[:-4] + b"\x09\x00\x00\x00"))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"\x01\x00\x00\x00x" + struct.pack("<i", 5), "'x' has data type 5"),
        (b"\x01\x00\x00\x00x", "data type -1"),
        (b"\x01\x00\x00\x00x" + struct.pack("<iii", 1, 0, 3), "type 3.*MULTIRANGEUNIFORM"),
        (b"\x01\x00\x00\x00x" + struct.pack("<iiiif", 1, 0, 2, 1, 0.5), "pairs"),
    ],
)
def test_undecodable_parameters(payload, message):
    with pytest.raises(UnitySideChannelException, match=message):
        decode_parameter(payload)


def test_intervals_are_pairs():
    with pytest.raises(UnitySideChannelException, match="min, max"):
        EnvironmentParametersChannel().set_multirangeuniform_sampler_parameters("m", [(1.0, 2.0, 3.0)], 0)


@given(st.binary(max_size=80))
def test_any_payload_raises_only_our_exceptions(payload):
    for channel in (StatsSideChannel(), FloatPropertiesChannel(), RawBytesChannel(CHAT_ID)):
        with contextlib.suppress(UnityException):
            channel.on_message_received(IncomingMessage(payload))
    with contextlib.suppress(UnityException):
        decode_parameter(payload)
