"""What is wrong with the start of a run, all of it at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class StartError(Exception):
    """A run cannot start for several reasons; the message has a line for each."""


class StartFaults:
    """Collects the faults of independent checks.

    Args:
      kinds: exceptions that are faults of the user; others are raised at once.
    """

    def __init__(self, *kinds: type[Exception]) -> None:
        self._kinds = kinds
        self._found: list[Exception] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the fault that the block raises, and go on behind it."""
        try:
            yield
        except self._kinds as error:
            self._found.append(error)

    def raise_all(self) -> None:
        """Raise what was noted, if anything was.

        Raises:
          StartError: several faults were.
          Exception: the only fault.
        """
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            raise StartError("\n".join(map(str, self._found)))
