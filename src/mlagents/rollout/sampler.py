"""Experience by playing: environments, actors and collectors behind one call that returns values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from mlagents.data.segments import NEWEST, Segment, WeightsId
from mlagents.data.trajectories import Episode
from mlagents.rollout.actor import Actor
from mlagents.rollout.collected import Assignment, Collected, Sampling, Weights
from mlagents.rollout.collector import Collector
from mlagents.rollout.env_pool import EnvPool, WorkerStep, never
from mlagents.rollout.guard import Guard
from mlagents.rollout.parameters import ParameterValue, for_sampler
from mlagents_envs.base_env import ActionTuple, BehaviorSpec
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.timers import hierarchical_timer


class Sampler(Protocol):
    """Plays with published weights and returns what was experienced; here, or on other machines."""

    @property
    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Fully qualified name -> spec of every behavior seen so far; may grow with `collect`."""

    def reset(self, parameters: Mapping[str, ParameterValue]) -> None:
        """Begin new episodes everywhere with these environment parameters."""

    def missing(self) -> Mapping[str, BehaviorSpec]:
        """Return name, without team, and spec of the behaviors that wait for their first weights."""

    def add(self, name: str, spec: BehaviorSpec, sampling: Sampling, weights: Weights) -> None:
        """Let agents of a behavior play."""

    def publish(self, weights: Mapping[WeightsId, Weights]) -> None:
        """Let these weights act: newest ones at once, snapshots where `apply` says so."""

    def apply(self, parameters: Mapping[str, ParameterValue], assignment: Assignment) -> None:
        """Tell the environments parameters, and agents whom they play with, both from their next episodes on.

        Args:
          parameters: those that change; with `assignment.reset` all of them.
          assignment: replaces the one before.
        """

    def collect(self, stop: Callable[[], bool] = never) -> Sequence[Collected]:
        """Play on until there is something to tell; nothing if `stop` says so first, or behaviors are missing."""

    def weights_in_play(self) -> Collection[WeightsId]:
        """Return the weights of all episodes that are going on."""

    def state_dict(self) -> dict[str, Any] | None:
        """Return all that decides how the play goes on; None if environments cannot tell."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, after `reset` and `add`.

        Raises:
          ValueError: the environments are not those of the state.
        """

    def close(self) -> None:
        """Stop every environment; harmless when called again."""


class _Played:
    """One behavior: what all its teams share, and a collector per team, by fully qualified name."""

    def __init__(self, guard: Guard, name: str, spec: BehaviorSpec, sampling: Sampling, weights: Weights) -> None:
        self.guard = guard
        self.version = weights.version
        self.memory_size = weights.policy.memory_size
        self.actors: dict[WeightsId, Actor] = {}
        self.collectors: dict[str, Collector] = {}
        self.spec = spec
        self.sampling = sampling
        self.load(WeightsId(name), weights)

    def load(self, weights_id: WeightsId, weights: Weights) -> None:
        if weights_id.snapshot == NEWEST:
            self.version = weights.version
        if weights_id in self.actors:
            self.actors[weights_id].load(weights.policy)
        else:
            self.actors[weights_id] = Actor(weights.policy, self.sampling.rng, self.sampling.deterministic)

    def collector(self, full_name: str) -> Collector:
        if full_name not in self.collectors:
            behavior = BehaviorId.parse(full_name)
            self.collectors[full_name] = Collector(behavior, self.spec, self.sampling.horizon, self.memory_size)
        return self.collectors[full_name]

    def keep(self, wanted: set[WeightsId]) -> None:
        """Forget snapshots that nobody plays with, now or from the next episode on."""
        for collector in self.collectors.values():
            wanted = wanted | collector.weights_in_play()
        self.actors = {w: actor for w, actor in self.actors.items() if w.snapshot == NEWEST or w in wanted}


