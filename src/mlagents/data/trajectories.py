"""The grid: what every live agent has experienced since its last segment was handed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.data.columns import Columns
from mlagents.data.segments import Segment, WeightsId
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.behavior_id import BehaviorId


class Groups(NamedTuple):
    """Who of the agents plays together.

    Attributes:
      id: int32 [agents], 0 without a group.
      reward: float32 [agents], of the group since the agent's last decision; dropped for agents that had none.
    """

    id: NDArray[np.int32]
    reward: NDArray[np.float32]

    def sizes(self) -> NDArray[np.int32]:
        """Return int32 [agents]: how many of the agents are in each one's group, itself included; 0 without."""
        _, places, counts = np.unique(self.id, return_inverse=True, return_counts=True)
        sizes: NDArray[np.int32] = np.where(self.id == 0, 0, counts[places]).astype(np.int32)
        return sizes


class Arrivals(NamedTuple):
    """What agents of one worker report that are to decide.

    Attributes:
      lanes: intp [agents]. worker: number of their environment. tick: its decision round.
      observations: one float32 [agents, *shape] per observation spec.
      reward: float32 [agents], since the last decision; dropped for agents that had none.
      groups: of the agents; None as long as none of the behavior's has ever been in one.
      allowed: bool [agents, sum of branch sizes], True = may be chosen; None for everything.
    """

    lanes: NDArray[np.intp]
    worker: int
    tick: int
    observations: Sequence[NDArray[np.float32]]
    reward: NDArray[np.float32]
    groups: Groups | None = None
    allowed: NDArray[np.bool_] | None = None


class Ending(NamedTuple):
    """What an agent reports whose episode is over.

    Attributes:
      lane: whose. worker: number of its environment. tick: its decision round.
      observations: the last ones, one float32 [*shape] per observation spec.
      reward, group_reward: since the last decision.
      interrupted: cut by a limit rather than by the task.
    """

    lane: int
    worker: int
    tick: int
    observations: Sequence[NDArray[np.float32]]
    reward: float
    group_reward: float = 0.0
    interrupted: bool = False


class Episode(NamedTuple):
    """A finished episode of one agent.

    Attributes:
      behavior: of the agent, with team. worker: number of its environment. tick: its decision round as it ended.
      reward: undiscounted sum of the agent's own rewards. group_reward: of its group's rewards.
      last_reward: own and group reward that came with the end.
      length: in decisions.
      truncated: cut by a limit.
      group_id: of the agent's group at its last decision; 0 without.
      weights: which acted; they are the same for a whole episode, but `NEWEST` ones move on.
      outlived: agents of its behavior and group play on, and what the group comes to is not known yet.
    """

    behavior: BehaviorId
    worker: int
    tick: int
    reward: float
    group_reward: float
    last_reward: float
    length: int
    truncated: bool
    group_id: int
    weights: WeightsId
    outlived: bool = False

    @property
    def total_reward(self) -> float:
        """Own and group reward: what the agent learns to maximise."""
        return self.reward + self.group_reward


