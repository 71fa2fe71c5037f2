from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.observation_pb2 import ObservationProto
from mlagents_envs.exception import UnityObservationException
from mlagents_envs.rpc.codec import StepsDecoder, channels_last, decoder_from_proto, encode_agents, encode_png
from mlagents_envs.rpc_utils import PNG_HEADER, behavior_spec_from_proto, process_pixels, steps_from_proto

NONE, SPATIAL = DimensionProperty.NONE, DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
RNG = np.random.default_rng(7)


def png(pixels, mode="RGB"):
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).convert(mode).save(out, "PNG")
    return out.getvalue()


def pixels(height=5, width=4):
    return RNG.integers(0, 256, (height, width, 3), np.uint8)


def test_one_file_is_its_channels_over_255():
    image = pixels()
    decoded = process_pixels(png(image), 3)
    assert decoded.dtype == np.float32
    assert np.array_equal(decoded, image.transpose(2, 0, 1).astype(np.float32) / np.float32(255))


def test_files_back_to_back_are_more_channels_and_padding_is_dropped():
    first, second = pixels(), pixels()
    decoded = process_pixels(png(first) + png(second), 5)
    expected = np.concatenate([first, second], axis=2)[:, :, :5].transpose(2, 0, 1)
    assert np.allclose(decoded, expected / 255.0, atol=1e-7)


def test_one_channel_is_the_mean_of_the_first_file():
    first = pixels()
    decoded = process_pixels(png(first) + png(pixels()), 1)
    assert decoded.shape == (1, 5, 4)
    assert np.allclose(decoded[0], first.mean(axis=2) / 255.0, atol=1e-6)


def test_mapping_averages_drops_and_permutes():
    first, second = pixels(), pixels()
    # Channels 0 and 4 of the files make channel 1, channel 2 makes channel 0; the rest is dropped.
    decoded = process_pixels(png(first) + png(second), 2, [1, -1, 0, -1, 1, -1])
    assert np.allclose(decoded[0], first[:, :, 2] / 255.0, atol=1e-6)
    assert np.allclose(decoded[1], (first[:, :, 0] / 255.0 + second[:, :, 1] / 255.0) / 2, atol=1e-6)


@pytest.mark.parametrize("mapping", [[0, 1], [0, 2, 2], [0, 0, 0], [0, 1, 2], [-1, -1, -1], [0, 1, -2]])
def test_bad_mappings(mapping):
    with pytest.raises(UnityObservationException, match="compressed_channel_mapping"):
        process_pixels(png(pixels()), 2, mapping)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_other_modes_are_taken_as_rgb(mode):
    image = np.repeat(RNG.integers(0, 2, (5, 4, 1), np.uint8) * 255, 3, axis=2)
    assert np.array_equal(process_pixels(png(image, mode), 3) * 255, image.transpose(2, 0, 1))


GOOD = png(pixels(20, 20))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "PNG signature"),
        (b"GIF89a" + GOOD, "PNG signature"),
        (PNG_HEADER, "cut short"),
        (GOOD[:-20], "cut short"),
        (GOOD[:60] + bytes(40) + GOOD[100:], "decoded"),
        (GOOD[:16] + (2**31 - 1).to_bytes(4, "big") + GOOD[20:], "2147483647"),
        (GOOD + GOOD[:30], "cut short"),
        (GOOD + png(pixels(20, 21)), "different sizes"),
    ],
)
def test_damaged_files(data, message):
    with pytest.raises(UnityObservationException, match=message):
        process_pixels(data, 6 if data.count(PNG_HEADER) == 2 else 3)


def test_too_few_files():
    with pytest.raises(UnityObservationException, match="4 channels need 2 PNG files"):
        process_pixels(GOOD, 4)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_encoded_images_are_read_back(channels):
    image = RNG.integers(0, 256, (channels, 6, 5)).astype(np.float32) / np.float32(255)
    assert np.allclose(process_pixels(encode_png(image), channels), image, atol=1e-6)


# ---- axis order


