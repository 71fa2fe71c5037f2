"""Saying that agents are silent, before somebody has waited for nothing all night."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

FIRST_S = 60.0
"""Seconds of silence after which it is said; then after twice as long, four times, and so on."""


LOOK_S = 1.0
"""Seconds between two looks."""


class Patience:
    """Notices behaviors whose agents ask for no decisions.

    Args:
      first_s: seconds until it is said for the first time.
      clock: seconds, from any start.
    """

    def __init__(self, first_s: float = FIRST_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._first_s = first_s
        self._clock = clock
        self._steps: dict[str, int] = {}
        self._since_s: dict[str, float] = {}
        self._due_s: dict[str, float] = {}
        self._looked_s = -LOOK_S

    def is_due(self) -> bool:
        """Return whether `observe` is to be called: the last time was `LOOK_S` ago or more. Cheap, for every round."""
        return self._clock() >= self._looked_s + LOOK_S

    def observe(self, steps: Mapping[str, int]) -> Iterator[str]:
        """Yield a line for each behavior whose silence is to be said now.

        Args:
          steps: decisions so far of all behaviors that environments have announced, 0 for those without agents.
        """
        now_s = self._looked_s = self._clock()
        for behavior, step in steps.items():
            if self._steps.get(behavior) != step:
                self._steps[behavior] = step
                self._since_s[behavior] = now_s
                self._due_s[behavior] = now_s + self._first_s
            elif now_s >= self._due_s[behavior]:
                silent_s = now_s - self._since_s[behavior]
                self._due_s[behavior] = now_s + silent_s
                yield _line(behavior, step, silent_s)


def _line(behavior: str, step: int, silent_s: float) -> str:
    so_far = f"since step {step}" if step else "yet"
    return (
        f"{behavior}: no decision was asked for {so_far} ({silent_s:.0f} s). The run waits for its agents, and ends by"
        " itself only when all behaviors have done their max_steps; Ctrl+C saves and ends it."
    )


def already_trained(behavior: str, step: int, max_steps: int) -> str:
    """Return the line about a resumed behavior that has nothing left to learn."""
    return (
        f"{behavior}: its training is over, step {step} is beyond max_steps ({max_steps}). Raise max_steps to train"
        " on, or add --inference to let it play."
    )
