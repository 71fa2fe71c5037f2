"""`mlagents league`: how good everybody of a self-play run is, and who beat whom."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.cli.league_games import play_missing
from mlagents.cli.table import print_table
from mlagents.cli.values import find_folder, whole_number
from mlagents.errors import UsageError

if TYPE_CHECKING:
    from mlagents.self_play.standings import Standings

_NOTHING = "-"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("league", help="show ratings and results of self-play", description=__doc__)
    parser.add_argument("run_name", metavar="RUN", help="id or folder of a run with self_play")
    parser.add_argument("--behavior", metavar="NAME", help="show only this behavior; default: all")
    parser.add_argument(
        "--last",
        type=whole_number(0),
        default=10,
        metavar="N",
        help="show the N latest snapshots of each behavior; 0: all (default: 10)",
    )
    parser.add_argument(
        "--games",
        type=whole_number(1),
        metavar="N",
        help="fill the empty cells: play N games between all shown that have never met and are still there",
    )
    parser.add_argument("--env", metavar="ENV", help="with --games: where to play (default: the run's environment)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON, with all results")
    form.add_argument("--png", type=Path, metavar="FILE", help="draw the matrix of win rates")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the ratings and the matrix, and return 0.

    Raises:
      UsageError: no such run, no self-play in it, or no such behavior or environment.
      MatchError, ModelError: its players cannot play there.
      CheckpointError: the run has no checkpoint yet.
    """
    folder = find_folder(Path(arguments.run_name))
    from mlagents.artifacts.checkpoints import Checkpoints
    from mlagents.artifacts.layout import Layout
    from mlagents.self_play.standings import Standings

    layout = Layout.of_folder(folder)
    found = Checkpoints.open(layout).league
    if not found:
        raise UsageError(f"{folder} has no league: none of its behaviors had self_play")
    behaviors = list(found["entrants"])
    if arguments.behavior not in (None, *behaviors):
        raise UsageError(f"{folder} has no behavior {arguments.behavior!r} in self-play; it has {', '.join(behaviors)}")
    standings = Standings()
    standings.load_state_dict(found["standings"])
    shown = behaviors if arguments.behavior is None else [arguments.behavior]
    counts = {name: numbers["count"] for name, numbers in found["entrants"].items()}
    players = _players(standings, counts, arguments.last)
    if arguments.games is not None:
        play_missing(standings, layout, players, arguments.games, arguments.env)
    if arguments.json:
        print(json.dumps(_as_json(standings, found, shown), indent=2))
        return 0
    if arguments.png is not None:
        from mlagents.cli.heat_map import draw

        rows = [name for name in players if _behavior(name) in shown]
        draw(arguments.png, rows, players, [[_rate(standings, row, column) for column in players] for row in rows])
        print(arguments.png)
        return 0
    _print(standings, shown, players)
    return 0


def _behavior(player: str) -> str:
    return player.rpartition(":")[0] or player


def _players(standings: Standings, counts: dict[str, int], last: int) -> list[str]:
    """Return those to show: newest, latest snapshots and baselines of every behavior; a run has few behaviors."""
    shown = []
    for name, count in counts.items():
        first = max(0, count - last) if last else 0
        snapshots = [f"{name}:{number}" for number in range(first, count)]
        baselines = [p for p in standings.ratings if _behavior(p) == name and not p.rpartition(":")[2].isdecimal()]
        shown += [p for p in (*snapshots, *baselines) if p in standings.ratings]
    return shown


def _rate(standings: Standings, row: str, column: str) -> float | None:
    """Return the share of points of one player against another, however it came about; None without games."""
    from mlagents.self_play.ratings import Score

    forth = standings.results.get((row, column), Score())
    back = standings.results.get((column, row), Score()) if row != column else Score()
    both = Score(forth.wins + back.losses, forth.draws + back.draws, forth.losses + back.wins)
    return both.rate if both.games else None


def _print(standings: Standings, shown: Sequence[str], players: Sequence[str]) -> None:
    rated = [p for p in players if _behavior(p) in shown]
    table = sorted(rated, key=lambda p: -standings.ratings[p].elo)
    rows = [(p, f"{standings.ratings[p].elo:.0f}", f"{standings.ratings[p].deviation:.0f}") for p in table]
    print_table(("player", "Elo", "+-"), rows)
    print()
    cells = {row: [_rate(standings, row, column) for column in players] for row in rated}
    percent = {row: [_NOTHING if c is None else f"{100 * c:.0f}" for c in found] for row, found in cells.items()}
    print_table(("points in % against", *players), [(row, *percent[row]) for row in rated])


def _as_json(standings: Standings, found: dict[str, object], shown: Sequence[str]) -> dict[str, object]:
    return {
        "learning_team": found["teams"][0] if found["teams"] else None,  # type: ignore[index]
        "ratings": {
            player: {"elo": rating.elo, "deviation": rating.deviation}
            for player, rating in standings.ratings.items()
            if _behavior(player) in shown
        },
        "results": [
            {"player": a, "opponent": b, **score._asdict(), "interval": score.interval()}
            for (a, b), score in standings.results.items()
            if _behavior(a) in shown
        ],
    }
