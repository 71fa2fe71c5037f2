"""One owner of a run at a time, and locks that nobody holds any more."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

import psutil
import pytest

from mlagents.artifacts.run_lock import STALE_AFTER_S, RunInUse, RunLock

HOLD = """
import logging, sys, pathlib
logging.disable()
from mlagents.artifacts.run_lock import RunInUse, RunLock
sys.stdin.readline()
try:
    RunLock(pathlib.Path(sys.argv[1])).acquire()
except RunInUse as error:
    print(error, flush=True)
else:
    print("held", flush=True)
    sys.stdin.readline()
"""


def contender(path):
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def go(process):
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "run.lock"


def written(path, age_s=0.0, **changes):
    """A lock of this process, but for the changes, that was renewed some time ago."""
    owner = {"pid": os.getpid(), "host": socket.gethostname(), "started": psutil.Process().create_time()}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(owner | changes))
    os.utime(path, (time.time() - age_s,) * 2)


def test_the_second_is_refused_with_the_first_ones_process_until_that_is_killed(path):
    first, second = contender(path), RunLock(path)
    go(first)
    assert first.stdout.readline() == "held\n"
    for refusal in (second.acquire, second.refuse_if_held):
        with pytest.raises(RunInUse, match=rf"in use by process {first.pid} on {socket.gethostname()}"):
            refusal()
    first.kill()
    first.communicate()
    second.refuse_if_held()
    second.acquire()
    assert json.loads(path.read_text())["pid"] == os.getpid()
    second.release()
    second.release()
    assert list(path.parent.iterdir()) == []


def test_of_several_that_see_a_stale_lock_one_gets_it(path):
    written(path, pid=2**22 + 1)
    contenders = [contender(path) for _ in range(4)]
    for process in contenders:
        go(process)
    answers = [process.stdout.readline() for process in contenders]
    assert answers.count("held\n") == 1, answers
    for process in contenders:
        process.kill()
        process.communicate()


def test_two_runs_of_one_process_are_two(path):
    first = RunLock(path)
    first.acquire()
    with pytest.raises(RunInUse, match=f"process {os.getpid()}"):
        RunLock(path).acquire()
    first.release()
    RunLock(path).acquire()


@pytest.mark.parametrize(
    ("age_s", "changes"),
    [
        (0, {"started": 1.5e9}),  # an earlier process of our number, as the only one of a container has it
        (100, {"pid": os.getppid(), "started": 1.5e9}),  # a process of that number is running, and does not renew
        (STALE_AFTER_S + 1, {"host": "elsewhere"}),
    ],
)
def test_a_stale_lock_is_taken_over(path, caplog, age_s, changes):
    written(path, age_s, **changes)
    RunLock(path).acquire()
    assert json.loads(path.read_text()) == {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": psutil.Process().create_time(),
    }
    assert "which is gone" in caplog.text


def test_another_machine_is_believed_for_ten_minutes(path):
    written(path, 120, host="elsewhere", pid=17)
    with pytest.raises(RunInUse, match=r"process 17 on elsewhere.*120 s ago.*wait 8 minutes, or delete .*run\.lock"):
        RunLock(path).acquire()


def test_the_clock_may_be_set_while_a_run_goes_on(path):
    """Then the time at which its process started seems to be another one."""
    written(path, 40, pid=os.getppid(), started=psutil.Process(os.getppid()).create_time() + 3600)
    with pytest.raises(RunInUse):
        RunLock(path).acquire()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": "x"}'])
def test_a_lock_that_a_crash_left_unfinished(path, content):
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(RunInUse, match="just being started"):
        RunLock(path).acquire()
    os.utime(path, (time.time() - 60,) * 2)
    RunLock(path).acquire()


def test_a_turn_that_a_crash_left_does_not_keep_anyone_out(path):
    written(path, pid=2**22 + 1)
    turn = path.with_name("run.lock.turn")
    turn.write_text("")
    with pytest.raises(RunInUse, match="just being started"):
        RunLock(path).acquire()
    os.utime(turn, (time.time() - 60,) * 2)
    RunLock(path).acquire()
    assert not turn.exists()


def test_a_lock_is_renewed(path, monkeypatch):
    monkeypatch.setattr("mlagents.artifacts.run_lock.RENEW_EVERY_S", 0.01)
    lock = RunLock(path)
    lock.acquire()
    os.utime(path, (0, 0))
    deadline = time.monotonic() + 5
    while path.stat().st_mtime < 1e9:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    lock.release()


def test_a_lock_that_was_taken_over_is_not_released(path):
    lock = RunLock(path)
    lock.acquire()
    written(path, host="elsewhere")
    lock.release()
    assert path.exists()
