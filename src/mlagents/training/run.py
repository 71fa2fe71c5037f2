"""The life of a run: start, train, save whatever happens, end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlagents.artifacts.checkpoints import Checkpoints
from mlagents.artifacts.continuation import read_begun, write_begun
from mlagents.artifacts.exports import ExportedPolicy, Exports
from mlagents.artifacts.interface import KEY, interface
from mlagents.artifacts.layout import Layout
from mlagents.artifacts.manifest import manifest
from mlagents.artifacts.run_folder import RunFolder
from mlagents.artifacts.snapshots import Snapshots
from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.data.segments import WeightsId
from mlagents.export import ExportError
from mlagents.files import write_atomically
from mlagents.rollout.collected import Weights
from mlagents.rollout.sampler import Sampler
from mlagents.self_play.league import BaselineResult, League
from mlagents.settings import RunSettings
from mlagents.stats import Statistics, write_timers
from mlagents.training.baselines import Baselines, Contender
from mlagents.training.behavior import Behavior
from mlagents.training.bottleneck import FirstVerdict, TimeShares
from mlagents.training.evaluator import CheckpointEvaluator
from mlagents.training.loop import MakeBehavior, TrainingLoop
from mlagents.training.stop import Stop, stopped_by
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.exception import UnityCommunicatorStoppedException
from mlagents_envs.logging_util import get_logger, stdout_is_closed
from mlagents_envs.timers import add_metadata, get_timer_root, set_gauge

_log = get_logger(__name__)

COMMUNICATION_PROTOCOL_VERSION = "1.5.0"


@dataclass
class Run:
    """A run that is ready to start; `build` makes it.

    Attributes:
      settings: as resolved.
      layout: where its files are.
      checkpoints: saved so far.
      sampler: plays in its environments, which are started.
      make_behavior: makes, and loads, a behavior.
      statistics: of the run.
      progress: told each behavior's step, cheap.
      parameters: of the environments.
      configuration: the settings as YAML.
      exports: writes its models.
      folder: of the run, claimed.
      stop: says when to stop: signals, or who has started the run.
      league: says who plays with what, and who learns.
      evaluator: rates checkpoints; None if that is not wanted.
      baselines: plays against fixed opponents; None without any.
    """

    settings: RunSettings
    layout: Layout
    checkpoints: Checkpoints
    sampler: Sampler
    make_behavior: MakeBehavior
    statistics: Statistics
    progress: Callable[[str, int], None]
    parameters: ParameterSchedule
    configuration: str
    exports: Exports
    league: League
    folder: RunFolder
    stop: Stop
    evaluator: CheckpointEvaluator | None = None
    baselines: Baselines | None = None
    _behaviors: dict[str, Behavior] = field(default_factory=dict, init=False)
    _loop: TrainingLoop = field(init=False)

    @property
    def behaviors(self) -> Mapping[str, Behavior]:
        """Those that the environment has shown so far, by name."""
        return self._behaviors

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
        verdict = FirstVerdict(self._time_shares, _log.info)

        def progress(behavior: str, step: int) -> None:
            self.progress(behavior, step)
            verdict.observe()

        loop = self._loop = TrainingLoop(
            self.sampler,
            self._checked_behavior,
            self.statistics,
            self.parameters,
            progress,
            self._save,
            self.league,
            self._keep_snapshots,
            save_freq=self.settings.checkpoint_settings.save_freq,
        )
        begun = None
        try:
            with self.stop.training(also=self._is_unwatched) as stop:
                try:
                    self._learn(loop, stop)
                    begun = loop.state_dict() if self.training else None
                    if stop.received is not None:
                        _log.info("%s: learning was interrupted%s.", stop.received.name, "; saving" * self.training)
                finally:
                    if self.training and loop.behaviors:
                        self._save_final(list(loop.behaviors.values()), begun)
                if stop.received is not None and not loop.behaviors:
                    raise stopped_by(stop.received)
        finally:
            self.close()

    def close(self) -> None:
        """End the environments, write what is left, and release the run's folder."""
        try:
            self.sampler.close()
            self.statistics.close()
            if self.folder.has_begun:
                self._note_time_shares()
                write_timers(self.layout.timers, COMMUNICATION_PROTOCOL_VERSION)
        finally:
            self.folder.release()

    def _time_shares(self) -> TimeShares:
        """Return what the loop's time went into so far."""
        compiled = sum(behavior.learner.compile_seconds for behavior in self._behaviors.values())
        return TimeShares.of(get_timer_root(), compiled)

    def _note_time_shares(self) -> None:
        """Put into the timers file, and into the log, what the run was bound by."""
        shares = self._time_shares()
        if shares.bound_by is not None:
            add_metadata("bound_by", shares.bound_by)
            for name, share in shares.fractions().items():
                set_gauge(f"time.{name}", share)
            _log.info("%s", shares)

    def _is_unwatched(self) -> bool:
        """Return whether the run is inference, which has no other purpose, and nobody reads what it prints."""
        return not self.training and stdout_is_closed()

    def _learn(self, loop: TrainingLoop, stop: Stop) -> None:
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
            self.exports.dry_run(_exported(behavior))
            self.folder.begin()
            write_atomically(self.layout.configuration, self.configuration.encode())
            write_atomically(self.layout.manifest, manifest(self.settings))
            if self.baselines is not None and behavior.settings.self_play is not None:
                self.baselines.check(name, behavior.settings.self_play.baselines)
        self.statistics.text(name, "Hyperparameters", behavior.settings.model_dump(mode="json"))
        self._behaviors[name] = behavior
        return behavior

    def _keep_snapshots(self, snapshots: Mapping[WeightsId, Weights]) -> Iterable[BaselineResult]:
        """Write snapshots, and return how their behaviors do against fixed opponents."""
        if not self.training:
            return ()
        files = Snapshots(self.layout)
        for snapshot, weights in snapshots.items():
            behavior = self._behaviors[snapshot.behavior]
            network = behavior.settings.network_settings
            files.save(snapshot, weights, behavior.learner.steps, behavior.spec, network)
        if self.baselines is None:
            return ()
        taken = {snapshot.behavior for snapshot in snapshots}
        contenders = {
            name: Contender(b.learner.snapshot(), b.settings.self_play if name in taken else None)
            for name, b in self._behaviors.items()
        }
        return list(self.baselines.play(contenders, self.stop))

    def _save(self, behaviors: list[Behavior], provisional: bool = False, final: bool = False) -> None:
        states = {b.name: _state(b) for b in behaviors}  # first: an update that still runs ends here
        models = self._checkpoint_models(behaviors)
        ratings = {} if provisional else self._ratings(models)
        self.checkpoints.save(
            states,
            {b.name: b.take_mean_return() for b in behaviors},
            {b.name: b.settings.keep_checkpoints for b in behaviors},
            final,
            self.parameters.lessons,
            provisional,
            ratings,
            self.settings.checkpoint_settings.keep_best,
            self.league.state_dict(),
        )
        if kept := self.league.kept():
            in_play = {*kept, *self._loop.weights_in_play()}
            Snapshots(self.layout).prune({weights.behavior for weights in kept}, in_play)
        if not provisional:
            for behavior in behaviors:
                behavior.last_saved_step = behavior.learner.steps

    def _checkpoint_models(self, behaviors: list[Behavior]) -> dict[str, Path]:
        """Write models beside the checkpoints. One that cannot be written now, though it could at first, is said."""
        models = {}
        for behavior in behaviors:
            try:
                models[behavior.name] = self.exports.checkpoint(_exported(behavior))
            except ExportError as error:
                _log.error("No model of this checkpoint, whose weights are saved: %s", error)
        return models

    def _ratings(self, models: Mapping[str, Path]) -> dict[str, float]:
        """Return by what the best checkpoints are kept: in self-play Elo, otherwise what the evaluator finds."""
        if not self.settings.checkpoint_settings.keep_best:
            return {}
        elo = {n: measures["elo"] for n in models if "elo" in (measures := self.league.measures(n))}
        found = {} if self.evaluator is None or elo.keys() == models.keys() else self._rate(self.evaluator, models)
        return found | elo

    def _rate(self, evaluator: CheckpointEvaluator, models: Mapping[str, Path]) -> dict[str, float]:
        """Return the ratings of these models, which play with the present models of the other behaviors.

        There are none if a behavior's model could not be written.
        """
        if not models:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            others = {n: b for n, b in self._behaviors.items() if n not in models}
            try:
                present = {n: self.exports.temporary(_exported(b), Path(folder)) for n, b in others.items()}
            except ExportError as error:
                _log.error("The checkpoints are not rated: %s", error)
                return {}
            ratings = evaluator.rate({**models, **present}, self.stop)
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
                for path in self.exports.final(_exported(behavior)):
                    _log.info("Exported %s", path)
            except ExportError as error:
                failures.append(error)
            best = self.checkpoints.best(behavior.name)
            if best is not None:
                step, rating = best
                model = self.layout.checkpoint(behavior.name, step, ".onnx")
                what = "mean reward" if behavior.settings.self_play is None else "Elo"
                _log.info("Best checkpoint of %s: step %d, %s %.3f: %s", behavior.name, step, what, rating, model)
        if failures:
            raise failures[0]


def _state(behavior: Behavior) -> dict[str, Any]:
    """Return what a checkpoint keeps: the learner's state, and what is needed to rebuild the policy."""
    state, network = behavior.learner.state_dict(), behavior.settings.network_settings
    return state | {KEY: interface(behavior.spec, network, behavior.learner.snapshot())}


def _exported(behavior: Behavior) -> ExportedPolicy:
    return ExportedPolicy(behavior.name, behavior.spec, behavior.learner.snapshot(), behavior.learner.steps)
