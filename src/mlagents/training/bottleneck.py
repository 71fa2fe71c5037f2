"""What a run spends its time on, and so what it is bound by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import astuple, dataclass

from mlagents_envs.timers import TimerNode

ENVIRONMENT, ACTING, LEARNING = "environment", "acting", "learning"

_SAVING = ("checkpoint", "snapshots")
FIRST_VERDICT_S = 60.0
"""Seconds of training after which a run says for the first time what it is bound by."""


@dataclass(frozen=True)
class TimeShares:
    """Seconds of the training loop by purpose; what is in none of them was start or end.

    Attributes:
      environment: waiting for environments, or stepping those of this process.
      acting: sorting what came into trajectories, and deciding.
      learning: updates, without compiling them.
      saving: checkpoints and snapshots.
      compiling: updates.
    """

    environment: float = 0.0
    acting: float = 0.0
    learning: float = 0.0
    saving: float = 0.0
    compiling: float = 0.0

    @classmethod
    def of(cls, root: TimerNode, compile_seconds: float = 0.0) -> TimeShares:
        """Return the shares in the timers of a training loop.

        Args:
          root: the parent of the loop's timers.
          compile_seconds: of updates, which is part of the timer of learning.
        """

        def seconds(*names: str) -> float:
            return sum(root.children[name].total for name in names if name in root.children)

        learning = seconds("learn")
        compiling = min(compile_seconds, learning)
        return cls(
            seconds("environment"), seconds("collect", "act"), learning - compiling, seconds(*_SAVING), compiling
        )

    @property
    def bound_by(self) -> str | None:
        """`environment`, `acting` or `learning`, whichever takes most; None before any of them took time."""
        found = {ENVIRONMENT: self.environment, ACTING: self.acting, LEARNING: self.learning}
        longest = max(found, key=lambda name: found[name])
        return longest if found[longest] > 0 else None

    def fractions(self) -> dict[str, float]:
        """Return the share of each purpose, 0 to 1, of their sum without compiling; empty before any took time."""
        purposes = {
            ENVIRONMENT: self.environment,
            ACTING: self.acting,
            LEARNING: self.learning,
            "saving": self.saving,
        }
        total = sum(purposes.values())
        return {name: value / total for name, value in purposes.items()} if total > 0 else {}

    def __sub__(self, earlier: TimeShares) -> TimeShares:
        return TimeShares(*(now - then for now, then in zip(astuple(self), astuple(earlier), strict=True)))

    def __str__(self) -> str:
        if self.bound_by is None:
            return "Bound by: not known yet."
        parts = ", ".join(f"{name} {100 * share:.0f} %" for name, share in self.fractions().items())
        compiled = f"; compiling took {self.compiling:.1f} s besides" if self.compiling >= 0.1 else ""
        return f"Bound by: {self.bound_by} ({parts} of the time{compiled})."


class FirstVerdict:
    """Tells once, a minute after training has begun, what a run is bound by.

    Args:
      shares: returns what was spent so far.
      say: takes the line.
      clock: seconds, from any start.
    """

    def __init__(
        self, shares: Callable[[], TimeShares], say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shares = shares
        self._say = say
        self._clock = clock
        self._due = clock() + FIRST_VERDICT_S
        self._told = False

    def observe(self) -> None:
        """Tell it if it is time; cheap."""
        if not self._told and self._clock() >= self._due:
            self._told = True
            self._say(str(self._shares()))
