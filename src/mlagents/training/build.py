"""The composition root: from settings to a run that is ready to start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlagents import plugins
from mlagents.algorithms.bc import BCLearner
from mlagents.algorithms.poca.learner import POCALearner
from mlagents.algorithms.ppo.learner import PPOLearner
from mlagents.algorithms.sac.learner import SACLearner
from mlagents.artifacts.checkpoints import CheckpointError, Checkpoints
from mlagents.artifacts.exports import Exports
from mlagents.artifacts.initial import InitialState, find_state, read_initial, refuse_overwritten
from mlagents.artifacts.layout import Layout
from mlagents.artifacts.run_folder import RunFolder
from mlagents.artifacts.run_lock import RunInUse
from mlagents.artifacts.snapshots import Snapshots
from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.learning.protocols import Learner
from mlagents.learning.streams import stream
from mlagents.learning.threaded import ThreadedLearner
from mlagents.reward_signals.stack import RewardSignals
from mlagents.rollout.source import EnvironmentSource, UnknownEnvironment
from mlagents.self_play.league import League, SoloPlay
from mlagents.self_play.ratings import Rating
from mlagents.self_play.snapshot_league import SnapshotLeague
from mlagents.settings import TRAINER_TYPE_GROUP, BehaviorSettings, RunSettings, SettingsError, dump
from mlagents.stats import (
    ClockWriter,
    ConsoleWriter,
    CsvWriter,
    GaugeWriter,
    JsonlWriter,
    RunInfo,
    Statistics,
    StatsPropertyType,
    TensorBoardWriter,
    Writer,
    plugin_writers,
)
from mlagents.training.availability import Coverage, refuse_hopeless, refuse_untrainable, warn_of_unknown_parameters
from mlagents.training.baselines import Baselines
from mlagents.training.behavior import Behavior
from mlagents.training.environments import environment_source, make_sampler
from mlagents.training.evaluator import CheckpointEvaluator
from mlagents.training.observer import Observer, Progress
from mlagents.training.patience import already_trained
from mlagents.training.run import Run
from mlagents.training.start_faults import StartFaults
from mlagents.training.stop import Stop, StopSignals
from mlagents.training.trainer_types import make_plugin_learner
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.logging_util import get_logger
from mlagents_envs.registry import default_registry
from mlagents_envs.sampler_class import SamplerException

_log = get_logger(__name__)

LearnerFactory = Callable[[str, BehaviorSpec, BehaviorSettings, int], Learner]
FindWeights = Callable[[str, BehaviorSettings], InitialState | None]
FindRating = Callable[[str], Rating | None]


def _ppo(behavior: str, spec: BehaviorSpec, settings: BehaviorSettings, seed: int) -> Learner:
    return PPOLearner(behavior, spec, settings, RewardSignals(behavior, spec, settings.reward_signals, seed), seed)


def _poca(behavior: str, spec: BehaviorSpec, settings: BehaviorSettings, seed: int) -> Learner:
    return POCALearner(behavior, spec, settings, RewardSignals(behavior, spec, settings.reward_signals, seed), seed)


def _sac(behavior: str, spec: BehaviorSpec, settings: BehaviorSettings, seed: int) -> Learner:
    return SACLearner(behavior, spec, settings, RewardSignals(behavior, spec, settings.reward_signals, seed), seed)


LEARNERS: Mapping[str, LearnerFactory] = {"ppo": _ppo, "poca": _poca, "sac": _sac, "bc": BCLearner}
"""trainer_type to the function that makes its learner, for the built-in trainers."""


def make_learner(behavior: str, spec: BehaviorSpec, settings: BehaviorSettings, seed: int) -> Learner:
    """Return a new learner of the trainer that `trainer_type` names, built-in or plug-in; in a thread if `threaded`.

    Raises:
      NetworkError: an observation is of a kind or size that the networks cannot read.
      PluginError: there is no such plug-in, or its learner does not keep the contract of `Learner`.
    """
    learner = LEARNERS.get(settings.trainer_type, make_plugin_learner)(behavior, spec, settings, seed)
    plays = settings.trainer_type != "bc"
    return ThreadedLearner(learner) if settings.threaded and plays else learner


def build(
    settings: RunSettings, results_dir: Path | None, stop: Stop | None = None, observer: Observer | None = None
) -> Run:
    """Check everything, claim the run's folder, start its environments, and return the run.

    Args:
      settings: of the run, flags included.
      results_dir: base folder of the modern layout; None for the layout of 2020.
      stop: says when to stop; None: signals do.
      observer: is told what the writers are, and how far the run is.

    Raises:
      CheckpointError: the run id is taken, or what is to be continued is not there.
      RunInUse: another process writes into the run.
      SettingsError: settings ask for something this version does not have.
      SamplerException: a sampler cannot be made.
      UnknownEnvironment, UnityException: the environment could not be started, or a demonstration not be read.
      ClusterError: the Ray cluster, or a sampler on it, cannot be used.
      StartError: several of these.
    """
    settings = _with_seed(settings)
    folder = RunFolder(Layout(settings.checkpoint_settings.run_id, results_dir), settings.checkpoint_settings)
    try:
        return _build(settings, results_dir, folder, StopSignals() if stop is None else stop, observer)
    except BaseException:
        folder.release()
        raise


def _build(
    settings: RunSettings, results_dir: Path | None, folder: RunFolder, stop: Stop, observer: Observer | None
) -> Run:
    trainers = [*LEARNERS, *plugins.names(TRAINER_TYPE_GROUP)]
    checkpoint = settings.checkpoint_settings
    layout = Layout(checkpoint.run_id, results_dir)
    source = environment_source(settings, layout, settings.env_settings.seed)
    weights, inherited, parameters = _checked(settings, results_dir, folder, source, trainers)
    checkpoints = folder.checkpoints
    if checkpoint.resume:
        parameters.load_state_dict({"lessons": {"number": checkpoints.lessons}})
    max_steps: dict[str, int] = {}
    console = ConsoleWriter(max_steps, is_terminal=None if observer is None else False)  # who observes, shows it
    writers = _writers(settings, layout, console, checkpoints.steps if checkpoint.resume else None)
    statistics = Statistics(writers if observer is None else [*writers, observer])
    if source.env is not None and source.env in default_registry:
        warn_of_unknown_parameters(settings, source.env, default_registry[source.env].parameters)
    league = _league(settings, checkpoints)
    evaluator, baselines = _judges(settings, source)
    sampler = make_sampler(settings, source)
    coverage = Coverage(settings, trainers, lambda: {BehaviorId.parse(name).name for name in sampler.behavior_specs})
    return Run(
        settings=settings,
        layout=layout,
        checkpoints=checkpoints,
        sampler=sampler,
        make_behavior=_BehaviorMaker(
            settings, coverage, checkpoints, layout, weights, inherited, league, statistics, max_steps
        ),
        statistics=statistics,
        progress=console.progress if observer is None else _to_both(console.progress, observer.progress),
        parameters=parameters,
        configuration=dump(settings),
        exports=Exports(layout, checkpoint),
        league=league,
        evaluator=evaluator,
        folder=folder,
        stop=stop,
        baselines=baselines,
    )


def _to_both(first: Progress, second: Progress) -> Progress:
    def progress(behavior: str, step: int) -> None:
        first(behavior, step)
        second(behavior, step)

    return progress


def _checked(
    settings: RunSettings, results_dir: Path | None, folder: RunFolder, source: EnvironmentSource, trainers: list[str]
) -> tuple[FindWeights, FindRating, ParameterSchedule]:
    """Look for everything that can be wrong before anything starts; claim the run's folder.

    Returns: how initial weights and ratings are found, and the parameters of the environments.

    Raises:
      StartError: several faults; one alone is raised as it is.
    """
    faults = StartFaults(CheckpointError, RunInUse, SettingsError, UnknownEnvironment, SamplerException)
    with faults.noted():
        refuse_hopeless(settings, trainers)
    with faults.noted():
        weights = _initial_weights(settings, results_dir)
        inherited = _inherited_rating(settings, results_dir)
    with faults.noted():
        folder.claim()
    with faults.noted():
        parameters = _parameters(settings)
    with faults.noted():
        if settings.ray_settings.address is None:  # on a cluster the environment need not be on this machine
            source.is_named()
    faults.raise_all()
    return weights, inherited, parameters


@dataclass(frozen=True)
class _BehaviorMaker:
    """Makes a behavior when the environment shows it: fresh, with the weights of another run, or resumed.

    Attributes:
      settings: of the run. coverage: says which section is the behavior's.
      checkpoints: of the run. layout: where its files are.
      weights, inherited: how initial weights and ratings are found.
      league: which it enters. statistics: which it writes.
      max_steps: behavior -> steps of its training, noted here.
    """

    settings: RunSettings
    coverage: Coverage
    checkpoints: Checkpoints
    layout: Layout
    weights: FindWeights
    inherited: FindRating
    league: League
    statistics: Statistics
    max_steps: dict[str, int]

    def __call__(self, name: str, spec: BehaviorSpec) -> Behavior:
        settings = self.coverage.settings_of(name)
        if self.settings.ray_settings.address is not None:  # there max_staleness says what is played meanwhile
            settings = settings.model_copy(update={"threaded": False})
        refuse_untrainable(self.settings, name, spec)
        seed, training = self.settings.env_settings.seed, not self.settings.checkpoint_settings.inference
        learner = make_learner(name, spec, settings, seed)
        rng = stream(seed, name, "actions")
        behavior = Behavior(name, spec, settings, learner, self.statistics, rng, training)
        self._load(behavior)
        _enter(self.league, behavior, self.checkpoints, self.layout, self.inherited)
        self.max_steps[name] = settings.max_steps
        if settings.self_play is not None:
            self.statistics.add_property(name, StatsPropertyType.SELF_PLAY, True)
        return behavior

    def _load(self, behavior: Behavior) -> None:
        """Give the learner what it goes on from."""
        name, learner = behavior.name, behavior.learner
        wanted, saved = self.settings.checkpoint_settings, name in self.checkpoints.behaviors
        if wanted.resume and (saved or wanted.inference):
            learner.load_state_dict(self.checkpoints.load(name))
            behavior.count_from_here()
            _log.info("%s: resuming training from step %d.", name, learner.steps)
            if behavior.finished:
                _log.warning("%s", already_trained(name, learner.steps, behavior.settings.max_steps))
        elif (found := self.weights(name, behavior.settings)) is not None:
            learner.initialize_from(found.state)
            _log.info("%s: weights from %s; steps start at 0.", name, found.origin)
        if wanted.resume and not saved:
            _log.warning("%s: the run has no checkpoint of it; it starts from step 0.", name)


def _has_self_play(settings: RunSettings) -> bool:
    return any(section.self_play is not None for section in _sections(settings))


def _sections(settings: RunSettings) -> list[BehaviorSettings]:
    defaults = settings.default_settings
    return [*settings.behaviors.values(), *([] if defaults is None else [defaults])]


def _league(settings: RunSettings, checkpoints: Checkpoints) -> League:
    """Return who says who plays with what; on resume, as it was when the latest checkpoint was written."""
    if settings.checkpoint_settings.inference or not _has_self_play(settings):
        return SoloPlay()
    league = SnapshotLeague(settings.workers, stream(settings.env_settings.seed, "", "league"))
    if settings.checkpoint_settings.resume and checkpoints.league:
        league.load_state_dict(checkpoints.league)
    return league


def _enter(
    league: League,
    behavior: Behavior,
    checkpoints: Checkpoints,
    layout: Layout,
    inherited: FindRating,
) -> None:
    """Let a behavior take part in self-play, with the snapshots of the run that is resumed."""
    self_play = behavior.settings.self_play
    if not isinstance(league, SnapshotLeague) or self_play is None:
        return
    name = behavior.name
    league.add(name, self_play, behavior.settings.max_steps, inherited(name) if self_play.inherit_rating else None)
    if name in checkpoints.league.get("entrants", {}) and checkpoints.behaviors:
        league.restore(name, Snapshots(layout).load(name, behavior.learner.snapshot()))


def _judges(settings: RunSettings, source: EnvironmentSource) -> tuple[CheckpointEvaluator | None, Baselines | None]:
    """Return who rates checkpoints, and who plays against fixed opponents, as far as that is wanted."""
    if settings.checkpoint_settings.inference:
        return None, None
    sections = _sections(settings)
    rates = settings.checkpoint_settings.keep_best and any(section.self_play is None for section in sections)
    plays = any(section.self_play is not None and section.self_play.baselines for section in sections)
    return CheckpointEvaluator(settings, source) if rates else None, Baselines(settings, source) if plays else None


def _inherited_rating(settings: RunSettings, results_dir: Path | None) -> Callable[[str], Rating | None]:
    """Return how to find the rating of a behavior in the run that `initialize_from` names."""
    run_id = settings.checkpoint_settings.initialize_from
    known = {} if run_id is None else Checkpoints.open(Layout(run_id, results_dir)).league
    ratings = known.get("standings", {}).get("ratings", {})
    return lambda name: Rating(*ratings[name]) if name in ratings else None


def _with_seed(settings: RunSettings) -> RunSettings:
    """Return the settings with a seed, drawn if they leave it open."""
    if settings.env_settings.seed >= 0:
        return settings
    seed = int(np.random.default_rng().integers(10000))
    return settings.model_copy(update={"env_settings": settings.env_settings.model_copy(update={"seed": seed})})


def _parameters(settings: RunSettings) -> ParameterSchedule:
    env = settings.env_settings
    return ParameterSchedule(
        settings.environment_parameters, env.seed, workers=settings.workers, resampling_interval=env.resampling_interval
    )


def _initial_weights(settings: RunSettings, results_dir: Path | None) -> FindWeights:
    """Return how to find the weights that a behavior starts from."""
    run_id, initial = settings.checkpoint_settings.initialize_from, None
    if run_id is not None:
        layout = Layout(run_id, results_dir)
        if not layout.run.exists():
            raise CheckpointError(f"--initialize-from={run_id}: {layout.run} does not exist.")
        initial = Checkpoints.open(layout)
    for name, behavior in settings.behaviors.items():
        if behavior.init_path is not None and not settings.checkpoint_settings.resume:
            find_state(Path(behavior.init_path), name, initial)  # what is not there is said before anything starts
    refuse_overwritten(settings, initial, Layout(settings.checkpoint_settings.run_id, results_dir))

    def find(name: str, behavior: BehaviorSettings) -> InitialState | None:
        if behavior.init_path is not None:
            return read_initial(find_state(Path(behavior.init_path), name, initial))
        return None if initial is None else InitialState(initial.load(name), f"run {run_id}")

    return find


def _writers(
    settings: RunSettings, layout: Layout, console: ConsoleWriter, resumed_at: Mapping[str, int] | None
) -> list[Writer]:
    checkpoint = settings.checkpoint_settings
    info = RunInfo(
        run_id=layout.run_id,
        folder=layout.run,
        resume=checkpoint.resume,
        settings=settings.model_dump(mode="json"),
    )
    files: list[Writer] = [
        TensorBoardWriter(layout.events, resumed_at),
        CsvWriter(layout.csv, resumed_at),
        ClockWriter(layout.clock, resumed_at),
    ]
    if checkpoint.jsonl:
        files.append(JsonlWriter(layout.jsonl, resumed_at))
    # Inference leaves a run as it is, even if another process trains it meanwhile.
    return [*([] if checkpoint.inference else files), GaugeWriter(), console, *plugin_writers(info)]