@pytest.mark.parametrize(
    ("properties", "version", "size", "expected"),
    [
        ([2, 2, 1], "3.0.0", None, True),  # properties come first
        ([1, 2, 2], "1.9.1", None, False),
        ([2, 2, 0], None, None, True),
        ([], "1.0.8", None, True),  # then the package version
        ([], "2.3.0-exp.3", None, True),
        ([], "3.0.0-exp.1", None, False),
        ([0, 0, 0], "4.0.2", None, False),
        ([], None, (3, 5), True),  # then the size of the file: (3, 5, 8) is 3 high, 5 wide, 8 channels
        ([], None, (5, 8), False),
        ([0, 0, 0], None, None, False),
        ([], None, None, True),  # .demo files from before 1.8, which had no properties
    ],
)
def test_axis_order(properties, version, size, expected):
    data = png(pixels(*size)) if size else None
    assert channels_last((3, 5, 8), properties, version, data) is expected


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_both_axis_orders_give_channels_first(compressed, last):
    spec = ObservationSpec((3, 4, 5), (NONE, SPATIAL, SPATIAL), ObservationType.DEFAULT, "camera")
    images = RNG.integers(0, 256, (2, 3, 4, 5)).astype(np.float32) / np.float32(255)
    steps = DecisionSteps([images], np.zeros(2, np.float32), np.arange(2, dtype=np.int32), None)
    behavior = BehaviorSpec([spec], ActionSpec(1, ()))
    messages = encode_agents(
        (steps, TerminalSteps.empty(behavior)), [spec], png=[0] if compressed else (), images_channels_last=last
    )
    info = AgentInfoProto.FromString(messages[0])
    assert tuple(info.observations[0].shape) == ((4, 5, 3) if last else (3, 4, 5))
    assert list(info.observations[0].dimension_properties) == ([2, 2, 1] if last else [1, 2, 2])
    decoder = decoder_from_proto(BrainParametersProto(), messages[0], None)
    assert decoder.spec.observation_specs == [spec]
    assert behavior_spec_from_proto(BrainParametersProto(), info).observation_specs == [spec]
    decoded, _ = decoder.decode(messages)
    assert np.allclose(decoded.obs[0], images, atol=1e-6)
    infos = [AgentInfoProto.FromString(message) for message in messages]
    assert np.array_equal(steps_from_proto(infos, decoder.spec)[0].obs[0], decoded.obs[0])


def test_cubes_are_transposed_where_the_properties_say_so():
    image = RNG.random((1, 3, 3, 3), np.float32)
    proto = ObservationProto(shape=[3, 3, 3], dimension_properties=[2, 2, 1])
    proto.float_data.data.extend(image.ravel().tolist())
    message = AgentInfoProto(observations=[proto]).SerializeToString()
    decoded, _ = decoder_from_proto(BrainParametersProto(), message, None).decode([message])
    assert np.array_equal(decoded.obs[0], image.transpose(0, 3, 1, 2))


def test_png_bomb():
    data = PNG_HEADER + bytes(8) + (8000).to_bytes(4, "big") * 2 + bytes(40)
    proto = ObservationProto(shape=[3, 8000, 8000], compression_type=1, compressed_data=data)
    message = AgentInfoProto(observations=[proto]).SerializeToString()
    with pytest.raises(UnityObservationException, match=r"64 bytes that claims to have \(8000, 8000\) pixels"):
        decoder_from_proto(BrainParametersProto(), message, None).decode([message] * 1000)


def test_png_of_another_size_than_the_spec():
    spec = BehaviorSpec(
        [ObservationSpec((3, 20, 20), (NONE, SPATIAL, SPATIAL), ObservationType.DEFAULT, "camera")], ActionSpec(1, ())
    )
    proto = ObservationProto(shape=[3, 20, 20], compression_type=1, compressed_data=png(pixels(20, 21)))
    with pytest.raises(UnityObservationException, match=r"\(20, 21\); expected \(20, 20\)"):
        StepsDecoder(spec, [False]).decode([AgentInfoProto(observations=[proto]).SerializeToString()])
