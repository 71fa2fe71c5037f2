"""The search itself: Optuna says which values to try next, trials run side by side, poor ones are cut short.

Everything that a search knows is in its folder: the study, an SQLite file; the trials, each a run with its checkpoints.
A search that was stopped goes on there, and so do the trials that were running.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlagents.files import write_atomically
from mlagents.search.metrics import Curve, Metric
from mlagents.search.trial_process import Trial, TrialProcess, stop_all
from mlagents.settings import RunSettings, SearchSettings, SettingsError, dump
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

STUDY_FILE, BEST_FILE, TRIALS_FOLDER = "study.db", "best.yaml", "trials"
_NAME = "search"
_LOOK_S = 0.5
_MOST_FAILURES = 3
"""Trials that may fail one after the other before any has succeeded: then it is not their values that are wrong."""

MakeSettings = Callable[[Mapping[str, Any]], RunSettings]
StartTrial = Callable[[Path, str, RunSettings], Trial]


class SearchError(RuntimeError):
    """A search cannot begin or go on; the message says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """What is searched for, and how.

    Attributes:
      metric: what is better. space: key -> values to try.
      trials: how many in all, those of earlier calls included. jobs: how many at a time.
      startup: trials that are not cut short, and whose values are drawn at random.
      warmup: summaries of a trial before it may be cut short. prunes: whether any is.
      seed: of what values are drawn; None: a new one.
    """

    metric: Metric
    space: Mapping[str, SearchSettings]
    trials: int
    jobs: int = 1
    startup: int = 5
    warmup: int = 5
    prunes: bool = True
    seed: int | None = None

    def fingerprint(self) -> str:
        """Return what must be the same when a search goes on: trials could not be compared otherwise."""
        space = {key: search.model_dump(mode="json", exclude_none=True) for key, search in self.space.items()}
        metric = [self.metric.name, self.metric.behavior, self.metric.benchmark]
        return json.dumps({"metric": metric, "search": space}, sort_keys=True)


@dataclass(frozen=True)
class TrialResult:
    """What became of a trial.

    Attributes:
      number: of the trial, from 0.
      state: `complete`, `pruned`, `failed` or `running`.
      value: of the metric, None if it has none.
      level: the last that it reported of its progress. steps: of its trainer, so far as it was read.
      values: key -> value that was tried.
    """

    number: int
    state: str
    value: float | None
    level: float | None
    steps: int
    values: Mapping[str, Any]


@dataclass
class _Running:
    trial: Any
    process: Trial
    curve: Curve
    reported: int = 0