class LocalSampler:
    """A `Sampler` over environments in this process or in others of this machine.

    Args:
      pool: the environments, started.
      first_worker: number of its first environment among all of the run, those of other samplers included.
      note_fault: told a behavior's name and what was found, whenever it reports numbers that are not finite; None: it
        is said, and `collect` raises an error when it was too often.
    """

    def __init__(
        self, pool: EnvPool, first_worker: int = 0, note_fault: Callable[[str, str], None] | None = None
    ) -> None:
        self._pool = pool
        self._first_worker = first_worker
        self._note_fault = note_fault
        self._played: dict[str, _Played] = {}
        self._assignment = Assignment()
        self._held: list[WorkerStep] = []
        self._ticks: dict[int, int] = {}
        self._parameters: dict[str, ParameterValue] = {}

    @property
    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Fully qualified name -> spec of every behavior seen so far."""
        return self._pool.behavior_specs

    def reset(self, parameters: Mapping[str, ParameterValue]) -> None:
        """Drop what was begun, and begin new episodes everywhere with these environment parameters."""
        self._parameters = dict(parameters)
        for collector in self._collectors():
            collector.abandon_all()
        self._held.clear()
        self._pool.reset(for_sampler(parameters, self._first_worker))

    def missing(self) -> Mapping[str, BehaviorSpec]:
        """Return name and spec of the behaviors whose agents have reported and that were not added yet."""
        full_names = [full_name for report in self._held for full_name in report.steps]
        names = {BehaviorId.parse(full_name).name: full_name for full_name in full_names}
        return {name: self.behavior_specs[full_name] for name, full_name in names.items() if name not in self._played}

    def add(self, name: str, spec: BehaviorSpec, sampling: Sampling, weights: Weights) -> None:
        """Let agents of a behavior play."""
        note = None if self._note_fault is None else partial(self._note_fault, name)
        self._played[name] = _Played(Guard(name, spec, note), name, spec, sampling, weights)

    def publish(self, weights: Mapping[WeightsId, Weights]) -> None:
        """Let these weights act: newest ones at once, snapshots where `apply` says so."""
        for weights_id, found in weights.items():
            self._played[weights_id.behavior].load(weights_id, found)

    def apply(self, parameters: Mapping[str, ParameterValue], assignment: Assignment) -> None:
        """See `Sampler`."""
        self._parameters |= parameters
        before = self._assignment.plays
        if assignment.plays is not before and assignment.plays != before:
            for name, played in self._played.items():
                played.keep({weights for weights in assignment.plays.values() if weights.behavior == name})
        self._assignment = assignment
        if assignment.reset:
            self.reset(self._parameters)
        elif parameters:
            self._pool.set_parameters(for_sampler(parameters, self._first_worker))

    def collect(self, stop: Callable[[], bool] = never) -> Sequence[Collected]:
        """Wait for reports, decide for all agents that ask, and send their actions on the way.

        Segments and episodes are handed on when the environments are already on their way to the next decision.
        """
        for collector in self._collectors():
            collector.recycle()
        reports = self._receive(stop)
        if self.missing() or not reports:
            return []
        self._held.clear()
        segments: list[Segment] = []
        episodes: list[Episode] = []
        with hierarchical_timer("collect"):
            for report in reports:
                self._observe(report, segments, episodes)
        with hierarchical_timer("act"):
            self._act(reports)
        statistics = [(self._first_worker + worker, found) for worker, found in self._pool.statistics()]
        lanes = {name: sum(c.lanes for c in p.collectors.values()) for name, p in self._played.items()}
        return [Collected(segments, episodes, statistics, len(reports), lanes)]

    def _receive(self, stop: Callable[[], bool]) -> list[WorkerStep]:
        """Return the reports that waited for weights, or else new ones."""
        if not self._held:
            with hierarchical_timer("environment"):
                self._held = self._pool.receive(stop)
        return list(self._held)

    def _observe(self, report: WorkerStep, segments: list[Segment], episodes: list[Episode]) -> None:
        worker = self._first_worker + report.worker
        tick = self._ticks[worker] = self._ticks.get(worker, 0) + 1
        if report.restarted:
            for collector in self._collectors():
                collector.abandon(worker)
        for full_name, (decision, terminal) in report.steps.items():
            played = self._played[BehaviorId.parse(full_name).name]
            for steps in (decision, terminal):
                if len(steps):
                    played.guard.repair(worker, tick, steps)
            finished, ended = played.collector(full_name).observe(worker, tick, decision, terminal)
            segments += finished
            episodes += ended

    def _act(self, reports: Sequence[WorkerStep]) -> None:
        actions: dict[int, dict[str, ActionTuple]] = {self._first_worker + report.worker: {} for report in reports}
        for played in self._played.values():
            for full_name, collector in played.collectors.items():
                for worker, action in collector.decide(played.actors, self._player(collector.behavior), played.version):
                    actions[worker][full_name] = action
        for worker, chosen in actions.items():
            self._pool.send(worker - self._first_worker, chosen)

    def _player(self, behavior: BehaviorId) -> Callable[[int], WeightsId]:
        """Return with which weights a behavior and team begins episodes in each worker."""
        newest, plays = WeightsId(behavior.name), self._assignment.plays
        return lambda worker: plays.get((behavior, worker), newest) if plays else newest

    def _collectors(self) -> list[Collector]:
        return [collector for played in self._played.values() for collector in played.collectors.values()]

    def weights_in_play(self) -> Collection[WeightsId]:
        """Return the weights of all episodes that are going on."""
        return {weights for collector in self._collectors() for weights in collector.weights_in_play()}

    def state_dict(self) -> dict[str, Any] | None:
        """Return the state of environments and open trajectories, when nobody waits for actions."""
        environments = self._pool.state_dict()
        if environments is None:
            return None
        return {
            "environments": environments,
            "ticks": [[worker, tick] for worker, tick in self._ticks.items()],
            "behaviors": {
                name: {
                    "collectors": {full_name: c.state_dict() for full_name, c in played.collectors.items()},
                    "rng": played.sampling.rng.bit_generator.state,
                }
                for name, played in self._played.items()
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Sampler`."""
        self._pool.load_state_dict(state["environments"])
        self._ticks = {worker: tick for worker, tick in state["ticks"]}
        for name, stored in state["behaviors"].items():
            played = self._played[name]
            played.sampling.rng.bit_generator.state = stored["rng"]
            for full_name, collector in stored["collectors"].items():
                played.collector(full_name).load_state_dict(collector)

    def close(self) -> None:
        """Stop every environment."""
        self._pool.close()
