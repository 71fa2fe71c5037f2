"""Damaged messages, through everything between the socket and the user: only our exceptions come out."""

from __future__ import annotations

import contextlib
import logging
import random
import uuid

import numpy as np
import psutil
import pytest

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.communicator import Communicator
from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.communicator_objects.unity_output_pb2 import UnityOutputProto
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.exception import UnityException
from mlagents_envs.rpc.client import all_capabilities
from mlagents_envs.rpc.codec import brain_parameters, decode_actions, encode_actions, encode_agents
from mlagents_envs.rpc_communicator import parse_message
from mlagents_envs.side_channel.environment_parameters_channel import (
    EnvironmentParametersChannel,
    decode_parameter,
)
from mlagents_envs.side_channel.float_properties_channel import FloatPropertiesChannel
from mlagents_envs.side_channel.framing import iter_frames, pack_frame
from mlagents_envs.side_channel.raw_bytes_channel import RawBytesChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel, encode_stat

RAW_ID = uuid.UUID("621f0a70-4f87-11ea-a6bf-784f4387d1f7")
NAME = "B?team=0"
AXES = (DimensionProperty.NONE, *[DimensionProperty.TRANSLATIONAL_EQUIVARIANCE] * 2)
SPEC = BehaviorSpec(
    [
        ObservationSpec((4,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "vector"),
        ObservationSpec((3, 6, 5), AXES, ObservationType.DEFAULT, "image"),
    ],
    ActionSpec(1, (3, 2)),
)


class Replay(Communicator):
    """Receives what the test says."""

    def initialize(self, inputs, poll_callback=None):
        return parse_message(UnityOutputProto, self.data)

    def exchange_envelope(self, inputs, poll_callback=None):
        return parse_message(EnvelopeProto.Output, self.data)

    def close(self):
        pass


def valid_outputs():
    """Serialized `UnityOutputProto`: a handshake, and reports of vectors and of images."""
    hello = UnityOutputProto()
    initialization = hello.rl_initialization_output
    initialization.communication_version, initialization.package_version = "1.5.0", "2.0.1"
    initialization.capabilities.CopyFrom(all_capabilities())
    outputs = [hello.SerializeToString()]
    for png in (None, [1]):
        specs = SPEC.observation_specs[: 1 if png is None else 2]
        output = EnvelopeProto.Output()
        output.rl_initialization_output.brain_parameters.append(
            brain_parameters(NAME, SPEC.action_spec, legacy=png is None)
        )
        obs = [np.full((3, *spec.shape), 0.5, np.float32) for spec in specs]
        masks = [np.eye(3, size, dtype=bool) for size in (3, 2)]
        ids = np.array([1, 200, 3], np.int32)
        reward = np.array([0.0, 1.0, 2.0], np.float32)
        steps = DecisionSteps(obs, reward, ids, masks, ids % 2, reward)
        ended = TerminalSteps([column[:1] for column in obs], reward[:1], np.ones(1, bool), ids[:1])
        output.rl_output.agentInfos[NAME].value.extend(encode_agents((steps, ended), specs, png=png or ()))
        stat = encode_stat("s", 1.0, StatsAggregationMethod.SUM)
        output.rl_output.side_channel = (
            pack_frame(StatsSideChannel.CHANNEL_ID, stat)
            + pack_frame(RAW_ID, b"raw")
            + pack_frame(uuid.UUID(int=0), b"")
        )
        outputs.append(output.SerializeToString())
    return outputs


def mutate(data, rng):
    """A few random edits of the kinds that reach deep into a parser."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if not data:
            break
        place = rng.randrange(len(data))
        match rng.randrange(6):
            case 0:
                data[place] ^= 1 << rng.randrange(8)
            case 1:
                data[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 2:
                del data[place : place + rng.choice([1, 1, 2, 5, 20])]
            case 3:
                data[place:place] = rng.randbytes(rng.choice([1, 1, 2, 9]))
            case 4:
                del data[place:]
            case 5:
                other = rng.randrange(len(data))
                data[place:place] = data[other : other + rng.randrange(1, 30)]
    return bytes(data)


def mutate_report(data, rng):
    """Damages the message anywhere, or one agent's part in it, which then gets past the outer parser."""
    if rng.random() < 0.5:
        return mutate(data, rng)
    output = EnvelopeProto.Output.FromString(data)
    agents = output.rl_output.agentInfos[NAME].value
    row = rng.randrange(len(agents))
    agents[row] = mutate(agents[row], rng)
    return output.SerializeToString()


def environment():
    channels = [StatsSideChannel(), RawBytesChannel(RAW_ID), FloatPropertiesChannel()]
    return UnityEnvironment(side_channels=channels)


def fuzz_messages(count, seed, monkeypatch):
    rng = random.Random(seed)
    communicator = Replay()
    monkeypatch.setattr(UnityEnvironment, "_get_communicator", staticmethod(lambda *_: communicator))
    hello, *reports = valid_outputs()
    survived = 0
    env = None
    for number in range(count):
        if number % 20 == 0:
            if env is not None:
                env.close()
            communicator.data = hello
            env = environment()
            report = rng.choice(reports)
        communicator.data = report
        env.reset()  # what is valid works, whatever came before
        assert len(env.get_steps(NAME)[0]) == 3
        announced = dict(env.behavior_specs)
        with contextlib.suppress(UnityException):
            communicator.data = mutate_report(report, rng)
            env.step()
            survived += 1
        if dict(env.behavior_specs) != announced:  # damage that reads as a valid announcement holds from then on
            env.close()
            communicator.data = hello
            env = environment()
        with contextlib.suppress(UnityException):
            communicator.data = mutate(hello, rng)
            environment().close()
    env.close()
    return survived


def fuzz_side_channels(count, seed):
    rng = random.Random(seed)
    parameters = EnvironmentParametersChannel()
    parameters.set_float_parameter("mass", 1.0)
    parameters.set_uniform_sampler_parameters("u", 0.0, 1.0, 3)
    parameters.set_multirangeuniform_sampler_parameters("m", [(0, 1), (2, 3)], 4)
    floats = FloatPropertiesChannel()
    floats.set_property("f", 1.0)
    frames = SideChannelManager([parameters, floats]).generate_side_channel_messages()
    frames += pack_frame(StatsSideChannel.CHANNEL_ID, encode_stat("s", 1.0, StatsAggregationMethod.AVERAGE))
    manager = SideChannelManager([StatsSideChannel(), FloatPropertiesChannel(), RawBytesChannel(RAW_ID)])
    actions = encode_actions(SPEC.action_spec.random_action(3))
    for _ in range(count):
        data = mutate(frames, rng)
        with contextlib.suppress(UnityException):
            manager.process_side_channel_message(data)
        with contextlib.suppress(UnityException):
            for _, payload in iter_frames(data):
                with contextlib.suppress(UnityException):
                    decode_parameter(payload)
        with contextlib.suppress(UnityException):
            decode_actions(mutate(actions, rng), SPEC.action_spec)


@pytest.fixture(autouse=True)
def silent():
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def test_damaged_messages(monkeypatch):
    survived = fuzz_messages(1500, 1, monkeypatch)
    assert 0 < survived < 1500


def test_damaged_side_channels_and_actions():
    fuzz_side_channels(1500, 2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_damaged_messages(monkeypatch):
    before = psutil.Process().memory_info().rss
    fuzz_messages(100_000, 3, monkeypatch)
    fuzz_side_channels(100_000, 4)
    assert psutil.Process().memory_info().rss - before < 300e6
