"""Sensors without numbers, which Unity makes when a vector sensor's size is left at 0: arrays [n, 0], everywhere."""

from __future__ import annotations

import numpy as np
import pytest

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
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.demonstrations import DemonstrationWriter, load_demonstration
from mlagents_envs.rpc.codec import brain_parameters, decoder_from_proto, encode_agents, steps_from_proto

SHAPES = [[(0,)], [(3,), (0,)], [(0,), (3,)], [(0, 5)], [(2, 0, 4)], [(4, 3), (0,)]]


def spec_of(shapes) -> BehaviorSpec:
    sensors = [
        ObservationSpec(shape, (DimensionProperty.NONE,) * len(shape), ObservationType.DEFAULT, str(number))
        for number, shape in enumerate(shapes)
    ]
    return BehaviorSpec(sensors, ActionSpec(1, ()))


def report(shapes, n: int) -> tuple[DecisionSteps, TerminalSteps]:
    ids = np.arange(n, dtype=np.int32)
    obs = [np.arange(n * np.prod(shape), dtype=np.float32).reshape(n, *shape) for shape in shapes]
    reward = ids.astype(np.float32)
    return DecisionSteps(obs, reward, ids, None), TerminalSteps(obs, reward, ids > 0, ids)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("shapes", SHAPES)
def test_they_cross_the_wire_written_by_us_and_as_unity_does(shapes, n):
    spec, steps = spec_of(shapes), report(shapes, n)
    ours = encode_agents(steps, spec.observation_specs)
    # Unity's library leaves the empty list of floats out.
    unitys = [AgentInfoProto.FromString(message).SerializeToString() for message in ours]
    for messages in (ours, unitys):
        decoder = decoder_from_proto(brain_parameters("B?team=0", spec.action_spec), messages[0], "3.0.0")
        assert [sensor.shape for sensor in decoder.spec.observation_specs] == shapes
        for _ in range(2):  # learning the layout, and by it
            assert decoder.decode(messages) == steps
        assert steps_from_proto(map(AgentInfoProto.FromString, messages), spec) == steps


@pytest.mark.parametrize("shapes", SHAPES)
def test_they_are_recorded_and_read(shapes, tmp_path):
    decisions, ends = report(shapes, 1)
    path = tmp_path / "empty.demo"
    with DemonstrationWriter(path, "B?team=0", spec_of(shapes)) as writer:
        pairs = [*writer.decisions(decisions, ActionTuple(np.array([[0.5]]))), *writer.ends(ends)]
        writer.write(pairs, 0.0, ended=True)
    (episode,) = load_demonstration(path).episodes
    assert [column.shape for column in episode.obs] == [(2, *shape) for shape in shapes]
    assert episode.action.continuous.tolist() == [[0.5]]
