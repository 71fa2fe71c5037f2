"""Stopping a run by Ctrl+C, SIGTERM, or the end of its terminal. Standard library only: it is imported first."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from enum import Enum
from types import FrameType, TracebackType
from typing import Protocol

_STDERR = 2
_DOUBLE_S = 1.0
"""A second signal within this time is the same wish: Ctrl+C pressed twice, or passed on by what had blocked it."""


class _Phase(Enum):
    LOADING = "loading"
    STARTING = "starting"
    TRAINING = "training"


def stopped_by(number: int) -> KeyboardInterrupt:
    """Return the exception that ends a command because of a signal, whose exit code is 128 + its number."""
    return KeyboardInterrupt(int(number))


class Stop(Protocol):
    """Who says that a run shall stop.

    Attributes:
      received: the signal that asked for it, if one did.
    """

    received: signal.Signals | None

    def training(self, also: Callable[[], bool] = bool) -> AbstractContextManager[Stop]:
        """Say that the run has started and is asked whether to stop; `also` is another reason."""

    def __call__(self) -> bool:
        """Return whether to stop."""


class StopRequest:
    """Asks for the end of a run of this process without touching signals; may be set by any thread.

    Attributes:
      received: None, for no signal asks.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._asked = threading.Event()
        self._also: Callable[[], bool] = bool

    def ask(self) -> None:
        """Let the run stop after what is in progress, and save."""
        self._asked.set()

    @contextmanager
    def training(self, also: Callable[[], bool] = bool) -> Iterator[StopRequest]:
        """See `Stop`."""
        self._also = also
        yield self

    def __call__(self) -> bool:
        """Return whether it was asked, or another reason asks to stop."""
        return self._asked.is_set() or self._also()


class StopSignals:
    """Within the `with` block, SIGINT, SIGTERM and SIGHUP ask for the end; each is acknowledged on stderr at once.

    A thread does that, since Python's own handlers wait for the end of compilations. What a signal does depends on how
    far the run is:

    - While modules are loaded there is nothing to clean up: the process ends, with 128 + the signal's number.
    - After `loaded`, while the run is started, `KeyboardInterrupt` is raised; a second signal ends the process.
    - Within `training`, the run is asked to stop and save; a second signal interrupts it where it is.

    A SIGHUP that is ignored, as `nohup` has it, stays so.

    Attributes:
      received: the first signal.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._phase = _Phase.LOADING
        self._depth = 0
        self._first_s: float | None = None
        self._also: Callable[[], bool] = bool

    def __enter__(self) -> StopSignals:
        self._depth += 1
        if self._depth == 1:
            self._before = {number: signal.signal(number, self._handle) for number in _numbers()}
            self._reader, self._writer = socket.socketpair()
            self._writer.setblocking(False)
            self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
            self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            for number, handler in self._before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._wakeup_before)
            self._writer.close()
            self._thread.join()
            self._reader.close()

    def loaded(self) -> None:
        """Say that everything is imported, and that from here on an end needs cleaning up."""
        self._phase = _Phase.STARTING

    @contextmanager
    def training(self, also: Callable[[], bool] = bool) -> Iterator[StopSignals]:
        """Say that the run has started and is asked whether to stop.

        Args:
          also: another reason to stop.

        Raises:
          KeyboardInterrupt: a signal came before, and the exception was lost on its way.
        """
        with self:
            self._phase, self._also = _Phase.TRAINING, also
            if self.received is not None:
                raise stopped_by(self.received)
            yield self

    def __call__(self) -> bool:
        """Return whether a signal, or another reason, asks to stop."""
        return self.received is not None or self._also()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._phase is _Phase.LOADING:
            return  # the thread ends the process; an exception could be lost in an import, or abort one
        is_first, self.received = self.received is None, self.received or signal.Signals(number)
        if self._phase is _Phase.STARTING or not is_first:
            self._await_acknowledgement()
            raise stopped_by(number)

    def _await_acknowledgement(self) -> None:
        """Let the thread speak first; by sleeping, since a handler may interrupt another that holds a lock."""
        latest = time.monotonic() + _DOUBLE_S
        while self._first_s is None and time.monotonic() < latest:
            time.sleep(0.001)

    def _listen(self) -> None:
        while numbers := self._reader.recv(64):
            for number in numbers:
                if number in self._before:
                    self._acknowledge(signal.Signals(number))

    def _acknowledge(self, number: signal.Signals) -> None:
        if self._phase is _Phase.LOADING:
            _say("interrupted")
            os._exit(128 + number)
        elif self._first_s is None:
            if self._phase is _Phase.STARTING:
                _say(f"{number.name}: the start is given up; once more ends it at once.")
            else:
                _say(f"{number.name}: stopping after what is in progress, and saving; once more interrupts that.")
            self._first_s = time.monotonic()
        elif self._phase is _Phase.STARTING and time.monotonic() - self._first_s > _DOUBLE_S:
            os._exit(128 + number)


def _numbers() -> Iterator[signal.Signals]:
    yield from (signal.SIGINT, signal.SIGTERM)
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        yield hangup


def _say(text: str) -> None:
    with suppress(OSError):  # of a terminal that was closed
        os.write(_STDERR, f"{text}\n".encode())
