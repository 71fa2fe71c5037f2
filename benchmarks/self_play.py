"""What self-play costs: the CPU of a run with it, over that of the same run without, in turns.

Both run the training loop over the same two-team environment (3DBall's observations and actions, ten games of random
length), for the same number of rounds and with the same settings. With self-play only one team learns; so that both
learn from as many decisions, the run without self-play learns from one team, too, through a league that lets everybody
play with the newest weights.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import time

import numpy as np
import official
from measure import Figure

from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.learning.streams import stream
from mlagents.rollout.env_pool import InlinePool
from mlagents.rollout.sampler import LocalSampler
from mlagents.self_play.league import SoloPlay
from mlagents.self_play.snapshot_league import SnapshotLeague
from mlagents.settings import BehaviorSettings, SelfPlaySettings
from mlagents.stats import Statistics
from mlagents.training.behavior import Behavior
from mlagents.training.build import make_learner
from mlagents.training.loop import TrainingLoop
from mlagents_envs.base_env import BaseEnv, BehaviorMapping, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel

TARGET = 1.3
GAMES = 10
TEAMS = ("Game?team=0", "Game?team=1")


class Noise(BaseEnv):
    """Two teams that see noise; games last 100 decisions on average, and chance decides them."""

    behavior_specs = None

    def __init__(self, spec: BehaviorSpec) -> None:
        self.spec = spec
        self.behavior_specs = BehaviorMapping(dict.fromkeys(TEAMS, spec))
        self._rng = np.random.default_rng(0)

    def reset(self) -> None:
        """Begin all games."""
        self._over = np.zeros(GAMES, bool)

    def step(self) -> None:
        """End some."""
        self._over = self._rng.random(GAMES) < 0.01
        self._won = self._rng.choice([-1.0, 1.0], GAMES).astype(np.float32)

    def set_actions(self, behavior_name, action) -> None:
        """Nothing depends on them."""

    def set_action_for_agent(self, behavior_name, agent_id, action) -> None:
        """Nobody does."""
        raise NotImplementedError

    def get_steps(self, behavior_name):
        """Return noise, and who has won."""
        team = TEAMS.index(behavior_name)
        ids = np.arange(GAMES, dtype=np.int32) + 100 * team
        seen = [self._rng.standard_normal((GAMES, *o.shape), np.float32) for o in self.spec.observation_specs]
        decision = DecisionSteps(seen, np.zeros(GAMES, np.float32), ids, None)
        over = np.flatnonzero(self._over)
        if not over.size:
            return decision, TerminalSteps.empty(self.spec)
        reward = self._won[over] * (1 - 2 * team)
        return decision, TerminalSteps([o[over] for o in seen], reward, np.zeros(len(over), bool), ids[over])

    def close(self) -> None:
        """Nothing is open."""


class FirstTeamLearns(SoloPlay):
    """Without self-play: one team's experience counts, and all play with the newest weights."""

    def learns(self, behavior: BehaviorId) -> bool:
        """Return whether it is the first team."""
        return behavior.team == 0


def make_loop(spec: BehaviorSpec, has_self_play: bool) -> TrainingLoop:
    """Return a loop that has not begun."""
    settings = BehaviorSettings.model_validate(official.behavior() | {"max_steps": 10**9})
    statistics = Statistics()
    league = SnapshotLeague(1, np.random.default_rng(0)) if has_self_play else FirstTeamLearns()

    def make_behavior(name: str, spec: BehaviorSpec) -> Behavior:
        if isinstance(league, SnapshotLeague):
            league.add(name, SelfPlaySettings(), settings.max_steps)
        return Behavior(
            name, spec, settings, make_learner(name, spec, settings, 0), statistics, stream(0, name, "a"), True
        )

    sampler = LocalSampler(InlinePool(Noise(spec), EnvironmentParametersChannel(), StatsSideChannel()))
    ignore = lambda *arguments: None  # noqa: E731
    return TrainingLoop(sampler, make_behavior, statistics, ParameterSchedule({}), ignore, ignore, league)


def main() -> None:
    """Print the ratio."""
    quick = measure.arguments(__doc__).quick
    warm, block, blocks = (1300, 1300, 2) if quick else (1300, 2600, 12)
    env = default_registry["3DBall"].make()
    env.reset()
    spec = next(iter(env.behavior_specs.values()))
    env.close()
    seconds: dict[bool, list[float]] = {True: [], False: []}
    loops = {has: make_loop(spec, has) for has in (False, True)}
    for turn in range(blocks + 1):
        for has, loop in loops.items():
            rounds = warm if turn == 0 else block
            before = time.process_time()
            _run(loop, rounds)
            if turn:
                seconds[has].append(time.process_time() - before)
    with_it, without = (float(np.median(seconds[has])) for has in (True, False))
    per_round = 1e6 / block
    measure.emit(
        "self_play",
        [
            Figure("a round of 20 decisions, without self-play", without * per_round, "us CPU"),
            Figure("a round of 20 decisions, with self-play", with_it * per_round, "us CPU"),
            Figure("self-play / without", measure.ratio(with_it, without), "x", at_most=TARGET),
        ],
    )


def _run(loop: TrainingLoop, rounds: int) -> None:
    """Let a loop go on; the environments are reset at the start of each turn, of both loops alike."""
    left = rounds

    def stop() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    loop.run(stop)


if __name__ == "__main__":
    main()