@dataclass
class Search:
    """A search in a folder.

    Args:
      folder: of the search. plan: what to do.
      settings_of: makes the settings of a trial from its values.
      start_trial: starts a run in a folder, under a name, with its settings.

    Raises:
      SearchError: Optuna is not installed, or the folder has a search of another kind.
    """

    folder: Path
    plan: Plan
    settings_of: MakeSettings
    start_trial: StartTrial = TrialProcess
    _running: list[_Running] = field(default_factory=list, init=False)
    _failures: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._optuna = import_optuna()
        self.folder.mkdir(parents=True, exist_ok=True)
        optuna, plan = self._optuna, self.plan
        pruner = optuna.pruners.MedianPruner(n_startup_trials=plan.startup, n_warmup_steps=plan.warmup)
        self._study = optuna.create_study(
            storage=f"sqlite:///{(self.folder / STUDY_FILE).resolve()}",
            study_name=_NAME,
            direction=plan.metric.direction,
            pruner=pruner if plan.prunes else optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
        self._study.sampler = self._sampler(len(self._study.trials))
        before = self._study.user_attrs.get("plan")
        if before not in (None, plan.fingerprint()):
            raise SearchError(
                f"The search in {self.folder} was begun with another metric, or another section search. Choose another"
                " --study, or --force to begin anew."
            )
        self._study.set_user_attr("plan", plan.fingerprint())

    def _sampler(self, known: int) -> Any:
        """Return what draws values, anew where an earlier call left off after so many trials."""
        plan = self.plan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the liar, which keeps trials at one time apart, may change, says Optuna
            return self._optuna.samplers.TPESampler(
                seed=None if plan.seed is None else plan.seed + known,
                n_startup_trials=plan.startup,
                constant_liar=plan.jobs > 1,
            )

    def run(self, stop: Callable[[], bool]) -> None:
        """Run trials until there are as many as planned, or `stop` says so; those that are stopped go on another time.

        Raises:
          SearchError: trials fail, and not for their values.
        """
        waiting = [trial for trial in self._study.get_trials(deepcopy=False) if trial.state.name == "RUNNING"]
        try:
            while not stop():
                while len(self._running) < self.plan.jobs and (trial := self._next(waiting)) is not None:
                    self._start(trial)
                if not self._running:
                    break
                time.sleep(_LOOK_S)
                for each in tuple(self._running):
                    self._running.remove(each)  # one that fails is told of already
                    if not self._advance(each):
                        self._running.append(each)
        finally:
            stop_all([each.process for each in self._running])
            for each in self._running:
                self._note_steps(each)
            self._running = []

    def close(self) -> None:
        """Let go of the study's file."""
        storage = getattr(self._study._storage, "_backend", self._study._storage)
        storage.remove_session()
        storage.engine.dispose()

    def results(self) -> list[TrialResult]:
        """Return what became of every trial so far."""
        names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
        return [
            TrialResult(
                number=trial.number,
                state=names.get(trial.state.name, "running"),
                value=trial.value if trial.state.name == "COMPLETE" else None,
                level=self._level(trial.intermediate_values),
                steps=trial.user_attrs.get("steps", 0),
                values=trial.params,
            )
            for trial in self._study.get_trials(deepcopy=False)
        ]

    def best(self) -> TrialResult | None:
        """Return the best of the trials that have a value."""
        found = [result for result in self.results() if result.value is not None]
        sign = 1 if self.plan.metric.direction == "minimize" else -1
        return min(found, key=lambda result: sign * (result.value or 0.0), default=None)

    def _level(self, progress: Mapping[int, float]) -> float | None:
        """Return the mean reward or rating behind what a trial reported last."""
        if not progress:
            return None
        sign = -1 if self.plan.metric.direction == "minimize" else 1
        return sign * progress[max(progress)]

    def _next(self, waiting: list[Any]) -> Any:
        """Return a trial that was stopped, or a new one; None if there are enough."""
        if waiting:
            return self._optuna.trial.Trial(self._study, waiting.pop(0)._trial_id)
        if len(self._study.get_trials(deepcopy=False)) >= self.plan.trials:
            return None
        return self._study.ask()

    def _start(self, trial: Any) -> None:
        values = {key: _suggest(trial, key, search) for key, search in self.plan.space.items()}
        try:
            settings = self.settings_of(values)
        except SettingsError as error:  # each value is good, but not with the others
            _log.warning("Trial %d cannot run: %s", trial.number, error)
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            return
        name = f"trial-{trial.number:05d}"
        process = self.start_trial(self.folder / TRIALS_FOLDER, name, settings)
        known = self._study.get_trials(deepcopy=False)[trial.number].intermediate_values
        self._running.append(_Running(trial, process, Curve(process.statistics, self.plan.metric), len(known)))
        _log.info("Trial %d: %s", trial.number, ", ".join(f"{key} {value}" for key, value in values.items()))

    def _advance(self, running: _Running) -> bool:
        """Take in what a trial has written, and return whether it is over."""
        exit_code = running.process.exit_code  # before the file is read: nothing is written after the end
        if running.curve.read():
            self._report(running)
            if self._is_enough(running):
                self._end(running)
                return True
        if exit_code is None:
            return False
        running.process.finish()
        if exit_code == 0:
            self._conclude(running)
        else:
            self._fail(running)
        return True

    def _report(self, running: _Running) -> None:
        """Tell Optuna how far a trial is, at every summary that it does not know yet."""
        for count in range(running.reported + 1, len(running.curve.values) + 1):
            progress = self.plan.metric.progress(running.curve.first(count))
            running.trial.report(progress, count)
        running.reported = max(running.reported, len(running.curve.values))

    def _is_enough(self, running: _Running) -> bool:
        """Return whether a trial needs not go on: it has come to the benchmark, or is worse than others were."""
        return self.plan.metric.reached(running.curve) is not None or running.trial.should_prune()

    def _note_steps(self, running: _Running) -> None:
        """Write down how far a trial came; once, since every write waits for the disk."""
        running.trial.set_user_attr("steps", _step(running))

    def _end(self, running: _Running) -> None:
        running.process.ask_to_stop()
        running.process.finish()
        if self.plan.metric.reached(running.curve) is not None:
            self._conclude(running)
        else:
            self._note_steps(running)
            self._study.tell(running.trial, state=self._optuna.trial.TrialState.PRUNED)
            _log.info("Trial %d is cut short: others were better at its step %d.", running.trial.number, _step(running))

    def _conclude(self, running: _Running) -> None:
        """Tell Optuna the result; one that did not come to the benchmark is known as far as it came."""
        value, number = self.plan.metric.value(running.curve), running.trial.number
        if value is None and not running.curve.values:
            self._fail(running)
            return
        self._failures = 0
        self._note_steps(running)
        if value is None:
            self._study.tell(running.trial, state=self._optuna.trial.TrialState.PRUNED)
            _log.info("Trial %d did not come to the benchmark in %d steps.", number, _step(running))
            return
        self._study.tell(running.trial, value)
        _log.info("Trial %d: %s %g after %d steps.", number, self.plan.metric.name, value, _step(running))
        best = self.best()
        if best is not None and best.number == number:
            write_atomically(self.folder / BEST_FILE, dump(self.settings_of(best.values)).encode())

    def _fail(self, running: _Running) -> None:
        words, number = running.process.last_words(), running.trial.number
        self._study.tell(running.trial, state=self._optuna.trial.TrialState.FAIL)
        _log.error("Trial %d failed: %s", number, words)
        self._failures += 1
        if self._failures >= _MOST_FAILURES and self.best() is None:
            raise SearchError(f"{self._failures} trials failed in a row, the last with {words}")


def _step(running: _Running) -> int:
    return running.curve.steps[-1] if running.curve.steps else 0


def _suggest(trial: Any, key: str, search: SearchSettings) -> Any:
    """Return the value of a key that Optuna wants to try; for a trial that goes on, the one it had."""
    form, values = search.form
    if form == "choice":
        return trial.suggest_categorical(key, list(values))
    if form == "int":
        return trial.suggest_int(key, *values)
    return trial.suggest_float(key, *values, log=form == "log_uniform")


def import_optuna() -> Any:
    """Return the library.

    Raises:
      SearchError: it is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise SearchError('A search needs Optuna, which is not installed: pip install "mlagents-jax[tune]"') from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def remove(folder: Path, files: Iterable[str] = (STUDY_FILE, BEST_FILE)) -> None:
    """Forget what an earlier search knew; runs of its trials are written over."""
    for name in files:
        (folder / name).unlink(missing_ok=True)
