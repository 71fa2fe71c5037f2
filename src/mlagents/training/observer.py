"""Who wants to know how a run in the same process gets on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mlagents.stats import Writer

Progress = Callable[[str, int], None]
"""Takes a behavior and its step; called often."""


class Observer(Writer, Protocol):
    """A writer that is told steps between summaries, too."""

    def progress(self, behavior: str, step: int) -> None:
        """Take the step of a behavior; called after every round of the loop, in its thread."""
