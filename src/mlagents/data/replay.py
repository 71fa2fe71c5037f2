"""Replay: the newest decisions, to learn from again and again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mlagents.data.segments import Rows, Segment
from mlagents_envs.base_env import BehaviorSpec


class Replay:
    """A ring of rows that holds the newest `capacity` decisions; nothing is allocated after the start.

    Segments lie in it as in `Rows`, each followed by its closing row, so every observation is stored once and the
    next one of a decision is one row on. There are twice as many rows as decisions: however short the segments are,
    the closing rows of the newest `capacity` decisions fit beside them, and what is written next can only hit rows
    that no sample reads any more.

    Args:
      spec: observations and actions.
      capacity: decisions to hold.
    """

    def __init__(self, spec: BehaviorSpec, capacity: int):
        self._spec = spec
        self._capacity = capacity
        self._store = Rows(spec, capacity)
        self._length = len(self._store.closing)
        self._written = 0  # rows
        self._seen = 0  # decisions
        self._row_of = np.zeros(capacity, np.int64)  # decision number modulo capacity -> row

    def __len__(self) -> int:
        return min(self._seen, self._capacity)

    def extend(self, segment: Segment) -> None:
        """Store a copy of the segment, or of its newest `capacity` decisions."""
        steps = min(len(segment), self._capacity)
        rows = (self._written + np.arange(steps + 1)) % self._length
        decisions = rows[:-1]
        store = self._store
        for column, observation in zip(store.observations, segment.observations, strict=True):
            column[rows] = observation[-steps - 1 :]
        store.continuous[decisions] = segment.continuous[-steps:]
        store.discrete[decisions] = segment.discrete[-steps:]
        store.allowed[decisions] = segment.allowed[-steps:]
        store.reward[decisions] = segment.reward[-steps:]
        store.ended[decisions] = False
        store.interrupted[decisions] = False
        store.ended[decisions[-1:]] = segment.ended
        store.interrupted[decisions[-1:]] = segment.interrupted
        self._row_of[(self._seen + np.arange(steps)) % self._capacity] = decisions
        self._written += steps + 1
        self._seen += steps

    def sample(self, rng: np.random.Generator, count: int, out: Rows | None = None) -> Rows:
        """Return decisions drawn uniformly, with replacement, from all that are stored.

        Args:
          rng: draws them.
          count: how many.
          out: rows to fill from the start, with a capacity of at least `count`; None for new ones.

        Returns: `out`: each decision as a segment of its own, so decisions stand in rows 0, 2, 4, ... and the
          observations after them in rows 1, 3, 5, ...

        Raises:
          ValueError: nothing is stored.
        """
        if not len(self):
            raise ValueError("nothing is stored to sample from; extend() first")
        out = Rows(self._spec, count) if out is None else out
        numbers = rng.integers(self._seen - len(self), self._seen, count)
        decisions = self._row_of[numbers % self._capacity]
        following = (decisions + 1) % self._length
        used = 2 * count
        store = self._store
        for column, stored in zip(out.observations, store.observations, strict=True):
            column[0:used:2] = stored[decisions]
            column[1:used:2] = stored[following]
        out.continuous[0:used:2] = store.continuous[decisions]
        out.discrete[0:used:2] = store.discrete[decisions]
        out.allowed[0:used:2] = store.allowed[decisions]
        out.allowed[1:used:2] = True
        out.reward[0:used:2] = store.reward[decisions]
        out.ended[0:used:2] = store.ended[decisions]
        out.interrupted[0:used:2] = store.interrupted[decisions]
        out.closing[0:used:2] = False
        out.closing[used:] = True
        out.used, out.steps = used, count
        return out

    def clear(self) -> None:
        """Forget everything stored."""
        self._seen = self._written = 0

    def _columns(self) -> dict[str, NDArray[np.generic]]:
        store = self._store
        columns: dict[str, NDArray[np.generic]] = {f"observations.{i}": o for i, o in enumerate(store.observations)}
        names = ("continuous", "discrete", "allowed", "reward", "ended", "interrupted")
        return columns | {name: getattr(store, name) for name in names}

    def state_dict(self) -> dict[str, NDArray[np.generic]]:
        """Return what is stored as arrays by name, oldest first: `rows` of the decisions, and all columns."""
        decisions = self._row_of[np.arange(self._seen - len(self), self._seen) % self._capacity]
        if not len(decisions):
            return {"rows": decisions}
        oldest = decisions[0]
        count = (self._written - oldest - 1) % self._length + 1
        rows = (oldest + np.arange(count)) % self._length
        columns = {name: column[rows] for name, column in self._columns().items()}
        return {"rows": (decisions - oldest) % self._length, **columns}

    def load_state_dict(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over what `state_dict` returned; of another capacity, too: the newest decisions are kept.

        Raises:
          ValueError: a column has another shape than the behavior's.
        """
        self.clear()
        rows = state["rows"].astype(np.int64)[-self._capacity :]
        if not len(rows):
            return
        first = int(rows[0])
        for name, column in self._columns().items():
            saved = state[name][first:]
            if saved.shape[1:] != column.shape[1:]:
                raise ValueError(
                    f"the saved replay buffer has {list(saved.shape[1:])} numbers in {name} for each row, this behavior"
                    f" has {list(column.shape[1:])}; resume with the saved environment, or without save_replay_buffer"
                )
            column[: len(saved)] = saved
            self._written = len(saved)
        self._row_of[: len(rows)] = rows - first
        self._seen = len(rows)
