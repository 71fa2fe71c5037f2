"""How fast a play goes on that people look at: real time, slower, faster, or decision by decision."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

MAKES_UP_FOR_S: Final = 0.3
"""Of time that was lost; what is beyond stays lost."""


class Pace:
    """Says when the next moment of the play is due.

    Args:
      clock: seconds, rising.
      sleep: waits so many.

    Attributes:
      speed: game seconds per second; infinite for as fast as it goes.
      paused: whether the play stands still, but for single steps.
    """

    def __init__(
        self, clock: Callable[[], float] = time.perf_counter, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self.speed = 1.0
        self.paused = False
        self._due = clock()
        self._steps = 0

    def ask_step(self) -> None:
        """Pause, and allow one decision more."""
        self.paused = True
        self._steps += 1

    def may_step(self) -> bool:
        """Return whether the next decision may be taken now; a single step is used up by asking."""
        if not self.paused:
            return True
        if self._steps:
            self._steps -= 1
            return True
        return False

    def rest(self) -> None:
        """Let time pass that is not to be made up for: nobody plays."""
        self._due = self._clock()

    def wait(self, game_seconds: float) -> None:
        """Wait until so much of the game's time may have passed since the last call."""
        if math.isinf(self.speed):
            self._due = self._clock()
            return
        now = self._clock()
        self._due = max(self._due + game_seconds / self.speed, now - MAKES_UP_FOR_S)
        if self._due > now:
            self._sleep(self._due - now)


class FrameClock:
    """Says when a frame is due, so many times a second on average.

    Args:
      rate: frames per second.
      clock: seconds, rising.

    Attributes:
      frames: that were due so far.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._period, self._clock = 1.0 / rate, clock
        self._next = clock()
        self.frames = 0

    def is_due(self) -> bool:
        """Return whether a frame is due now; then the next one is a period later."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = max(self._next, now - self._period) + self._period
        self.frames += 1
        return True
