"""How often workers may be restarted, and what is said of one that may not."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from mlagents.rollout.worker import Failure
from mlagents_envs.exception import UnityEnvironmentException


class WorkerFailed(UnityEnvironmentException):
    """A worker died, hung or raised an exception, and may not be restarted (again).

    Attributes:
      worker: its index.
      failure: what happened.
    """

    def __init__(self, worker: int, failure: Failure, refusal: str) -> None:
        lines = [f"Worker {worker}: {failure.summary.rstrip('.')}.", refusal, failure.advice, failure.details]
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


def its_own_error(worker: int, failure: Failure) -> Exception:
    """Return the exception that the environment raised when it was made or told parameters, or what stands for it."""
    if failure.error is not None:
        with suppress(Exception):  # its module may be out of reach here
            error = pickle.loads(failure.error)
            if isinstance(error, Exception):
                error.add_note(f"In worker {worker}:\n{failure.details}")
                return error
    return WorkerFailed(worker, failure, "This was at the start, so it was not restarted.")
