"""Agents of one behavior, one object each, as a batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionTuple, DecisionSteps, ObservationSpec, TerminalSteps
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException, UnityObservationException
from mlagents_sim.academy import join_terminal_steps
from mlagents_sim.agent import AgentBatch
from mlagents_sim.authoring.actions import ActionBuffers, ActionMask
from mlagents_sim.authoring.agent import Agent
from mlagents_sim.authoring.observations import ObservationWriter
from mlagents_sim.authoring.place import Place
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import Sensor, StackingSensor, VectorSensor

NO_GROUP: Final = 0


@dataclass
class Numbers:
    """The numbers that a world gives away.

    Attributes:
      agents: ids of agents.
      groups: ids of groups.
    """

    agents: Iterator[int] = field(default_factory=itertools.count)
    groups: Iterator[int] = field(default_factory=lambda: itertools.count(1))


class OwnSensor:
    """Stands for the agents' own sensors of one name: the frames are their observations."""

    def __init__(self, spec: ObservationSpec) -> None:
        self.spec = spec

    def observe(self, rows: RowIndex, frame: ArrayLike) -> NDArray[np.float32]:
        """Return `frame` [rows, *shape] as it is."""
        return np.asarray(frame, np.float32)

    def clear(self, rows: RowIndex) -> None:
        """Do nothing: the agents' own sensors forget by themselves."""


