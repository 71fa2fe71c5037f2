"""Stopping a run by Ctrl+C or SIGTERM."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType


class StopSignals:
    """Within the `with` block, SIGINT and SIGTERM ask the run to stop; a second one interrupts it where it is."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    def __enter__(self) -> StopSignals:
        self._before = {s: signal.signal(s, self._handle) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)

    def __call__(self) -> bool:
        """Return whether a signal asked to stop."""
        return self.received is not None
