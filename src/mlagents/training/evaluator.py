"""Which checkpoints are good: every one plays the same episodes, in an environment of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.inference import Evaluation, load_model
from mlagents.rollout.parameters import for_worker, tell
from mlagents.rollout.source import EnvironmentSource
from mlagents.settings import CurriculumSettings, RunSettings, SamplerSettings, SettingsError
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel

_log = get_logger(__name__)

EPISODES = 20
MOST_STEPS = 5000
"""Of the environment: then unfinished episodes count with what they have earned. Greedy agents may stand still for
ever."""
SEED = 20_001
"""Of the environment and its parameters; the same in every run, so that ratings can be compared."""


class CheckpointEvaluator:
    """Rates models by their mean return over a few episodes, with their most likely actions.

    Environments are in this process, made anew for each rating, with the last lesson of every curriculum.

    Args:
      settings: of the run.
      source: of its environments.
      clock: seconds, from any start.

    Raises:
      SettingsError: the environment is not one of Python: a second one cannot be started beside it.
    """

    def __init__(
        self, settings: RunSettings, source: EnvironmentSource, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not source.is_named():
            raise SettingsError(
                f"checkpoint_settings.keep_best is {settings.checkpoint_settings.keep_best}, but checkpoints can be"
                " played only in environments of Python, which are started by name; leave out --keep-best, and play"
                " the checkpoints in Unity"
            )
        self._source = replace(source, seed=SEED)
        self._parameters = settings.environment_parameters
        self._clock = clock
        self._started = clock()
        self._seconds = 0.0

    def rate(self, models: Mapping[str, Path], stop: Callable[[], bool]) -> dict[str, float]:
        """Return behavior -> mean return.

        Args:
          models: behavior to model file; all behaviors of the environment, teams left out.
          stop: asked after every step of the environment; ratings are empty if it ends the play.
        """
        before = self._clock()
        channel = EnvironmentParametersChannel()
        env = self._source.make(0, [channel])
        try:
            tell(channel, for_worker(hardest(self._parameters).draw(), 0))
            if not env.behavior_specs:
                env.reset()
            specs = env.behavior_specs
            players = {name: load_model(models[BehaviorId.parse(name).name], spec) for name, spec in specs.items()}
            evaluation = Evaluation(env, players, EPISODES, deterministic=True, seed=SEED)
            interrupted = _play(evaluation, stop)
        finally:
            env.close()
        spent = self._clock() - before
        self._seconds += spent
        if interrupted:
            return {}
        teams: dict[str, list[float]] = {}
        for name, result in evaluation.result(unfinished=True).items():
            teams.setdefault(BehaviorId.parse(name).name, []).append(result.mean)
        ratings = {name: sum(means) / len(means) for name, means in teams.items()}
        share = 100 * self._seconds / max(self._clock() - self._started, 1e-9)
        for name, rating in ratings.items():
            message = "%s: mean reward %.3f in episodes of its own (%.1f s; so far %.1f %% of the run's time)."
            _log.info(message, name, rating, spent, share)
        return ratings


def hardest(parameters: Mapping[str, SamplerSettings | CurriculumSettings]) -> ParameterSchedule:
    """Return the parameters of an environment with the last lesson of every curriculum."""
    schedule = ParameterSchedule(parameters, SEED)
    last = {n: len(p.curriculum) - 1 for n, p in parameters.items() if isinstance(p, CurriculumSettings)}
    schedule.load_state_dict({"lessons": {"number": last}})
    return schedule


def _play(evaluation: Evaluation, stop: Callable[[], bool]) -> bool:
    """Play to the end, or for `MOST_STEPS`; return whether `stop` ended it."""
    steps, interrupted = 0, False

    def is_over() -> bool:
        nonlocal steps, interrupted
        steps += 1
        interrupted = stop()
        return interrupted or steps > MOST_STEPS

    evaluation.run(is_over)
    return interrupted
