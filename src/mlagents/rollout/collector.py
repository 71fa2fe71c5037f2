"""From the reports of environments to segments for the learner and actions for the agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.data.lanes import Lanes
from mlagents.data.segments import Segment, WeightsId
from mlagents.data.trajectories import Arrivals, Ending, Episode, Groups, Trajectories
from mlagents.rollout.actor import Actor, Decision
from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.behavior_id import BehaviorId

Observed = tuple[list[Segment], list[Episode]]
"""What a report finishes."""


class _Request(NamedTuple):
    """Agents of one worker that wait for actions."""

    worker: int
    lanes: NDArray[np.intp]
    observations: Sequence[NDArray[np.float32]]
    allowed: NDArray[np.bool_] | None


class Collector:
    """Lanes and grid of one behavior and team, over all workers.

    Args:
      behavior: whose agents these are.
      spec: of the behavior.
      horizon: longest segment, in decisions (`time_horizon`).
      memory_size: of the networks that act; 0 without memory.
    """

    def __init__(self, behavior: BehaviorId, spec: BehaviorSpec, horizon: int, memory_size: int = 0):
        self.behavior = behavior
        self._lanes = Lanes()
        self._trajectories = Trajectories(behavior, spec, horizon, memory_size)
        self._has_memory = memory_size > 0
        self._has_branches = spec.action_spec.discrete_size > 0
        self._grouped = False
        self._requests: list[_Request] = []

    @property
    def lanes(self) -> int:
        """Number of lanes ever in use at once."""
        return self._lanes.count

    def observe(self, worker: int, tick: int, decision: DecisionSteps, terminal: TerminalSteps) -> Observed:
        """Take in a worker's report: ends of episodes first, then the agents that are to decide.

        Returns: the segments and episodes that it finishes; segments hold until `recycle`.
        """
        segments: list[Segment] = []
        episodes: list[Episode] = []
        self._grouped = self._grouped or _has_groups(decision) or _has_groups(terminal)
        for segment, episode in self._endings(worker, tick, terminal) if len(terminal) else ():
            segments.append(segment)
            episodes.append(episode)
        if self._grouped and episodes:
            going = self._trajectories.groups_at_play(self._lanes.of_worker(worker))
            episodes = [episode._replace(outlived=episode.group_id in going) for episode in episodes]
        if len(decision):
            lanes = self._lanes.of(worker, decision.agent_id)
            self._trajectories.grow(self._lanes.count)
            groups = Groups(decision.group_id, decision.group_reward) if self._grouped else None
            allowed = _allowed(decision.action_mask) if self._has_branches else None
            arrivals = Arrivals(lanes, worker, tick, decision.obs, decision.reward, groups, allowed)
            segments += self._trajectories.observe(arrivals)
            self._requests.append(_Request(worker, lanes, decision.obs, allowed))
        return segments, episodes

    def _endings(self, worker: int, tick: int, terminal: TerminalSteps) -> Iterator[tuple[Segment, Episode]]:
        group_reward = terminal.group_reward.tolist()
        for row, lane in enumerate(self._lanes.ended(worker, terminal.agent_id).tolist()):
            if lane < 0:
                continue
            observations = [o[row] for o in terminal.obs]
            reward, interrupted = float(terminal.reward[row]), bool(terminal.interrupted[row])
            ending = Ending(lane, worker, tick, observations, reward, group_reward[row], interrupted)
            if (finished := self._trajectories.end(ending)) is not None:
                yield finished

    def decide(
        self, actors: Mapping[WeightsId, Actor], plays: Callable[[int], WeightsId], version: int
    ) -> Iterator[tuple[int, ActionTuple]]:
        """Act for every agent that waits, all workers in one batch per set of weights; yield each worker's actions.

        Args:
          actors: for all weights that act.
          plays: worker -> the weights for episodes that begin there now.
          version: number of updates behind the newest weights.
        """
        requests, self._requests = self._requests, []
        if not requests:
            return
        for request in requests:
            self._trajectories.begin(request.lanes, plays(request.worker), version)
        lanes, observations, allowed = _joined(requests)
        action = self._act(actors, lanes, observations, allowed)
        start = 0
        for request in requests:
            rows = slice(start, start + len(request.lanes))
            yield request.worker, ActionTuple(action.continuous[rows], action.discrete[rows])
            start = rows.stop

    def _act(
        self,
        actors: Mapping[WeightsId, Actor],
        lanes: NDArray[np.intp],
        observations: Sequence[NDArray[np.float32]],
        allowed: NDArray[np.bool_] | None,
    ) -> ActionTuple:
        """Decide, weights by weights, and write the decisions down."""
        players = self._trajectories.players
        if len(players) == 1:
            return self._act_alike(actors[players[0]], lanes, observations, allowed).action
        player = self._trajectories.player[lanes]
        if (player == player[0]).all():
            return self._act_alike(actors[players[player[0]]], lanes, observations, allowed).action
        continuous = discrete = None
        for number in np.unique(player):
            rows = np.flatnonzero(player == number)
            part = [o[rows] for o in observations]
            mask = None if allowed is None else allowed[rows]
            action = self._act_alike(actors[players[number]], lanes[rows], part, mask).action
            if continuous is None or discrete is None:
                continuous = np.zeros((len(lanes), *action.continuous.shape[1:]), np.float32)
                discrete = np.zeros((len(lanes), *action.discrete.shape[1:]), np.int32)
            continuous[rows], discrete[rows] = action.continuous, action.discrete
        return ActionTuple(continuous, discrete)

    def _act_alike(
        self,
        actor: Actor,
        lanes: NDArray[np.intp],
        observations: Sequence[NDArray[np.float32]],
        allowed: NDArray[np.bool_] | None,
    ) -> Decision:
        memory = self._trajectories.memory(lanes) if self._has_memory else None
        decision = actor.act(observations, allowed, memory)
        self._trajectories.decide(lanes, decision.continuous, decision.discrete, decision.log_prob, decision.memory)
        return decision

    def weights_in_play(self) -> set[WeightsId]:
        """Return the weights of all episodes that are going on."""
        going = self._trajectories.decisions > 0
        return {self._trajectories.players[number] for number in np.unique(self._trajectories.player[going])}

    def recycle(self) -> None:
        """Use the memory of all segments handed on so far again."""
        self._trajectories.recycle()

    def abandon(self, worker: int) -> None:
        """Drop the open trajectories of a worker whose environment was reset or replaced."""
        self._trajectories.abandon(self._lanes.of_worker(worker))
        self._requests = [r for r in self._requests if r.worker != worker]

    def abandon_all(self) -> None:
        """Drop the open trajectories of all workers."""
        self._trajectories.abandon(np.arange(self._lanes.count))
        self._requests.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return what is stored, when nobody waits for actions."""
        lanes, trajectories = self._lanes.state_dict(), self._trajectories.state_dict()
        return {"lanes": lanes, "trajectories": trajectories, "grouped": self._grouped}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a collector made alike returned."""
        self._lanes.load_state_dict(state["lanes"])
        self._trajectories.load_state_dict(state["trajectories"])
        self._grouped = state["grouped"]
        self._requests.clear()


def _joined(
    requests: Sequence[_Request],
) -> tuple[NDArray[np.intp], Sequence[NDArray[np.float32]], NDArray[np.bool_] | None]:
    """Return lanes, observations and masks of all requests behind one another; without a mask, all is allowed."""
    if len(requests) == 1:
        return requests[0].lanes, requests[0].observations, requests[0].allowed
    masks = None
    width = next((r.allowed.shape[1] for r in requests if r.allowed is not None), None)
    if width is not None:
        masks = np.concatenate(
            [np.ones((len(r.lanes), width), np.bool_) if r.allowed is None else r.allowed for r in requests]
        )
    columns = zip(*(r.observations for r in requests), strict=True)
    return np.concatenate([r.lanes for r in requests]), [np.concatenate(column) for column in columns], masks


def _has_groups(steps: DecisionSteps | TerminalSteps) -> bool:
    return len(steps) > 0 and bool(np.any(steps.group_id) or np.any(steps.group_reward))


def _allowed(action_mask: list[NDArray[np.bool_]] | None) -> NDArray[np.bool_] | None:
    """Return bool [agents, sum of branch sizes], True = may be chosen, from masks with True = forbidden."""
    if action_mask is None:
        return None
    return np.logical_not(np.concatenate(action_mask, axis=1))
