"""Games between players of a league that have not met, for `mlagents league --games`."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.errors import UsageError
from mlagents_envs.behavior_id import BehaviorId

if TYPE_CHECKING:
    from mlagents.artifacts.layout import Layout
    from mlagents.self_play.match import Leg, Player
    from mlagents.self_play.standings import Standings
    from mlagents_envs.base_env import BaseEnv


def play_missing(
    standings: Standings, layout: Layout, players: Sequence[str], games: int, env_name: str | None
) -> None:
    """Play between all that have never met and are still there, and add the results; ratings stay as they are.

    Players of one behavior have either team half of the time. Snapshots whose files are gone are left out.

    Args:
      standings: of the run; its results are added to.
      layout: of the run's folder.
      players: by the names of `standings`.
      games: of each pair, 1 or more.
      env_name: where they play; None for the environment of the run.

    Raises:
      UsageError: there is no such environment, or the run has none of a name.
      MatchError: the environment has one team only.
      ModelError, CheckpointError: a player cannot play there.
    """
    from mlagents import process
    from mlagents.self_play.match import teams_of, total

    process.configure("cpu")  # snapshots act by the networks of training
    there = _files(layout, players)
    env = _environment(layout, env_name)
    try:
        if not env.behavior_specs:
            env.reset()
        teams_of(env)
        pairs = [pair for pair in itertools.combinations(there, 2) if not _have_met(standings, *pair)]
        for number, (first, second) in enumerate(pairs):
            print(f"{first} against {second} ({number + 1} of {len(pairs)})", file=sys.stderr)
            if legs := _legs(env, (first, second), there, games):
                standings.results[first, second] = total(legs)
    finally:
        env.close()


def _have_met(standings: Standings, first: str, second: str) -> bool:
    return (first, second) in standings.results or (second, first) in standings.results


def _files(layout: Layout, players: Sequence[str]) -> dict[str, str | Path]:
    """Return what plays under the name of each player that is still there, newest weights left out."""
    from mlagents.artifacts.snapshots import Snapshots

    snapshots, found = Snapshots(layout), dict[str, str | Path]()
    for player in players:
        behavior, separator, what = player.partition(":")
        if not separator:
            continue  # their games count for the latest snapshot
        if not what.isdecimal():
            found[player] = what
        elif (number := int(what)) in (files := snapshots.files(behavior)):
            found[player] = files[number]
    return found


def _environment(layout: Layout, name: str | None) -> BaseEnv:
    from mlagents.cli.values import find_environment
    from mlagents.settings import load_run_settings

    if name is None:
        name = load_run_settings(layout.configuration).env_settings.env_path
    if name is None:
        raise UsageError(f"{layout.run} does not say in which environment it played; name it with --env")
    return find_environment(name).make()


def _legs(env: BaseEnv, pair: tuple[str, str], files: Mapping[str, str | Path], games: int) -> list[Leg]:
    """Return the results of two players; none if no two teams of the environment are theirs."""
    from mlagents.self_play.match import play_leg

    sides = [BehaviorId.parse(name) for name in env.behavior_specs]
    mine, theirs = ({side.team for side in sides if side.name == player.partition(":")[0]} for player in pair)
    turns = [team for team in sorted(mine) if theirs - {team}]
    shares = [games // len(turns) + (turn < games % len(turns)) for turn in range(len(turns))]
    players = _player(env, files[pair[0]]), _player(env, files[pair[1]])
    return [play_leg(env, players, team, share, seed=team) for team, share in zip(turns, shares, strict=True)]


def _player(env: BaseEnv, what: str | Path) -> Player:
    from mlagents.artifacts.players import load_player

    return lambda full_name, spec: load_player(what, full_name, spec, env)
