"""Environments in processes of their own, each stepping at its own pace."""

from __future__ import annotations

import atexit
import multiprocessing
import pickle
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from time import monotonic
from types import ModuleType
from typing import Any, NamedTuple

from mlagents.rollout.env_pool import WorkerStep, never
from mlagents.rollout.exchange import CLOSE, FAILURE, REPORT, News, PoolEnd, encode_parameters, encode_reset
from mlagents.rollout.parameters import ParameterValue, for_worker
from mlagents.rollout.source import EnvironmentSource
from mlagents.rollout.worker import Failure, kill_tree, run
from mlagents_envs.base_env import ActionTuple, BehaviorMapping, BehaviorSpec
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.environment_parameters_channel import ParameterSampler
from mlagents_envs.side_channel.stats_side_channel import EnvironmentStats, StatList

logger = get_logger(__name__)

_LOOK_UP_S = 0.5  # how often a pool that waits looks whether it shall stop
_START_S = 10.0  # for a process to start, and to say what went wrong
_CLOSE_S = 4.0  # to close an environment when asked
_TERMINATE_S = 1.5  # to do so after SIGTERM
_PATIENCE = 1.1  # of timeout_wait: an environment that has the same limit gets to say what happened


class WorkerFailed(UnityEnvironmentException):
    """A worker died, hung or raised an exception, and may not be restarted (again).

    Attributes:
      worker: its index.
      failure: what happened.
    """

    def __init__(self, worker: int, failure: Failure, refusal: str) -> None:
        lines = [f"Worker {worker}: {failure.summary}.", refusal, failure.advice, failure.details]
        super().__init__("\n".join(filter(None, lines)))
        self.worker = worker
        self.failure = failure


class RestartLimits(NamedTuple):
    """How often one worker may be restarted; -1 lifts a limit.

    Attributes:
      lifetime: restarts in the whole run.
      per_period: restarts within a period.
      period_s: its length in seconds.
    """

    lifetime: int
    per_period: int
    period_s: float

    def refusal(self, restarts: Sequence[float], now: float) -> str:
        """Return why a worker restarted at these times may not be restarted now, or "" if it may."""
        if 0 <= self.lifetime <= len(restarts):
            return (
                f"It was restarted {len(restarts)} times in this run, the most that "
                f"--max-lifetime-restarts={self.lifetime} allows."
            )
        recent = sum(now - time < self.period_s for time in restarts)
        if 0 <= self.per_period <= recent:
            return (
                f"It was restarted {recent} times in the last {self.period_s:g} s, the most that "
                f"--restarts-rate-limit-n={self.per_period} allows."
            )
        return ""