class ObjectBatch(AgentBatch):
    """Calls the agents' methods, and keeps their numbers.

    It is asked for decisions on every physics step, and reports only who wants one.
    Unlike in others of its kind an episode ends where `end_episode` is called, not at the end of the phase.

    Args:
      agents: of one behavior and team; the first tells what all observe.
      numbers: of the world.

    Raises:
      ValueError: an agent observes or does something else than the first, or belongs to another world.
    """

    def __init__(self, agents: Sequence[Agent], numbers: Numbers) -> None:
        self._agents = tuple(agents)
        self._numbers = numbers
        self._behavior = agents[0].behavior
        self.keys = agents[0].keys
        self._check_agents()
        sensors = self._make_sensors(agents[0])
        super().__init__(self._behavior.qualified_name, len(agents), sensors, self._behavior.action_spec)
        self._writer = ObservationWriter(self._behavior.vector_observation_size)
        self._mask = super().action_mask()
        self._buffers = [self._read_only(row) for row in range(len(agents))]
        self._over: list[TerminalSteps] = []
        self._step = 0
        self._is_reporting = False
        self._beginning: set[int] = set()
        for row, agent in enumerate(agents):
            agent._place = Place(self, row)

    def _check_agents(self) -> None:
        first = self._agents[0]
        for agent in self._agents:
            if agent._place is not None:
                raise ValueError(f"{agent.described}: the agent is in a world already.")
            if agent.behavior != first.behavior:
                raise ValueError(
                    f"Agents of the behavior {first.behavior.qualified_name!r} must have the same parameters; got "
                    f"{first.behavior} and {agent.behavior}."
                )
            specs, expected = ([sensor.spec for sensor in each.sensors] for each in (agent, first))
            if specs != expected:
                raise ValueError(
                    f"Agents of the behavior {first.behavior.qualified_name!r} must have the same sensors, in the same "
                    f"order; got {expected} and {specs}."
                )

    def _make_sensors(self, agent: Agent) -> list[Sensor]:
        """Make all sensors by name; note in `_sources` where their frames come from: an index, None for the vector."""
        named: list[tuple[Sensor, int | None]] = [
            (OwnSensor(sensor.spec), number) for number, sensor in enumerate(agent.sensors)
        ]
        if size := self._behavior.vector_observation_size:
            vector: Sensor = VectorSensor(size)
            if self._behavior.stacked_vectors > 1:
                vector = StackingSensor(vector, self._behavior.stacked_vectors, len(self._agents))
            named.append((vector, None))
        named.sort(key=lambda pair: pair[0].spec.name)
        self._sources = [source for _, source in named]
        return [sensor for sensor, _ in named]

    def _read_only(self, row: int) -> ActionBuffers:
        buffers = ActionBuffers(self.actions.continuous[row], self.actions.discrete[row])
        for values in buffers:
            values.flags.writeable = False
        return buffers

    def actions_of(self, row: int) -> ActionBuffers:
        """Return what an agent does now; always the same arrays."""
        return self._buffers[row]

    # Decisions

    def deciding(self) -> NDArray[np.intp]:
        """Return the agents that want a decision now."""
        for agent in self._agents:
            self._request(agent)
        self._step += 1
        return np.flatnonzero([agent.is_enabled and agent.wants_decision for agent in self._agents])

    def decision_steps(self) -> DecisionSteps:
        """Return what the agents report that want a decision now."""
        steps = super().decision_steps()
        for row in self._waiting():
            self._agents[row].wants_decision = False
        return steps

    def _waiting(self) -> list[int]:
        rows: list[int] = np.flatnonzero(self._waits).tolist()
        return rows

    def _request(self, agent: Agent) -> None:
        requester = agent.decision_requester
        if requester is None or not agent.is_enabled:
            return
        if self._step % requester.period == 0:
            agent.request_decision()
        elif requester.take_actions_between_decisions:
            agent.request_action()

    def action_mask(self) -> list[NDArray[np.bool_]]:
        """Return bool [agents, branch size] per branch, asked anew of the agents that wait."""
        for row in self._waiting():
            mine = [mask[row] for mask in self._mask]
            for forbidden in mine:
                forbidden[:] = False
            agent = self._agents[row]
            agent.write_discrete_action_mask(ActionMask(mine))
            for branch, forbidden in enumerate(mine):
                if forbidden.all():
                    raise UnityActionException(f"{agent.described}: all choices of branch {branch} are forbidden.")
        return self._mask

    def heuristic(self) -> ActionTuple:
        """Return what the agents that reported last would do by their own rule, a row for each."""
        waiting = self._waiting()
        actions = self.spec.action_spec.empty_action(len(waiting))
        for out, row in enumerate(waiting):
            self._agents[row].heuristic(ActionBuffers(actions.continuous[out], actions.discrete[out]))
        return actions

    @property
    def has_rule(self) -> bool:
        """Whether the agents have a rule of their own that decides without keys."""
        return not self.keys and all(type(agent).heuristic is not Agent.heuristic for agent in self._agents)

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return a frame of each sensor, [rows, ...]."""
        assert isinstance(rows, np.ndarray)
        self._is_reporting = True
        try:
            frames = [self._frames_of(self._agents[row]) for row in rows.tolist()]
        finally:
            self._is_reporting = False
        return [np.stack(column) for column in zip(*frames, strict=True)]

    def _frames_of(self, agent: Agent) -> list[NDArray[np.float32]]:
        """Return what one agent perceives; its vector is asked for even if it is empty."""
        agent.collect_observations(self._writer)
        vector = self._writer.take(agent.described)
        return [vector if source is None else _own_frame(agent, source) for source in self._sources]

    # Life of an episode

    def begin_all_episodes(self) -> None:
        """Do as for every batch."""
        self._step = 0
        self._over.clear()
        super().begin_all_episodes()

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Begin an episode for the agents `rows`, unless they are disabled."""
        for row in rows.tolist():
            agent = self._agents[row]
            agent.wants_decision = agent.wants_action = False
            agent.cumulative_reward = 0.0
            for sensor in agent.sensors:
                sensor.reset()
            if agent.is_enabled:
                self._begin(row, agent)

    def _begin(self, row: int, agent: Agent) -> None:
        self._beginning.add(row)
        try:
            agent.on_episode_begin()
        finally:
            self._beginning.remove(row)

    def act(self) -> None:
        """Let those act that want to."""
        for agent, buffers in zip(self._agents, self._buffers, strict=True):
            if agent.wants_action and agent.is_enabled:
                agent.wants_action = False
                agent.on_action_received(buffers)

    def take_step(self) -> bool:
        """Count one physics step and act in it; interrupt who reached its `max_step`."""
        self._step_count += [agent.is_enabled for agent in self._agents]
        self.act()
        for row, agent in enumerate(self._agents):
            if agent.max_step and self._step_count[row] >= agent.max_step:
                self.end(row, interrupted=True)
        return self.has_ended()

    def end(self, row: int, *, interrupted: bool) -> None:
        """End the episode of one agent, and begin its next.

        Raises:
          UnityEnvironmentException: in `collect_observations`, or in the agent's own `on_episode_begin`.
        """
        agent = self._agents[row]
        if not agent.is_enabled:
            return
        self._finish(row, agent, interrupted)
        self.begin_episodes(np.array([row]))

    def disable(self, row: int) -> None:
        """End the episode of one agent for good."""
        agent = self._agents[row]
        if not agent.is_enabled:
            return
        self._finish(row, agent, interrupted=False)
        if agent.group is not None:
            agent.group.unregister_agent(agent)
        agent.is_enabled = False
        self.begin_episodes(np.array([row]))

    def enable(self, row: int) -> None:
        """Let one agent take part again."""
        agent = self._agents[row]
        if agent.is_enabled:
            return
        agent.is_enabled = True
        self.agent_id[row] = next(self._numbers.agents)
        rows = np.array([row])
        self.admit(rows)
        self.begin_episodes(rows)

    def _finish(self, row: int, agent: Agent, interrupted: bool) -> None:
        """Keep what there is to report of an episode that ends."""
        if self._is_reporting or row in self._beginning:
            where = "collect_observations" if self._is_reporting else "its own on_episode_begin"
            raise UnityEnvironmentException(
                f"{agent.described}: an episode cannot end in {where}; end it in on_action_received, "
                "or after the physics."
            )
        rows = np.array([row])
        self.end_episode(rows, interrupted=interrupted)
        if (steps := self.report_ends(rows)) is not None:
            self._over.append(steps)
        agent.completed_episodes += 1

    def has_ended(self) -> bool:
        """Return whether an end is not yet reported."""
        return bool(self._over)

    def finish_episodes(self) -> TerminalSteps | None:
        """Report the episodes that are over; the next ones have begun already."""
        if not self._over:
            return None
        steps = join_terminal_steps(self._over)
        self._over.clear()
        return steps

    # Groups

    def set_group(self, row: int, group: int) -> None:
        """Put one agent into a group, or into none."""
        ids = np.zeros(len(self), np.int32) if self.groups is None else self.groups.id.copy()
        ids[row] = group
        self.assign_groups(ids)

    def next_group_id(self) -> int:
        """Return a number that no other group of the world has."""
        return next(self._numbers.groups)


def _own_frame(agent: Agent, source: int) -> NDArray[np.float32]:
    sensor = agent.sensors[source]
    frame = np.asarray(sensor.observe(), np.float32)
    if frame.shape != sensor.spec.shape:
        raise UnityObservationException(
            f"{agent.described}: sensor {sensor.spec.name!r} observed an array {frame.shape}; expected "
            f"{sensor.spec.shape}."
        )
    return frame
