"""From the reports of environments to segments for the learner and actions for the agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.data.lanes import Lanes
from mlagents.data.segments import Segment, WeightsId
from mlagents.data.trajectories import Arrivals, Ending, Episode, Groups, Trajectories
from mlagents.rollout.actor import Actor, Decision, joined
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
        """Decide, and write the decisions down."""
        players = self._trajectories.players
        player = self._trajectories.player[lanes]
        numbers = [0] if len(players) == 1 else sorted(set(player.tolist()))
        if len(numbers) > 1:
            return self._act_mixed({n: actors[players[n]] for n in numbers}, player, lanes, observations, allowed)
        return self._noted(lanes, actors[players[numbers[0]]].act(observations, allowed, self._memory(lanes)))

    def _act_mixed(
        self,
        actors: Mapping[int, Actor],
        player: NDArray[np.int32],
        lanes: NDArray[np.intp],
        observations: Sequence[NDArray[np.float32]],
        allowed: NDArray[np.bool_] | None,
    ) -> ActionTuple:
        """Act with several sets of weights: each says its part, and everything else happens once.

        Args:
          actors: by number, in rising order.
          player: int32 [agents], number of the weights that each agent plays with.
          lanes: intp [agents].
          observations: one [agents, *shape] per observation spec.
          allowed: bool [agents, sum of branch sizes]; None for everything.
        """
        order = np.argsort(player, kind="stable")
        lanes, ends = lanes[order], np.searchsorted(player[order], list(actors), side="right").tolist()
        seen, memory = [o[order] for o in observations], self._memory(lanes)
        parts = [
            actor.evaluate([o[start:end] for o in seen], None if memory is None else memory[start:end])
            for actor, start, end in zip(actors.values(), [0, *ends[:-1]], ends, strict=True)
        ]
        decision = next(iter(actors.values())).choose(joined(parts), None if allowed is None else allowed[order])
        action = self._noted(lanes, decision)
        continuous, discrete = np.empty_like(action.continuous), np.empty_like(action.discrete)
        continuous[order], discrete[order] = action.continuous, action.discrete
        return ActionTuple(continuous, discrete)

    def _memory(self, lanes: NDArray[np.intp]) -> NDArray[np.float32] | None:
        return self._trajectories.memory(lanes) if self._has_memory else None

    def _noted(self, lanes: NDArray[np.intp], decision: Decision) -> ActionTuple:
        """Write decisions down, and return what the environments get."""
        self._trajectories.decide(lanes, decision.continuous, decision.discrete, decision.log_prob, decision.memory)
        return decision.action

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
    return len(steps) > 0 and bool(np.count_nonzero(steps.group_id) or np.count_nonzero(steps.group_reward))


def _allowed(action_mask: list[NDArray[np.bool_]] | None) -> NDArray[np.bool_] | None:
    """Return bool [agents, sum of branch sizes], True = may be chosen, from masks with True = forbidden."""
    if action_mask is None:
        return None
    return np.logical_not(np.concatenate(action_mask, axis=1))
