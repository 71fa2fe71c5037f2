"""The pool's side of a worker: its process, from start to end."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing import resource_tracker
from time import monotonic
from types import ModuleType

from mlagents.rollout.exchange import REPORT, PoolEnd, encode_parameters
from mlagents.rollout.worker import Failure, kill_tree, run
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.environment_parameters_channel import ParameterSampler

logger = get_logger(__name__)

_START_S = 10.0  # for a process to start, and to say what went wrong
TERMINATE_S = 1.5  # to close an environment after SIGTERM


class WorkerProcess:
    """The pool's side of one worker process, which it starts.

    Attributes:
      index: of the worker.
      connection: to the process.
      exchange: the memory shared with it.
      unanswered: requests without an answer, to be made being the first; only the last answer is of interest.
      deadline: of the next answer, on the monotonic clock.
      made: its environment has been made.
      restarted: the caller does not know yet that this is not the worker it was.
    """

    def __init__(self, index: int, source: bytes, patience_s: float) -> None:
        self.index = index
        self.exchange = PoolEnd()
        self.unanswered = 1
        self.deadline = monotonic() + _START_S + patience_s
        self.made = False
        self.restarted = False
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(
            target=run, args=(theirs, source, index, logger.level), name=f"environment {index}"
        )
        with theirs, nullcontext() if b"__main__" in source else hidden_main():
            self._process.start()

    def request(self, message: bytes, patience_s: float) -> None:
        """Send a request; that the worker is gone shows when its answer is read."""
        self.unanswered += 1
        self.deadline = max(self.deadline, monotonic() + patience_s)
        with suppress(OSError):
            self.connection.send_bytes(message)

    def tell(self, parameters: Mapping[str, float | ParameterSampler]) -> None:
        """Send parameters, in the order of requests; there is no answer."""
        if parameters:
            with suppress(OSError):
                self.connection.send_bytes(encode_parameters(parameters))

    def cause_of_death(self) -> Failure:
        """Return how the process ended that closed its connection."""
        self._process.join(TERMINATE_S)
        code = self._process.exitcode
        advice = "What the environment wrote last, above, may say more."
        if code is None or code >= 0:
            return Failure(f"its process closed the connection, exit code {code}", advice)
        name = {number.value: number.name for number in signal.Signals}.get(-code, "unnamed")
        if name == "SIGKILL":
            advice = "Perhaps the system was out of memory: try fewer environments (--num-envs)."
        elif name == "SIGBUS":
            advice = "Perhaps shared memory is full: see `df /dev/shm`; for Docker give --shm-size."
        return Failure(f"its process was ended by signal {-code}, {name}", advice)

    def ended(self, until: float) -> bool:
        """Wait for the process to end, at most until then, and return whether it has."""
        with suppress(Exception):  # the end of the connection, or a message of which Ctrl-C took the head
            while self.connection.poll(max(0.0, until - monotonic())):
                message = self.connection.recv_bytes()
                if message[:1] == REPORT:
                    self.exchange.adopt(message)  # which removes the names of new blocks
        self._process.join(max(0.0, until - monotonic()))
        return self._process.exitcode is not None

    def terminate(self) -> None:
        """Ask for the end by SIGTERM."""
        self._process.terminate()

    def destroy(self) -> None:
        """Kill the process and those that it started, if it still runs, and let go of everything."""
        if self._process.exitcode is None and self._process.pid is not None:
            kill_tree(self._process.pid)
        self._process.join()
        self._process.close()
        self.connection.close()
        self.exchange.release()


def end(workers: Sequence[WorkerProcess], grace_s: float) -> None:
    """End workers that were told to, or that failed, with force where it is needed."""
    start = monotonic()
    try:
        running = [worker for worker in workers if not worker.ended(start + grace_s)]
        for worker in running:
            worker.terminate()
        for worker in running:
            worker.ended(start + grace_s + TERMINATE_S)
    finally:  # also when a second Ctrl-C comes
        for worker in workers:
            worker.destroy()


@contextmanager
def blocked_ctrl_c() -> Iterator[None]:
    """Let a process start with SIGINT blocked, until it ignores it; here it comes when the pool knows the process.

    Blocking alone does not keep it away here: another thread of ours may take it, and Python then raises in this one.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    resource_tracker.ensure_running()  # would unblock the signal
    received: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # one that was pending is noted now
        signal.signal(signal.SIGINT, handler)
        if received:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def hidden_main() -> Iterator[None]:
    """Let a spawned process not run the main module of this one again.

    A worker needs nothing from it, it may import JAX, and a script without `if __name__ == "__main__"` would
    start workers without end.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
