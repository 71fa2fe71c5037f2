"""Checkpoints on disk: whole or not there, and clear about damage."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mlagents.artifacts.checkpoints import CheckpointError, Checkpoints
from mlagents.artifacts.state_file import read_state, write_state
from mlagents.artifacts.layout import Layout


def state(steps):
    return {
        "tensors": {"weights.a": np.full((2, 3), steps, np.float32), "adam.count": np.array(steps, np.int32)},
        "steps": steps,
        "rng": {"state": {"inc": 2**100}},
    }


@pytest.fixture
def layout(tmp_path):
    return Layout("run", tmp_path)


def save(checkpoints, steps, keep=5, final=False):
    checkpoints.save({"Ball/1": state(steps)}, {"Ball/1": 1.5}, {"Ball/1": keep}, final)


def test_what_was_saved_is_loaded(layout):
    save(Checkpoints(layout), 10)
    loaded = Checkpoints.open(layout).load("Ball/1")
    assert loaded["steps"] == 10
    assert loaded["rng"]["state"]["inc"] == 2**100
    np.testing.assert_array_equal(loaded["tensors"]["weights.a"], np.full((2, 3), 10.0))
    assert loaded["tensors"]["adam.count"].shape == ()


def test_the_newest_is_loaded_and_the_oldest_are_deleted(layout):
    checkpoints = Checkpoints(layout)
    for steps in (1, 2, 3, 4):
        layout.checkpoint("Ball/1", steps, ".onnx").parent.mkdir(parents=True, exist_ok=True)
        layout.checkpoint("Ball/1", steps, ".onnx").write_text("model")
        save(checkpoints, steps, keep=2)
    assert Checkpoints.open(layout).load("Ball/1")["steps"] == 4
    names = sorted(p.name for p in layout.checkpoint("Ball/1", 1, ".onnx").parent.iterdir())
    assert [n.split("-")[1] for n in names] == ["3.onnx", "3.safetensors", "4.onnx", "4.safetensors"]


def test_the_best_stay_beside_the_newest(layout):
    """Of 1 to 5, 2 and 3 do best; of equally good ones the newer stays."""
    checkpoints = Checkpoints(layout)
    for steps, rating in ((1, 7.0), (2, 9.0), (3, 7.0), (4, 1.0), (5, None), (6, -2.0)):
        ratings = {} if rating is None else {"Ball/1": rating}
        checkpoints.save({"Ball/1": state(steps)}, {}, {"Ball/1": 2}, ratings=ratings, keep_best=2)
    folder = layout.checkpoint("Ball/1", 1, ".safetensors").parent
    assert [p.stem.split("-")[1] for p in sorted(folder.iterdir())] == ["2", "3", "5", "6"]
    reopened = Checkpoints.open(layout)
    assert reopened.best("Ball/1") == (2, 9.0)
    assert reopened.load("Ball/1", 3)["steps"] == 3
    assert reopened.load("Ball/1")["steps"] == 6
    with pytest.raises(
        CheckpointError, match=r"no checkpoint of step 4 for behavior 'Ball/1' \(saved steps: 2, 3, 5, 6\)"
    ):
        reopened.load("Ball/1", 4)


def test_without_ratings_there_is_no_best(layout):
    checkpoints = Checkpoints(layout)
    save(checkpoints, 1)
    assert checkpoints.best("Ball/1") is None
    assert checkpoints.best("Other") is None


def test_provisional_checkpoints_make_way_and_push_nothing_out(layout):
    checkpoints = Checkpoints(layout)
    save(checkpoints, 1, keep=2)
    save(checkpoints, 2, keep=2)
    for steps in (3, 4):
        checkpoints.save({"Ball/1": state(steps)}, {}, {"Ball/1": 2}, provisional=True)
        assert Checkpoints.open(layout).load("Ball/1")["steps"] == steps
    folder = layout.checkpoint("Ball/1", 1, ".safetensors").parent
    assert [p.stem.split("-")[1] for p in sorted(folder.iterdir())] == ["1", "2", "4"]
    save(checkpoints, 5, keep=2)
    assert [p.stem.split("-")[1] for p in sorted(folder.iterdir())] == ["2", "5"]


def test_the_list_has_the_known_form(layout):
    save(Checkpoints(layout), 7, final=True)
    status = json.loads(layout.status.read_text())
    (entry,) = status["Ball/1"]["checkpoints"]
    assert set(entry) == {"steps", "file_path", "reward", "creation_time", "auxillary_file_paths"}
    assert (entry["steps"], entry["reward"]) == (7, 1.5)
    assert status["Ball/1"]["final_checkpoint"]["file_path"] == str(layout.model("Ball/1"))
    assert status["metadata"]["stats_format_version"] == "0.3.0"


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "header"])
def test_damage_is_told_with_file_and_way_out(layout, damage):
    checkpoints = Checkpoints(layout)
    save(checkpoints, 1)
    save(checkpoints, 2)
    path = layout.checkpoint("Ball/1", 2, ".safetensors")
    data = bytearray(path.read_bytes())
    if damage == "truncate":
        data = data[:-5]
    elif damage == "flip":
        data[-1] ^= 1
    elif damage == "empty":
        data = bytearray()
    else:
        data[0] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"Ball%2F1-2\.safetensors.*damaged.*remove it to continue from step 1"):
        Checkpoints.open(layout).load("Ball/1")
    path.unlink()
    assert Checkpoints.open(layout).load("Ball/1")["steps"] == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_list_is_told(layout, content):
    layout.status.parent.mkdir(parents=True)
    layout.status.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"training_status\.json.*not readable"):
        Checkpoints.open(layout)


def test_an_unknown_behavior_is_told_with_those_saved(layout):
    save(Checkpoints(layout), 1)
    with pytest.raises(CheckpointError, match=r"no checkpoint for behavior 'Other'.*Ball/1"):
        Checkpoints.open(layout).load("Other")


def test_a_run_may_move(layout, tmp_path):
    save(Checkpoints(layout), 3)
    layout.run.rename(tmp_path / "moved")
    assert Checkpoints.open(Layout("moved", tmp_path)).load("Ball/1")["steps"] == 3


def test_a_failing_save_leaves_the_old_checkpoints(layout, tmp_path):
    checkpoints = Checkpoints(layout)
    save(checkpoints, 1)
    folder = layout.checkpoint("Ball/1", 2, ".safetensors").parent
    (folder / layout.checkpoint("Ball/1", 2, ".safetensors").name).mkdir()
    with pytest.raises(OSError, match=r"safetensors"):
        save(checkpoints, 2)
    assert Checkpoints.open(layout).load("Ball/1")["steps"] == 1
    assert not [p for p in folder.iterdir() if p.name.endswith(".tmp")]


def test_state_file_round_trip(tmp_path):
    path = tmp_path / "deep" / "state.safetensors"
    write_state(path, state(4))
    assert read_state(path)["steps"] == 4
