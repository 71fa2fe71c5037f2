"""Environments in processes of their own, each stepping at its own pace."""

from __future__ import annotations

import atexit
import pickle
from collections import defaultdict
from collections.abc import Callable, Mapping
from multiprocessing.connection import wait
from time import monotonic
from typing import Any

from mlagents.rollout.env_pool import WorkerStep, never
from mlagents.rollout.exchange import CLOSE, FAILURE, News, encode_reset
from mlagents.rollout.parameters import ParameterValue, for_worker
from mlagents.rollout.restarts import RestartLimits, WorkerFailed, its_own_error
from mlagents.rollout.source import EnvironmentSource
from mlagents.rollout.worker import Failure
from mlagents.rollout.worker_process import WorkerProcess, blocked_ctrl_c, end
from mlagents_envs.base_env import ActionTuple, BehaviorMapping, BehaviorSpec
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.stats_side_channel import EnvironmentStats, StatList

logger = get_logger(__name__)

_LOOK_UP_S = 0.5  # how often a pool that waits looks whether it shall stop
_CLOSE_S = 4.0  # to close an environment when asked
_PATIENCE = 1.1  # of timeout_wait: an environment that has the same limit gets to say what happened


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
        self._workers: list[WorkerProcess] = []
        self._complete = False
        self._closed = False
        atexit.register(self.close)
        try:
            for index in range(num_envs):
                with blocked_ctrl_c():
                    self._workers.append(WorkerProcess(index, self._source, self._patience_s))
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
        end(self._workers, _CLOSE_S)

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

    def _read_worker(self, worker: WorkerProcess) -> WorkerStep | None:
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

    def _replace(self, worker: WorkerProcess, failure: Failure, grace_s: float = _CLOSE_S) -> None:
        """Put a fresh worker in the place of one that failed, if the limits allow it."""
        if not (self._complete and failure.curable):
            raise its_own_error(worker.index, failure)
        restarts = self._restarts[worker.index]
        refusal = self._limits.refusal(restarts, monotonic())
        if refusal:
            raise WorkerFailed(worker.index, failure, refusal)
        told = f"Worker {worker.index}: {failure.summary}; it is restarted.\n{failure.details}"
        logger.warning("%s", told.rstrip())
        restarts.append(monotonic())
        end([worker], grace_s)
        with blocked_ctrl_c():
            fresh = self._workers[worker.index] = WorkerProcess(worker.index, self._source, self._patience_s)
        fresh.restarted = True
        fresh.tell(for_worker(self._parameters, worker.index))
        fresh.request(encode_reset(fresh.exchange.free_slot), self._patience_s)