class ProcessPool:
    """An `EnvPool` of worker processes.

    Construction starts all workers and waits until each has made its environment. A worker that fails later
    (its process dies, its environment raises an exception or does not answer in time) is replaced, alone; its
    next `WorkerStep` says so, because what its agents had begun is lost.

    Args:
      source: of the environments; worker i makes its environment with index i, and so with seed + i.
      num_envs: number of workers.
      max_lifetime_restarts: restarts of one worker in the whole run; -1 = unlimited.
      restarts_rate_limit_n: restarts of one worker within a period; -1 = unlimited.
      restarts_rate_limit_period_s: length of the period in seconds.
      timeout_wait: seconds that a worker may take for one answer.

    Raises:
      WorkerFailed: a worker died before its environment was made, or did not answer in time.
      Exception: what the environment raised when it was made.
    """

    def __init__(
        self,
        source: EnvironmentSource,
        num_envs: int,
        *,
        max_lifetime_restarts: int = 10,
        restarts_rate_limit_n: int = 1,
        restarts_rate_limit_period_s: float = 60,
        timeout_wait: float = 60,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}.")
        self._source = pickle.dumps(source)
        self._limits = RestartLimits(max_lifetime_restarts, restarts_rate_limit_n, float(restarts_rate_limit_period_s))
        self._timeout_s = timeout_wait
        self._patience_s = _PATIENCE * timeout_wait
        self._restarts: dict[int, list[float]] = defaultdict(list)
        self._specs: dict[str, BehaviorSpec] = {}
        self._parameters: dict[str, ParameterValue] = {}
        self._stats: dict[int, dict[str, StatList]] = {}
        self._workers: list[_Worker] = []
        self._complete = False
        self._closed = False
        atexit.register(self.close)
        try:
            for index in range(num_envs):
                with _blocked_ctrl_c():
                    self._workers.append(_Worker(index, self._source, self._patience_s))
            while any(worker.unanswered for worker in self._workers):
                self._read()
        except BaseException:
            self.close()
            raise
        self._complete = True

    @property
    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Specs of every behavior seen so far; none before the first `receive`."""
        return BehaviorMapping(self._specs)

    def reset(self, parameters: Mapping[str, ParameterValue]) -> None:
        """Start new episodes everywhere, with these environment parameters; pending actions are dropped.

        A worker that is in the middle of a step finishes it first; the outcome is dropped.
        """
        self.set_parameters(parameters)
        for worker in self._workers:
            worker.request(encode_reset(worker.exchange.free_slot), self._patience_s)

    def set_parameters(self, parameters: Mapping[str, ParameterValue]) -> None:
        """Tell all environments parameters, which hold from each agent's next episode."""
        self._check_open()
        self._parameters.update(parameters)
        for worker in self._workers:
            worker.tell(for_worker(parameters, worker.index))

    def receive(self, stop: Callable[[], bool] = never) -> list[WorkerStep]:
        """Wait until at least one worker reports and return all that have, by index; none if `stop` says so first.

        Raises:
          WorkerFailed: a worker failed more often than it may be restarted.
          UnityCommunicatorStoppedException: an environment left by itself, as at the end of the Editor's play mode.
          RuntimeError: all workers wait for actions.
        """
        self._check_open()
        while not (steps := self._read()) and not stop():
            pass
        return steps

    def send(self, worker: int, actions: Mapping[str, ActionTuple]) -> None:
        """Give a worker that reported its actions; it begins its step at once.

        Raises:
          UnityActionException: unknown behavior, or other shapes than the spec and the last report say.
          RuntimeError: the worker has not reported since it last got actions.
        """
        self._check_open()
        chosen = self._workers[worker]
        if chosen.unanswered:
            raise RuntimeError(f"Worker {worker} is still at its last step: receive() before send().")
        chosen.request(chosen.exchange.write_actions(actions), self._patience_s)

    def statistics(self) -> list[tuple[int, EnvironmentStats]]:
        """Return and forget what environments reported on the statistics channel, by worker."""
        stats, self._stats = self._stats, {}
        return sorted(stats.items())

    def state_dict(self) -> None:
        """Return None: the environments are in other processes, and a run goes on with new episodes there."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raise an error: `state_dict` returns none."""
        raise TypeError("a pool of processes has no state to restore")

    def close(self) -> None:
        """End every worker within seconds: ask, then terminate, then kill. Harmless when called again.

        Those that are still making their environment, which may take a minute, are not asked.
        """
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        for worker in self._workers:
            if worker.made:
                worker.request(CLOSE, 0.0)
            else:
                worker.terminate()
        _end(self._workers, _CLOSE_S)

    def _check_open(self) -> None:
        if self._closed:
            raise UnityEnvironmentException("The pool is closed; make a new one.")

    def _read(self) -> list[WorkerStep]:
        """Wait for messages, until a worker is overdue or for half a second; return the reports among what came."""
        busy = [worker for worker in self._workers if worker.unanswered]
        if not busy:
            raise RuntimeError("No worker has anything to do: call reset() or send() before receive().")
        first = min(worker.deadline for worker in busy)
        ready = set(wait([worker.connection for worker in busy], min(max(0.0, first - monotonic()), _LOOK_UP_S)))
        steps = []
        for worker in busy:
            if worker.connection in ready:
                step = self._read_worker(worker)
                if step is not None:
                    steps.append(step)
            elif worker.deadline <= monotonic():
                advice = "Raise --timeout-wait if the environment needs longer."
                self._replace(worker, Failure(f"no answer within {self._timeout_s:g} s", advice), grace_s=0.0)
        return steps

    def _read_worker(self, worker: _Worker) -> WorkerStep | None:
        """Read one message, and return the report if nothing asked for later is to follow."""
        try:
            message = worker.connection.recv_bytes()
        except (EOFError, OSError):
            self._replace(worker, worker.cause_of_death())
            return None
        if message[:1] == FAILURE:
            self._replace(worker, pickle.loads(memoryview(message)[1:]))
            return None
        counts, news = worker.exchange.adopt(message)
        if news is not None:
            self._note(worker.index, news)
        worker.unanswered -= 1
        worker.made = True
        if worker.unanswered or not self._complete:
            worker.deadline = monotonic() + self._patience_s
            return None
        step = WorkerStep(worker.index, worker.exchange.read(counts), worker.restarted)
        worker.restarted = False
        return step

    def _note(self, worker: int, news: News) -> None:
        for name, spec in news.specs.items():
            self._specs.setdefault(name, spec)
        for key, values in news.stats.items():
            self._stats.setdefault(worker, {}).setdefault(key, []).extend(values)

    def _replace(self, worker: _Worker, failure: Failure, grace_s: float = _CLOSE_S) -> None:
        """Put a fresh worker in the place of one that failed, if the limits allow it."""
        if not (self._complete and failure.curable):
            raise _its_own_error(worker.index, failure)
        restarts = self._restarts[worker.index]
        refusal = self._limits.refusal(restarts, monotonic())
        if refusal:
            raise WorkerFailed(worker.index, failure, refusal)
        told = f"Worker {worker.index}: {failure.summary}; it is restarted.\n{failure.details}"
        logger.warning("%s", told.rstrip())
        restarts.append(monotonic())
        _end([worker], grace_s)
        with _blocked_ctrl_c():
            fresh = self._workers[worker.index] = _Worker(worker.index, self._source, self._patience_s)
        fresh.restarted = True
        fresh.tell(for_worker(self._parameters, worker.index))
        fresh.request(encode_reset(fresh.exchange.free_slot), self._patience_s)


class _Worker:
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
        with theirs, nullcontext() if b"__main__" in source else _hidden_main():
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
        self._process.join(_TERMINATE_S)
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


def _end(workers: Sequence[_Worker], grace_s: float) -> None:
    """End workers that were told to, or that failed, with force where it is needed."""
    start = monotonic()
    try:
        running = [worker for worker in workers if not worker.ended(start + grace_s)]
        for worker in running:
            worker.terminate()
        for worker in running:
            worker.ended(start + grace_s + _TERMINATE_S)
    finally:  # also when a second Ctrl-C comes
        for worker in workers:
            worker.destroy()


def _its_own_error(worker: int, failure: Failure) -> Exception:
    """Return the exception that the environment raised when it was made or told parameters, or what stands for it."""
    if failure.error is not None:
        with suppress(Exception):  # its module may be out of reach here
            error = pickle.loads(failure.error)
            if isinstance(error, Exception):
                error.add_note(f"In worker {worker}:\n{failure.details}")
                return error
    return WorkerFailed(worker, failure, "This was at the start, so it was not restarted.")


@contextmanager
def _blocked_ctrl_c() -> Iterator[None]:
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
def _hidden_main() -> Iterator[None]:
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
