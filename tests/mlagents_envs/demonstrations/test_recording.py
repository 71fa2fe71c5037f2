"""The bytes of `.demo` files: Unity's, and damaged ones."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto
from mlagents_envs.demonstrations import (
    DemonstrationError,
    DemonstrationPathError,
    Recording,
    load_demonstration,
    read_recording,
)

UNITY_FILES = ("Expert3DBall", "ExpertBasic", "ExpertPyramid")


def small_recording(rewards=(0.0, 0.5, 1.0), version: int = 1) -> Recording:
    """Pairs of one number and one action each; the last ends the episode."""
    meta = DemonstrationMetaProto(
        api_version=version, demonstration_name="Small", number_steps=len(rewards), number_episodes=2, mean_reward=0.75
    )
    brain = BrainParametersProto(brain_name="Small?team=0")
    brain.action_spec.num_continuous_actions = 1
    pairs = []
    for step, reward in enumerate(rewards):
        pair = AgentInfoActionPairProto()
        pair.agent_info.reward = reward
        pair.agent_info.done = step == len(rewards) - 1
        observation = pair.agent_info.observations.add(shape=[1])
        observation.float_data.data.append(step)
        pair.action_info.continuous_actions.append(0.25 * step)
        pairs.append(pair)
    return Recording(meta, bytes(32 - meta.ByteSize()), brain, pairs, meta.SerializeToString())


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", UNITY_FILES)
def test_unitys_files_are_read_to_the_last_byte_and_written_alike(shared_data, name):
    path = shared_data / "demos" / f"{name}.demo"
    recording = read_recording(path)
    assert recording.meta.demonstration_name == name
    assert len(recording.pairs) == recording.meta.number_steps
    assert recording.tail == b""
    assert recording.serialize() == path.read_bytes()


@given(rewards=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=5), tail=st.binary(max_size=8))
def test_what_is_written_is_read_again(tmp_path_factory, rewards, tail):
    recording = small_recording(rewards)
    recording.tail = tail
    path = write(tmp_path_factory.mktemp("demo") / "any.demo", recording.serialize())
    again = read_recording(path)
    assert again == recording
    assert again.serialize() == recording.serialize()


def test_the_behavior_stands_at_byte_33(tmp_path):
    data = small_recording().serialize()
    brain = small_recording().brain.SerializeToString()
    assert data[0] == small_recording().meta.ByteSize()
    assert data[33] == len(brain)
    assert data[34 : 34 + len(brain)] == brain


def test_a_recording_that_was_killed_is_read_as_far_as_it_goes(tmp_path):
    recording = small_recording()
    recording.meta = DemonstrationMetaProto()
    recording.padding, recording.tail = bytes(32), b""
    data = recording.serialize()
    assert len(read_recording(write(tmp_path / "whole.demo", data)).pairs) == 3
    cut = read_recording(write(tmp_path / "cut.demo", data[:-2]))
    assert len(cut.pairs) == 2
    assert cut.serialize() == data[:-2]


@pytest.mark.parametrize("length", [5, 33, 40, -70, -75])
def test_a_file_that_is_cut_short_is_named_with_the_place(tmp_path, length):
    recording = small_recording()
    recording.tail = b""
    path = write(tmp_path / "cut.demo", recording.serialize()[:length])
    with pytest.raises(DemonstrationError, match=r"cut\.demo: at byte \d+ there should be .* damaged"):
        read_recording(path)


def test_the_place_of_damage_is_right(tmp_path):
    data = small_recording().serialize()
    first_pair = 34 + data[33]
    broken = bytearray(data)
    broken[first_pair + 1] = 0x07  # a field of a kind that does not exist
    path = write(tmp_path / "broken.demo", bytes(broken))
    with pytest.raises(DemonstrationError, match=f"at byte {first_pair + 1} there should be pair 0 of 3"):
        read_recording(path)


def test_other_versions_are_refused(tmp_path):
    assert read_recording(write(tmp_path / "old.demo", small_recording(version=0).serialize())).meta.api_version == 0
    path = write(tmp_path / "new.demo", small_recording(version=2).serialize())
    with pytest.raises(DemonstrationError, match=r"new\.demo: the file has version 2; known are 0 and 1"):
        read_recording(path)


def test_paths(tmp_path):
    with pytest.raises(DemonstrationPathError, match=r"walk\.txt: expected a file whose name ends in \.demo"):
        read_recording(tmp_path / "walk.txt")
    with pytest.raises(ValueError, match="ends in"):  # as programs expect it
        read_recording(tmp_path / "walk.txt")
    with pytest.raises(FileNotFoundError):
        read_recording(tmp_path / "walk.demo")


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_any_damage_is_reported_as_such(tmp_path_factory, place, value):
    """One byte is wrong: the file is read, or refused; nothing else is raised."""
    data = bytearray(small_recording().serialize())
    data[place % len(data)] = value
    path = write(tmp_path_factory.mktemp("demo") / "damaged.demo", bytes(data))
    with suppress(DemonstrationError):
        read_recording(path)


@pytest.mark.parametrize(("more", "whole"), [(None, 2), (-1, 2), (0, 2), (1, 2), (2, 1)])
def test_what_is_whole_of_a_file_that_is_cut_short_is_read_and_that_is_said(tmp_path, more, whole):
    """Missing: one byte; all of the last pair but a byte; all of it; its length, too; and a byte of the one before."""
    recording = small_recording()
    recording.tail = b""
    missing = 1 if more is None else recording.pairs[2].ByteSize() + more
    path = write(tmp_path / "cut.demo", recording.serialize()[:-missing])
    cut = read_recording(path)
    assert (len(cut.pairs), cut.is_cut) == (whole, True)
    assert cut.pairs == recording.pairs[:whole]
    if whole == 2:
        note = load_demonstration(path, "same").notes[0]
        assert "cut short; 2 of 3 pairs are whole and used" in note
    else:
        with pytest.raises(DemonstrationError, match=r"cut\.demo: the file has 1 pairs"):
            load_demonstration(path)


def test_a_finished_file_is_not_cut_short(tmp_path):
    assert not read_recording(write(tmp_path / "whole.demo", small_recording().serialize())).is_cut


def test_a_length_that_cannot_be_is_damage_and_not_an_early_end(tmp_path):
    """Of 30 pairs the third claims to take two million bytes."""
    recording = small_recording(rewards=(0.0,) * 30)
    recording.tail = b""
    data = bytearray(recording.serialize())
    sizes = [pair.ByteSize() for pair in recording.pairs]
    third = len(data) - sum(1 + size for size in sizes[2:])
    assert data[third] == sizes[2]
    data[third : third + 3] = b"\xff\xff\x7f"
    path = write(tmp_path / "odd.demo", bytes(data))
    with pytest.raises(DemonstrationError, match=rf"odd\.demo: at byte {third} there should be pair 2 of 30"):
        read_recording(path)


def test_an_empty_file(tmp_path):
    with pytest.raises(DemonstrationError, match=r"none\.demo: the file is empty"):
        read_recording(write(tmp_path / "none.demo", b""))


def test_recordings_of_early_2019_have_no_pairs(tmp_path):
    """`AgentInfoProto` stands where pairs are now: vectors in field 1, actions in 4, then reward, id."""
    recording = small_recording()
    info = b"\x0a\x08" + bytes(8) + b"\x22\x04" + bytes(4) + b"\x3d" + bytes(4) + b"\x50\x05"
    head = recording.serialize()[: 34 + recording.brain.ByteSize()]
    path = write(tmp_path / "old.demo", head + 3 * (bytes([len(info)]) + info))
    message = r"old\.demo: recorded by an older version of the toolkit \(2019\), which wrote no pairs .*\[1, 4, 7, 10\]"
    with pytest.raises(DemonstrationError, match=message):
        read_recording(path)
