"""Replay: the newest decisions, to learn from again and again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mlagents.data.columns import FIELDS, Per
from mlagents.data.segments import FlatSegments, Segment
from mlagents_envs.base_env import BehaviorSpec


class Replay:
    """A ring of rows that holds the newest `capacity` decisions; nothing is allocated after the start.

    Segments lie in it as in `FlatSegments`, each followed by its closing row, so every observation is stored once
    and the next one of a decision is one row on. They are sampled in *sequences*: pieces of at most `steps` decisions,
    counted from a segment's start. There are twice as many rows as decisions: however short the segments are, the
    closing rows of the newest `capacity` decisions fit beside them, and what is written next can only hit rows that
    no sample reads any more.

    Args:
      spec: observations and actions.
      capacity: decisions to hold.
      steps: most decisions in a sequence; 1 without memory.
      memory_size: of the networks; 0 without memory.
    """

    def __init__(self, spec: BehaviorSpec, capacity: int, steps: int = 1, memory_size: int = 0):
        self._capacity = capacity
        self._steps = steps
        self._store = FlatSegments(spec, capacity, memory_size)
        self._length = len(self._store.closing)
        self._strides = {
            name: steps if field.per is Per.SEQUENCE else 1 for name, field in FIELDS.items() if not field.on_policy
        }
        self._written = 0  # rows
        self._seen = 0  # decisions
        self._oldest = self._newest = 0  # sequences; the newest is one past the end
        self._start = np.zeros(capacity, np.int64)  # sequence number modulo capacity -> row
        self._number = np.zeros(capacity, np.int64)  # likewise -> number of its first decision
        self._decisions = np.zeros(capacity, np.int64)  # likewise -> how many decisions

    def __len__(self) -> int:
        """Return the number of decisions that can be sampled."""
        return 0 if self._oldest == self._newest else int(self._seen - self._number[self._oldest % self._capacity])

    def extend(self, segment: Segment) -> None:
        """Store a copy of the segment, or of its newest decisions that fill whole sequences and fit."""
        steps = len(segment)
        if steps > self._capacity:
            steps -= -(-(steps - self._capacity) // self._steps) * self._steps
            self._oldest = self._newest
        skipped = len(segment) - steps
        rows = (self._written + np.arange(steps + 1)) % self._length
        decisions = rows[:-1]
        store, columns = self._store, self._store.columns
        for position, observation in enumerate(segment.columns.observations):
            columns.write(rows, position, observation[skipped:])
        for name, stride in self._strides.items():
            getattr(columns, name)[decisions[::stride]] = getattr(segment.columns, name)[skipped::stride]
        store.worker[decisions] = segment.worker
        store.terminated[decisions] = False
        store.truncated[decisions] = False
        store.terminated[decisions[-1:]] = segment.terminated
        store.truncated[decisions[-1:]] = segment.truncated
        first = np.arange(0, steps, self._steps)
        self._append(decisions[first], self._seen + first, np.minimum(steps - first, self._steps))
        self._written += steps + 1
        self._seen += steps
        while self._number[self._oldest % self._capacity] < self._seen - self._capacity:
            self._oldest += 1

    def _append(self, start: NDArray[np.int64], number: NDArray[np.int64], decisions: NDArray[np.int64]) -> None:
        slots = (self._newest + np.arange(len(start))) % self._capacity
        self._start[slots], self._number[slots], self._decisions[slots] = start, number, decisions
        self._newest += len(start)
        self._oldest = max(self._oldest, self._newest - self._capacity)

    def sample(self, rng: np.random.Generator, count: int, out: FlatSegments) -> NDArray[np.int32]:
        """Draw sequences uniformly, with replacement, from all that are stored.

        Args:
          rng: draws them.
          count: how many.
          out: rows to fill from the start: every sequence takes `steps` + 1 rows, its decisions and the observation
            after the last one. What a shorter one leaves over are closing rows without meaning.

        Returns: int32 [count], how many decisions each has.

        Raises:
          ValueError: nothing is stored.
        """
        if self._oldest == self._newest:
            raise ValueError("nothing is stored to sample from; extend() first")
        slots = rng.integers(self._oldest, self._newest, count) % self._capacity
        decisions = self._decisions[slots]
        offset = np.arange(self._steps + 1)
        rows = ((self._start[slots][:, None] + offset) % self._length).ravel()
        valid = (offset < decisions[:, None]).ravel()
        used = len(rows)
        store, columns, filled = self._store, self._store.columns, out.columns
        filled.match(columns.observations)
        for (name, column), (_, stored) in zip(filled.named(), columns.named(), strict=True):
            if not _on_policy(name):
                np.take(stored, rows, axis=0, out=column[:used], mode="clip")  # the other mode copies twice
        filled.allowed[:used][~valid] = True  # where all were forbidden there would be no distribution
        out.terminated[:used] = store.terminated[rows] & valid
        out.truncated[:used] = store.truncated[rows] & valid
        out.worker[:used] = store.worker[rows]
        out.closing[:used] = ~valid
        out.closing[used:] = True
        out.used, out.steps = used, int(decisions.sum())
        return decisions.astype(np.int32)

    def clear(self) -> None:
        """Forget everything stored."""
        self._seen = self._written = self._oldest = self._newest = 0

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        store = self._store
        kept = {name: column for name, column in store.columns.named() if not _on_policy(name)}
        return kept | {"terminated": store.terminated, "truncated": store.truncated, "worker": store.worker}

    def state_dict(self) -> dict[str, NDArray[np.generic]]:
        """Return what is stored as arrays by name, oldest first: sequences and all columns.

        `starts` and `decisions`, int64 [sequences], say where in the columns the sequences are, and how long.
        """
        slots = np.arange(self._oldest, self._newest) % self._capacity
        if not len(slots):
            return {"starts": self._start[:0], "decisions": self._decisions[:0]}
        oldest = self._start[slots[0]]
        count = (self._written - oldest - 1) % self._length + 1
        rows = (oldest + np.arange(count)) % self._length
        columns = {name: column[rows] for name, column in self._arrays().items()}
        return {
            "starts": (self._start[slots] - oldest) % self._length,
            "decisions": self._decisions[slots],
            **columns,
        }

    def load_state_dict(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over what `state_dict` returned; of another capacity, too: the newest decisions are kept.

        Raises:
          ValueError: a column has another shape than the behavior's.
        """
        self.clear()
        state = _of_today(state)
        starts, decisions = state["starts"].astype(np.int64), state["decisions"].astype(np.int64)
        fits = np.cumsum(decisions[::-1])[::-1] <= self._capacity
        starts, decisions = starts[fits], decisions[fits]
        if not len(starts):
            return
        first = int(starts[0])
        observations = [state[f"observations.{i}"] for i in range(len(self._store.columns.observations))]
        self._store.columns.match(observations)
        for name, column in self._arrays().items():
            if name not in state:
                continue  # a field of later versions: its initial value holds
            saved = state[name][first:]
            if saved.shape[1:] != column.shape[1:]:
                raise ValueError(
                    f"the saved replay buffer has {list(saved.shape[1:])} numbers in {name} for each row, this behavior"
                    f" has {list(column.shape[1:])}; resume with the saved environment, or without save_replay_buffer"
                )
            column[: len(saved)] = saved
            self._written = len(saved)
        self._append(starts - first, np.cumsum(decisions) - decisions, decisions)
        self._seen = int(decisions.sum())


def _on_policy(name: str) -> bool:
    """Return whether a column is of no use to who learns from any policy's experience."""
    return name in FIELDS and FIELDS[name].on_policy


def _of_today(state: Mapping[str, NDArray[np.generic]]) -> Mapping[str, NDArray[np.generic]]:
    """Return a saved buffer with today's names: before, `ended` meant by the task or by `interrupted`, the limit."""
    if "ended" not in state:
        return state
    ended, interrupted = state["ended"].astype(np.bool_), state["interrupted"].astype(np.bool_)
    return {**state, "terminated": ended & ~interrupted, "truncated": ended & interrupted}
