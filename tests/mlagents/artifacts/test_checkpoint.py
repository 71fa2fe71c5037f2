"""Checkpoints on disk: whole or not there, and clear about damage."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import safetensors.numpy

from mlagents.artifacts.checkpoints import CheckpointError, Checkpoints
from mlagents.artifacts.layout import Layout
from mlagents.artifacts.state_file import DamagedState, read_state, write_state


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


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting"),
        (b"[]", r"expected an object .* got \[\]"),
        (b"\xff\xfe", "utf-8"),
        (b"[" * 100_000, "recursion|nested"),
        (b'{"Basic": 5}', "expected an object for 'Basic', got 5"),
        (b'{"Basic": {"checkpoints": {}}}', r"expected a list for 'Basic': 'checkpoints', got \{\}"),
        (b'{"Basic": {"checkpoints": [7]}}', "whole 'steps' for 'Basic': checkpoint 1, got 7"),
        (b'{"Basic": {"checkpoints": [{"steps": "7"}]}}', 'got {"steps": "7"}'),
        (b'{"Basic": {"checkpoints": [{"steps": true}]}}', 'got {"steps": true}'),
        (b'{"Basic": {"checkpoints": [{"steps": 7, "rating": "good"}]}}', 'expected a number .* got "good"'),
        (b'{"gravity": {"lesson_num": null}}', "expected a whole number for 'gravity': 'lesson_num', got null"),
    ],
)
def test_a_list_of_another_form_is_told(layout, content, found):
    layout.status.parent.mkdir(parents=True)
    layout.status.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"training_status\.json: not readable.*{found}.*delete it"):
        Checkpoints.open(layout)


def test_a_list_that_is_missing_is_rebuilt_from_whole_checkpoints(layout, caplog):
    long = "x" * 300
    checkpoints = Checkpoints(layout)
    for step in (9, 10):
        checkpoints.save({"Ball/1": state(step), long: state(step + 5)}, {}, {})
    damaged = layout.checkpoint(long, 15, ".safetensors")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    layout.status.unlink()
    rebuilt = Checkpoints.open(layout)
    assert rebuilt.steps == {"Ball/1": 10, long: 14}
    assert rebuilt.load("Ball/1", 9)["steps"] == 9
    assert "the list is rebuilt" in caplog.text
    assert f"{damaged}: left out" in caplog.text
    rebuilt.sweep()
    assert damaged.exists()  # somebody may be able to save it
    rebuilt.save({"Ball/1": state(11)}, {}, {})
    assert Checkpoints.open(layout).steps == {"Ball/1": 11, long: 14}


def test_a_list_of_the_official_toolkit_is_read(layout):
    """With keys that are not ours, and without checkpoints of ours."""
    layout.status.parent.mkdir(parents=True)
    entry = {
        "steps": 500,
        "file_path": "a.onnx",
        "reward": None,
        "creation_time": 1.5,
        "auxillary_file_paths": ["a.pt"],
    }
    content = {
        "Ball": {"elo": 1200.5, "checkpoints": [entry], "final_checkpoint": entry},
        "gravity": {"lesson_num": 2},
        "metadata": {"stats_format_version": "0.3.0", "mlagents_version": "1.1.0", "torch_version": "2.1"},
    }
    layout.status.write_text(json.dumps(content))
    checkpoints = Checkpoints.open(layout)
    assert checkpoints.lessons == {"gravity": 2}
    assert checkpoints.behaviors == ["Ball"]
    assert checkpoints.steps == {}
    with pytest.raises(CheckpointError, match="no checkpoint for behavior 'Ball'"):
        checkpoints.load("Ball")


@pytest.mark.parametrize("name", ["metadata", "%metadata", "lesson_num", "checkpoints", "gravity"])
def test_names_of_behaviors_and_parameters_never_meet_our_keys(layout, name):
    saved = Checkpoints(layout)
    saved.save({name: state(3)}, {}, {}, lessons={name: 2, "gravity": 2}, final=True)
    saved.save({name: state(4), "Ball": state(5)}, {}, {}, lessons={name: 2, "gravity": 2})
    reopened = Checkpoints.open(layout)
    assert reopened.steps == {name: 4, "Ball": 5}
    assert reopened.lessons == {name: 2, "gravity": 2}
    assert reopened.load(name, 3)["steps"] == 3
    assert json.loads(layout.status.read_text())["metadata"]["stats_format_version"] == "0.3.0"


def test_a_file_that_was_removed_is_not_the_newest(layout):
    checkpoints = Checkpoints(layout)
    save(checkpoints, 1)
    save(checkpoints, 2)
    layout.checkpoint("Ball/1", 2, ".safetensors").unlink()
    assert Checkpoints.open(layout).steps == {"Ball/1": 1}


def test_every_flipped_bit_is_noticed(tmp_path):
    """In weights, in the step, in names, shapes and dtypes: nothing else than what was written is ever read."""
    path = tmp_path / "state.safetensors"
    write_state(path, state(4772))
    whole, expected = path.read_bytes(), read_state(path)
    plain, tensors = {k: v for k, v in expected.items() if k != "tensors"}, expected["tensors"]
    unnoticed = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            found = read_state(path)
        except DamagedState:
            continue
        unnoticed += 1  # another spelling of the same
        assert {k: v for k, v in found.items() if k != "tensors"} == plain
        assert all((found["tensors"].pop(name) == tensors[name]).all() for name in tensors)
        assert not found["tensors"]
    assert unnoticed < 5


def test_the_step_is_under_the_checksum(tmp_path):
    path = tmp_path / "state.safetensors"
    write_state(path, state(4772))
    path.write_bytes(path.read_bytes().replace(b"4772", b"5772"))
    with pytest.raises(DamagedState, match="checksum is wrong"):
        read_state(path)


def test_states_of_older_files_are_read(tmp_path):
    """Their checksum is over tensors only: sha256 of names and bytes, in the order of names."""
    path, tensors = tmp_path / "state.safetensors", state(7)["tensors"]
    digest = hashlib.sha256(b"adam.count" + b"\x07\0\0\0" + b"weights.a" + 6 * np.float32(7).tobytes()).hexdigest()
    safetensors.numpy.save_file(tensors, path, {"state": '{"steps": 7}', "sha256": digest})
    assert read_state(path)["steps"] == 7
    safetensors.numpy.save_file(tensors, path, {"state": '{"steps": 7}', "sha256": digest[::-1]})
    with pytest.raises(DamagedState, match="checksum is wrong"):
        read_state(path)


@pytest.mark.parametrize("header", [None, {"format": "pt"}])
def test_a_safetensors_file_of_others_is_told(layout, header):
    save(Checkpoints(layout), 3)
    path = layout.checkpoint("Ball/1", 3, ".safetensors")
    safetensors.numpy.save_file({"a": np.zeros(2)}, path, header)
    with pytest.raises(CheckpointError, match=r"Ball%2F1-3\.safetensors.*not a checkpoint of this toolkit"):
        Checkpoints.open(layout).load("Ball/1")


def test_long_names_of_behaviors_are_saved(layout):
    names = ["x" * 300, "x" * 299 + "y", "a.onnx", "a", "run_logs", "run.lock", "training_status.json"]
    checkpoints = Checkpoints(layout)
    checkpoints.save({name: state(step) for step, name in enumerate(names)}, {}, {})
    for name in names:
        layout.model(name).write_text("model")
    reopened = Checkpoints.open(layout)
    assert [reopened.load(name)["steps"] for name in names] == list(range(7))


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
