"""Which action belongs to which observation: made-up worlds where it is known, and Unity's recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.communicator_objects.agent_action_pb2 import AgentActionProto
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto
from mlagents_envs.demonstrations import (
    DemonstrationWriter,
    Recording,
    load_demonstration,
    read_recording,
    save_demonstration,
)
from mlagents_envs.demonstrations.pairing import find_pairing, held_out_losses
from mlagents_envs.demonstrations.pairs import decode_pairs

PUSHES = (-0.5, 0.0, 0.5)
OF_2019 = (
    "Expert3DBall",
    "ExpertBasic",
    "ExpertBouncer",
    "ExpertCrawlerSta",
    "ExpertPyramid",
    "ExpertReacher",
    "ExpertTennis",
)


def cart(steps: int, *, discrete: bool, noise: float = 0.3, seed: int = 0) -> Recording:
    """A cart that is pushed towards 0, as Unity would record it, each action beside the observation that it answers.

    It sees its position and velocity, so the velocity tells the push before. Every 50 steps an episode ends.
    """
    rng = np.random.default_rng(seed)
    brain = BrainParametersProto(brain_name="Cart?team=0")
    if discrete:
        brain.action_spec.num_discrete_actions = 1
        brain.action_spec.discrete_branch_sizes.append(3)
    else:
        brain.action_spec.num_continuous_actions = 1
    pairs = []
    position = velocity = 0.0
    for step in range(steps):
        pair = AgentInfoActionPairProto()
        pair.agent_info.done = step % 50 == 49
        pair.agent_info.observations.add(shape=[2]).float_data.data.extend([position, velocity])
        wanted = -0.2 * position - 0.3 * velocity + noise * rng.standard_normal()
        choice = int(np.abs(np.subtract(PUSHES, wanted)).argmin())
        push = PUSHES[choice] if discrete else wanted
        if discrete:
            pair.action_info.discrete_actions.append(choice)
        else:
            pair.action_info.continuous_actions.append(push)
        pairs.append(pair)
        velocity = 0.9 * velocity + push
        position += velocity
        if pair.agent_info.done:
            position, velocity = rng.standard_normal(2)
    meta = DemonstrationMetaProto(api_version=1, demonstration_name="Cart", number_steps=steps)
    return Recording(meta, bytes(32 - meta.ByteSize()), brain, pairs, b"")


def one_later(recording: Recording, *, discrete: bool) -> Recording:
    """The same play as Unity's recorder writes it since 2020: beside an observation stands what was done before."""
    last_action = AgentActionProto(**({"discrete_actions": [0]} if discrete else {"continuous_actions": [0.0]}))
    pairs = []
    for pair in recording.pairs:
        moved = AgentInfoActionPairProto(agent_info=pair.agent_info, action_info=last_action)
        last_action = pair.action_info
        pairs.append(moved)
    return Recording(recording.meta, recording.padding, recording.brain, pairs, recording.tail)


def write(recording: Recording, path):
    path.write_bytes(recording.serialize())
    return path


