"""Files are whole, or not there."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec, DecisionSteps, ObservationSpec
from mlagents_envs.base_env import DimensionProperty as Axis
from mlagents_envs.base_env import ObservationType as Kind
from mlagents_envs.demonstrations import (
    DemonstrationPathError,
    DemonstrationWriter,
    load_demonstration,
    read_recording,
)

SPEC = BehaviorSpec([ObservationSpec((1,), (Axis.NONE,), Kind.DEFAULT, "")], ActionSpec(2, ()))
STEPS = DecisionSteps([np.ones((1, 1), np.float32)], np.ones(1, np.float32), np.array([7], np.int32), None)
ACTION = ActionTuple(np.array([[0.5, -0.5]], np.float32))


def test_every_generation_of_readers_finds_the_actions(tmp_path):
    with DemonstrationWriter(tmp_path / "new.demo", "Roller?team=0", SPEC) as writer:
        writer.write(writer.decisions(STEPS, ACTION), 1.0, ended=False)
    recording = read_recording(tmp_path / "new.demo")
    (pair,) = recording.pairs
    assert list(pair.action_info.vector_actions_deprecated) == [0.5, -0.5]
    assert list(pair.action_info.continuous_actions) == [0.5, -0.5]
    assert pair.agent_info.id == 7
    assert recording.brain.brain_name == "Roller?team=0"
    assert not recording.brain.is_training
    assert list(recording.brain.vector_action_size_deprecated) == [2]
    assert recording.brain.action_spec.num_continuous_actions == 2
    assert recording.tail == recording.meta.SerializeToString()
    assert recording.meta.api_version == 1


def test_after_an_error_the_file_holds_what_was_written(tmp_path):
    def fail():
        with DemonstrationWriter(tmp_path / "some.demo", "Roller?team=0", SPEC) as writer:
            writer.write(writer.decisions(STEPS, ACTION), 1.0, ended=False)
            raise RuntimeError("the player left")

    with pytest.raises(RuntimeError, match="left"):
        fail()
    assert len(read_recording(tmp_path / "some.demo").pairs) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["some.demo"]


def test_until_it_is_closed_the_earlier_file_stays(tmp_path):
    path = tmp_path / "game.demo"
    path.write_bytes(b"earlier")
    writer = DemonstrationWriter(path, "Roller?team=0", SPEC)
    writer.write(writer.decisions(STEPS, ACTION), 1.0, ended=False)
    assert path.read_bytes() == b"earlier"
    writer.close()
    writer.close()
    assert len(read_recording(path).pairs) == 1


@pytest.mark.parametrize(
    ("stem", "name"),
    [("Expert_3D-Ball 2", "Expert3D-Ball 2"), ("a" * 40, "a" * 16), ("äöü", "")],
)
def test_names_are_cut_as_unity_cuts_them(tmp_path, stem, name):
    with DemonstrationWriter(tmp_path / f"{stem}.demo", "Roller?team=0", SPEC) as writer:
        writer.write(writer.decisions(STEPS, ACTION), 1.0, ended=False)
    assert read_recording(tmp_path / f"{stem}.demo").meta.demonstration_name == name


def test_the_meta_data_always_fit_their_place(tmp_path):
    """More steps and episodes than anybody records: numbers of 5 bytes, after a byte for the field."""
    with DemonstrationWriter(tmp_path / f"{16 * 'n'}.demo", "Roller?team=0", SPEC) as writer:
        writer.write(writer.decisions(STEPS, ACTION), 1.0, ended=False)
        writer._steps = writer._ends = 2**31 - 2
        meta = writer._meta()
        assert meta.ByteSize() <= 32
        assert meta.demonstration_name == 11 * "n"  # 32 = 2 + (2 + 11) + 6 + 6 + 5
        writer._steps, writer._ends = 1, 0


def test_the_suffix_is_checked(tmp_path):
    with pytest.raises(DemonstrationPathError, match=r"end in \.demo"):
        DemonstrationWriter(tmp_path / "game.txt", "Roller?team=0", SPEC)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_recorder_had_written_can_be_read(tmp_path):
    """It lies under the temporary name; the meta data of such a file are empty."""
    writer = DemonstrationWriter(tmp_path / "game.demo", "Roller?team=0", SPEC)
    writer.write(3 * writer.decisions(STEPS, ACTION), 3.0, ended=False)
    writer._file.flush()
    (left,) = tmp_path.iterdir()
    rescued = tmp_path / "rescued.demo"
    rescued.write_bytes(left.read_bytes()[:-5])
    writer.close()
    demonstration = load_demonstration(rescued)
    assert demonstration.decisions == 1
    assert "the recording was not finished or the file is cut short; 2 pairs are whole" in demonstration.notes[0]
    assert "(same): as the file states." in demonstration.notes[1]
