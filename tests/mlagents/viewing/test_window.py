"""A window as a seat; needs a display."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.viewing.seat import Quit
from mlagents.viewing.window import HEIGHT, WIDTH, NoWindow, open_window


@pytest.fixture
def window():
    try:
        window = open_window("Test")
    except NoWindow as error:
        pytest.skip(f"no display: {error}")
    with window:
        window._root.update()
        window._root.focus_force()
        window._root.update()
        yield window


def send(window, kind, key, at):
    window._root.event_generate(f"<{kind}-{key}>", time=at)


def test_keys_are_held_until_they_are_released(window):
    send(window, "KeyPress", "Up", 10)
    send(window, "KeyPress", "a", 11)
    assert window.wait(0.0) == ["up", "a"]
    assert window.held() == ["up", "a"]
    send(window, "KeyRelease", "Up", 12)
    assert window.wait(0.0) == []
    assert window.held() == ["a"]


def test_repetition_is_no_new_press(window):
    send(window, "KeyPress", "Left", 10)
    assert window.wait(0.0) == ["left"]
    for at in (40, 70):
        send(window, "KeyRelease", "Left", at)
        send(window, "KeyPress", "Left", at)
    assert window.wait(0.0) == []
    assert window.held() == ["left"]


def test_escape_stops(window):
    send(window, "KeyPress", "Escape", 10)
    with pytest.raises(Quit):
        window.wait(0.0)


def test_a_picture_and_its_caption(window):
    assert window.size == (WIDTH, HEIGHT)
    window.show(np.full((HEIGHT, WIDTH, 3), 200, np.uint8), ("step 1", "up: run"))
    assert window._picture.width() == WIDTH
    assert window._caption.cget("text") == "step 1\nup: run"
