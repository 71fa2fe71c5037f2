"""Segments: the currency between those who collect experience and those who learn from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.data.columns import Columns, Stored
from mlagents_envs.base_env import BehaviorSpec


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive decisions of one agent and the observation after the last one.

    The arrays may be views into the collector's store: whoever keeps them copies them at once.

    Attributes:
      observations: one [L + 1, *shape] per observation spec, as stored (see `Columns`).
      memory: float32 [L, memory size], before each decision; zero columns without memory.
      continuous: float32 [L, continuous size], as sampled, before clipping.
      discrete: int32 [L, branches].
      log_prob: float32 [L, continuous size + branches], under the policy that acted, column by column.
      allowed: bool [L, sum of branch sizes], True = could be chosen; zero columns without branches.
      reward: float32 [L], from the environment, group reward included.
      ended: the episode ended with the last decision, by the task or by interruption.
      interrupted: the episode was cut by a step limit, so the last observation still has a value.
    """

    observations: tuple[Stored, ...]
    memory: NDArray[np.float32]
    continuous: NDArray[np.float32]
    discrete: NDArray[np.int32]
    log_prob: NDArray[np.float32]
    allowed: NDArray[np.bool_]
    reward: NDArray[np.float32]
    ended: bool
    interrupted: bool

    def __len__(self) -> int:
        return len(self.reward)


class FlatSegments:
    """Segments behind one another in flat columns, each followed by one closing row.

    A closing row holds only the observation after the segment's last decision, so that the next observation is
    always one row on. Unused rows are closing rows, too. R = 2 x capacity rows are enough for segments of a single
    decision each.

    Args:
      spec: observations and actions.
      capacity: decisions to make room for; if more come, all arrays grow.
      memory_size: of the networks; 0 without memory.

    Attributes:
      capacity: decisions that surely fit.
      columns: [R, ...].
      ended: bool [R], the episode ended with this decision; interrupted: bool [R], it was cut by a limit.
      closing: bool [R].
      used: rows in use. steps: decisions in them.
    """

    def __init__(self, spec: BehaviorSpec, capacity: int, memory_size: int = 0):
        self._spec = spec
        self._memory_size = memory_size
        self.used = 0
        self.steps = 0
        self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        self.capacity = capacity
        rows = 2 * capacity
        self.columns = Columns(self._spec, self._memory_size, rows)
        self.ended = np.zeros(rows, np.bool_)
        self.interrupted = np.zeros(rows, np.bool_)
        self.closing = np.ones(rows, np.bool_)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return dict(self.columns.items()) | {
            "ended": self.ended,
            "interrupted": self.interrupted,
            "closing": self.closing,
        }

    def reserve(self, capacity: int) -> None:
        """Make room for at least this many decisions, keeping what is stored."""
        if capacity <= self.capacity:
            return
        old = self._arrays()
        observations = self.columns.observations
        self._allocate(capacity)
        self.columns.match(observations)
        for before, after in zip(old.values(), self._arrays().values(), strict=True):
            after[: self.used] = before[: self.used]

    def extend(self, segment: Segment) -> None:
        """Append a copy of the segment and its closing row."""
        start, steps = self.used, len(segment)
        stop = start + steps
        if self.steps + steps > self.capacity:
            self.reserve(max(2 * self.capacity, self.steps + steps))
        columns = self.columns
        for position, observation in enumerate(segment.observations):
            columns.write(slice(start, stop + 1), position, observation)
        columns.memory[start:stop] = segment.memory
        columns.continuous[start:stop] = segment.continuous
        columns.discrete[start:stop] = segment.discrete
        columns.log_prob[start:stop] = segment.log_prob
        columns.allowed[start:stop] = segment.allowed
        columns.reward[start:stop] = segment.reward
        self.closing[start:stop] = False
        self.ended[stop - 1] = segment.ended
        self.interrupted[stop - 1] = segment.interrupted
        self.used = stop + 1
        self.steps += steps

    def sequences(self, steps: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return where sequences start and how long they are: the segments, cut into pieces of at most `steps`.

        Returns: int32 [sequences] each, in the order of the rows.
        """
        decision = ~self.closing[: self.used]
        closing = np.flatnonzero(~decision)
        first = np.concatenate([[0], closing[:-1] + 1]) if len(closing) else np.zeros(0, np.intp)
        lengths = closing - first
        pieces = -(-lengths // steps)
        number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        starts = np.repeat(first, pieces) + number * steps
        return starts.astype(np.int32), np.minimum(np.repeat(closing, pieces) - starts, steps).astype(np.int32)

    def state_dict(self) -> dict[str, Any]:
        """Return what is stored: copies of the rows in use, and plain values."""
        columns = [column[: self.used].copy() for column in self._arrays().values()]
        return {"columns": columns, "used": self.used, "steps": self.steps, "capacity": self.capacity}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, with the same capacity, on which the update's shape depends."""
        self._allocate(state["capacity"])
        self.used, self.steps = state["used"], state["steps"]
        self.columns.match(state["columns"][: len(self.columns.observations)])
        for column, stored in zip(self._arrays().values(), state["columns"], strict=True):
            column[: self.used] = stored

    def clear(self) -> None:
        """Forget everything stored."""
        self.ended[: self.used] = False
        self.interrupted[: self.used] = False
        self.closing[: self.used] = True
        self.used = 0
        self.steps = 0
