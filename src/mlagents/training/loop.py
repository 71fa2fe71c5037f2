"""The training loop, to be read first.

Words used here and everywhere: a *decision* (or *step*) is one observation answered by one action of one agent; a
*segment* is consecutive decisions of one agent, at most `time_horizon`; an *update* spends the segments gathered
since the last one; an *epoch* is one pass of an update over them, in *minibatches*.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.data.segments import NEWEST, WeightsId
from mlagents.rollout.collected import Assignment, Collected, Weights
from mlagents.rollout.sampler import Sampler
from mlagents.self_play.league import BaselineResult, League, Move, SoloPlay
from mlagents.stats import Aggregation, Statistics, StatsPropertyType
from mlagents.training.behavior import Behavior
from mlagents.training.patience import Patience
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.logging_util import get_logger
from mlagents_envs.timers import hierarchical_timer

_log = get_logger(__name__)

MakeBehavior = Callable[[str, BehaviorSpec], Behavior]
KeepSnapshots = Callable[[Mapping[WeightsId, Weights]], Iterable[BaselineResult]]

PROVISIONAL_SAVE_S = 60.0
"""Seconds of work that a run loses at most when it is killed, however long its `checkpoint_interval` is."""


class TrainingLoop:
    """Connects sampler, behaviors, league, curriculum and statistics; knows none of their insides.

    Args:
      sampler: plays and returns what was experienced.
      make_behavior: called once for every behavior name that an environment shows.
      statistics: where environments' own statistics go.
      parameters: of the environments; they may change as training proceeds.
      progress: told every behavior's step after each round; cheap.
      save: saves behaviors; provisionally if the second argument says so.
      league: says who plays with what, and who learns.
      keep_snapshots: keeps snapshots of self-play, and returns how they did against fixed opponents.
      clock: seconds, from any start.
      save_freq: environment steps, of all workers, between saves of all behaviors; 0: their own intervals decide.
    """

    def __init__(
        self,
        sampler: Sampler,
        make_behavior: MakeBehavior,
        statistics: Statistics,
        parameters: ParameterSchedule,
        progress: Callable[[str, int], None],
        save: Callable[[list[Behavior], bool], None],
        league: League | None = None,
        keep_snapshots: KeepSnapshots = lambda snapshots: (),
        clock: Callable[[], float] = time.monotonic,
        save_freq: int = 0,
    ):
        self.behaviors: dict[str, Behavior] = {}
        self._sampler = sampler
        self._make_behavior = make_behavior
        self._statistics = statistics
        self._parameters = parameters
        self._progress = progress
        self._save = save
        self._league = league or SoloPlay()
        self._save_freq = save_freq
        self._steps_since_save = 0
        self._keep_snapshots = keep_snapshots
        self._clock = clock
        self._last_save_s = clock()
        self._patience = Patience()
        self._heard: Counter[str] = Counter()

    def run(self, stop: Callable[[], bool], begun: dict[str, Any] | None = None) -> None:
        """Train until every behavior has done its `max_steps`, or `stop` says so; inference ends by `stop` only.

        Args:
          stop: asked between rounds.
          begun: what `state_dict` of an earlier loop returned; None to begin new episodes.
        """
        with hierarchical_timer("reset"):
            self._sampler.reset(self._parameters.draw())
            if begun is not None:
                self._load_state_dict(begun)
        for line in self._parameters.messages():
            _log.info(line)
        while not stop():
            environment_steps = 0
            for collected in self._collect(stop):
                self._take(collected)
                environment_steps += collected.environment_steps
            with hierarchical_timer("learn"):
                self._learn()
            self._change_play(environment_steps)
            self._say_who_is_silent()
            self._save_if_due(environment_steps)
            if self.behaviors and all(b.finished for b in self.behaviors.values()):
                return

    def _collect(self, stop: Callable[[], bool]) -> Sequence[Collected]:
        """Return what was experienced; behaviors that show themselves for the first time are made on the way."""
        collected = self._sampler.collect(stop)
        if missing := self._sampler.missing():
            for name, spec in missing.items():
                self._add(name, spec)
            self._sampler.apply({}, self._change_opponents()._replace(reset=False))  # nothing was begun yet
            collected = self._sampler.collect(stop)
        return collected

    def _take(self, collected: Collected) -> None:
        """Hand experience to who learns from it, and results to who counts them."""
        self._league.record(collected.episodes)
        for segment in collected.segments:
            self._heard[segment.behavior.name] += len(segment)
        for name, behavior in self.behaviors.items():
            behavior.learner.reserve(collected.lanes[name])
            newest = WeightsId(name, NEWEST)
            counts = [s for s in collected.segments if s.weights == newest and self._league.learns(s.behavior)]
            if counts:
                behavior.extend(counts)
            behavior.record(e for e in collected.episodes if e.weights == newest and self._league.learns(e.behavior))
        for worker, found in collected.statistics:
            for tag, values in found.items():
                for value, method in values:
                    aggregation = Aggregation(method.value)
                    if aggregation is Aggregation.MOST_RECENT and worker != 0:
                        continue
                    for name in self.behaviors:
                        self._statistics.add(name, tag, value, aggregation)

    def _add(self, name: str, spec: BehaviorSpec) -> None:
        behavior = self.behaviors[name] = self._make_behavior(name, spec)
        self._sampler.add(name, spec, behavior.sampling, behavior.weights)

    def _learn(self) -> None:
        for name, behavior in self.behaviors.items():
            if behavior.update():
                self._sampler.publish({WeightsId(name): behavior.weights})
            self._progress(name, behavior.step)

    def _change_play(self, environment_steps: int) -> None:
        """Let lessons and opponents go on as far as training has come."""
        progress = {
            name: behavior.take_progress(self._league.measures(name)) for name, behavior in self.behaviors.items()
        }
        changes = self._parameters.advance(progress, environment_steps)
        for line in changes.messages:
            _log.info(line)
        assignment = self._change_opponents()
        if assignment.reset and not changes.reset:
            changes = changes._replace(values=self._parameters.draw())
        if changes.reset and not assignment.reset:
            assignment = assignment._replace(reset=True)
        self._sampler.apply(changes.values, assignment)
        for owner, tag, value in self._parameters.statistics():
            for name in self.behaviors if owner is None else {owner} & self.behaviors.keys():
                self._statistics.set(name, tag, value)
        for name, tag, value in self._league.statistics():
            self._statistics.set(name, tag, value)

    def _change_opponents(self) -> Assignment:
        """Let self-play go on, and return who plays with what from now on."""
        self._league.meet(self._sampler.behavior_specs)
        steps = {name: behavior.learner.steps for name, behavior in self.behaviors.items()}
        newest = {name: self.behaviors[name].weights for name in self._league.due(steps)}
        move = self._league.advance(steps, newest)
        if move.snapshots:
            with hierarchical_timer("snapshots"):
                self._league.record_baselines(self._keep_snapshots(move.snapshots))
        if move.publish:
            self._sampler.publish(move.publish)
        self._tell(move)
        return move.assignment

    def _tell(self, move: Move) -> None:
        for line in move.messages:
            _log.info(line)
        for line in move.warnings:
            _log.warning(line)
        if move.learning is not None:
            for name, behavior in self.behaviors.items():
                if behavior.settings.self_play is not None:
                    self._statistics.add_property(name, StatsPropertyType.SELF_PLAY_TEAM, move.learning)

    def weights_in_play(self) -> Collection[WeightsId]:
        """Return the weights of all episodes that are going on."""
        return self._sampler.weights_in_play()

    def _say_who_is_silent(self) -> None:
        """Warn of behaviors whose agents have asked for no decision for long: the run would wait for them for ever."""
        if not self._patience.is_due():
            return
        names = {BehaviorId.parse(full_name).name for full_name in self._sampler.behavior_specs}
        for line in self._patience.observe({name: self._heard[name] for name in names}):
            _log.warning(line)

    def _save_if_due(self, environment_steps: int) -> None:
        """Save behaviors that reached their `checkpoint_interval`, and all of them provisionally now and then.

        With `save_freq`, all of them are saved after so many environment steps instead.
        """
        self._steps_since_save += environment_steps
        everything = 0 < self._save_freq <= self._steps_since_save
        if everything:
            self._steps_since_save = 0
        if self._save_freq:
            due = [b for b in self.behaviors.values() if b.learns and everything]
        else:
            due = [behavior for behavior in self.behaviors.values() if behavior.checkpoint_due()]
        provisional = not due and self._clock() - self._last_save_s > PROVISIONAL_SAVE_S
        if provisional:
            due = [b for b in self.behaviors.values() if b.learns]
            self._last_save_s = self._clock()
        if due:
            with hierarchical_timer("checkpoint"):
                self._save(due, provisional)

    def state_dict(self) -> dict[str, Any] | None:
        """Return all that is in no checkpoint and decides how to go on, after `run`; None if environments do not tell.

        Arrays and plain values, in nested mappings and lists.
        """
        sampler = self._sampler.state_dict()
        if sampler is None:
            return None
        learners = {name: behavior.learner.state_dict(experience=True) for name, behavior in self.behaviors.items()}
        return {
            "sampler": sampler,
            "parameters": self._parameters.state_dict(),
            "experience": {name: state["experience"] for name, state in learners.items() if "experience" in state},
        }

    def _load_state_dict(self, state: dict[str, Any]) -> None:
        for full_name, spec in self._sampler.behavior_specs.items():
            name = BehaviorId.parse(full_name).name
            if name not in self.behaviors:
                self._add(name, spec)
        if "sampler" not in state:
            _log.warning(
                "The run goes on with new episodes: it was stopped by an older version, whose form is another."
            )
            return
        try:
            self._sampler.load_state_dict(state["sampler"])
        except ValueError as error:
            _log.warning("The run goes on with new episodes: %s", error)
            return
        self._sampler.apply({}, self._change_opponents()._replace(reset=False))
        self._parameters.load_state_dict(state["parameters"])
        for name, experience in state["experience"].items():
            learner = self.behaviors[name].learner
            learner.load_state_dict(learner.state_dict() | {"experience": experience})
