"""Segments, as they are handed on and as they are kept: in flat rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.data.columns import FIELDS, Columns
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.behavior_id import BehaviorId

GROWTH = 8
"""Times as much room is made when there is too little: what is compiled for a size is compiled anew."""

NEWEST = -1
"""Number of the weights that a behavior's learner has published last, and moves on with every update."""


class WeightsId(NamedTuple):
    """Which weights act.

    Attributes:
      behavior: name, without team.
      snapshot: number of a snapshot, whose weights never change; or `NEWEST`.
    """

    behavior: str
    snapshot: int = NEWEST


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive decisions of one agent and the observation after the last one.

    The arrays may be views into the sampler's grid, which hold until it collects again: whoever keeps them copies them.

    Attributes:
      columns: L decisions; observations [L + 1, *shape], all other fields [L, ...].
      behavior: of the agent, with team. worker: number of its environment.
      weights: which acted. version: number of updates behind them at the first decision.
      terminated: nothing follows the last decision: the task ended the episode.
      truncated: a limit cut the episode, so the last observation still has a value. With neither, the episode goes on
        in the agent's next segment.
    """

    columns: Columns
    behavior: BehaviorId
    worker: int
    weights: WeightsId
    version: int = 0
    terminated: bool = False
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.columns.reward)

    def owned(self) -> Segment:
        """Return a copy, which holds however the sampler goes on."""
        fields = {name: getattr(self.columns, name).copy() for name in FIELDS}
        return replace(self, columns=Columns([o.copy() for o in self.columns.observations], **fields))


class FlatSegments:
    """Segments behind one another in flat columns, each followed by one closing row.

    A closing row holds only the observation after the segment's last decision, so that the next observation is
    always one row on. Unused rows are closing rows, too. R = 2 x capacity rows are enough for segments of a single
    decision each.

    Args:
      spec: observations and actions.
      capacity: decisions to make room for; if more come, all arrays grow (see `expect`).
      memory_size: of the networks; 0 without memory.
      squashed: the environment got tanh of the continuous actions; otherwise a third of them, clipped.

    Attributes:
      capacity: decisions that surely fit.
      columns: [R, ...].
      terminated: bool [R], the task ended the episode with this decision; truncated: bool [R], a limit cut it.
      worker: int32 [R], number of the environment.
      closing: bool [R].
      squashed: as given.
      used: rows in use. steps: decisions in them.
    """

    def __init__(self, spec: BehaviorSpec, capacity: int, memory_size: int = 0, squashed: bool = False):
        self.squashed = squashed
        self._spec = spec
        self._memory_size = memory_size
        self.used = 0
        self.steps = 0
        self._most = 0
        self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        self.capacity = capacity
        rows = 2 * capacity
        self.columns = Columns.empty(self._spec, self._memory_size, rows)
        self.terminated = np.zeros(rows, np.bool_)
        self.truncated = np.zeros(rows, np.bool_)
        self.worker = np.zeros(rows, np.int32)
        self.closing = np.ones(rows, np.bool_)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return dict(self.columns.named()) | {
            "terminated": self.terminated,
            "truncated": self.truncated,
            "worker": self.worker,
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

    def expect(self, most: int) -> None:
        """Prepare for so many decisions, the most that may ever come; if they are far more than fit, as they come."""
        self._most = max(self._most, most)
        if self._most <= GROWTH * self.capacity:
            self.reserve(self._most)

    def _grow(self, least: int) -> None:
        """Make room for so many decisions and many more: for all that may come, or `GROWTH` times what there was."""
        wanted = GROWTH * self.capacity
        near = wanted < self._most <= 2 * wanted
        self.reserve(max(self._most if near else min(wanted, self._most), 2 * self.capacity, least))

    def extend(self, segment: Segment) -> None:
        """Append a copy of the segment and its closing row."""
        start, steps = self.used, len(segment)
        stop = start + steps
        if self.steps + steps > self.capacity:
            self._grow(self.steps + steps)
        columns = self.columns
        for position, observation in enumerate(segment.columns.observations):
            columns.write(slice(start, stop + 1), position, observation)
        for name in FIELDS:
            getattr(columns, name)[start:stop] = getattr(segment.columns, name)
        self.closing[start:stop] = False
        self.worker[start:stop] = segment.worker
        self.terminated[stop - 1] = segment.terminated
        self.truncated[stop - 1] = segment.truncated
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
        """Return what is stored: copies of the rows in use by name, and plain values."""
        columns = {name: column[: self.used].copy() for name, column in self._arrays().items()}
        return {"columns": columns, "used": self.used, "steps": self.steps, "capacity": self.capacity}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, with the same capacity, on which the update's shape depends."""
        self._allocate(state["capacity"])
        self.used, self.steps = state["used"], state["steps"]
        stored = state["columns"]
        self.columns.match([stored[f"observations.{i}"] for i in range(len(self.columns.observations))])
        for name, column in self._arrays().items():
            column[: self.used] = stored[name]

    def clear(self) -> None:
        """Forget everything stored."""
        self.terminated[: self.used] = False
        self.truncated[: self.used] = False
        self.closing[: self.used] = True
        self.used = 0
        self.steps = 0
