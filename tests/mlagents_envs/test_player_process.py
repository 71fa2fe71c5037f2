"""The guard of processes that must not outlive us."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from mlagents_envs.player_process import start_guard

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def stubborn():
    """A process that does not look whether anybody is there; and its child."""
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, start_new_session=True)
    process.child = psutil.Process(int(process.stdout.readline()))
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_a_process_and_its_children_are_killed_when_we_are_gone(stubborn):
    """The end of the guard's input is what it notices of our end, however that came."""
    guard = start_guard(stubborn.pid)
    guard.stdin.close()
    assert guard.wait(20) == 0
    assert stubborn.wait(20) == -9
    stubborn.child.wait(20)


def test_a_guard_that_is_told_so_ends_and_kills_nobody(stubborn):
    guard = start_guard(stubborn.pid)
    guard.communicate(b"\n", timeout=20)
    assert guard.returncode == 0
    assert stubborn.poll() is None
    assert stubborn.child.is_running()
