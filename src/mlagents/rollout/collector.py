"""From the reports of environments to segments for the learner and actions for the agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.data.lanes import Lanes
from mlagents.data.segments import Segment
from mlagents.data.trajectories import Episode, Trajectories
from mlagents.rollout.actor import Actor
from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps


class _Request(NamedTuple):
    """Agents of one worker that wait for actions."""

    worker: int
    lanes: NDArray[np.intp]
    observations: list[NDArray[np.float32]]
    allowed: NDArray[np.bool_] | None


class Collector:
    """Lanes and grid of one behavior and team, over all workers.

    Args:
      spec: of the behavior.
      horizon: longest segment, in decisions (`time_horizon`).
      sink: gets every finished segment; it copies what it keeps.
      episodes: gets the result of every finished episode.
      memory_size: of the networks that act; 0 without memory.
    """

    def __init__(
        self,
        spec: BehaviorSpec,
        horizon: int,
        sink: Callable[[Segment], None],
        episodes: Callable[[Episode], None],
        memory_size: int = 0,
    ):
        self._lanes = Lanes()
        self._trajectories = Trajectories(spec, horizon, memory_size)
        self._has_memory = memory_size > 0
        self._sink = sink
        self._episodes = episodes
        self._requests: list[_Request] = []

    @property
    def lanes(self) -> int:
        """Number of lanes ever in use at once."""
        return self._lanes.count

    def observe(self, worker: int, decision: DecisionSteps, terminal: TerminalSteps) -> None:
        """Take in a worker's report: ends of episodes first, then the agents that are to decide."""
        if len(terminal):
            self._end(worker, terminal)
        if len(decision):
            lanes = self._lanes.of(worker, decision.agent_id)
            self._trajectories.grow(self._lanes.count)
            reward = decision.reward + decision.group_reward
            allowed = _allowed(decision.action_mask)
            self._trajectories.observe(lanes, decision.obs, reward, allowed, self._sink)
            self._requests.append(_Request(worker, lanes, decision.obs, allowed))

    def _end(self, worker: int, terminal: TerminalSteps) -> None:
        reward = terminal.reward + terminal.group_reward
        for row, lane in enumerate(self._lanes.ended(worker, terminal.agent_id).tolist()):
            if lane < 0:
                continue
            observations = [o[row] for o in terminal.obs]
            interrupted = bool(terminal.interrupted[row])
            episode = self._trajectories.end(lane, observations, float(reward[row]), interrupted, self._sink)
            if episode is not None:
                self._episodes(episode)

    def decide(self, actor: Actor) -> Iterator[tuple[int, ActionTuple]]:
        """Act for every agent that waits, all workers in one batch; yield each worker's actions."""
        requests, self._requests = self._requests, []
        if not requests:
            return
        if len(requests) == 1:
            worker, lanes, observations, allowed = requests[0]
            yield worker, self._act(actor, lanes, observations, allowed)
            return
        columns = zip(*(r.observations for r in requests), strict=True)
        masks = [r.allowed for r in requests if r.allowed is not None]
        action = self._act(
            actor,
            np.concatenate([r.lanes for r in requests]),
            [np.concatenate(column) for column in columns],
            np.concatenate(masks) if masks else None,
        )
        start = 0
        for worker, lanes, _, _ in requests:
            rows = slice(start, start + len(lanes))
            yield worker, ActionTuple(action.continuous[rows], action.discrete[rows])
            start = rows.stop

    def _act(
        self,
        actor: Actor,
        lanes: NDArray[np.intp],
        observations: list[NDArray[np.float32]],
        allowed: NDArray[np.bool_] | None,
    ) -> ActionTuple:
        memory = self._trajectories.memory(lanes) if self._has_memory else None
        decision = actor.act(observations, allowed, memory)
        self._trajectories.decide(lanes, decision.continuous, decision.discrete, decision.log_prob, decision.memory)
        return decision.action

    def abandon(self, worker: int) -> None:
        """Drop the open trajectories of a worker whose environment was reset or replaced."""
        self._trajectories.abandon(self._lanes.of_worker(worker))
        self._requests = [r for r in self._requests if r.worker != worker]

    def state_dict(self) -> dict[str, Any]:
        """Return what is stored, when nobody waits for actions."""
        return {"lanes": self._lanes.state_dict(), "trajectories": self._trajectories.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a collector made alike returned."""
        self._lanes.load_state_dict(state["lanes"])
        self._trajectories.load_state_dict(state["trajectories"])
        self._requests.clear()

    def abandon_all(self) -> None:
        """Drop the open trajectories of all workers."""
        self._trajectories.abandon(np.arange(self._lanes.count))
        self._requests.clear()


def _allowed(action_mask: list[NDArray[np.bool_]] | None) -> NDArray[np.bool_] | None:
    """Return bool [agents, sum of branch sizes], True = may be chosen, from masks with True = forbidden."""
    if action_mask is None:
        return None
    return np.logical_not(np.concatenate(action_mask, axis=1))
