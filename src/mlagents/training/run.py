"""The life of a run: start, train, save whatever happens, end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlagents.artifacts.checkpoints import Checkpoints
from mlagents.artifacts.continuation import read_begun, write_begun
from mlagents.artifacts.exports import Exports
from mlagents.artifacts.interface import KEY, interface
from mlagents.artifacts.layout import Layout
from mlagents.artifacts.manifest import manifest
from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.export import ExportError
from mlagents.files import write_atomically
from mlagents.rollout.env_pool import EnvPool
from mlagents.settings import RunSettings
from mlagents.stats import Statistics, write_timers
from mlagents.training.behavior import Behavior
from mlagents.training.evaluator import CheckpointEvaluator
from mlagents.training.loop import MakeBehavior, TrainingLoop
from mlagents.training.stop import StopSignals
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.exception import UnityCommunicatorStoppedException
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

COMMUNICATION_PROTOCOL_VERSION = "1.5.0"


@dataclass
class Run:
    """A run that is ready to start; `build` makes it.

    Attributes:
      settings: as resolved.
      layout: where its files are.
      checkpoints: saved so far.
      pool: its environments, started.
      make_behavior: makes, and loads, a behavior.
      statistics: of the run.
      progress: told each behavior's step, cheap.
      parameters: of the environments.
      configuration: the settings as YAML.
      exports: writes its models.
      judge: rates checkpoints; None if that is not wanted.
    """

    settings: RunSettings
    layout: Layout
    checkpoints: Checkpoints
    pool: EnvPool
    make_behavior: MakeBehavior
    statistics: Statistics
    progress: Callable[[str, int], None]
    parameters: ParameterSchedule
    configuration: str
    exports: Exports
    judge: CheckpointEvaluator | None = None
    _stop: StopSignals = field(default_factory=StopSignals, init=False)
    _behaviors: dict[str, Behavior] = field(default_factory=dict, init=False)

    @property
    def training(self) -> bool:
        """Whether anything is learned and saved."""
        return not self.settings.checkpoint_settings.inference

    def execute(self) -> None:
        """Train to the end or until a signal; save in every case.

        Raises:
          OSError: a checkpoint could not be written; those before are whole.
          Exception: whatever stopped the training, after what was learned has been saved.
        """
        loop = TrainingLoop(
            self.pool,
            self._checked_behavior,
            self.statistics,
            self.parameters,
            self.progress,
            self._save,
            save_freq=self.settings.checkpoint_settings.save_freq,
        )
        begun = None
        try:
            with self._stop as stop:
                try:
                    self._learn(loop, stop)
                    begun = loop.begun() if self.training else None
                    if stop.received is not None:
                        _log.info("%s: learning was interrupted; saving.", stop.received.name)
                finally:
                    if self.training and loop.behaviors:
                        self._save_final(list(loop.behaviors.values()), begun)
        finally:
            self.pool.close()
            self.statistics.close()
            if self.training:
                write_timers(self.layout.timers, COMMUNICATION_PROTOCOL_VERSION)

    def _learn(self, loop: TrainingLoop, stop: StopSignals) -> None:
        """Run the loop; an environment that leaves by itself, as the Editor does when play mode ends, ends it too."""
        try:
            loop.run(stop, self._begun())
        except UnityCommunicatorStoppedException as departure:
            if not loop.behaviors:
                raise
            _log.info("%s The run ends here%s.", departure, "; saving" if self.training else "")

    def _checked_behavior(self, name: str, spec: BehaviorSpec) -> Behavior:
        """Make a behavior and export its model at once: one that cannot be exported then costs seconds, not hours."""
        behavior = self.make_behavior(name, spec)
        if self.training:
            if not self.settings.checkpoint_settings.resume:
                self.layout.begun.unlink(missing_ok=True)  # by --force: of the run that was there before
            write_atomically(self.layout.configuration, self.configuration.encode())
            write_atomically(self.layout.manifest, manifest(self.settings))
            self.exports.dry_run(behavior)
        self._behaviors[name] = behavior
        return behavior

    def _save(self, behaviors: list[Behavior], provisional: bool = False, final: bool = False) -> None:
        models = self._checkpoint_models(behaviors)
        ratings = {} if provisional or self.judge is None else self._rate(self.judge, models)
        self.checkpoints.save(
            {b.name: _state(b) for b in behaviors},
            {b.name: b.take_mean_return() for b in behaviors},
            {b.name: b.settings.keep_checkpoints for b in behaviors},
            final,
            self.parameters.lessons,
            provisional,
            ratings,
            self.settings.checkpoint_settings.keep_best,
        )
        if not provisional:
            for behavior in behaviors:
                behavior.last_saved_step = behavior.learner.steps

    def _checkpoint_models(self, behaviors: list[Behavior]) -> dict[str, Path]:
        """Write models beside the checkpoints. One that cannot be written now, though it could at first, is said."""
        models = {}
        for behavior in behaviors:
            try:
                models[behavior.name] = self.exports.checkpoint(behavior)
            except ExportError as error:
                _log.error("No model of this checkpoint, whose weights are saved: %s", error)
        return models

    def _rate(self, judge: CheckpointEvaluator, models: dict[str, Path]) -> dict[str, float]:
        """Return the ratings of these models, which play with the present models of the other behaviors.

        There are none if a behavior's model could not be written.
        """
        if not models:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            others = {n: b for n, b in self._behaviors.items() if n not in models}
            try:
                present = {n: self.exports.temporary(b, Path(folder)) for n, b in others.items()}
            except ExportError as error:
                _log.error("The checkpoints are not rated: %s", error)
                return {}
            ratings = judge.rate({**models, **present}, self._stop)
        return {name: rating for name, rating in ratings.items() if name in models}

    def _begun(self) -> dict[str, Any] | None:
        """Return what the run that is resumed had begun when it was stopped."""
        if not self.training or not self.settings.checkpoint_settings.resume:
            return None
        begun = read_begun(self.layout.begun, self.checkpoints.steps, self.settings)
        if begun is not None:
            _log.info("The run goes on where it was stopped, in the middle of episodes.")
        return begun

    def _save_final(self, behaviors: list[Behavior], begun: dict[str, Any] | None) -> None:
        self._save(behaviors, final=True)
        write_begun(self.layout.begun, begun, self.checkpoints.steps, self.settings)
        self._export_final(behaviors)
        _log.info("Curves: tensorboard --logdir %s", self.layout.events(behaviors[0].name).parent)

    def _export_final(self, behaviors: list[Behavior]) -> None:
        failures = []
        for behavior in behaviors:
            try:
                for path in self.exports.final(behavior):
                    _log.info("Exported %s", path)
            except ExportError as error:
                failures.append(error)
            best = self.checkpoints.best(behavior.name)
            if best is not None:
                step, rating = best
                model = self.layout.checkpoint(behavior.name, step, ".onnx")
                _log.info("Best checkpoint of %s: step %d, mean reward %.3f: %s", behavior.name, step, rating, model)
        if failures:
            raise failures[0]


def _state(behavior: Behavior) -> dict[str, Any]:
    """Return what a checkpoint keeps: the learner's state, and what is needed to rebuild the policy."""
    policy, network = behavior.learner.policy, behavior.settings.network_settings
    return behavior.learner.state_dict() | {KEY: interface(behavior.spec, network, policy)}
