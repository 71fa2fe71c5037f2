"""What is wrong in a pair is said with the file and the pair."""

from __future__ import annotations

import math

import pytest

from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto
from mlagents_envs.demonstrations import DemonstrationError, Recording, load_demonstration


def hybrid(pairs: int = 6) -> Recording:
    """A vector of two numbers; one continuous action and a choice of three."""
    brain = BrainParametersProto(brain_name="Hybrid?team=0")
    brain.action_spec.num_continuous_actions = 1
    brain.action_spec.num_discrete_actions = 1
    brain.action_spec.discrete_branch_sizes.append(3)
    made = []
    for step in range(pairs):
        pair = AgentInfoActionPairProto()
        pair.agent_info.observations.add(shape=[2]).float_data.data.extend([step, 0.0])
        pair.action_info.continuous_actions.append(0.5)
        pair.action_info.discrete_actions.append(step % 3)
        made.append(pair)
    meta = DemonstrationMetaProto(api_version=1, demonstration_name="Hybrid", number_steps=pairs)
    return Recording(meta, bytes(32 - meta.ByteSize()), brain, made, b"")


def load(recording: Recording, tmp_path):
    path = tmp_path / "bad.demo"
    path.write_bytes(recording.serialize())
    return load_demonstration(path)


def test_a_good_one(tmp_path):
    assert load(hybrid(), tmp_path).decisions == 5


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda pair: pair.agent_info.observations[0].float_data.data.__setitem__(1, math.nan), "pair 3: .*NaN"),
        (lambda pair: setattr(pair.agent_info, "reward", math.inf), "pair 3: The reward .*infinite"),
        (lambda pair: pair.agent_info.observations[0].float_data.data.append(1.0), "pair 3: .* has 3 numbers"),
        (lambda pair: pair.agent_info.observations.add(shape=[1]), "pair 3: .* sent 2 observations"),
        (
            lambda pair: pair.action_info.continuous_actions.__setitem__(0, math.nan),
            "pair 3: action 0 is nan; expected a number",
        ),
        (
            lambda pair: pair.action_info.continuous_actions.append(0.0),
            "pair 3 has 2 continuous and 1 discrete actions, but the behavior in the file's header has 1 and 1",
        ),
        (
            lambda pair: pair.action_info.discrete_actions.__setitem__(0, 3),
            "pair 3: the choice in branch 0 is 3; expected 0 to 2",
        ),
    ],
)
def test_one_pair_is_wrong(tmp_path, damage, message):
    recording = hybrid()
    damage(recording.pairs[3])
    with pytest.raises(DemonstrationError, match=rf"bad\.demo: {message}"):
        load(recording, tmp_path)


def test_actions_of_packages_before_17_are_counted_together(tmp_path):
    recording = hybrid()
    recording.brain = BrainParametersProto(brain_name="Old", vector_action_size_deprecated=[3])
    for pair in recording.pairs:
        pair.action_info.Clear()
        pair.action_info.vector_actions_deprecated.append(1)
    assert load(recording, tmp_path).spec.action_spec.discrete_branches == (3,)
    recording.pairs[4].action_info.vector_actions_deprecated.append(2)
    with pytest.raises(DemonstrationError, match=r"pair 4 has 2 actions, but the behavior in the file's header has 1"):
        load(recording, tmp_path)
    del recording.pairs[4].action_info.vector_actions_deprecated[:]
    recording.pairs[4].action_info.vector_actions_deprecated.append(1.5)
    with pytest.raises(DemonstrationError, match=r"pair 4: the choice in branch 0 is 1\.5"):
        load(recording, tmp_path)


def test_images_that_are_no_numbers(tmp_path):
    recording = hybrid()
    for pair in recording.pairs:
        image = pair.agent_info.observations.add(shape=[1, 2, 2], dimension_properties=[1, 2, 2])
        image.float_data.data.extend([0.5] * 4)
    assert load(recording, tmp_path).spec.observation_shapes == [(2,), (1, 2, 2)]
    recording.pairs[2].agent_info.observations[1].float_data.data[3] = math.nan
    with pytest.raises(DemonstrationError, match=r"bad\.demo: pair 2: the image '' has NaN or infinite values"):
        load(recording, tmp_path)


def test_nothing_to_imitate(tmp_path):
    recording = hybrid()
    recording.brain = BrainParametersProto(brain_name="Passive?team=0")
    with pytest.raises(DemonstrationError, match=r"bad\.demo: its behavior has no actions"):
        load(recording, tmp_path)


def test_no_pair_has_an_action(tmp_path):
    recording = hybrid()
    for pair in recording.pairs:
        pair.action_info.Clear()
    with pytest.raises(DemonstrationError, match=r"bad\.demo: pair \d has no action"):
        load(recording, tmp_path)


def test_nothing_was_observed(tmp_path):
    recording = hybrid()
    for pair in recording.pairs:
        del pair.agent_info.observations[:]
    with pytest.raises(DemonstrationError, match=r"bad\.demo: pair 0 has no observations"):
        load(recording, tmp_path)


def test_observations_in_the_form_of_early_2019(tmp_path):
    """Then field 1 of AgentInfoProto held all vectors."""
    recording = hybrid()
    for pair in recording.pairs:
        data = b"\x0a\x08" + bytes(8) + b"\x50\x07"  # field 1, eight bytes; field 10, the id
        pair.agent_info.ParseFromString(data)
    with pytest.raises(DemonstrationError, match=r"bad\.demo: recorded by an older version of the toolkit \(2019\)"):
        load(recording, tmp_path)


def test_only_ends(tmp_path):
    recording = hybrid()
    for pair in recording.pairs:
        pair.agent_info.done = True
    with pytest.raises(DemonstrationError, match=r"all of its 6 pairs are ends of episodes"):
        load(recording, tmp_path)
