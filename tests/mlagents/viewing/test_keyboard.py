"""`mlagents play --heuristic` by keyboard, on a terminal that a test plays at."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mlagents.cli.main import main
from mlagents.viewing.keyboard import Game, describe_keys
from mlagents_envs.registry import default_registry

TAKE_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"  # so that Ctrl+C arrives
PROGRAM = "import sys; from mlagents.cli.main import main; sys.exit(main())"
STATUS = re.compile(r"Basic: episode \d+, step \d+, reward -?\d\.\d{3}")
RIGHT = b"\x1b[C"


class Player:
    """A program on a pseudo-terminal of 80 x 24 characters, and what it has written so far."""

    def __init__(self, *command):
        import fcntl
        import pty
        import struct
        import termios

        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.written = ""
        environment = {**os.environ, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
        for name in ("COLUMNS", "LINES"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            command,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=environment,
            start_new_session=True,
        )

    def read(self):
        while select.select([self.master], [], [], 0.02)[0]:
            self.written += os.read(self.master, 65536).decode(errors="replace")

    def wait_for(self, text):
        deadline = time.monotonic() + 60
        while text not in self.written:
            assert self.process.poll() is None, self.written
            assert time.monotonic() < deadline, self.written
            self.read()

    def press(self, keys):
        os.write(self.master, keys)

    def wait(self):
        deadline = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.written
            self.read()
        self.read()
        return self.process.returncode

    def is_restored(self):
        """Modes as before, the usual screen, and a cursor."""
        import termios

        last = [self.written.rfind(code) for code in ("\x1b[?1049h", "\x1b[?1049l", "\x1b[?25l", "\x1b[?25h")]
        assert last[0] >= 0
        return termios.tcgetattr(self.slave) == self.before and last[0] < last[1] and last[2] < last[3]

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def at_terminal():
    if sys.platform == "win32":
        pytest.skip("there are no pseudo-terminals")
    players = []

    def start(*arguments, program=PROGRAM):
        players.append(Player(sys.executable, "-c", TAKE_TERMINAL + program, *arguments))
        return players[-1]

    yield start
    for player in players:
        player.close()


def play_basic(at_terminal, *arguments):
    player = at_terminal("play", "Basic", "--heuristic", "--screen", "terminal", "--episodes", "1", *arguments)
    player.wait_for("step 0, reward 0.000")
    return player


def test_seven_steps_to_the_right(at_terminal, tmp_path):
    """7 x -0.01 + 1: the goal is 7 places away."""
    recording = tmp_path / "human.demo"
    player = play_basic(at_terminal, "--record", str(recording))
    player.press(RIGHT)
    player.wait_for("step 1, reward -0.010")
    player.press(b"a")
    player.wait_for("step 2, reward -0.020")
    player.press(RIGHT * 3 + b"dddd")
    assert player.wait() == 0
    assert [text.split("reward ")[1] for text in STATUS.findall(player.written)] == [
        *("0.000", "-0.010", "-0.020", "-0.030", "-0.040", "-0.050", "-0.060", "-0.070", "-0.080", "0.910")
    ]
    assert "▀" in player.written
    assert "left or a: go left" in player.written
    assert "0.910" in player.written.rpartition("\x1b[?1049l")[2]  # the table of results
    assert player.is_restored()

    from mlagents_envs.demonstrations import load_demonstration

    (episode,) = load_demonstration(recording).episodes
    assert episode.action.discrete[:, 0].tolist() == [2, 1, 2, 2, 2, 2, 2, 2, 2]
    assert episode.is_whole


@pytest.mark.parametrize(("keys", "exit_code"), [(b"\x03", 130), (b"\x1b", 0)])
def test_who_stops_gets_the_terminal_back(at_terminal, keys, exit_code):
    player = play_basic(at_terminal)
    player.press(b"d")
    player.wait_for("step 1")
    player.press(keys)
    assert player.wait() == exit_code
    assert player.written.rstrip().endswith("no episode has ended")
    assert player.is_restored()


def test_who_is_terminated_gives_the_terminal_back(at_terminal):
    player = play_basic(at_terminal)
    player.process.send_signal(signal.SIGTERM)
    assert player.wait() == 128 + signal.SIGTERM
    assert player.is_restored()


def test_an_error_gives_the_terminal_back(at_terminal):
    fault = "from mlagents_sim.examples import basic\nbasic.BasicAgents.act = lambda self: 1 / 0\n"
    player = at_terminal("play", "Basic", "--heuristic", "--screen", "terminal", program=fault + PROGRAM)
    player.wait_for("step 0")
    player.press(b"d")
    assert player.wait() == 1
    assert "ZeroDivisionError" in player.written.rpartition("\x1b[?1049l")[2]
    assert player.is_restored()


def without_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a display")
def test_neither_terminal_nor_display(monkeypatch, capsys):
    without_display(monkeypatch)
    assert main(["play", "Basic", "--heuristic"]) == 2
    assert "needs a terminal or a display, and here is neither; run it in a terminal" in capsys.readouterr().err
    assert main(["play", "Basic", "--heuristic", "--screen", "window"]) == 2
    assert "no window opens here" in capsys.readouterr().err


def test_no_video_of_people(tmp_path, capsys):
    assert main(["play", "Basic", "--heuristic", "--video", str(tmp_path / "me.gif")]) == 2
    assert "--record FILE.demo does" in capsys.readouterr().err


class Seat:
    """A seat where a key is held all the time; every picture costs some time."""

    pictures_per_second = 50.0
    size = (8, 8)

    def __init__(self, cost_s=0.0):
        self.captions = []
        self.cost_s = cost_s

    def show(self, picture, caption):
        assert picture.shape == (8, 8, 3)
        self.captions.append(caption)
        time.sleep(self.cost_s)

    def wait(self, seconds):
        time.sleep(max(0.0, seconds))
        return ["up"]

    def held(self):
        return ["up"]


def test_physics_runs_in_real_time_however_slowly_pictures_are_drawn():
    env = default_registry["Hallway"].make(num_areas=1)
    env._world.picture = lambda width, height: np.zeros((height, width, 3), np.uint8)
    seat = Seat(cost_s=0.03)
    game = Game(env, seat)
    env.reset()
    assert game.choose_keys() == ["up"]
    assert any(caption[0] == "press any key to begin" for caption in seat.captions)
    env.step()
    seat.captions.clear()
    began = time.perf_counter()
    for _ in range(10):
        assert game.choose_keys() == ["up"]
        env.step()
    seconds = time.perf_counter() - began
    assert 0.95 < seconds < 4.0  # 10 decisions x 6 steps x 0.02 s; more if others use the machine
    assert 4 <= len(seat.captions) <= 1 + 0.5 * seconds / seat.cost_s  # drawing takes half of the time at most


def test_keys_are_described_once():
    keys = default_registry["Hallway"].make(num_areas=1).keys
    (hallway,) = keys.values()
    assert describe_keys({"one": hallway, "other": hallway}) == (
        "up or w: run ahead, down or s: run back, right or d: turn right, left or a: turn left"
    )


def test_envs_tells_the_keys(capsys):
    assert main(["envs", "Basic"]) == 0
    assert "  key left or a: go left\n" in capsys.readouterr().out
