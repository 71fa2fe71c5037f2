"""A terminal as a player's seat: pictures of half-block characters, keys one at a time."""

from __future__ import annotations

import functools
import itertools
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from rich.color import Color
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from mlagents.errors import UsageError
from mlagents.viewing.seat import ESCAPE, Quit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HELD_S: Final = 0.12  # after the last sign of a key: terminals do not tell when it is released, but repeat it
REST_OF_A_KEY_S: Final = 0.03
CAPTION_LINES: Final = 3
SIGTERM_EXIT: Final = 128 + signal.SIGTERM

_ARROWS: Final = {"A": "up", "B": "down", "C": "right", "D": "left"}
_KEY: Final = re.compile(r"\x1b[\[O][0-9;]*([~A-Za-z])|\x1b|.", re.DOTALL)
_BEGUN_KEY: Final = re.compile(rb"\x1b([\[O][0-9;]*)?$")


class KeySource(Protocol):
    """Where keys come from."""

    def read(self, seconds: float) -> list[str]:
        """Wait at most so long for keys, and return those that came; none if none did."""


class Terminal:
    """A `Seat`.

    Args:
      console: what to draw on.
      source: where keys come from.
    """

    pictures_per_second = 10.0

    def __init__(self, console: Console, source: KeySource) -> None:
        self._console = console
        self._source = source
        self._last_sign: dict[str, float] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Every character shows two pixels, one above the other."""
        width, height = self._console.size
        return max(width, 8), 2 * max(height - CAPTION_LINES, 4)

    def show(self, picture: NDArray[np.uint8], caption: Sequence[str]) -> None:
        """Draw over what was there."""
        lines = [Text(line, overflow="fold") for line in caption]
        self._console.update_screen(Group(HalfBlocks(picture), *lines))

    def wait(self, seconds: float) -> list[str]:
        """Read keys until the time is over."""
        deadline = time.perf_counter() + seconds
        pressed: list[str] = []
        while True:
            for name in self._source.read(max(0.0, deadline - time.perf_counter())):
                if name == ESCAPE:
                    raise Quit
                self._last_sign.pop(name, None)
                self._last_sign[name] = time.perf_counter()
                pressed.append(name)
            if time.perf_counter() >= deadline:
                return pressed

    def held(self) -> list[str]:
        """Return the keys of which there was a sign just now."""
        now = time.perf_counter()
        return [name for name, last in self._last_sign.items() if now - last < HELD_S]


class HalfBlocks:
    """A picture, uint8 [height, width, 3] with an even height, to be printed by rich."""

    def __init__(self, picture: NDArray[np.uint8]) -> None:
        self._picture = picture

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        coarse = self._picture & 0xF8  # as fine as eyes see on a terminal, and neighbours are alike
        for upper, lower in zip(coarse[::2].tolist(), coarse[1::2].tolist(), strict=True):
            columns = zip(map(tuple, upper), map(tuple, lower), strict=True)
            for colors, run in itertools.groupby(columns):
                yield Segment("▀" * len(list(run)), _style(*colors))
            yield Segment.line()


@functools.lru_cache(maxsize=65536)
def _style(upper: tuple[int, int, int], lower: tuple[int, int, int]) -> Style:
    return Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))


@contextmanager
def open_terminal() -> Iterator[Terminal]:
    """Take over the terminal for the block; afterwards it is as before, however the block ends.

    Raises:
      UsageError: the terminal is too simple for pictures.
    """
    console = Console()
    with _ending_orderly(), _reading_keys() as source, console.screen():
        if not console.is_alt_screen:
            raise UsageError("this terminal cannot show pictures; use another one, or a display")
        yield Terminal(console, source)


@contextmanager
def _ending_orderly() -> Iterator[None]:
    """Let SIGTERM raise, so that everything is put back."""

    def leave(number: int, frame: Any) -> None:
        sys.exit(SIGTERM_EXIT)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if sys.platform == "win32":
    import msvcrt

    _WINDOWS_KEYS: Final = {"H": "up", "P": "down", "M": "right", "K": "left"}

    class WindowsKeys:
        """Keys of a Windows console."""

        def read(self, seconds: float) -> list[str]:
            """Wait at most so long for keys, and return those that came; none if none did."""
            deadline = time.perf_counter() + seconds
            while not msvcrt.kbhit():
                if time.perf_counter() >= deadline:
                    return []
                time.sleep(0.005)
            character = msvcrt.getwch()
            if character == "\x03":
                raise KeyboardInterrupt
            if character in ("\x00", "\xe0"):
                return [_WINDOWS_KEYS.get(msvcrt.getwch(), "other")]
            return key_names(character)

    @contextmanager
    def _reading_keys() -> Iterator[KeySource]:
        yield WindowsKeys()

else:
    import select
    import termios
    import tty

    class PosixKeys:
        """Keys of a terminal that hands over every byte at once.

        Args:
          descriptor: of the terminal.
        """

        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor

        def read(self, seconds: float) -> list[str]:
            """Wait at most so long for keys, and return those that came; none if none did.

            Raises:
              Quit: the terminal is gone.
            """
            data = self._bytes(seconds)
            if _BEGUN_KEY.search(data):
                data += self._bytes(REST_OF_A_KEY_S)
            return key_names(data.decode(errors="ignore"))

        def _bytes(self, seconds: float) -> bytes:
            if not select.select([self._descriptor], [], [], seconds)[0]:
                return b""
            if not (data := os.read(self._descriptor, 1024)):
                raise Quit
            return data

    @contextmanager
    def _reading_keys() -> Iterator[KeySource]:
        """Hand over every byte at once and show none; Ctrl+C still interrupts, Ctrl+Z does nothing."""
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        try:
            tty.setcbreak(descriptor)
            mode = termios.tcgetattr(descriptor)
            mode[6][termios.VSUSP] = b"\x00"
            termios.tcsetattr(descriptor, termios.TCSANOW, mode)
            yield PosixKeys(descriptor)
        finally:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


def key_names(text: str) -> list[str]:
    """Return the names of the keys behind what a terminal sent."""
    names = []
    for match in _KEY.finditer(text):
        found, final = match[0], match[1]
        if final:
            names.append(_ARROWS.get(final, "other"))
        elif found == "\x1b":
            names.append(ESCAPE)
        else:
            names.append("space" if found == " " else found.lower())
    return names
