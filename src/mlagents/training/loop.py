"""The training loop, to be read first.

Words used here and everywhere: a *decision* (or *step*) is one observation answered by one action of one agent; a
*segment* is consecutive decisions of one agent, at most `time_horizon`; an *update* spends the segments gathered
since the last one; an *epoch* is one pass of an update over them, in *minibatches*.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.rollout.env_pool import EnvPool, WorkerStep
from mlagents.stats import Aggregation, Statistics
from mlagents.training.behavior import Behavior
from mlagents_envs.base_env import ActionTuple, BehaviorSpec
from mlagents_envs.logging_util import get_logger
from mlagents_envs.timers import hierarchical_timer

_log = get_logger(__name__)

MakeBehavior = Callable[[str, BehaviorSpec], Behavior]

PROVISIONAL_SAVE_S = 60.0
"""Seconds of work that a run loses at most when it is killed, however long its `checkpoint_interval` is."""


class TrainingLoop:
    """Connects environments, behaviors and statistics; knows none of their insides.

    Args:
      pool: the environments.
      make_behavior: called once for every behavior name that an environment shows.
      statistics: where environments' own statistics go.
      parameters: of the environments; they may change as training proceeds.
      progress: told every behavior's step after each round; cheap.
      save: saves behaviors; provisionally if the second argument says so.
      clock: seconds, from any start.
      save_freq: environment steps, of all workers, between saves of all behaviors; 0: their own intervals decide.
    """

    def __init__(
        self,
        pool: EnvPool,
        make_behavior: MakeBehavior,
        statistics: Statistics,
        parameters: ParameterSchedule,
        progress: Callable[[str, int], None],
        save: Callable[[list[Behavior], bool], None],
        clock: Callable[[], float] = time.monotonic,
        save_freq: int = 0,
    ):
        self.behaviors: dict[str, Behavior] = {}
        self._pool = pool
        self._make_behavior = make_behavior
        self._statistics = statistics
        self._parameters = parameters
        self._progress = progress
        self._save = save
        self._save_freq = save_freq
        self._steps_since_save = 0
        self._clock = clock
        self._last_save_s = clock()

    def run(self, stop: Callable[[], bool], begun: dict[str, Any] | None = None) -> None:
        """Train until every behavior has done its `max_steps`, or `stop` says so; inference ends by `stop` only.

        Args:
          stop: asked between rounds.
          begun: what an earlier loop returned; None to begin new episodes.
        """
        with hierarchical_timer("reset"):
            self._pool.reset(self._parameters.draw())
            if begun is not None:
                self._load_begun(begun)
        for line in self._parameters.messages():
            _log.info(line)
        while not stop():
            with hierarchical_timer("environment"):
                reports = self._pool.receive(stop)
            with hierarchical_timer("collect"):
                for report in reports:
                    self._observe(report)
            with hierarchical_timer("act"):
                self._act(reports)
            with hierarchical_timer("learn"):
                for behavior in self.behaviors.values():
                    behavior.learn()
                    self._progress(behavior.name, behavior.step)
            self._take_environment_statistics()
            self._change_parameters(environment_steps=len(reports))
            self._save_if_due(environment_steps=len(reports))
            if self.behaviors and all(b.finished for b in self.behaviors.values()):
                return

    def begun(self) -> dict[str, Any] | None:
        """Return all that is in no checkpoint and decides how to go on, after `run`; None if environments do not tell.

        Arrays and plain values, in nested mappings and lists.
        """
        environments = self._pool.state_dict()
        if environments is None:
            return None
        return {
            "environments": environments,
            "parameters": self._parameters.state_dict(),
            "behaviors": {name: behavior.begun() for name, behavior in self.behaviors.items()},
        }

    def _load_begun(self, begun: dict[str, Any]) -> None:
        try:
            self._pool.load_state_dict(begun["environments"])
        except ValueError as error:
            _log.warning("The run goes on with new episodes: %s", error)
            return
        self._parameters.load_state_dict(begun["parameters"])
        for full_name in self._pool.behavior_specs:
            behavior = self._behavior(full_name)
            behavior.load_begun(begun["behaviors"][behavior.name])

    def _observe(self, report: WorkerStep) -> None:
        if report.restarted:
            for behavior in self.behaviors.values():
                behavior.abandon(report.worker)
        for full_name, (decision, terminal) in report.steps.items():
            self._behavior(full_name).observe(full_name, report.worker, decision, terminal)

    def _behavior(self, full_name: str) -> Behavior:
        """Return the behavior of a fully qualified name such as `Striker?team=1`."""
        name = full_name.partition("?team=")[0]
        behavior = self.behaviors.get(name)
        if behavior is None:
            behavior = self._make_behavior(name, self._pool.behavior_specs[full_name])
            self.behaviors[name] = behavior
        return behavior

    def _act(self, reports: list[WorkerStep]) -> None:
        actions: dict[int, dict[str, ActionTuple]] = {report.worker: {} for report in reports}
        for behavior in self.behaviors.values():
            for worker, full_name, action in behavior.decide():
                actions[worker][full_name] = action
        for worker, chosen in actions.items():
            self._pool.send(worker, chosen)

    def _change_parameters(self, environment_steps: int) -> None:
        progress = {behavior.name: behavior.take_progress() for behavior in self.behaviors.values()}
        changes = self._parameters.advance(progress, environment_steps)
        for line in changes.messages:
            _log.info(line)
        if changes.reset:
            for behavior in self.behaviors.values():
                behavior.abandon_all()
            self._pool.reset(changes.values)
        elif changes.values:
            self._pool.set_parameters(changes.values)
        for owner, tag, value in self._parameters.statistics():
            for name in self.behaviors if owner is None else {owner} & self.behaviors.keys():
                self._statistics.set(name, tag, value)

    def _take_environment_statistics(self) -> None:
        for worker, found in self._pool.statistics():
            for tag, values in found.items():
                for value, method in values:
                    aggregation = Aggregation(method.value)
                    if aggregation is Aggregation.MOST_RECENT and worker != 0:
                        continue
                    for name in self.behaviors:
                        self._statistics.add(name, tag, value, aggregation)

    def _save_if_due(self, environment_steps: int) -> None:
        """Save behaviors that reached their `checkpoint_interval`, and all of them provisionally now and then.

        With `save_freq`, all of them are saved after so many environment steps instead.
        """
        self._steps_since_save += environment_steps
        everything = 0 < self._save_freq <= self._steps_since_save
        if everything:
            self._steps_since_save = 0
        due = [b for b in self.behaviors.values() if b.learns and (everything or self._interval_passed(b))]
        provisional = not due and self._clock() - self._last_save_s > PROVISIONAL_SAVE_S
        if provisional:
            due = [b for b in self.behaviors.values() if b.learns]
            self._last_save_s = self._clock()
        if due:
            with hierarchical_timer("checkpoint"):
                self._save(due, provisional)

    def _interval_passed(self, behavior: Behavior) -> bool:
        interval = behavior.settings.checkpoint_interval
        return not self._save_freq and behavior.learner.steps // interval > behavior.last_saved_step // interval
