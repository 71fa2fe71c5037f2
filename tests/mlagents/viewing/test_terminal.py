"""A terminal as a seat: what keys send, and pictures of characters."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mlagents.viewing.seat import Quit
from mlagents.viewing.terminal import HELD_S, HalfBlocks, Terminal, key_names


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ("\x1b[A\x1b[B\x1b[C\x1b[D", ["up", "down", "right", "left"]),
        ("\x1bOA", ["up"]),
        ("\x1b[1;2C", ["right"]),  # with shift
        ("wA ", ["w", "a", "space"]),
        ("\x1b", ["escape"]),
        ("\x1b[3~\x1b[Z", ["other", "other"]),
        ("", []),
    ],
)
def test_names_of_keys(sent, names):
    assert key_names(sent) == names


@given(st.lists(st.sampled_from([("\x1b[A", "up"), ("\x1bOD", "left"), ("q", "q"), (" ", "space")])))
def test_keys_that_come_together_are_told_apart(keys):
    assert key_names("".join(sent for sent, _ in keys)) == [name for _, name in keys]


class Typed:
    """Keys that come one by one."""

    def __init__(self, *names):
        self.names = list(names)

    def read(self, seconds):
        if self.names:
            return [self.names.pop(0)]
        time.sleep(seconds)
        return []


def terminal(*typed) -> tuple[Terminal, io.StringIO]:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system="truecolor", width=20, height=9, _environ={})
    console.set_alt_screen(True)
    return Terminal(console, Typed(*typed)), file


def test_a_key_is_held_for_a_moment():
    seat, _ = terminal("up", "left", "up")
    assert seat.wait(0.0) == ["up"]
    assert seat.wait(0.01) == ["left", "up"]
    assert seat.held() == ["left", "up"]
    time.sleep(HELD_S)
    assert seat.held() == []


def test_escape_stops():
    seat, _ = terminal("escape")
    with pytest.raises(Quit):
        seat.wait(0.0)


def test_two_pixels_are_one_character():
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[0, 2] = 8, 16, 255
    file = io.StringIO()
    Console(file=file, force_terminal=True, color_system="truecolor", width=20, _environ={}).print(HalfBlocks(picture))
    black, blue = "\x1b[38;2;0;0;0;48;2;0;0;0m", "\x1b[38;2;8;16;248;48;2;0;0;0m"
    assert file.getvalue() == f"{black}▀▀\x1b[0m{blue}▀\x1b[0m\n"


def test_a_picture_fits_with_its_caption():
    seat, file = terminal()
    width, height = seat.size
    assert (width, height) == (20, 12)
    seat.show(np.zeros((height, width, 3), np.uint8), ("walker: 1", "up: run"))
    drawn = file.getvalue()
    assert drawn.count("▀") == 20 * 6
    assert "walker: 1" in drawn
    assert "up: run" in drawn
    assert "\n" not in drawn.partition("\x1b[1;1H")[2]  # nothing scrolls
