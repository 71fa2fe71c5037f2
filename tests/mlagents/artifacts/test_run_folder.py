"""What a start finds, clears away, and leaves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from mlagents.artifacts.checkpoints import CheckpointError, Checkpoints
from mlagents.artifacts.layout import Layout
from mlagents.artifacts.run_folder import RunFolder
from mlagents.artifacts.run_lock import RunInUse
from mlagents.settings import CheckpointSettings


def state(steps):
    return {"tensors": {"a": np.zeros(2, np.float32)}, "steps": steps}


@pytest.fixture(params=[None, "results"], ids=["2020", "modern"])
def layout(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Layout("r", request.param and Path(request.param))


def starting(layout, **settings):
    return RunFolder(layout, CheckpointSettings(run_id=layout.run_id, **settings))


def files():
    return sorted(str(path) for path in Path().rglob("*") if path.is_file())


def write(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def earlier_run(layout, *behaviors, steps=(500, 1000)):
    """All files of a run that is over."""
    for behavior in behaviors:
        for step in steps:
            checkpoints = Checkpoints.open(layout) if layout.status.exists() else Checkpoints(layout)
            checkpoints.save({behavior: state(step)}, {}, {}, lessons={"gravity": 1})
            write(layout.checkpoint(behavior, step, ".onnx"))
        write(layout.model(behavior), layout.model(behavior, ".nn"), layout.csv(behavior))
        write(layout.events(behavior) / "events.out.tfevents.1")
    write(layout.begun, layout.exports, layout.manifest, layout.configuration, layout.timers, layout.jsonl)
    write(layout.player_logs / "Player-0.log", layout.player_logs / "Player-1.log")


def test_a_new_run_has_a_lock_and_an_empty_list(layout):
    folder = starting(layout)
    folder.claim()
    assert files() == [str(layout.lock)]
    folder.begin()
    assert Checkpoints.open(layout).behaviors == []
    with pytest.raises(RunInUse):
        starting(layout, force=True).claim()
    with pytest.raises(RunInUse):
        starting(layout, resume=True).claim()
    with pytest.raises(RunInUse):
        starting(layout).claim()
    starting(layout, resume=True, inference=True).claim()  # may look on
    folder.release()
    assert files() == [str(layout.status)]


def test_force_leaves_nothing_of_the_earlier_run_once_the_new_one_begins(layout):
    earlier_run(layout, "B", "a/" + "x" * 300)
    mine = [layout.run / "notes.txt", layout.checkpoint("B", 1, "").parent / "mine.onnx", layout.run / "other/o-1.txt"]
    write(*mine, Path("summaries/r_B_mine.csv"), Path("summaries/r_C.csv"))
    before = files()
    folder = starting(layout, force=True)
    folder.claim()
    assert sorted([*before, str(layout.lock)]) == files()  # the start may still fail
    write(layout.player_logs / "Player-0.log")  # of the player of this run
    folder.begin()
    folder.release()
    logs = [layout.player_logs / "Player-0.log"]
    expected = [*map(str, (*mine, *logs, layout.status)), "summaries/r_B_mine.csv", "summaries/r_C.csv"]
    assert files() == sorted(expected)
    assert Checkpoints.open(layout).behaviors == []
    assert Checkpoints.open(layout).lessons == {}


def test_what_force_did_not_get_to_is_not_resumed(layout, caplog):
    """Killed after the new run has begun, and before the earlier one's checkpoints were gone."""
    earlier_run(layout, "B")
    folder = starting(layout, force=True)
    folder.claim()
    Checkpoints(layout).begin()
    folder.release()
    resumed = starting(layout, resume=True)
    resumed.claim()
    assert resumed.checkpoints.behaviors == []
    assert "stopped before its first checkpoint" in caplog.text


def test_resume_sweeps_what_a_kill_left(layout):
    earlier_run(layout, "B", "C")
    kept = files()
    litter = [layout.checkpoint("B", step, suffix) for step in (3, 1500) for suffix in (".safetensors", ".onnx")]
    litter += [path.with_name(f".{path.name}.4711.tmp") for path in (layout.status, layout.timers, layout.csv("C"))]
    litter += [litter[0].with_name(f".{litter[0].name}.4711.tmp"), layout.run / ".B.onnx.4711.tmp"]
    theirs = [Path("summaries/.r_2_timers.json.4711.tmp"), layout.run / ".mine.tmp"]
    write(*litter, *theirs)
    folder = starting(layout, resume=True)
    folder.claim()
    folder.begin()
    folder.release()
    assert files() == sorted([*kept, *map(str, theirs)])
    assert Checkpoints.open(layout).steps == {"B": 1000, "C": 1000}


@pytest.mark.parametrize("flags", [{}, {"resume": True}, {"inference": True}])
def test_a_refused_start_leaves_nothing(layout, flags):
    folder = starting(layout, **flags)
    if flags.get("resume"):
        with pytest.raises(CheckpointError, match="there is no run 'r'"):
            folder.claim()
    else:
        folder.claim()
    folder.release()
    assert list(Path().iterdir()) == []


def test_the_log_of_a_player_that_failed_stays_and_does_not_take_the_name(layout):
    folder = starting(layout)
    folder.claim()
    write(layout.player_logs / "Player-0.log")
    folder.release()
    assert files() == [str(layout.player_logs / "Player-0.log")]
    starting(layout).claim()


def test_a_name_that_is_taken_is_refused(layout):
    earlier_run(layout, "B")
    with pytest.raises(CheckpointError, match="'r' is taken"):
        starting(layout).claim()


@pytest.mark.parametrize(
    ("run_id", "why"),
    [
        ("../..", "a name, not a path"),
        ("/tmp/r", "a name, not a path"),
        ("a\\b", "a name, not a path"),
        ("..", "a name, not a path"),
        ("r" * 101, "at most 100 bytes, got 101"),
        ("ボ" * 34, "at most 100 bytes, got 102"),
        ("a:b", "every file system takes"),
        ("end.", "every file system takes"),
    ],
)
def test_a_run_id_is_a_name(tmp_path, monkeypatch, run_id, why):
    monkeypatch.chdir(tmp_path)
    for flags in ({}, {"force": True}, {"resume": True}):
        with pytest.raises(CheckpointError, match=f"--run-id=.*{why}"):
            starting(Layout(run_id, Path("results")), **flags).claim()
    assert list(tmp_path.iterdir()) == []


def test_outputs_are_tested_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("README.md").write_text("x")
    with pytest.raises(CheckpointError, match=r"cannot be written: README\.md is not a folder\. Choose another"):
        starting(Layout("r", Path("README.md"))).claim()
    Path("summaries").write_text("x")
    with pytest.raises(CheckpointError, match="summaries is not a folder"):
        starting(Layout("r")).claim()
    assert files() == ["README.md", "summaries"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write")
def test_a_folder_that_cannot_be_written_is_told_before_anything_starts():
    with pytest.raises(CheckpointError, match=r"The run cannot be written: /proc.*"):
        starting(Layout("r", Path("/proc/results"))).claim()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="folders are writable for everyone here")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CheckpointError, match=r"cannot be written.*Permission denied"):
            starting(Layout("r", tmp_path / "results")).claim()
    finally:
        tmp_path.chmod(0o700)


def test_player_logs_of_earlier_starts_go_by_their_time(layout):
    earlier_run(layout, "B")
    time.sleep(0.02)
    folder = starting(layout, force=True)
    folder.claim()
    folder.begin()
    assert not list(layout.player_logs.glob("Player-*"))