class Trajectories:
    """Columns `[slots, horizon + 1, ...]` with a slot and a write position per lane.

    Agents decide at different times, so each lane has a position of its own. Row t takes what was decided; what
    came of it goes to reward row t, observation row t + 1 and memory row t + 1. A lane that reaches the horizon, or
    whose episode ends, is a finished segment: contiguous, because time is the second axis. Segments are views: the
    lane goes on in another slot, and theirs is used again only after `recycle`.

    Args:
      behavior: whose agents these are.
      spec: observations and actions.
      horizon: longest segment, in decisions.
      memory_size: of the networks; 0 without memory.

    Attributes:
      length: intp [lanes], decisions in the open segment.
      waiting: bool [lanes], has decided, and what came of it is not known yet.
      decisions: int64 [lanes], of the episode so far.
      total_reward, total_group_reward: float64 [lanes], likewise.
      player: int32 [lanes], place of the weights that act in `players`.
      version: int64 [lanes], number of updates behind them at the first decision of the open segment.
      players: weights that have acted so far.
    """

    def __init__(self, behavior: BehaviorId, spec: BehaviorSpec, horizon: int, memory_size: int = 0):
        self._behavior = behavior
        self._spec = spec
        self._memory_size = memory_size
        self.horizon = horizon
        self.players: list[WeightsId] = [WeightsId(behavior.name)]
        self._allocate(0, 0)

    def _allocate(self, lanes: int, slots: int) -> None:
        self.columns = Columns.empty(self._spec, self._memory_size, slots, self.horizon + 1)
        self.length = np.zeros(lanes, np.intp)
        self.waiting = np.zeros(lanes, np.bool_)
        self.decisions = np.zeros(lanes, np.int64)
        self.total_reward = np.zeros(lanes, np.float64)
        self.total_group_reward = np.zeros(lanes, np.float64)
        self.player = np.zeros(lanes, np.int32)
        self.version = np.zeros(lanes, np.int64)
        self._slot = np.arange(lanes, dtype=np.intp)
        self._free = list(range(lanes, slots))
        self._lent: list[int] = []

    def _per_lane(self) -> dict[str, NDArray[np.generic]]:
        return {
            "length": self.length,
            "waiting": self.waiting,
            "decisions": self.decisions,
            "total_reward": self.total_reward,
            "total_group_reward": self.total_group_reward,
            "player": self.player,
            "version": self.version,
        }

    def grow(self, lanes: int) -> None:
        """Make room for at least this many lanes."""
        have = len(self.length)
        if lanes <= have:
            return
        columns, per_lane, slot = self.columns, self._per_lane(), self._slot
        lanes = max(lanes, have + have // 2)
        self._allocate(lanes, lanes)
        self.columns.match(columns.observations)
        for (_, before), (_, after) in zip(columns.named(), self.columns.named(), strict=True):
            after[:have] = before[slot]
        for name, after in self._per_lane().items():
            after[:have] = per_lane[name]

    def recycle(self) -> None:
        """Use the memory of all segments handed on so far again."""
        self._free += self._lent
        self._lent.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return what is stored, as copies; rows that are not in use are 0."""
        rows, length = np.arange(self.horizon + 1), self.length[:, np.newaxis]
        columns = {name: column[self._slot] for name, column in self.columns.named()}
        for name, column in columns.items():
            column[rows > length + (name == "memory")] = 0  # the memory after a decision is a row ahead
        return {
            "columns": columns,
            "lanes": {name: values.copy() for name, values in self._per_lane().items()},
            "players": [list(player) for player in self.players],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of trajectories of the same spec and horizon returned."""
        lanes, columns = state["lanes"], state["columns"]
        count = len(lanes["length"])
        self._allocate(count, count)
        self.columns.match([columns[f"observations.{i}"] for i in range(len(self.columns.observations))])
        for name, column in self.columns.named():
            column[...] = columns[name]
        for name, values in self._per_lane().items():
            values[...] = lanes[name]
        self.players = [WeightsId(name, number) for name, number in state["players"]]

    def observe(self, arrivals: Arrivals) -> list[Segment]:
        """Write what came of each lane's last decision, and what it sees now that it is to decide again.

        Returns: the segments that reached the horizon.
        """
        lanes, columns = arrivals.lanes, self.columns
        row, slot = self.length[lanes], self._slot[lanes]
        waiting = self.waiting[lanes]
        groups = arrivals.groups
        if np.count_nonzero(waiting) == len(waiting):
            columns.reward[slot, row] = arrivals.reward
            self.total_reward[lanes] += arrivals.reward
            if groups is not None:
                columns.group_reward[slot, row] = groups.reward
                self.total_group_reward[lanes] += groups.reward
            row += 1
        else:
            self._write_rewards(arrivals, row, slot, waiting)
            row += waiting
        self.length[lanes] = row
        for position, observation in enumerate(arrivals.observations):
            columns.write((slot, row), position, observation)
        finished = []
        if np.count_nonzero(row == self.horizon):
            finished = [self._cut(lane, arrivals.worker) for lane in lanes[row == self.horizon].tolist()]
            row, slot, columns = self.length[lanes], self._slot[lanes], self.columns
        if columns.allowed.shape[2]:
            columns.allowed[slot, row] = True if arrivals.allowed is None else arrivals.allowed
        if groups is not None:
            columns.group_id[slot, row] = groups.id
            columns.group_size[slot, row] = groups.sizes()
            columns.tick[slot, row] = arrivals.tick
        self.waiting[lanes] = False
        return finished

    def _write_rewards(
        self, arrivals: Arrivals, row: NDArray[np.intp], slot: NDArray[np.intp], waiting: NDArray[np.bool_]
    ) -> None:
        """Write the rewards of those lanes that had decided."""
        at, lanes = (slot[waiting], row[waiting]), arrivals.lanes[waiting]
        self.columns.reward[at] = arrivals.reward[waiting]
        self.total_reward[lanes] += arrivals.reward[waiting]
        if arrivals.groups is not None:
            self.columns.group_reward[at] = arrivals.groups.reward[waiting]
            self.total_group_reward[lanes] += arrivals.groups.reward[waiting]

    def _cut(self, lane: int, worker: int) -> Segment:
        """Hand on the segment of a lane at the horizon; what follows it begins with its last observation."""
        segment, before = self._segment(lane, worker), self._slot[lane]
        self._take_slot(lane)
        for column in (*self.columns.observations, self.columns.memory):
            column[self._slot[lane], 0] = column[before, self.horizon]
        self.length[lane] = 0
        return segment

    def _take_slot(self, lane: int) -> None:
        """Let a lane go on in another slot, and keep its present one until `recycle`."""
        if not self._free:
            self._add_slots()
        self._lent.append(int(self._slot[lane]))
        self._slot[lane] = self._free.pop()

    def _add_slots(self) -> None:
        """Make room for as many segments again as were handed on and are still in use."""
        have = len(self.columns.reward)
        count = have + max(len(self._lent), 4)
        old = self.columns
        self.columns = Columns.empty(self._spec, self._memory_size, count, self.horizon + 1)
        self.columns.match(old.observations)
        for (_, before), (_, after) in zip(old.named(), self.columns.named(), strict=True):
            after[:have] = before
        self._free += range(have, count)

    def memory(self, lanes: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the memory of lanes that are to decide, float32 [agents, memory size]; zero as an episode begins."""
        found: NDArray[np.float32] = self.columns.memory[self._slot[lanes], self.length[lanes]]
        return found

    def begin(self, lanes: NDArray[np.intp], weights: WeightsId, version: int) -> None:
        """Settle who acts, before `decide`: the weights for episodes that begin, the version for segments that begin.

        Args:
          lanes: intp [agents], of one worker, that are to decide.
          weights: which act from now on for those whose episode begins.
          version: number of updates behind the newest weights.
        """
        row = self.length[lanes]
        if np.count_nonzero(row) == len(row):
            return
        fresh = lanes[row == 0]
        self.version[fresh] = version
        self.player[fresh[self.decisions[fresh] == 0]] = self._place(weights)

    def _place(self, weights: WeightsId) -> int:
        if weights not in self.players:
            self.players.append(weights)
        return self.players.index(weights)

    def decide(
        self,
        lanes: NDArray[np.intp],
        continuous: NDArray[np.float32],
        discrete: NDArray[np.int32],
        log_prob: NDArray[np.float32],
        memory: NDArray[np.float32] | None = None,
    ) -> None:
        """Write the decisions of the lanes that were observed last.

        Args:
          lanes: intp [agents].
          continuous: float32 [agents, continuous size], as sampled.
          discrete: int32 [agents, branches].
          log_prob: float32 [agents, continuous size + branches].
          memory: float32 [agents, memory size], after the decision; None without memory.
        """
        row, slot, columns = self.length[lanes], self._slot[lanes], self.columns
        if continuous.shape[1]:
            columns.continuous[slot, row] = continuous
        if discrete.shape[1]:
            columns.discrete[slot, row] = discrete
        columns.log_prob[slot, row] = log_prob
        if memory is not None:
            columns.memory[slot, row + 1] = memory
        self.waiting[lanes] = True
        self.decisions[lanes] += 1

    def end(self, ending: Ending) -> tuple[Segment, Episode] | None:
        """Write the end of a lane's episode; return its last segment, and the episode's result.

        Returns: None when the agent ended without ever having decided in this episode.
        """
        lane = ending.lane
        if not self.waiting[lane]:
            self.abandon(lane)
            return None
        row, slot, columns = self.length[lane], self._slot[lane], self.columns
        columns.reward[slot, row] = ending.reward
        columns.group_reward[slot, row] = ending.group_reward
        for position, observation in enumerate(ending.observations):
            columns.write((slot, row + 1), position, observation)
        self.length[lane] = row + 1
        segment = self._segment(lane, ending.worker, terminated=not ending.interrupted, truncated=ending.interrupted)
        episode = self._episode(ending, int(columns.group_id[slot, row]))
        self._take_slot(lane)
        self.abandon(lane)
        return segment, episode

    def _episode(self, ending: Ending, group_id: int) -> Episode:
        lane = ending.lane
        return Episode(
            self._behavior,
            ending.worker,
            ending.tick,
            float(self.total_reward[lane]) + ending.reward,
            float(self.total_group_reward[lane]) + ending.group_reward,
            ending.reward + ending.group_reward,
            int(self.decisions[lane]),
            ending.interrupted,
            group_id,
            self.players[self.player[lane]],
        )

    def groups_at_play(self, lanes: NDArray[np.intp]) -> set[int]:
        """Return the ids of the groups whose agents, of these lanes, are in the middle of an episode."""
        going = lanes[self.waiting[lanes]]
        return {*self.columns.group_id[self._slot[going], self.length[going]].tolist()} - {0}

    def abandon(self, lane: int | NDArray[np.intp]) -> None:
        """Forget what a lane has stored, or several lanes."""
        self.length[lane] = 0
        self.waiting[lane] = False
        self.decisions[lane] = 0
        self.total_reward[lane] = 0.0
        self.total_group_reward[lane] = 0.0
        self.columns.memory[self._slot[lane], 0] = 0.0

    def _segment(self, lane: int, worker: int, *, terminated: bool = False, truncated: bool = False) -> Segment:
        steps, slot = self.length[lane], self._slot[lane]
        return Segment(
            self.columns.part((slot, slice(steps)), (slot, slice(steps + 1))),
            self._behavior,
            worker,
            self.players[self.player[lane]],
            int(self.version[lane]),
            terminated,
            truncated,
        )
