"""What nothing can be learned from: said with its place, kept out of learning, tolerated a few times."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

MOST_FAULTS = 10
"""So many times a behavior may meet numbers that are not finite, and the like; then its run stops."""

_FEW = 16
"""So many numbers are looked at one by one in less time than numpy needs to begin."""


class TooManyFaults(RuntimeError):
    """Numbers that are not finite, and the like, kept coming; the run is stopped, its last good weights are saved."""


class Tolerance:
    """Counts what nothing can be learned from, and stops the run when it keeps coming."""

    def __init__(self) -> None:
        self._faults = 0

    def use(self, message: str) -> None:
        """Say what happened.

        Raises:
          TooManyFaults: it was once too often.
        """
        self._faults += 1
        if self._faults > MOST_FAULTS:
            raise TooManyFaults(
                f"{message}. This was number {self._faults}: the run stops here. Its weights are good and saved;"
                " mend the cause, then go on with --resume."
            )
        _log.warning("%s (%d of %d before the run stops).", message, self._faults, MOST_FAULTS)


class Guard:
    """Looks at what agents of one behavior report.

    Args:
      behavior: name, for messages.
      spec: its observations.
      use: told what was found each time; None: a `Tolerance` of its own.
    """

    def __init__(self, behavior: str, spec: BehaviorSpec, use: Callable[[str], None] | None = None):
        self._behavior = behavior
        self._names = [o.name or f"observation {i}" for i, o in enumerate(spec.observation_specs)]
        self._use = use or Tolerance().use

    def repair(self, worker: int, tick: int, report: DecisionSteps | TerminalSteps) -> None:
        """Replace observations and rewards that are NaN or infinite by 0, and say where they were.

        Where all choices of a branch are forbidden, no action has a probability: then all of them are permitted.

        Raises:
          TooManyFaults: it was once too often.
        """
        agents = report.agent_id
        with np.errstate(over="ignore", invalid="ignore"):  # sums may overflow
            for i, name in enumerate(self._names):
                report.obs[i] = self._finite(name, report.obs[i], agents, worker, tick)
            report.reward = self._finite("the reward", report.reward, agents, worker, tick)
            report.group_reward = self._finite("the group reward", report.group_reward, agents, worker, tick)
        if isinstance(report, DecisionSteps) and report.action_mask is not None:
            for branch, mask in enumerate(report.action_mask):
                report.action_mask[branch] = self._open(branch, mask, report.agent_id, worker, tick)

    def _finite(
        self, name: str, values: NDArray[np.float32], agents: NDArray[np.int32], worker: int, tick: int
    ) -> NDArray[np.float32]:
        if _is_finite(values):
            return values
        bad = ~np.isfinite(values)
        first, *index = np.argwhere(bad)[0].tolist()
        where = f" at {index}" if index else ""
        self._use(
            f"behavior {self._behavior}: {name} of agent {agents[first]} in environment {worker} is"
            f" {values[(first, *index)]}{where}, in decision round {tick} ({bad.sum()} such numbers in this report);"
            " 0 is used instead. Look for divisions by zero and exploding physics in the environment"
        )
        return np.where(bad, np.float32(0.0), values)

    def _open(
        self, branch: int, mask: NDArray[np.bool_], agents: NDArray[np.int32], worker: int, tick: int
    ) -> NDArray[np.bool_]:
        closed: NDArray[np.bool_] = np.all(mask, axis=1)
        if not closed.any():
            return mask
        self._use(
            f"behavior {self._behavior}: all {mask.shape[1]} choices of branch {branch} are forbidden to agent"
            f" {agents[closed.argmax()]} in environment {worker}, in decision round {tick} ({closed.sum()} such"
            " agents in this report); all are permitted instead. Permit at least one in the environment"
        )
        return mask & ~closed[:, None]


def _is_finite(values: NDArray[np.float32]) -> bool:
    """Return whether all numbers are finite: one pass, and a second only if a sum overflows."""
    if values.size <= _FEW:
        return all(map(isfinite, values.ravel().tolist()))
    return isfinite(np.add.reduce(values, axis=None)) or bool(np.isfinite(values).all())
