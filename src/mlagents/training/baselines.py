"""Games against fixed opponents, from which nothing is learned: is it better than last week?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from mlagents.artifacts.players import load_player
from mlagents.inference import Model
from mlagents.nn.policy import Policy
from mlagents.rollout.parameters import for_worker, tell
from mlagents.rollout.source import EnvironmentSource
from mlagents.self_play.league import BaselineResult
from mlagents.self_play.match import play_leg, teams_of, total
from mlagents.self_play.players import PolicyModel
from mlagents.settings import RunSettings, SelfPlaySettings, SettingsError
from mlagents.training.evaluator import SEED, hardest
from mlagents_envs.base_env import BaseEnv, BehaviorSpec
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel

_log = get_logger(__name__)

MOST_STEPS = 20_000
"""Of the environment for one opponent: then the games that have ended count."""


class Contender(NamedTuple):
    """A behavior that is measured, with its newest weights."""

    policy: Policy
    self_play: SelfPlaySettings | None


class Baselines:
    """Plays the newest weights against every opponent in `self_play.baselines`.

    The environment is in this process, made anew each time, with the last lesson of every curriculum. Actions are
    sampled, as in training: against a fixed opponent, the most likely ones would often play the same game again.

    Args:
      settings: of the run.
      source: of its environments.

    Raises:
      SettingsError: the environment is not one of Python: a second one cannot be started beside it.
    """

    def __init__(self, settings: RunSettings, source: EnvironmentSource) -> None:
        if not source.is_named():
            raise SettingsError(
                "self_play.baselines can be played only in environments of Python, which are started by name; leave"
                " them out, and play the models of the run against each other in Unity"
            )
        self._settings = settings
        self._source = replace(source, seed=SEED)

    def check(self, name: str, baselines: tuple[str, ...]) -> None:
        """Load every opponent of a behavior once, so that one that is no good is known before training.

        Raises:
          ModelError: it is missing, or for other observations or actions than those of the teams it is to play.
          MatchError: the environment has one team only.
        """
        with_env = self._environment()
        try:
            teams_of(with_env)
            for full_name, spec in _rivals(with_env, name).items():
                for baseline in baselines:
                    load_player(baseline, full_name, spec, with_env)
        finally:
            with_env.close()

    def play(self, contenders: Mapping[str, Contender], stop: Callable[[], bool]) -> Iterator[BaselineResult]:
        """Yield the results of every behavior that has baselines.

        Args:
          contenders: all behaviors of the run, by name.
          stop: asked after every step; then the rest is left out.
        """
        for name, contender in contenders.items():
            for baseline in contender.self_play.baselines if contender.self_play else ():
                assert contender.self_play is not None
                found = self._match(name, baseline, contenders, contender.self_play.baseline_episodes, stop)
                if stop():
                    return
                low, high = found.score.interval()
                message = "%s against %s: %d won, %d drawn, %d lost (%.0f %%, 95 %% between %.0f and %.0f %%)."
                _log.info(message, name, baseline, *found.score, 100 * found.score.rate, 100 * low, 100 * high)
                yield found

    def _match(
        self, name: str, baseline: str, contenders: Mapping[str, Contender], games: int, stop: Callable[[], bool]
    ) -> BaselineResult:
        env = self._environment()

        def ours(full_name: str, spec: BehaviorSpec) -> Model:
            return PolicyModel(contenders[BehaviorId.parse(full_name).name].policy)

        def theirs(full_name: str, spec: BehaviorSpec) -> Model:
            return load_player(baseline, full_name, spec, env)

        try:
            teams = [
                t for t in teams_of(env) if any(BehaviorId(name, t) == BehaviorId.parse(n) for n in env.behavior_specs)
            ]
            steps = 0

            def is_over() -> bool:
                nonlocal steps
                steps += 1
                return steps > MOST_STEPS or stop()

            shares = [(games + place) // len(teams) for place in reversed(range(len(teams)))]
            legs = [
                play_leg(env, (ours, theirs), team, share, seed=SEED + team, stop=is_over)
                for team, share in zip(teams, shares, strict=True)
            ]
        finally:
            env.close()
        return BaselineResult(name, baseline, total(legs))

    def _environment(self) -> BaseEnv:
        channel = EnvironmentParametersChannel()
        env = self._source.make(0, [channel])
        tell(channel, for_worker(hardest(self._settings.environment_parameters).draw(), 0))
        if not env.behavior_specs:
            env.reset()
        return env


def _rivals(env: BaseEnv, name: str) -> dict[str, BehaviorSpec]:
    """Return the behaviors that an opponent of this one plays, by fully qualified name."""
    specs = {BehaviorId.parse(full_name): spec for full_name, spec in env.behavior_specs.items()}
    ours = {side.team for side in specs if side.name == name}
    alone = len(ours) == 1
    return {str(side): spec for side, spec in specs.items() if not (alone and side.team in ours)}
