"""The composition root: from settings to a run that is ready to start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mlagents.algorithms.ppo.learner import PPOLearner
from mlagents.reward_signals.stack import RewardSignals
from mlagents.rollout.env_pool import EnvPool, InlinePool
from mlagents.rollout.processes import ProcessPool
from mlagents.rollout.source import EnvironmentSource
from mlagents.settings import (
    BehaviorSettings,
    ConstantParameters,
    CurriculumSettings,
    RunSettings,
    SamplerSettings,
    SettingsError,
    dump,
)
from mlagents.stats import (
    ConsoleWriter,
    CsvWriter,
    GaugeWriter,
    RunInfo,
    Statistics,
    TensorBoardWriter,
    Writer,
    plugin_writers,
)
from mlagents.training.behavior import Behavior, Learner
from mlagents.training.checkpoint import CheckpointError, Checkpoints
from mlagents.training.layout import Layout
from mlagents.training.run import Run
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel

_log = get_logger(__name__)

LearnerFactory = Callable[[str, BehaviorSpec, BehaviorSettings, int], Learner]


def _ppo(behavior: str, spec: BehaviorSpec, settings: BehaviorSettings, seed: int) -> Learner:
    return PPOLearner(behavior, spec, settings, RewardSignals(settings.reward_signals), seed)


LEARNERS: Mapping[str, LearnerFactory] = {"ppo": _ppo}
"""trainer_type to the function that makes its learner."""


def build(settings: RunSettings, results_dir: Path | None) -> Run:
    """Check the run's folder, start its environments, and return the run.

    Args:
      settings: of the run, flags included.
      results_dir: base folder of the modern layout; None for the layout of 2020.

    Raises:
      CheckpointError: the run id is taken, or what is to be continued is not there.
      SettingsError: settings ask for something this version does not have.
      UnknownEnvironment, UnityException: the environment could not be started.
    """
    _refuse_unavailable(settings)
    checkpoint = settings.checkpoint_settings
    layout = Layout(checkpoint.run_id, results_dir)
    checkpoints = _open_checkpoints(settings, layout)
    initial = _initial_checkpoints(settings, results_dir)
    seed = settings.env_settings.seed
    if seed < 0:
        seed = int(np.random.default_rng().integers(10000))
    source = _source(settings, layout, seed)
    max_steps: dict[str, int] = {}
    console = ConsoleWriter(max_steps)
    statistics = Statistics(_writers(settings, layout, console))

    def make_behavior(name: str, spec: BehaviorSpec) -> Behavior:
        behavior = _make_behavior(settings, name, spec, seed, statistics)
        if checkpoint.resume:
            behavior.learner.load_state_dict(checkpoints.load(name))
            behavior.last_saved_step = behavior.learner.steps
            _log.info("%s: resuming training from step %d.", name, behavior.learner.steps)
        elif initial is not None:
            behavior.learner.initialize_from(initial.load(name))
            _log.info("%s: weights from run %s; steps start at 0.", name, checkpoint.initialize_from)
        behavior.policy_changed()
        max_steps[name] = behavior.settings.max_steps
        statistics.text(name, "Hyperparameters", behavior.settings.model_dump(mode="json"))
        return behavior

    return Run(
        settings=settings,
        layout=layout,
        checkpoints=checkpoints,
        pool=_pool(settings, source),
        make_behavior=make_behavior,
        statistics=statistics,
        progress=console.progress,
        parameters={
            name: value for name, p in settings.environment_parameters.items() if (value := _constant(p)) is not None
        },
        configuration=dump(settings),
    )


def _constant(parameter: SamplerSettings | CurriculumSettings) -> float | None:
    """Return the value of a constant environment parameter, None for anything else."""
    if isinstance(parameter, SamplerSettings) and isinstance(parameter.sampler_parameters, ConstantParameters):
        return parameter.sampler_parameters.value
    return None


def _refuse_unavailable(settings: RunSettings) -> None:
    """Say clearly what this version parses but cannot do yet, rather than ignoring it."""
    sections = dict(settings.behaviors)
    if settings.default_settings is not None:
        sections["default_settings"] = settings.default_settings
    faults = []
    for name, behavior in sections.items():
        if name != "default_settings" and behavior.trainer_type not in LEARNERS:
            faults.append(f"{name}: trainer_type {behavior.trainer_type!r} (available: {', '.join(LEARNERS)})")
    faults += [
        f"environment_parameters.{name}: curricula and samplers (available: a number)"
        for name, parameter in settings.environment_parameters.items()
        if _constant(parameter) is None
    ]
    if faults:
        raise SettingsError("Not available in this version:\n  " + "\n  ".join(faults))


def _make_behavior(settings: RunSettings, name: str, spec: BehaviorSpec, seed: int, statistics: Statistics) -> Behavior:
    behavior = settings.behavior(name)
    learner = LEARNERS[behavior.trainer_type](name, spec, behavior, seed)
    rng = np.random.default_rng([seed, sum(name.encode())])
    training = not settings.checkpoint_settings.inference
    return Behavior(name, spec, behavior, learner, statistics, rng, training)


def _open_checkpoints(settings: RunSettings, layout: Layout) -> Checkpoints:
    """Apply the rules for an existing, or missing, run of the same id."""
    wanted = settings.checkpoint_settings
    exists = layout.run.exists()
    if wanted.resume:
        if not exists:
            raise CheckpointError(
                f"--resume: there is no run {wanted.run_id!r} ({layout.run} does not exist). Check --run-id and"
                " --results-dir, or leave out --resume to start it."
            )
        return Checkpoints.open(layout)
    if exists and not wanted.force:
        raise CheckpointError(
            f"The run id {wanted.run_id!r} is taken: {layout.run} exists. Choose --resume to continue it, --force to"
            " overwrite it, or another --run-id."
        )
    return Checkpoints(layout)


def _initial_checkpoints(settings: RunSettings, results_dir: Path | None) -> Checkpoints | None:
    wanted = settings.checkpoint_settings
    if wanted.initialize_from is None or wanted.resume:
        return None
    layout = Layout(wanted.initialize_from, results_dir)
    if not layout.run.exists():
        raise CheckpointError(f"--initialize-from={wanted.initialize_from}: {layout.run} does not exist.")
    return Checkpoints.open(layout)


def _source(settings: RunSettings, layout: Layout, seed: int) -> EnvironmentSource:
    env, engine = settings.env_settings, settings.engine_settings
    return EnvironmentSource(
        env=env.env_path,
        seed=seed,
        num_areas=env.num_areas if env.num_areas > 1 else None,
        no_graphics=engine.no_graphics,
        base_port=env.base_port if env.env_path is not None else None,
        timeout_wait=env.timeout_wait,
        additional_args=tuple(env.env_args or ()),
        log_folder=str(layout.player_logs),
    )


def _pool(settings: RunSettings, source: EnvironmentSource) -> EnvPool:
    env = settings.env_settings
    if env.num_envs > 1 or not source.is_named():
        return ProcessPool(
            source,
            env.num_envs,
            max_lifetime_restarts=env.max_lifetime_restarts,
            restarts_rate_limit_n=env.restarts_rate_limit_n,
            restarts_rate_limit_period_s=env.restarts_rate_limit_period_s,
            timeout_wait=env.timeout_wait,
        )
    parameters, stats = EnvironmentParametersChannel(), StatsSideChannel()
    return InlinePool(source.make(0, [parameters, stats]), parameters, stats)


def _writers(settings: RunSettings, layout: Layout, console: ConsoleWriter) -> list[Writer]:
    resume = settings.checkpoint_settings.resume
    info = RunInfo(
        run_id=layout.run_id,
        folder=layout.run,
        resume=resume,
        settings=settings.model_dump(mode="json"),
    )
    return [
        TensorBoardWriter(layout.events, resume),
        CsvWriter(layout.csv, resume),
        GaugeWriter(),
        console,
        *plugin_writers(info),
    ]
