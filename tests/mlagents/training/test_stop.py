"""Signals: acknowledged at once, and what they do while a run loads, starts and trains."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from mlagents.training.stop import StopSignals, stopped_by

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent as on POSIX")

BUSY = "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
"""Minutes in one call that runs no Python, as a compilation does."""

PROGRAM = """
import hashlib, signal, sys, time
from mlagents.training.stop import StopSignals

def say(text):
    print(text, flush=True)

with StopSignals() as stop:
    %s
"""


@contextmanager
def program(text, **options):
    lines = "\n    ".join(text.strip().splitlines())
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen([sys.executable, "-c", PROGRAM % lines], **pipes, **options) as process:
        try:
            yield process
        finally:
            process.kill()  # if it did not end as it should


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_while_modules_load_the_process_ends_at_once_whatever_it_does(number):
    with program(f"say('busy')\n{BUSY}") as process:
        process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=5)
    assert process.returncode == 128 + number


def test_it_ends_while_exceptions_are_swallowed():
    """As in callbacks and destructors, where a KeyboardInterrupt would be lost."""
    text = """
class Loses:
    def __del__(self):
        time.sleep(0.01)
say('busy')
while True:
    Loses()
"""
    with program(text) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=5)[1] == "interrupted\n"
    assert process.returncode == 130


def test_a_compilation_is_no_reason_to_be_silent():
    text = f"""
stop.loaded()
with stop.training():
    say('busy')
    {BUSY}
"""
    with program(text) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        assert process.stderr.readline().startswith("SIGINT: stopping after what is in progress, and saving")
        assert time.monotonic() - begin < 1
        assert process.poll() is None
        process.kill()


def test_while_a_run_starts_what_waits_is_interrupted_and_a_second_signal_ends_it():
    text = """
stop.loaded()
try:
    say('waiting')
    time.sleep(60)
except KeyboardInterrupt as interrupt:
    say(interrupt.args[0])
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        say('again')
        time.sleep(60)
"""
    with program(text) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "2\n"
        time.sleep(1.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 130


def test_the_signal_is_acknowledged_before_anything_is_said_of_the_end():
    """However late the thread that does so wakes up, as on a busy machine."""
    text = """
acknowledge = stop._acknowledge
stop._acknowledge = lambda number: (time.sleep(0.3), acknowledge(number))
stop.loaded()
try:
    say('waiting')
    time.sleep(60)
except KeyboardInterrupt:
    print('interrupted', file=sys.stderr)
"""
    with program(text) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        first, last = process.communicate(timeout=10)[1].splitlines()
    assert first.startswith("SIGINT: the start is given up")
    assert last == "interrupted"


def test_one_that_was_lost_while_a_run_started_is_noticed_before_it_trains():
    stop = StopSignals()
    with stop:
        stop.loaded()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt, match="15"), stop.training():
            pass


def test_training_is_asked_to_stop_and_a_second_signal_interrupts(capfd):
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with StopSignals().training() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGHUP)
        assert stop()
        assert stop.received is signal.SIGHUP
        with pytest.raises(KeyboardInterrupt, match="2"):
            signal.raise_signal(signal.SIGINT)
    assert {number: signal.getsignal(number) for number in before} == before
    assert signal.set_wakeup_fd(-1) == -1
    assert capfd.readouterr().err.count("SIGHUP: stopping") == 1


def test_there_may_be_another_reason_to_stop():
    wishes = [False, True]
    with StopSignals().training(also=lambda: wishes.pop(0)) as stop:
        assert [stop(), stop()] == [False, True]


def test_nohup_keeps_a_run_alive():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals().training() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_exit_code_tells_the_signal():
    assert stopped_by(signal.SIGTERM).args == (15,)
