from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys

import pytest
from rich.console import Console

from mlagents.stats import ConsoleWriter, Statistics
from mlagents.stats.live import LiveProgress
from mlagents_envs.logging_util import INFO, NOTSET, get_logger, set_log_level

REWARD, GROUP, ELO = "Environment/Cumulative Reward", "Environment/Group Cumulative Reward", "Self-play/ELO"


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def screen(output: str) -> list[str]:
    """What a terminal shows after `output`, for the few control sequences that the live lines use."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\n|\r|[^\x1b\n\r]+", output):
        if token == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif token == "\r":
            column = 0
        elif token.endswith("A") and token.startswith("\x1b"):
            row -= int(token[2:-1] or 1)
            assert row >= 0
        elif token == "\x1b[2K":
            lines[row] = ""
        elif token.startswith("\x1b"):
            assert token[-1] in "mhl", f"unknown control sequence {token!r}"
        else:
            lines[row] = lines[row][:column].ljust(column) + token + lines[row][column + len(token) :]
            column += len(token)
    return [line.rstrip() for line in lines]


@pytest.fixture(autouse=True)
def info_level():
    set_log_level(INFO)
    yield
    set_log_level(NOTSET)


@pytest.mark.parametrize(
    ("values", "items"),
    [
        (
            {REWARD: [0.667, 1.801], "Is Training": [1.0]},
            "Mean Reward: 1.234. Std of Reward: 0.567. Training.",
        ),
        (
            {REWARD: [1.0], "Is Training": [0.0]},
            "Mean Reward: 1.000. Std of Reward: 0.000. Not Training.",
        ),
        (
            {REWARD: [1.0]},
            "Mean Reward: 1.000. Std of Reward: 0.000. Not Training.",
        ),
        (
            {"Is Training": [1.0]},
            "No episode was completed since last summary. Training.",
        ),
        (
            {REWARD: [1.0], GROUP: [2.5], "Is Training": [1.0]},
            "Mean Reward: 1.000. Mean Group Reward: 2.500. Training.",
        ),
        (
            {REWARD: [1.0], ELO: [1200.0, 1204.0], "Is Training": [1.0]},
            "Mean Reward: 1.000. Std of Reward: 0.000. Training. ELO: 1202.000.",
        ),
    ],
)
def test_plain_lines_have_the_known_form(capsys, values, items):
    clock = Clock()
    statistics = Statistics([ConsoleWriter({"3DBall": 50000}, is_terminal=False, clock=clock)])
    clock.now += 12.345
    for tag, numbers in values.items():
        statistics.add_many("3DBall", tag, numbers)
    statistics.write("3DBall", 12000)
    start = "[INFO] 3DBall. Step: 12000. Time Elapsed: 12.345 s. "
    assert capsys.readouterr().out == f"{start}{items}\n"


def test_hyperparameters_have_the_known_form(capsys):
    ConsoleWriter({}, is_terminal=False).text(
        "3DBall",
        "Hyperparameters",
        {"trainer_type": "ppo", "network": {"units": 128, "deep": {"x": 1}}, "y": None},
    )
    assert capsys.readouterr().out == (
        "[INFO] Hyperparameters for behavior name 3DBall:\n"
        "\ttrainer_type:\tppo\n"
        "\tnetwork:\t\n"
        "\t  units:\t128\n"
        "\t  deep:\t\n"
        "\t    x:\t1\n"
        "\ty:\tNone\n"
    )


def test_without_a_terminal_progress_draws_nothing(capsys):
    writer = ConsoleWriter({"B": 10}, is_terminal=False)
    writer.progress("B", 5)
    writer.close()
    assert capsys.readouterr().out == ""


@pytest.fixture
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def user_log():
    """A user's logger; its handler is made by the test, when stdout is captured, and holds that stdout."""
    logger = logging.getLogger("user")
    yield logger
    logger.handlers.clear()


