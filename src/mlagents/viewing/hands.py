"""Which keys a person holds who plays in a browser: on the keyboard, or by buttons on the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

TOUCH_S: Final = 0.25
"""So long a button of the page counts as held after its last sign: it gives one ten times a second."""

_BROWSER_NAMES: Final = {
    "ArrowUp": "up",
    "ArrowDown": "down",
    "ArrowLeft": "left",
    "ArrowRight": "right",
    " ": "space",
}


def key_name(browser_name: str) -> str:
    """Return our name of a key that a browser calls so."""
    return _BROWSER_NAMES.get(browser_name, browser_name.lower())


class Hands:
    """Gathers keys from the threads of the page, and hands them to that of the game."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[str] = []
        self._touched: dict[str, float] = {}
        self._pressed: list[str] = []

    def hold(self, names: Sequence[str]) -> None:
        """Take over which keys of the keyboard are held now, the newest last."""
        with self._lock:
            self._pressed += [name for name in names if name not in self._held]
            self._held = list(names)

    def touch(self, name: str) -> None:
        """Hold a key for a moment, as a button does again and again."""
        now = time.monotonic()
        with self._lock:
            if now >= self._touched.get(name, 0.0):
                self._pressed.append(name)
            self._touched.pop(name, None)
            self._touched[name] = now + TOUCH_S

    def release(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._held.clear()
            self._touched.clear()
            self._pressed.clear()

    @property
    def has_pressed(self) -> bool:
        """Whether a key was pressed that nobody has taken yet."""
        with self._lock:
            return bool(self._pressed)

    def take_one(self) -> list[str]:
        """Return the first key that was pressed, for games in which time stands still between decisions."""
        with self._lock:
            return [self._pressed.pop(0)] if self._pressed else []

    def take(self) -> list[str]:
        """Return the keys that decide now, the newest last: those that were tapped, then those that are held."""
        now = time.monotonic()
        with self._lock:
            held = [*self._held, *(name for name, until in self._touched.items() if now < until)]
            tapped = [name for name in self._pressed if name not in held]
            self._pressed.clear()
            return tapped + held
