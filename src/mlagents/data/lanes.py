"""Lanes: each live agent owns one column index, and all look-ups by agent id end here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class _Call(NamedTuple):
    """What a worker's agents got last: the bytes of int32 [agents], intp [agents], and the lanes as a set."""

    agent_ids: bytes
    lanes: NDArray[np.intp]
    owned: frozenset[int]


class Lanes:
    """Maps (worker, agent id) to a lane, a small integer that stays the agent's own while it lives.

    An agent keeps its lane from episode to episode. Lanes of agents that ended and have not decided since are given
    to newcomers, longest idle first, before the number of lanes grows.

    Attributes:
      count: number of lanes so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._lane: dict[tuple[int, int], int] = {}
        self._key: list[tuple[int, int] | None] = []
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._last: dict[int, _Call] = {}

    def of(self, worker: int, agent_ids: NDArray[np.int32]) -> NDArray[np.intp]:
        """Return the lanes of deciding agents, intp [agents]; agents not seen before get one.

        The same ids in the same order as in the worker's last call cost little more than one comparison.
        """
        last = self._last.get(worker)
        called = agent_ids.tobytes()
        if last is not None and last.agent_ids == called:
            if self._idle:
                for lane in self._idle.keys() & last.owned:  # who ended and goes on
                    del self._idle[lane]
            return last.lanes
        lanes = np.fromiter((self._claim((worker, a)) for a in agent_ids.tolist()), np.intp, len(agent_ids))
        self._last[worker] = _Call(called, lanes, frozenset(lanes.tolist()))
        return lanes

    def ended(self, worker: int, agent_ids: NDArray[np.int32]) -> NDArray[np.intp]:
        """Return the lanes of agents whose episode ended, intp [agents], -1 for agents that never decided."""
        lanes = [self._lane.get((worker, a), -1) for a in agent_ids.tolist()]
        for lane in lanes:
            if lane >= 0:
                self._idle[lane] = None
                self._idle.move_to_end(lane)
        return np.array(lanes, np.intp)

    def of_worker(self, worker: int) -> NDArray[np.intp]:
        """Return every lane that agents of the worker own."""
        return np.array([lane for (w, _), lane in self._lane.items() if w == worker], np.intp)

    def state_dict(self) -> dict[str, Any]:
        """Return plain values: (worker, agent id) of each lane, and the idle lanes, longest idle first."""
        return {"keys": list(self._key), "idle": list(self._idle)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._key = [None if key is None else (key[0], key[1]) for key in state["keys"]]
        self._lane = {key: lane for lane, key in enumerate(self._key) if key is not None}
        self._idle = OrderedDict.fromkeys(state["idle"])
        self._last.clear()
        self.count = len(self._key)

    def _claim(self, key: tuple[int, int]) -> int:
        lane = self._lane.get(key)
        if lane is not None:
            self._idle.pop(lane, None)
            return lane
        if self._idle:
            lane, _ = self._idle.popitem(last=False)
            old = self._key[lane]
            if old is not None:
                del self._lane[old]
                self._last.pop(old[0], None)
            self._key[lane] = key
        else:
            lane = self.count
            self.count += 1
            self._key.append(key)
        self._lane[key] = lane
        return lane
