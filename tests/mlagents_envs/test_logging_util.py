from __future__ import annotations

import logging
import os
import re
import subprocess
import sys

import pytest

from mlagents_envs import logging_util
from mlagents_envs.logging_util import DEBUG, ERROR, INFO, NOTSET, get_logger, set_log_level


@pytest.fixture(autouse=True)
def _as_before():
    set_log_level(NOTSET)  # whatever ran before in this process
    yield
    set_log_level(NOTSET)


def test_the_level_is_left_alone_until_it_is_set(capsys):
    logger = get_logger("test_logging.quiet")
    logger.info("hidden")
    logger.warning("shown")
    assert capsys.readouterr().out == "[WARNING] shown\n"
    logger.setLevel(INFO)
    assert get_logger("test_logging.quiet").level == INFO


def test_one_level_for_loggers_made_before_and_after(capsys):
    before = get_logger("test_logging.before")
    set_log_level(INFO)
    after = get_logger("test_logging.after")
    before.info("one")
    after.info("two")
    set_log_level(ERROR)
    before.info("three")
    after.warning("four")
    assert capsys.readouterr().out == "[INFO] one\n[INFO] two\n"


def test_a_line_is_printed_once_however_often_the_logger_is_asked_for(capsys):
    set_log_level(INFO)
    get_logger("test_logging.a.b")
    get_logger("test_logging.a")
    get_logger("test_logging.a.b").info("once")
    assert capsys.readouterr().out == "[INFO] once\n"


def test_debug_shows_time_level_and_place(capsys):
    set_log_level(DEBUG)
    get_logger("test_logging.debug").debug("look")
    line = capsys.readouterr().out
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d DEBUG \[test_logging_util\.py:\d+\] look\n", line)
    set_log_level(INFO)
    get_logger("test_logging.debug").info("short again")
    assert capsys.readouterr().out == "[INFO] short again\n"


def test_constants_are_those_of_logging():
    for name in ("CRITICAL", "FATAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET"):
        assert getattr(logging_util, name) == getattr(logging, name)


PRINTS = """
import sys, time
from mlagents_envs.logging_util import INFO, get_logger, set_log_level, stdout_is_closed
set_log_level(INFO)
for number in range(300):
    get_logger("a").info("line %d", number)
print(stdout_is_closed(), file=sys.stderr)
"""


def run_with_stdout(stdout):
    return subprocess.run([sys.executable, "-c", PRINTS], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_nobody_has_to_read_what_is_logged():
    """As behind `| head`: no traceback, neither for a line nor when Python ends, and the program can ask."""
    reader, writer = os.pipe()
    os.close(reader)
    result = run_with_stdout(writer)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, "True\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_said_once():
    with open("/dev/full", "w") as full:
        result = run_with_stdout(full)
    first, *rest = result.stderr.splitlines()
    assert first == "stdout cannot be written, so lines are missing there: No space left on device"
    assert rest[0] == "False"


def test_without_stdout_nothing_is_said(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", None)
    get_logger("test_logging.nowhere").error("lost")
    assert capsys.readouterr().err == ""


def test_an_error_of_a_log_call_is_still_shown(capsys):
    logger = get_logger("test_logging.wrong")
    logger.propagate = False  # to the handler of the tests, which raises
    logger.error("%d", "not a number")
    assert "TypeError: %d format" in capsys.readouterr().err
