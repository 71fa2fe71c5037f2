"""The grid: what every live agent has experienced since its last segment was handed on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.data.segments import Segment
from mlagents_envs.base_env import BehaviorSpec


class Episode(NamedTuple):
    """A finished episode: the undiscounted return of the environment's rewards, and its decisions."""

    total_reward: float
    length: int


class Trajectories:
    """Columns `[lanes, horizon + 1, ...]` with a write position per lane.

    Agents decide at different times, so each lane has a position of its own. Row t takes what was decided; what
    came of it goes to reward row t and observation row t + 1. A lane that reaches the horizon, or whose episode
    ends, is a finished segment: contiguous, because time is the second axis.
    """

    def __init__(self, spec: BehaviorSpec, horizon: int):
        self._spec = spec
        self.horizon = horizon
        self._allocate(0)

    def _allocate(self, lanes: int) -> None:
        action, steps = self._spec.action_spec, self.horizon + 1
        self.observations = tuple(np.zeros((lanes, steps, *o.shape), np.float32) for o in self._spec.observation_specs)
        self.continuous = np.zeros((lanes, steps, action.continuous_size), np.float32)
        self.discrete = np.zeros((lanes, steps, action.discrete_size), np.int32)
        self.log_prob = np.zeros((lanes, steps, action.continuous_size + action.discrete_size), np.float32)
        self.allowed = np.ones((lanes, steps, sum(action.discrete_branches)), np.bool_)
        self.reward = np.zeros((lanes, steps), np.float32)
        self.length = np.zeros(lanes, np.intp)
        self.waiting = np.zeros(lanes, np.bool_)
        self.total_reward = np.zeros(lanes, np.float64)
        self.decisions = np.zeros(lanes, np.int64)

    def _columns(self) -> tuple[NDArray[np.generic], ...]:
        return (
            *self.observations,
            self.continuous,
            self.discrete,
            self.log_prob,
            self.allowed,
            self.reward,
            self.length,
            self.waiting,
            self.total_reward,
            self.decisions,
        )

    def grow(self, lanes: int) -> None:
        """Make room for at least this many lanes."""
        have = len(self.length)
        if lanes <= have:
            return
        old = self._columns()
        self._allocate(max(lanes, have + have // 2))
        for before, after in zip(old, self._columns(), strict=True):
            after[:have] = before

    def state_dict(self) -> dict[str, Any]:
        """Return what is stored, as copies."""
        return {"columns": [column.copy() for column in self._columns()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of trajectories of the same spec and horizon returned."""
        self._allocate(len(state["columns"][-1]))
        for column, stored in zip(self._columns(), state["columns"], strict=True):
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
            self.reward[lanes, row] = reward
            self.total_reward[lanes] += reward
            row += 1
        else:
            continuing = lanes[waiting]
            self.reward[continuing, row[waiting]] = reward[waiting]
            self.total_reward[continuing] += reward[waiting]
            row += waiting
        self.length[lanes] = row
        for column, observation in zip(self.observations, observations, strict=True):
            column[lanes, row] = observation
        if row.size and row.max() == self.horizon:
            for lane in lanes[row == self.horizon].tolist():
                sink(self._segment(lane, ended=False, interrupted=False))
                for column in self.observations:
                    column[lane, 0] = column[lane, self.horizon]
                self.length[lane] = 0
            row = self.length[lanes]
        if allowed is not None:
            self.allowed[lanes, row] = allowed
        self.waiting[lanes] = False

    def decide(
        self,
        lanes: NDArray[np.intp],
        continuous: NDArray[np.float32],
        discrete: NDArray[np.int32],
        log_prob: NDArray[np.float32],
    ) -> None:
        """Write the decisions of the lanes that were observed last.

        Args:
          lanes: intp [agents].
          continuous: float32 [agents, continuous size], as sampled.
          discrete: int32 [agents, branches].
          log_prob: float32 [agents, continuous size + branches].
        """
        row = self.length[lanes]
        if continuous.shape[1]:
            self.continuous[lanes, row] = continuous
        if discrete.shape[1]:
            self.discrete[lanes, row] = discrete
        self.log_prob[lanes, row] = log_prob
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
        self.reward[lane, row] = reward
        for column, observation in zip(self.observations, observations, strict=True):
            column[lane, row + 1] = observation
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

    def _segment(self, lane: int, *, ended: bool, interrupted: bool) -> Segment:
        steps = self.length[lane]
        return Segment(
            tuple(column[lane, : steps + 1] for column in self.observations),
            self.continuous[lane, :steps],
            self.discrete[lane, :steps],
            self.log_prob[lane, :steps],
            self.allowed[lane, :steps],
            self.reward[lane, :steps],
            ended,
            interrupted,
        )
