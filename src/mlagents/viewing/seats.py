"""Which seat there is for a person who plays: a window where there is a display, otherwise the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mlagents.errors import UsageError
from mlagents.viewing.seat import Seat

WINDOW: Final = "window"
TERMINAL: Final = "terminal"


@contextmanager
def open_seat(title: str, screen: str | None) -> Iterator[Seat]:
    """Give the player a window where there is a display, otherwise the terminal.

    Args:
      title: of a window.
      screen: WINDOW, TERMINAL, or None for what there is.

    Raises:
      UsageError: there is neither, or not what was wanted.
    """
    from mlagents.viewing.terminal import open_terminal  # not above: they load rich and tkinter
    from mlagents.viewing.window import NoWindow, open_window

    problem = ""
    if screen == WINDOW or (screen is None and has_display()):
        try:
            window = open_window(title)
        except NoWindow as error:
            if screen == WINDOW:
                raise UsageError(f"no window opens here: {error}") from error
            problem = f" (no window opens either: {error})"
        else:
            with window:
                yield window
            return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            f"playing by keyboard needs a terminal or a display, and here is neither{problem}; run it in a terminal,"
            " without pipes, or give --model"
        )
    with open_terminal() as terminal:
        yield terminal


def has_display() -> bool:
    """Return whether a window can be opened for the user."""
    if sys.platform in ("win32", "darwin"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