def test_live_lines_stay_below_the_log(capsys, wide_terminal, user_log):
    user_log.addHandler(logging.StreamHandler(sys.stdout))
    clock = Clock()
    writer = ConsoleWriter({"A": 1000}, is_terminal=True, clock=clock)
    statistics = Statistics([writer])
    stdout = sys.stdout
    for second in range(1, 5):
        clock.now += 1.0
        writer.progress("A", 500 + 100 * second)
        writer.progress("B[x]", 10 * second)
        if second % 2 == 0:
            statistics.add("A", REWARD, float(second))
            statistics.set("A", "Is Training", 1.0)
            statistics.write("A", 500 + 100 * second)
            print("a print")
            user_log.warning("a user's log")
    clock.now += 1.0
    statistics.close()
    assert sys.stdout is stdout
    get_logger("mlagents.stats").info("after")
    user_log.warning("after")
    shown = screen(capsys.readouterr().out)
    reward = "[INFO] A. Step: {}. Time Elapsed: {}.000 s. Mean Reward: {}.000. Std of Reward: 0.000. Training."
    above = ["a print", "a user's log"]
    assert shown[:6] == [reward.format(700, 2, 2), *above, reward.format(900, 4, 4), *above]
    assert re.fullmatch(r"A +\S+ +900/1000 +100 steps/s +reward 4.000 +0:00:01", shown[6])
    assert re.fullmatch(r"B\[x\] +\S+ +40/\? +10 steps/s +reward -", shown[7])
    assert shown[8:] == ["[INFO] after", "after", ""]


def test_progress_redraws_five_times_per_second_at_most(capsys, wide_terminal):
    clock = Clock()
    writer = ConsoleWriter({"A": 10000}, is_terminal=True, clock=clock)
    drawn = 0
    for step in range(1001):  # one second
        writer.progress("A", step)
        drawn += bool(capsys.readouterr().out)
        clock.now += 0.001
    writer.close()
    assert drawn in (5, 6)
    assert "1000/10000" in screen(capsys.readouterr().out)[-2]  # the last step is drawn at the end


def test_a_closed_writer_that_never_drew_leaves_the_terminal_alone(capsys, wide_terminal):
    ConsoleWriter({"A": 10}, is_terminal=True).close()
    assert capsys.readouterr().out == ""


ON_A_TERMINAL = """
import sys
from mlagents.stats import ConsoleWriter, Statistics
from mlagents_envs.logging_util import INFO, set_log_level

set_log_level(INFO)
writer = ConsoleWriter({"B": 100}, clock=iter(range(10_000)).__next__)
statistics = Statistics([writer])
writer.progress("B", 50)
print("to a file", file=sys.stderr)
statistics.write("B", 50)
statistics.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
def test_a_terminal_is_found_out(tmp_path):
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", ON_A_TERMINAL],
            stdout=theirs,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
            timeout=60,
        )
        output = os.read(ours, 100_000).decode().replace("\r\n", "\n")
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "to a file\n"
    shown = screen(output)
    assert re.fullmatch(r"\[INFO\] B\. Step: 50\. Time Elapsed: \d+\.000 s\. No episode .* Not Training\.", shown[0])
    assert re.match(r"B +\S+ +50/100 ", shown[1])


@pytest.mark.parametrize(("width", "lacks"), [(80, ()), (65, ("━",)), (50, ("━", "steps/s", ":"))])
def test_narrow_terminals_drop_columns_instead_of_folding(width, lacks):
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None)
    now = [0.0]
    live = LiveProgress({"3DBall": 500_000}, console, lambda: now[0])
    for step in (1000, 250_000):
        now[0] += 1.0
        live.advance("3DBall", step)
    live.set_reward("3DBall", 12.5)
    live.close()
    line = [text for text in screen.getvalue().splitlines() if "3DBall" in text][-1]  # what follows shows the cursor
    assert "250000/500000" in line
    assert "reward 12.500" in line
    assert not [text for text in lacks if text in line.partition("3DBall")[2]]


def test_colours_that_are_asked_for_are_no_terminal(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as notebooks and build servers do
    writer = ConsoleWriter({"B": 10})
    writer.progress("B", 1)
    writer.close()
    assert capsys.readouterr().out == ""
