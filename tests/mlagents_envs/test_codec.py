"""The codec against the protobuf classes: what one side writes field by field, the other reads in batches."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mlagents_envs.communicator_objects
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
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto
from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.communicator_objects.observation_pb2 import ObservationProto
from mlagents_envs.communicator_objects.space_type_pb2 import continuous, discrete
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.communicator_objects.unity_rl_input_pb2 import UnityRLInputProto
from mlagents_envs.exception import UnityActionException, UnityNotFiniteException, UnityObservationException
from mlagents_envs.rpc.agent_layout import layout_of, list_entries
from mlagents_envs.rpc.codec import (
    StepsDecoder,
    behavior_spec_from_proto,
    brain_parameters,
    decode_actions,
    decoder_from_proto,
    encode_actions,
    encode_agents,
    steps_from_proto,
)
from mlagents_envs.rpc.wire import scan, varint

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
INT32 = st.integers(-(2**31), 2**31 - 1)
VECTOR = ObservationSpec((3,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "vector")
BUFFER = ObservationSpec(
    (2, 2),
    (DimensionProperty.VARIABLE_SIZE, DimensionProperty.NONE),
    ObservationType.GOAL_SIGNAL,
    "buffer",
)
IMAGE = ObservationSpec(
    (2, 3, 4),
    (
        DimensionProperty.NONE,
        DimensionProperty.TRANSLATIONAL_EQUIVARIANCE,
        DimensionProperty.TRANSLATIONAL_EQUIVARIANCE,
    ),
    ObservationType.DEFAULT,
    "image",
)
SPEC = BehaviorSpec([VECTOR, BUFFER, IMAGE], ActionSpec(1, (3, 2)))


@st.composite
def agent_info_strategy(draw):
    """An agent as any Unity could send it, field by field."""
    info = AgentInfoProto(
        reward=draw(st.just(0.0) | FLOATS),
        done=draw(st.booleans()),
        max_step_reached=draw(st.booleans()),
        id=draw(st.integers(0, 300) | INT32),
        group_id=draw(st.just(0) | INT32),
        group_reward=draw(st.just(0.0) | FLOATS),
        action_mask=draw(st.just([]) | st.lists(st.booleans(), min_size=5, max_size=5) | st.lists(st.booleans())),
    )
    for sensor in SPEC.observation_specs:
        proto = info.observations.add(
            shape=sensor.shape,
            dimension_properties=[int(flags) for flags in sensor.dimension_property],
            observation_type=sensor.observation_type.name,
            name=sensor.name,
        )
        count = int(np.prod(sensor.shape))
        proto.float_data.data.extend(draw(st.lists(FLOATS, min_size=count, max_size=count)))
    return info


def expected_columns(infos, done):
    """What the facts say about a list of agents, one value at a time."""
    rows = [info for info in infos if info.done == done]
    masks = [list(info.action_mask) if len(info.action_mask) == 5 else [False] * 5 for info in rows]
    return {
        "agent_id": [info.id for info in rows],
        "reward": [info.reward for info in rows],
        "group_id": [info.group_id for info in rows],
        "group_reward": [info.group_reward for info in rows],
        "interrupted": [info.max_step_reached for info in rows],
        "masks": ([mask[:3] for mask in masks], [mask[3:] for mask in masks]),
        "obs": [
            np.array([info.observations[k].float_data.data for info in rows], np.float32).reshape(-1, *sensor.shape)
            for k, sensor in enumerate(SPEC.observation_specs)
        ],
    }


def check_steps(steps, infos):
    for batch, done in zip(steps, (False, True), strict=True):
        expected = expected_columns(infos, done)
        for name in ("agent_id", "reward", "group_id", "group_reward"):
            column = getattr(batch, name)
            assert column.dtype == (np.int32 if name.endswith("id") else np.float32)
            assert column.tolist() == expected[name]
        for column, other in zip(batch.obs, expected["obs"], strict=True):
            assert column.dtype == np.float32
            assert column.shape == other.shape
            assert np.array_equal(column, other)
        if done:
            assert batch.interrupted.dtype == np.bool_
            assert batch.interrupted.tolist() == expected["interrupted"]
        elif len(batch):
            assert [mask.tolist() for mask in batch.action_mask] == list(expected["masks"])
            assert all(mask.dtype == np.bool_ for mask in batch.action_mask)
        else:
            assert batch.action_mask is None


@given(st.lists(st.lists(agent_info_strategy(), max_size=6), max_size=3))
@settings(max_examples=40)
def test_batches_are_read_as_the_protobuf_classes_write_them(messages):
    decoder = StepsDecoder(SPEC, [False] * 3)
    for infos in messages:  # one decoder: later messages are read by layouts learned from earlier ones
        check_steps(decoder.decode([info.SerializeToString() for info in infos]), infos)
        check_steps(steps_from_proto(infos, SPEC), infos)


def test_a_list_with_fields_that_we_do_not_know_teaches_nothing_about_the_next():
    spec = BehaviorSpec(
        [ObservationSpec((1,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "")], SPEC.action_spec
    )
    agents = [AgentInfoProto(id=number, observations=[ObservationProto(shape=[1])]) for number in (1, 2, 3)]
    for agent in agents:
        agent.observations[0].float_data.data.append(0.5)
    entry = EnvelopeProto.ListAgentInfo(value=[agents[2].SerializeToString()]).SerializeToString()
    unknown = bytes([7 << 3 | 2]) + entry[1:]  # the third agent as field 7, which no version has
    known = EnvelopeProto.ListAgentInfo(value=[agent.SerializeToString() for agent in agents])
    lists = EnvelopeProto.ListAgentInfo(value=known.value[:2]).SerializeToString() + unknown, known.SerializeToString()
    assert len(lists[0]) == len(lists[1])
    decoder = StepsDecoder(spec, [False])
    for data, ids in zip(lists, ([1, 2], [1, 2, 3]), strict=True):
        assert decoder.decode_list(EnvelopeProto.ListAgentInfo.FromString(data))[0].agent_id.tolist() == ids


@given(agent_info_strategy())
@settings(max_examples=30)
def test_usual_messages_have_a_layout(info):
    layout = layout_of(info.SerializeToString())
    assert layout is not None
    rows = np.frombuffer(list_entries([info.SerializeToString()] * 3), np.uint8).reshape(3, -1)
    assert layout.fits_all(rows)
    assert layout.fits(rows).all()
    rows = rows.copy()
    rows[1, 0] ^= 1
    assert not layout.fits_all(rows)
    assert layout.fits(rows).tolist() == [True, False, True]


@pytest.mark.parametrize(
    "addition",
    [
        bytes([99 << 3 & 0x7F | 0x80, 99 << 3 >> 7, 5]),  # unknown field 99, varint 5
        bytes([7 << 3 | 5, 0, 0, 0x80, 0x3F]),  # reward once more: the last one counts
        bytes([11 << 3, 1]) * 5,  # mask, unpacked
        b"\x40\x80\x01",  # done = 128, which is true
    ],
)
def test_unusual_messages_are_read_by_protobuf(addition):
    message = AgentInfoProto(reward=2.0, id=4, observations=[ObservationProto(shape=[1])])
    message.observations[0].float_data.data.append(0.5)
    data = message.SerializeToString() + addition
    spec = BehaviorSpec(
        [ObservationSpec((1,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "")], SPEC.action_spec
    )
    info = AgentInfoProto.FromString(data)
    decision_steps, terminal_steps = StepsDecoder(spec, [False]).decode([data])
    batch = terminal_steps if info.done else decision_steps
    assert batch.reward.tolist() == [info.reward]
    assert batch.obs[0].tolist() == [[0.5]]
    if info.action_mask:
        assert decision_steps.action_mask[0].tolist() == [[True] * 3]


def test_wide_observations_take_the_same_way():
    # Most bytes are numbers here, so that layouts compare picked columns.
    spec = BehaviorSpec(
        [ObservationSpec((500,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "w")], ActionSpec(1, ())
    )
    rng = np.random.default_rng(0)
    steps = DecisionSteps(
        [rng.normal(size=(40, 500)).astype(np.float32)],
        rng.normal(size=40).astype(np.float32),
        np.arange(100, 140, dtype=np.int32),
        None,
    )
    messages = encode_agents((steps, TerminalSteps.empty(spec)), spec.observation_specs)
    decoded, _ = StepsDecoder(spec, [False]).decode(messages)
    assert np.array_equal(decoded.obs[0], steps.obs[0])
    assert np.array_equal(decoded.agent_id, steps.agent_id)


@given(
    n=st.integers(0, 5),
    ended=st.integers(0, 3),
    last=st.booleans(),
    seed=st.integers(0, 100),
)
@settings(max_examples=50)
def test_steps_round_trip(n, ended, last, seed):
    rng = np.random.default_rng(seed)

    def columns(count):
        return [rng.normal(size=(count, *s.shape)).astype(np.float32) for s in SPEC.observation_specs]

    group_id = rng.integers(0, 3, n).astype(np.int32)
    masks = [rng.random((n, size)) < 0.5 for size in (3, 2)]
    decision_steps = DecisionSteps(
        columns(n),
        rng.normal(size=n).astype(np.float32),
        rng.integers(0, 2**31 - 1, n).astype(np.int32),
        masks,
        group_id,
        np.where(group_id > 0, 0.25, 0.0).astype(np.float32),
    )
    terminal_steps = TerminalSteps(
        columns(ended),
        rng.normal(size=ended).astype(np.float32),
        rng.random(ended) < 0.5,
        np.arange(ended, dtype=np.int32),
    )
    messages = encode_agents((decision_steps, terminal_steps), SPEC.observation_specs, images_channels_last=last)
    infos = [AgentInfoProto.FromString(message) for message in messages]
    assert [info.done for info in infos] == [True] * ended + [False] * n
    assert all(tuple(info.observations[2].shape) == ((3, 4, 2) if last else (2, 3, 4)) for info in infos)
    decoded = StepsDecoder(SPEC, [False, False, last]).decode(messages)
    for ours, theirs in zip((decision_steps, terminal_steps), decoded, strict=True):
        for name in ("reward", "agent_id", "group_id", "group_reward"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name))
        assert all(map(np.array_equal, ours.obs, theirs.obs))
    assert np.array_equal(decoded[1].interrupted, terminal_steps.interrupted)
    if n:
        assert all(map(np.array_equal, decoded[0].action_mask, masks))


def test_a_terminal_and_a_decision_of_one_agent():
    infos = [AgentInfoProto(id=7, done=True, reward=1.0), AgentInfoProto(id=7, reward=0.5)]
    spec = BehaviorSpec([], ActionSpec(1, ()))
    for decision_steps, terminal_steps in (
        steps_from_proto(infos, spec),
        StepsDecoder(spec, []).decode([info.SerializeToString() for info in infos]),
    ):
        assert (decision_steps.agent_id.tolist(), decision_steps.reward.tolist()) == ([7], [0.5])
        assert (terminal_steps.agent_id.tolist(), terminal_steps.reward.tolist()) == ([7], [1.0])


def numbered(**fields):
    info = AgentInfoProto(**fields)
    proto = info.observations.add(shape=[3], name="vector")
    proto.float_data.data.extend([info.id, info.reward, 1.0])
    return info


@pytest.mark.parametrize(
    "first",
    [
        [numbered(id=i, reward=i) for i in range(1, 6)],  # one layout
        [numbered(id=i, reward=1.0) for i in range(6)],  # agent 0 does not send its id
        [numbered(id=3, reward=1.0, done=True, max_step_reached=True)] + [numbered(id=i) for i in range(1, 6)],
        [numbered(id=i, reward=i % 2) for i in range(1, 9)],  # more runs than are remembered
    ],
)
def test_lists_like_an_earlier_one_are_read_without_learning(first):
    spec = BehaviorSpec([VECTOR], ActionSpec(1, ()))
    decoder, agents = StepsDecoder(spec, [False]), EnvelopeProto.ListAgentInfo
    decoder.decode([info.SerializeToString() for info in first])
    runs = sum(map(len, decoder._sequences.values()))
    assert runs <= 3
    later = [AgentInfoProto.FromString(info.SerializeToString()) for info in first]
    for info in later:
        info.reward *= 2
        info.observations[0].float_data.data[2] = 7.0
    data = agents(value=[info.SerializeToString() for info in later])
    assert bool(decoder._by_sequence(data.SerializeToString())) == bool(runs)
    for ours, theirs in zip(decoder.decode_list(data), steps_from_proto(later, spec), strict=True):
        for name in ("agent_id", "reward", "group_id", "group_reward"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name))
            assert getattr(ours, name).flags.writeable
        assert np.array_equal(ours.obs[0], theirs.obs[0])
        assert ours.obs[0].flags.writeable
        assert ours.obs[0].flags.c_contiguous


def test_an_agent_that_moves_its_bytes_to_the_next_is_no_list_like_the_earlier_one():
    """Lists of one length whose agents have other lengths: the numbers stand elsewhere."""
    spec = BehaviorSpec([VECTOR], ActionSpec(1, ()))
    decoder = StepsDecoder(spec, [False])
    ids = ([1, 300, 1], [300, 1, 1], [1, 1, 300])
    for order in (*ids, *ids):
        infos = [numbered(id=i) for i in order]
        steps, _ = decoder.decode([info.SerializeToString() for info in infos])
        assert steps.agent_id.tolist() == order
        assert steps.obs[0][:, 0].tolist() == order


def test_many_layouts_are_forgotten_not_hoarded():
    spec = BehaviorSpec([VECTOR], ActionSpec(1, ()))
    decoder = StepsDecoder(spec, [False])
    for size in range(200):  # the name, which nobody reads, makes each message another layout
        proto = ObservationProto(shape=[3], name="x" * size)
        proto.float_data.data.extend([size, 1.0, 2.0])
        steps, _ = decoder.decode([AgentInfoProto(observations=[proto]).SerializeToString()])
        assert steps.obs[0].tolist() == [[size, 1.0, 2.0]]
    assert sum(map(len, decoder._layouts.values())) <= 64
    assert len(decoder._sequences) <= 64


def recorded(file):
    """The brain parameters and the serialized agent infos of a .demo file."""
    data = file.read_bytes()
    messages, offset = [], 33
    steps = DemonstrationMetaProto.FromString(data[1 : 1 + data[0]]).number_steps
    while len(messages) <= steps:
        size, shift = 0, 0
        while True:
            size |= (data[offset] & 0x7F) << shift
            offset, shift = offset + 1, shift + 7
            if data[offset - 1] < 0x80:
                break
        messages.append(data[offset : offset + size])
        offset += size
    infos = [AgentInfoActionPairProto.FromString(pair).agent_info for pair in messages[1:]]
    return BrainParametersProto.FromString(messages[0]), [info.SerializeToString() for info in infos]


@pytest.mark.parametrize(
    ("name", "shapes", "action_spec"),
    [
        ("Expert3DBall", [(8,)], ActionSpec(2, ())),
        ("ExpertBasic", [(20,)], ActionSpec(0, (3,))),
        ("ExpertPyramid", [(172,)], ActionSpec(0, (5,))),
    ],
)
def test_what_unity_recorded(shared_data, name, shapes, action_spec):
    brain, messages = recorded(shared_data / "demos" / f"{name}.demo")
    decoder = decoder_from_proto(brain, messages[0], None)
    assert decoder.spec.observation_shapes == shapes
    assert decoder.spec.action_spec == action_spec
    one_by_one = steps_from_proto([AgentInfoProto.FromString(message) for message in messages], decoder.spec)
    for batch, other in zip(decoder.decode(messages), one_by_one, strict=True):
        assert len(batch) == len(other)
        assert np.array_equal(batch.reward, other.reward)
        assert all(map(np.array_equal, batch.obs, other.obs))
    assert sum(map(len, decoder.decode(messages))) == len(messages)
    assert decoder._has_layouts


# ---- faults


def one_agent(floats, shape=None):
    proto = ObservationProto(shape=shape or [len(floats)])
    proto.float_data.data.extend(floats)
    return AgentInfoProto(id=3, observations=[proto])


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (AgentInfoProto(id=3), "Agent 3 sent 0 observations; its behavior has 1: \\['vector'\\]"),
        (one_agent([1.0, 2.0]), "'vector' of agent 3 has 2 numbers; its shape \\(3,\\) needs 3"),
        (one_agent([1.0, 2.0, 3.0, 4.0]), "has 4 numbers"),
        (AgentInfoProto(id=3, observations=[ObservationProto(shape=[3], compressed_data=b"x")]), "0 numbers"),
        (AgentInfoProto(id=3, observations=[ObservationProto(shape=[3], compression_type=1)]), "compression type 1"),
    ],
)
def test_observations_that_do_not_fit(info, message):
    spec = BehaviorSpec([VECTOR], ActionSpec(1, ()))
    with pytest.raises(UnityObservationException, match=message):
        steps_from_proto([info], spec)
    with pytest.raises(UnityObservationException, match=message):
        StepsDecoder(spec, [False]).decode([info.SerializeToString()])


def test_wrong_image_shape():
    spec = BehaviorSpec([IMAGE], ActionSpec(1, ()))
    info = one_agent([0.0] * 24, [2, 4, 3])
    with pytest.raises(UnityObservationException, match=r"has shape \(2, 4, 3\); expected \(2, 3, 4\)"):
        StepsDecoder(spec, [False]).decode([info.SerializeToString()])


def test_one_bad_agent_among_good_ones():
    spec = BehaviorSpec([VECTOR], ActionSpec(1, ()))
    decoder = StepsDecoder(spec, [False])
    good = one_agent([1.0, 2.0, 3.0]).SerializeToString()
    decoder.decode([good])
    for bad in (good[:-1], good[:4] + b"\xff" + good[5:], one_agent([1.0] * 9).SerializeToString(), b""):
        with pytest.raises(UnityObservationException):
            decoder.decode([good, bad, good])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_numbers_name_agent_and_place(value):
    spec = BehaviorSpec([VECTOR], ActionSpec(1, ()))
    decoder = StepsDecoder(spec, [False])
    for info, place in (
        (one_agent([1.0, value, 2.0]), rf"observation 0 'vector' of agent 3 is NaN or infinite: {value} at \[1\]\. "),
        (one_agent([1.0, 2.0, 3.0]), rf"reward of agent 3 is NaN or infinite: {value}\. "),
    ):
        if place.startswith("reward"):
            info.reward = value
        with pytest.raises(UnityNotFiniteException, match=place):
            decoder.decode([info.SerializeToString()])
        with pytest.raises(RuntimeError, match="NaN or infinite"):
            steps_from_proto([info], spec)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite_numbers_are_handed_on_where_another_looks_at_them(value):
    decoder = StepsDecoder(BehaviorSpec([VECTOR], ActionSpec(1, ())), [False], check_finite=False)
    for numbers in ([1.0, value, 2.0], [1.0, 2.0, 3.0], [value, 2.0, 3.0]):
        info = one_agent(numbers)
        info.reward = value
        decision, _ = decoder.decode([info.SerializeToString()])
        np.testing.assert_array_equal(decision.obs[0], np.float32([numbers]))
        np.testing.assert_array_equal(decision.reward, np.float32([value]))


def test_huge_claims_allocate_nothing():
    info = one_agent([1.0], [30000, 8000])
    with pytest.raises(UnityObservationException, match="1 numbers"):
        decoder_from_proto(BrainParametersProto(), info.SerializeToString(), None).decode([info.SerializeToString()])
    with pytest.raises(UnityObservationException, match="impossible shape"):
        behavior_spec_from_proto(BrainParametersProto(), one_agent([1.0], [2**31 - 1, 2**31 - 1]))


# ---- specs


@given(
    size=st.integers(0, 9),
    branches=st.lists(st.integers(1, 20), max_size=4),
    legacy=st.booleans(),
)
def test_specs_round_trip(size, branches, legacy):
    action_spec = ActionSpec(size, tuple(branches))
    brain = brain_parameters("B?team=0", action_spec, legacy=legacy)
    info = AgentInfoProto()
    for sensor in SPEC.observation_specs:
        info.observations.add(
            shape=sensor.shape,
            dimension_properties=[int(flags) for flags in sensor.dimension_property],
            observation_type=sensor.observation_type.name,
            name=sensor.name,
        )
    assert behavior_spec_from_proto(brain, info) == BehaviorSpec(SPEC.observation_specs, action_spec)
    brain.ClearField("action_spec")  # as packages up to 1.6 send it
    if legacy and not (size and branches):
        assert behavior_spec_from_proto(brain, info).action_spec == action_spec


def test_legacy_action_specs():
    brain = BrainParametersProto(vector_action_size_deprecated=[4], vector_action_space_type_deprecated=continuous)
    assert behavior_spec_from_proto(brain, AgentInfoProto()).action_spec == ActionSpec(4, ())
    brain = BrainParametersProto(vector_action_size_deprecated=[3, 2], vector_action_space_type_deprecated=discrete)
    assert behavior_spec_from_proto(brain, AgentInfoProto()).action_spec == ActionSpec(0, (3, 2))
    assert behavior_spec_from_proto(BrainParametersProto(), AgentInfoProto()).action_spec == ActionSpec(0, ())
    brain.vector_action_size_deprecated[0] = -3
    with pytest.raises(UnityActionException, match=r"branches \(-3, 2\)"):
        behavior_spec_from_proto(brain, AgentInfoProto())


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (ObservationProto(shape=[]), "impossible shape"),
        (ObservationProto(shape=[-1]), "impossible shape"),
        (ObservationProto(shape=[3], dimension_properties=[1, 1]), "one per axis"),
        (ObservationProto(shape=[3], dimension_properties=[8]), "VARIABLE_SIZE"),
    ],
)
def test_impossible_observations(proto, message):
    with pytest.raises(UnityObservationException, match=message):
        behavior_spec_from_proto(BrainParametersProto(), AgentInfoProto(observations=[proto]))


def test_missing_properties_are_unspecified():
    spec = behavior_spec_from_proto(
        BrainParametersProto(), AgentInfoProto(observations=[ObservationProto(shape=[4, 2])])
    )
    unspecified = DimensionProperty.UNSPECIFIED
    assert spec.observation_specs == [ObservationSpec((4, 2), (unspecified,) * 2, ObservationType.DEFAULT, "")]


# ---- actions


@given(st.data(), st.integers(0, 4), st.integers(0, 3), st.integers(0, 3), st.sampled_from([2, 127, 2**31 - 1]))
def test_actions_are_written_three_times(data, n, size, branches, largest):
    actions = ActionTuple(
        data.draw(hnp.arrays(np.float32, (n, size), elements=FLOATS)),
        data.draw(hnp.arrays(np.int32, (n, branches), elements=st.integers(0, largest))),
    )
    encoded = encode_actions(actions)
    entries = UnityRLInputProto.ListAgentActionProto.FromString(encoded).value
    assert len(entries) == n
    for row, entry in enumerate(entries):
        ours, theirs = actions.continuous[row], actions.discrete[row]
        assert list(entry.continuous_actions) == ours.tolist()
        assert list(entry.discrete_actions) == theirs.tolist()
        assert list(entry.vector_actions_deprecated) == [*ours.tolist(), *theirs.astype(np.float32).tolist()]
    decoded = decode_actions(encoded, ActionSpec(size, (largest + 1,) * branches))
    assert np.array_equal(decoded.continuous, actions.continuous)
    assert np.array_equal(decoded.discrete, actions.discrete)


def test_legacy_actions_are_split_by_the_spec():
    entries = UnityRLInputProto.ListAgentActionProto()
    entries.value.add(vector_actions_deprecated=[0.5, 2.0, 1.0])
    actions = decode_actions(entries.SerializeToString(), ActionSpec(1, (3, 2)))
    assert (actions.continuous.tolist(), actions.discrete.tolist()) == ([[0.5]], [[2, 1]])


@pytest.mark.parametrize("legacy", [[0.5, np.nan, 1.0], [0.5, 1e30, 1.0], [0.5, 2.0]])
def test_actions_that_do_not_fit(legacy):
    entries = UnityRLInputProto.ListAgentActionProto()
    entries.value.add(vector_actions_deprecated=legacy)
    with pytest.raises(UnityActionException):
        decode_actions(entries.SerializeToString(), ActionSpec(1, (3, 2)))


def test_damaged_actions():
    with pytest.raises(UnityActionException, match="not a ListAgentActionProto"):
        decode_actions(b"\x0a\xff", ActionSpec(1, ()))


# ---- the wire itself


def test_every_proto_has_its_module():
    folder = Path(mlagents_envs.communicator_objects.__file__).parent
    names = sorted(path.stem for path in (folder / "protos").glob("*.proto"))
    assert len(names) == 22
    for name in names:
        module = importlib.import_module(f"mlagents_envs.communicator_objects.{name}_pb2")
        assert module.DESCRIPTOR.name == f"mlagents_envs/communicator_objects/{name}.proto"


@given(st.integers(-(2**63), 2**63 - 1))
def test_varints_are_protobufs(value):
    # Field 1 of HeaderProto is an int32: compare through a scan of an int64-wide varint.
    assert list(scan(b"\x08" + varint(value), 0, 1 + len(varint(value)))) == [(1, 0, 1, 1 + len(varint(value)))]
    if -(2**31) <= value < 2**31:
        assert AgentInfoProto(id=value).SerializeToString() == (b"\x50" + varint(value) if value else b"")


@given(st.binary(max_size=60))
def test_scanning_anything_ends(data):
    try:
        fields = list(scan(data, 0, len(data)))
    except ValueError:
        return
    assert all(0 < start <= end <= len(data) for _, _, start, end in fields)


def test_envelopes_are_the_same_bytes_as_messages():
    message = UnityMessageProto(header={"status": 200, "message": "m"})
    message.unity_output.rl_output.agentInfos["B?team=1"].value.add(id=4, reward=1.0)
    message.unity_output.rl_output.side_channel = b"abc"
    message.unity_output.rl_initialization_output.name = "n"
    message.unity_input.rl_input.agent_actions["B?team=1"].value.add(discrete_actions=[1])
    message.unity_input.rl_input.command = 1
    message.unity_input.rl_initialization_input.seed = 5
    data = message.SerializeToString()
    envelope = EnvelopeProto.FromString(data)
    assert (
        envelope.unity_output.rl_output.agentInfos["B?team=1"].value[0]
        == AgentInfoProto(id=4, reward=1.0).SerializeToString()
    )
    assert UnityMessageProto.FromString(envelope.SerializeToString()) == message
