"""Two players against each other, for `mlagents play --against`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlagents.cli.table import print_table
from mlagents.cli.values import find_folder
from mlagents.errors import UsageError
from mlagents_envs.behavior_id import BehaviorId

if TYPE_CHECKING:
    from mlagents.inference import Model
    from mlagents.self_play.match import Leg, Player
    from mlagents_envs.base_env import BaseEnv, BehaviorSpec

FilesOf = Callable[[str, Sequence[str]], Mapping[str, Path]]
"""(what the user typed, behavior names) -> behavior name -> model file."""


class Contest(NamedTuple):
    """What was asked for.

    Attributes:
      model: one player, as the user typed it. against: the other.
      games: to be played. deterministic: take the most likely actions. seed: of the sampled actions.
    """

    model: str
    against: str
    games: int
    deterministic: bool
    seed: int


def play(env: BaseEnv, contest: Contest, files_of: FilesOf) -> tuple[list[Leg], bool]:
    """Play all games, teams swapped half of the time; return the results, and whether Ctrl-C ended the play.

    Raises:
      UsageError: a player is not there. ModelError: one does not fit. MatchError: there is one team only.
    """
    from mlagents.self_play.match import play_leg, teams_of

    first, second = teams_of(env)[:2]
    players = _player(env, contest.model, files_of), _player(env, contest.against, files_of)
    for name, spec in env.behavior_specs.items():  # who does not fit is said before anything is played
        for player in players:
            player(name, spec)
    legs: list[Leg] = []
    interrupted = False

    def stop() -> bool:
        return interrupted

    halves = ((first, contest.games - contest.games // 2), (second, contest.games // 2))
    for team, games in halves:
        try:
            seed, greedy = contest.seed + team, contest.deterministic
            legs.append(play_leg(env, players, team, games, deterministic=greedy, seed=seed, stop=stop))
        except KeyboardInterrupt:
            interrupted = True
            break
    return legs, interrupted


def _player(env: BaseEnv, what: str, files_of: FilesOf) -> Player:
    """Return a player of all behaviors: random, heuristic, a file, a run or folder, or RUN@N for its snapshot N."""
    from mlagents.artifacts.players import HEURISTIC, RANDOM, STATE, load_player

    names = sorted({BehaviorId.parse(name).name for name in env.behavior_specs})
    if what in (RANDOM, HEURISTIC):
        files: Mapping[str, str | Path] = dict.fromkeys(names, what)
    elif what.endswith(STATE):
        if len(names) > 1:
            raise UsageError(f"{what} is one model, but there are the behaviors {', '.join(names)}; give a run")
        files = {names[0]: Path(what)}
    else:
        run, separator, number = what.rpartition("@")
        is_snapshot = bool(separator) and number.isdecimal() and not Path(what).exists()
        files = _snapshots(run, int(number), names) if is_snapshot else files_of(what, names)

    def load(full_name: str, spec: BehaviorSpec) -> Model:
        return load_player(files[BehaviorId.parse(full_name).name], full_name, spec, env)

    return load


def _snapshots(run: str, number: int, names: Sequence[str]) -> dict[str, Path]:
    from mlagents.artifacts.layout import Layout
    from mlagents.artifacts.snapshots import Snapshots

    snapshots = Snapshots(Layout.of_folder(find_folder(Path(run))))
    found = {}
    for name in names:
        files = snapshots.files(name)
        if number not in files:
            there = ", ".join(map(str, sorted(files))) or "none"
            raise UsageError(f"run {run!r} has no snapshot {number} of {name} (there are: {there})")
        found[name] = files[number]
    return found


def report(environment: str, contest: Contest, legs: Sequence[Leg], interrupted: bool, as_json: bool) -> None:
    """Print wins, draws and losses of the first player, with a confidence interval."""
    from mlagents.self_play.match import total

    if interrupted:
        print("interrupted; the games of the half that had begun are left out", file=sys.stderr)
    score = total(legs) if legs else None
    if score is None or not score.games:
        print("no game has ended")
        return
    low, high = score.interval()
    if as_json:
        found = {
            "environment": environment,
            **contest._asdict(),
            **score._asdict(),
            "rate": score.rate,
            "interval": [low, high],
            "interrupted": interrupted,
            "legs": [
                {"team": leg.team, **leg.score._asdict(), "mean_length": leg.mean_length}
                for leg in legs
                if leg.score.games
            ],
        }
        print(json.dumps(found, indent=2))
        return
    rows = [
        (f"as team {leg.team}", *map(str, leg.score), f"{100 * leg.score.rate:.1f}", f"{leg.mean_length:.1f}")
        for leg in legs
        if leg.score.games
    ]
    rows.append(("together", *map(str, score), f"{100 * score.rate:.1f}", ""))
    print_table((f"{contest.model} against {contest.against}", "won", "drawn", "lost", "points %", "mean length"), rows)
    print(f"points between {100 * low:.1f} % and {100 * high:.1f} % with 95 % confidence")
