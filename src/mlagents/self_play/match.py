"""Two players and a number of games: who is better?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mlagents.data.segments import WeightsId
from mlagents.data.trajectories import Episode
from mlagents.inference import Model
from mlagents.self_play.games import Games, final_reward, score
from mlagents.self_play.ratings import Score
from mlagents_envs.base_env import BaseEnv, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.behavior_id import BehaviorId

Player = Callable[[str, BehaviorSpec], Model]
"""(fully qualified behavior name, spec) -> who plays it."""


class MatchError(Exception):
    """The environment is none in which two sides can play."""


class Leg(NamedTuple):
    """Results of the games in which the first player had one team.

    Attributes:
      team: of the first player; the second one plays all others.
      score: seen from the first player.
      mean_length: of the games, in decisions of an agent; NaN without games.
    """

    team: int
    score: Score
    mean_length: float


def teams_of(env: BaseEnv) -> list[int]:
    """Return the team ids of an environment that tells its behaviors, in ascending order.

    Raises:
      MatchError: there is only one.
    """
    teams = sorted({BehaviorId.parse(name).team for name in env.behavior_specs})
    if len(teams) < 2:
        there = ", ".join(env.behavior_specs)
        raise MatchError(f"a match needs two teams, and there is only team {teams[0] if teams else '?'} ({there})")
    return teams


def play_leg(
    env: BaseEnv,
    players: tuple[Player, Player],
    team: int,
    games: int,
    *,
    deterministic: bool = False,
    seed: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> Leg:
    """Play a number of games in which the first player has one team, and the second all others.

    Those that count are the first to begin, not the first to end: short games are not preferred.

    Args:
      env: is reset first; the caller closes it.
      players: both.
      team: of the first one.
      games: to be played, 0 or more.
      deterministic: take the most likely actions instead of sampling.
      seed: of the sampled actions.
      stop: asked after every step; true ends the leg, and the games that have ended count.
    """
    leg = _Leg(env, players, team, deterministic, np.random.default_rng(seed))
    env.reset()
    while not leg.has_ended(games) and not stop():
        leg.decide()
        env.step()
        leg.observe()
    return leg.result(games)


class _Running(NamedTuple):
    """An episode that goes on: when it began (tick, and place in the report), and decisions so far."""

    began: tuple[int, int]
    decisions: int = 0


class _Leg:
    def __init__(
        self,
        env: BaseEnv,
        players: tuple[Player, Player],
        team: int,
        deterministic: bool,
        rng: np.random.Generator,
    ) -> None:
        self._env, self._players, self._team = env, players, team
        self._deterministic, self._rng = deterministic, rng
        self._models: dict[str, Model] = {}
        self._running: dict[str, dict[int, _Running]] = {}
        self._groups: dict[tuple[str, int], int] = {}
        self._games = Games()
        self._tick = 0
        self._ended: list[tuple[tuple[int, int], float, int]] = []

    def decide(self) -> None:
        """Act for everybody who waits, and note whose episodes begin."""
        for name, spec in self._env.behavior_specs.items():
            steps = self._env.get_steps(name)[0]
            if len(steps):
                self._note(name, steps)
                action = self._model(name, spec).act(steps, self._deterministic, self._rng)
                self._env.set_actions(name, action)

    def _model(self, name: str, spec: BehaviorSpec) -> Model:
        if name not in self._models:
            is_second = BehaviorId.parse(name).team != self._team
            self._models[name] = self._players[is_second](name, spec)
        return self._models[name]

    def _note(self, name: str, steps: DecisionSteps) -> None:
        running = self._running.setdefault(name, {})
        for place, agent in enumerate(steps.agent_id.tolist()):
            episode = running.get(agent) or _Running((self._tick, place))
            running[agent] = episode._replace(decisions=episode.decisions + 1)
            self._groups[name, agent] = int(steps.group_id[place])

    def observe(self) -> None:
        """Take in what a step has ended."""
        self._tick += 1
        episodes: list[Episode] = []
        began: list[tuple[int, int]] = []
        for name in self._env.behavior_specs:
            terminal = self._env.get_steps(name)[1]
            for place, agent in enumerate(terminal.agent_id.tolist()):
                episode = self._running.get(name, {}).pop(agent, None)
                if episode is not None:
                    episodes.append(self._episode(name, agent, terminal, place, episode.decisions))
                    began.append(episode.began)
            if name in self._models and len(terminal):
                self._models[name].forget(terminal.agent_id)
        for game in self._games.finished(episodes):
            first = [i for side, places in game.sides.items() if side.team == self._team for i in places]
            if first:
                result = score(final_reward([episodes[i] for i in first]))
                everybody = [i for places in game.sides.values() for i in places]
                length = max(episodes[i].length for i in everybody)
                self._ended.append((min(began[i] for i in everybody), result, length))

    def _episode(self, name: str, agent: int, terminal: TerminalSteps, place: int, decisions: int) -> Episode:
        """Return the end of an episode; of its rewards only the last are known, as no others tell who won."""
        last = float(terminal.reward[place]) + float(terminal.group_reward[place])
        behavior, interrupted = BehaviorId.parse(name), bool(terminal.interrupted[place])
        group, weights = self._groups[name, agent], WeightsId(behavior.name)
        return Episode(behavior, 0, self._tick, last, 0.0, last, decisions, interrupted, group, weights)

    def has_ended(self, games: int) -> bool:
        """Return whether the first games to begin have all ended."""
        if len(self._ended) < games or games == 0:
            return games == 0
        last = sorted(began for began, *_ in self._ended)[games - 1]
        return all(e.began > last for running in self._running.values() for e in running.values())

    def result(self, games: int) -> Leg:
        counted = sorted(self._ended)[:games]
        total = Score()
        for _, result, _ in counted:
            total = total.plus(result)
        lengths: Sequence[int] = [length for *_, length in counted]
        return Leg(self._team, total, float(np.mean(lengths)) if lengths else math.nan)


def total(legs: Sequence[Leg]) -> Score:
    """Return the results of several legs together."""
    return Score(*map(sum, zip(*(leg.score for leg in legs), strict=True)))
