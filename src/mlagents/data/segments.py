"""Segments: the currency between those who collect experience and those who learn from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive decisions of one agent and the observation after the last one.

    The arrays may be views into the collector's store: whoever keeps them copies them at once.

    Attributes:
      observations: one float32 [L + 1, *shape] per observation spec.
      continuous: float32 [L, continuous size], as sampled, before clipping.
      discrete: int32 [L, branches].
      log_prob: float32 [L, continuous size + branches], under the policy that acted, column by column.
      allowed: bool [L, sum of branch sizes], True = could be chosen; zero columns without branches.
      reward: float32 [L], from the environment, group reward included.
      ended: the episode ended with the last decision, by the task or by interruption.
      interrupted: the episode was cut by a step limit, so the last observation still has a value.
    """

    observations: tuple[NDArray[np.float32], ...]
    continuous: NDArray[np.float32]
    discrete: NDArray[np.int32]
    log_prob: NDArray[np.float32]
    allowed: NDArray[np.bool_]
    reward: NDArray[np.float32]
    ended: bool
    interrupted: bool

    def __len__(self) -> int:
        return len(self.reward)


class Rows:
    """Segments behind one another in flat columns, each followed by one closing row.

    A closing row holds only the observation after the segment's last decision, so that the next observation is
    always one row on. Unused rows are closing rows, too. Columns (R = 2 x capacity rows, enough for segments of a
    single decision each):

      observations: one float32 [R, *shape] per observation spec.
      continuous: float32 [R, continuous size]; discrete: int32 [R, branches];
      log_prob: float32 [R, continuous size + branches];
      allowed: bool [R, sum of branch sizes]; reward: float32 [R];
      ended: bool [R], the episode ended with this decision; interrupted: bool [R], it was cut by a limit;
      closing: bool [R].
    """

    def __init__(self, spec: BehaviorSpec, capacity: int):
        self._spec = spec
        self.used = 0
        self.steps = 0
        self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        self.capacity = capacity
        action, rows = self._spec.action_spec, 2 * capacity
        self.observations = tuple(np.zeros((rows, *o.shape), np.float32) for o in self._spec.observation_specs)
        self.continuous = np.zeros((rows, action.continuous_size), np.float32)
        self.discrete = np.zeros((rows, action.discrete_size), np.int32)
        self.log_prob = np.zeros((rows, action.continuous_size + action.discrete_size), np.float32)
        self.allowed = np.ones((rows, sum(action.discrete_branches)), np.bool_)
        self.reward = np.zeros(rows, np.float32)
        self.ended = np.zeros(rows, np.bool_)
        self.interrupted = np.zeros(rows, np.bool_)
        self.closing = np.ones(rows, np.bool_)

    def _columns(self) -> tuple[NDArray[np.generic], ...]:
        return (
            *self.observations,
            self.continuous,
            self.discrete,
            self.log_prob,
            self.allowed,
            self.reward,
            self.ended,
            self.interrupted,
            self.closing,
        )

    def reserve(self, capacity: int) -> None:
        """Make room for at least this many decisions, keeping what is stored."""
        if capacity <= self.capacity:
            return
        old = self._columns()
        self._allocate(capacity)
        for before, after in zip(old, self._columns(), strict=True):
            after[: self.used] = before[: self.used]

    def extend(self, segment: Segment) -> None:
        """Append a copy of the segment and its closing row."""
        start, steps = self.used, len(segment)
        stop = start + steps
        if self.steps + steps > self.capacity:
            self.reserve(max(2 * self.capacity, self.steps + steps))
        for column, observation in zip(self.observations, segment.observations, strict=True):
            column[start : stop + 1] = observation
        self.continuous[start:stop] = segment.continuous
        self.discrete[start:stop] = segment.discrete
        self.log_prob[start:stop] = segment.log_prob
        self.allowed[start:stop] = segment.allowed
        self.reward[start:stop] = segment.reward
        self.closing[start:stop] = False
        self.ended[stop - 1] = segment.ended
        self.interrupted[stop - 1] = segment.interrupted
        self.used = stop + 1
        self.steps += steps

    def state_dict(self) -> dict[str, Any]:
        """Return what is stored: copies of the rows in use, and plain values."""
        columns = [column[: self.used].copy() for column in self._columns()]
        return {"columns": columns, "used": self.used, "steps": self.steps, "capacity": self.capacity}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, with the same capacity, on which the update's shape depends."""
        self._allocate(state["capacity"])
        self.used, self.steps = state["used"], state["steps"]
        for column, stored in zip(self._columns(), state["columns"], strict=True):
            column[: self.used] = stored

    def clear(self) -> None:
        """Forget everything stored."""
        self.ended[: self.used] = False
        self.interrupted[: self.used] = False
        self.closing[: self.used] = True
        self.used = 0
        self.steps = 0
