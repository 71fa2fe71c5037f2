"""The grid: what every live agent has experienced since its last segment was handed on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.data.columns import Columns
from mlagents.data.segments import Segment
from mlagents_envs.base_env import BehaviorSpec


class Episode(NamedTuple):
    """A finished episode.

    Attributes:
      total_reward: undiscounted sum of the environment's rewards.
      length: in decisions.
    """

    total_reward: float
    length: int


class Trajectories:
    """Columns `[lanes, horizon + 1, ...]` with a write position per lane.

    Agents decide at different times, so each lane has a position of its own. Row t takes what was decided; what
    came of it goes to reward row t, observation row t + 1 and memory row t + 1. A lane that reaches the horizon, or
    whose episode ends, is a finished segment: contiguous, because time is the second axis.

    Args:
      spec: observations and actions.
      horizon: longest segment, in decisions.
      memory_size: of the networks; 0 without memory.

    Attributes:
      columns: [lanes, horizon + 1, ...].
      length: intp [lanes], decisions in the open segment.
      waiting: bool [lanes], has decided, and what came of it is not known yet.
      total_reward: float64 [lanes], of the episode so far. decisions: int64 [lanes], likewise.
    """

    def __init__(self, spec: BehaviorSpec, horizon: int, memory_size: int = 0):
        self._spec = spec
        self._memory_size = memory_size
        self.horizon = horizon
        self._allocate(0)

    def _allocate(self, lanes: int) -> None:
        self.columns = Columns(self._spec, self._memory_size, lanes, self.horizon + 1)
        self.length = np.zeros(lanes, np.intp)
        self.waiting = np.zeros(lanes, np.bool_)
        self.total_reward = np.zeros(lanes, np.float64)
        self.decisions = np.zeros(lanes, np.int64)

    def _arrays(self) -> list[NDArray[np.generic]]:
        counters = (self.length, self.waiting, self.total_reward, self.decisions)
        return [*(column for _, column in self.columns.items()), *counters]

    def grow(self, lanes: int) -> None:
        """Make room for at least this many lanes."""
        have = len(self.length)
        if lanes <= have:
            return
        old = self._arrays()
        observations = self.columns.observations
        self._allocate(max(lanes, have + have // 2))
        self.columns.match(observations)
        for before, after in zip(old, self._arrays(), strict=True):
            after[:have] = before

    def state_dict(self) -> dict[str, Any]:
        """Return what is stored, as copies."""
        return {"columns": [column.copy() for column in self._arrays()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of trajectories of the same spec and horizon returned."""
        self._allocate(len(state["columns"][-1]))
        self.columns.match(state["columns"][: len(self.columns.observations)])
        for column, stored in zip(self._arrays(), state["columns"], strict=True):
            column[...] = stored

    def observe(
        self,
        lanes: NDArray[np.intp],
        observations: list[NDArray[np.float32]],
        reward: NDArray[np.float32],
        allowed: NDArray[np.bool_] | None,
        sink: Callable[[Segment], None],
    ) -> None:
        """Write what came of each lane's last decision, and what it sees now that it is to decide again.

        Args:
          lanes: intp [agents].
          observations: one float32 [agents, *shape] per observation spec.
          reward: float32 [agents], since the last decision; dropped for agents that had none.
          allowed: bool [agents, sum of branch sizes], True = may be chosen, or None for everything.
          sink: gets each segment that reached the horizon, before its rows are used again.
        """
        row = self.length[lanes]
        waiting = self.waiting[lanes]
        if waiting.all():
            self.columns.reward[lanes, row] = reward
            self.total_reward[lanes] += reward
            row += 1
        else:
            continuing = lanes[waiting]
            self.columns.reward[continuing, row[waiting]] = reward[waiting]
            self.total_reward[continuing] += reward[waiting]
            row += waiting
        self.length[lanes] = row
        for position, observation in enumerate(observations):
            self.columns.write((lanes, row), position, observation)
        if row.size and row.max() == self.horizon:
            for lane in lanes[row == self.horizon].tolist():
                sink(self._segment(lane, ended=False, interrupted=False))
                for column in (*self.columns.observations, self.columns.memory):
                    column[lane, 0] = column[lane, self.horizon]
                self.length[lane] = 0
            row = self.length[lanes]
        if allowed is not None:
            self.columns.allowed[lanes, row] = allowed
        self.waiting[lanes] = False

    def memory(self, lanes: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the memory of lanes that are to decide, float32 [agents, memory size]; zero as an episode begins."""
        found: NDArray[np.float32] = self.columns.memory[lanes, self.length[lanes]]
        return found

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
        row = self.length[lanes]
        if continuous.shape[1]:
            self.columns.continuous[lanes, row] = continuous
        if discrete.shape[1]:
            self.columns.discrete[lanes, row] = discrete
        self.columns.log_prob[lanes, row] = log_prob
        if memory is not None:
            self.columns.memory[lanes, row + 1] = memory
        self.waiting[lanes] = True
        self.decisions[lanes] += 1

    def end(
        self,
        lane: int,
        observations: list[NDArray[np.float32]],
        reward: float,
        interrupted: bool,
        sink: Callable[[Segment], None],
    ) -> Episode | None:
        """Write the end of a lane's episode, hand on its segment, and return the episode's result.

        Args:
          lane: whose episode ended.
          observations: the last ones, one float32 [*shape] per observation spec.
          reward: since the last decision.
          interrupted: cut by a limit rather than by the task.
          sink: gets the segment.

        Returns: None when the agent ended without ever having decided in this episode.
        """
        if not self.waiting[lane]:
            self.abandon(lane)
            return None
        row = self.length[lane]
        self.columns.reward[lane, row] = reward
        for position, observation in enumerate(observations):
            self.columns.write((lane, row + 1), position, observation)
        self.length[lane] = row + 1
        sink(self._segment(lane, ended=True, interrupted=interrupted))
        episode = Episode(float(self.total_reward[lane]) + reward, int(self.decisions[lane]))
        self.abandon(lane)
        return episode

    def abandon(self, lane: int | NDArray[np.intp]) -> None:
        """Forget what a lane has stored, or several lanes."""
        self.length[lane] = 0
        self.waiting[lane] = False
        self.total_reward[lane] = 0.0
        self.decisions[lane] = 0
        self.columns.memory[lane, 0] = 0.0

    def _segment(self, lane: int, *, ended: bool, interrupted: bool) -> Segment:
        steps, columns = self.length[lane], self.columns
        return Segment(
            tuple(column[lane, : steps + 1] for column in columns.observations),
            columns.memory[lane, :steps],
            columns.continuous[lane, :steps],
            columns.discrete[lane, :steps],
            columns.log_prob[lane, :steps],
            columns.allowed[lane, :steps],
            columns.reward[lane, :steps],
            ended,
            interrupted,
        )