def assert_same_play(one, other) -> None:
    assert len(one.episodes) == len(other.episodes)
    for left, right in zip(one.episodes, other.episodes, strict=True):
        np.testing.assert_array_equal(left.action.continuous, right.action.continuous)
        np.testing.assert_array_equal(left.action.discrete, right.action.discrete)
        np.testing.assert_array_equal(left.reward, right.reward)
        for a, b in zip(left.obs, right.obs, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_known_world_tells(tmp_path, discrete, seed):
    same = cart(600, discrete=discrete, seed=seed)
    after = one_later(same, discrete=discrete)
    one = load_demonstration(write(same, tmp_path / "same.demo"))
    other = load_demonstration(write(after, tmp_path / "next.demo"))
    assert (
        "that of the same pair (same): so held-out actions are predicted better; held-out losses: same" in one.notes[0]
    )
    assert "that of the next pair (next): so held-out actions are predicted better" in other.notes[0]
    assert_same_play(one, other)


def test_losses_are_shares_of_the_variance_that_is_left(tmp_path):
    """The push is velocity' - 0.9 velocity, so from both sides it is known; from the observation alone it is not."""
    recording = cart(600, discrete=False)
    losses = held_out_losses(decode_pairs(recording, tmp_path))
    assert losses is not None
    assert losses.same < 0.01
    assert 0.3 < losses.next < 1.1
    assert losses.better == "same"


def test_what_is_asked_for_is_taken(tmp_path):
    path = write(one_later(cart(100, discrete=False), discrete=False), tmp_path / "cart.demo")
    as_it_is, moved = (load_demonstration(path, pairing) for pairing in ("same", "next"))
    assert "(same): as was asked for." in as_it_is.notes[0]
    first, second = as_it_is.episodes[0].action.continuous, moved.episodes[0].action.continuous
    assert first[0] == 0.0
    np.testing.assert_array_equal(first[1:], second[:-1])


def test_masks_stay_with_their_observation(tmp_path):
    recording = one_later(cart(3, discrete=True), discrete=True)
    recording.pairs[1].agent_info.action_mask.extend([False, True, False])
    (episode,) = load_demonstration(write(recording, tmp_path / "cart.demo"), "next").episodes
    assert episode.action_mask is not None
    np.testing.assert_array_equal(episode.action_mask[0], [[False] * 3, [False, True, False]])
    np.testing.assert_array_equal(
        episode.action.discrete[:, 0], [pair.action_info.discrete_actions[0] for pair in recording.pairs[1:]]
    )


def test_masks_tell(tmp_path):
    """Whoever was pushed must not be pushed the same way at once: too few for a model, but enough for masks."""
    recording = cart(6, discrete=True)
    before = None
    for step, pair in enumerate(recording.pairs):
        pair.action_info.discrete_actions[0] = step % 2
        pair.agent_info.action_mask.extend([choice == before for choice in range(3)])
        before = step % 2
    late = one_later(recording, discrete=True)
    found = find_pairing(late, decode_pairs(late, tmp_path))
    assert (found.pairing, found.is_certain) == ("next", True)
    assert found.reason == "so masks forbid no choice, and else 5"
    for pair in recording.pairs[:-1]:
        pair.agent_info.ClearField("action_mask")
        pair.agent_info.action_mask.extend([choice != pair.action_info.discrete_actions[0] for choice in range(3)])
    assert find_pairing(recording, decode_pairs(recording, tmp_path)).reason == "so masks forbid no choice, and else 5"
    assert find_pairing(recording, decode_pairs(recording, tmp_path)).pairing == "same"


def test_our_files_say_it_and_that_counts(tmp_path):
    """Even if the actions look as if they were one step late."""
    late = write(one_later(cart(600, discrete=False), discrete=False), tmp_path / "late.demo")
    save_demonstration(load_demonstration(late, "same"), tmp_path / "ours.demo")
    assert read_recording(tmp_path / "ours.demo").stated_pairing == "same"
    again = load_demonstration(tmp_path / "ours.demo")
    assert "(same): as the file states." in again.notes[0]
    assert_same_play(load_demonstration(late, "same"), again)


def test_our_files_of_before_they_said_it(tmp_path):
    """Nobody else writes actions in both forms."""
    recording = cart(20, discrete=False)
    for pair in recording.pairs:
        pair.action_info.vector_actions_deprecated.extend(pair.action_info.continuous_actions)
    found = find_pairing(recording, decode_pairs(recording, tmp_path))
    assert (found.pairing, found.is_certain) == ("same", True)
    assert "in both forms" in found.reason


@pytest.mark.parametrize(("discrete", "expected"), [(True, "next"), (False, "same")])
def test_a_short_file_is_taken_as_unity_writes_now(tmp_path, discrete, expected):
    """Except that a first action that is not zero cannot be the one before the first observation."""
    recording = cart(12, discrete=discrete)
    found = find_pairing(recording, decode_pairs(recording, tmp_path))
    assert (found.pairing, found.is_certain) == (expected, False)
    assert "too few different actions to compare" in found.reason


def test_an_action_where_one_is_missing(tmp_path):
    recording = cart(60, discrete=False)
    recording.pairs[5].action_info.Clear()
    with pytest.raises(Exception, match=r"cart\.demo: pair 5 has no action, though its agent had to decide"):
        load_demonstration(write(recording, tmp_path / "cart.demo"))


@pytest.mark.parametrize("name", ["ExpertPush", "ExpertHallway"])
def test_experts_that_repeat_their_actions(tmp_path, name):
    """Rays tell little, and what comes later tells of repeated actions: still none is taken for the other kind."""
    path = Path(__file__).resolve().parents[3] / "demos" / f"{name}.demo"
    recording = read_recording(path)
    losses = held_out_losses(decode_pairs(recording, path))
    assert losses is not None
    assert losses.same < 0.95 * losses.next
    assert losses.better in ("same", None)
    late = one_later(recording, discrete=True)
    late.brain.DiscardUnknownFields()
    for pair in late.pairs:
        pair.action_info.ClearField("vector_actions_deprecated")
    moved = load_demonstration(write(late, tmp_path / "late.demo"))
    assert "(next)" in moved.notes[0]
    assert_same_play(load_demonstration(path), moved)


@pytest.mark.parametrize("name", OF_2019)
def test_unitys_recordings_of_2019(shared_data, tmp_path, name):
    """Their form shows it: the last pair has no action. Put into the form of 2020 they are found to be of that kind."""
    path = shared_data / "demos" / f"{name}.demo"
    original = load_demonstration(path)
    assert "(same): its last pair has no action" in original.notes[0]
    recording = read_recording(path)
    is_discrete = bool(original.spec.action_spec.discrete_size)
    zeros = [0.0] * sum((original.spec.action_spec.continuous_size, original.spec.action_spec.discrete_size))
    late = one_later(recording, discrete=is_discrete)
    late.pairs[0].action_info.CopyFrom(AgentActionProto(vector_actions_deprecated=zeros))
    late.brain = BrainParametersProto(
        brain_name=recording.brain.brain_name,
        vector_action_size_deprecated=recording.brain.vector_action_size_deprecated,
        vector_action_space_type_deprecated=recording.brain.vector_action_space_type_deprecated,
    )
    moved = load_demonstration(write(late, tmp_path / f"{name}.demo"))
    assert "(next)" in moved.notes[0]
    assert_same_play(original, moved)


def test_unitys_recording_of_2020(shared_data):
    """After the first decision, sideways and standing before, the collector moves as its action says."""
    demonstration = load_demonstration(shared_data / "demos" / "ExpertFood.demo")
    assert "(next): so held-out actions are predicted better; held-out losses: same 0.8" in demonstration.notes[0]
    first = demonstration.episodes[0]
    np.testing.assert_array_equal(first.action.discrete[0], [1, 2, 1, 0])
    assert len(first) == 1001


def test_the_statement_is_nothing_that_unity_reads(tmp_path):
    """Without it the file's behavior is byte for byte what it was."""
    recording = cart(3, discrete=False)
    demonstration = load_demonstration(write(recording, tmp_path / "cart.demo"), "same")
    with DemonstrationWriter(tmp_path / "ours.demo", demonstration.behavior, demonstration.spec) as writer:
        writer.write_episode(demonstration.episodes[0], is_last=True)
    brain = read_recording(tmp_path / "ours.demo").brain
    known = BrainParametersProto()
    known.CopyFrom(brain)
    known.DiscardUnknownFields()
    assert brain.SerializeToString() == known.SerializeToString() + b"\xc2\x3e\x04same"  # field 1000, four bytes
    assert isinstance(demonstration.episodes[0].action, ActionTuple)
