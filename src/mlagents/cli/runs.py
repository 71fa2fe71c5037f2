"""`mlagents runs`: list, compare, plot, archive and delete runs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.cli.table import print_table
from mlagents.errors import UsageError

if TYPE_CHECKING:
    from mlagents.artifacts.layout import Layout
    from mlagents.runs.chart import Line
    from mlagents.runs.curves import Curves
    from mlagents.runs.records import BehaviorRecord, RunRecord

_NOTHING = "-"
_AXES = {"steps": "steps", "wall": "wall time, min", "cpu": "CPU time, min"}
_REWARD = "Environment/Cumulative Reward"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("runs", help="list, compare, plot, archive and delete runs", description=__doc__)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _action(actions, "list", "show all runs, newest first", _list, runs=None)
    compare = _action(actions, "compare", "show results, and the settings that differ", _compare, runs="+")
    compare.add_argument("--all", action="store_true", help="also show settings that are the same")
    plot = _action(actions, "plot", "draw curves of several runs as a .png file", _plot, runs="+")
    plot.add_argument("-o", "--output", type=Path, default=Path("runs.png"), metavar="FILE", help="default: runs.png")
    plot.add_argument("--tag", default=_REWARD, metavar="TAG", help=f"what to draw (default: {_REWARD})")
    plot.add_argument("--over", nargs="+", choices=_AXES, default=list(_AXES), help="x axes (default: all three)")
    plot.add_argument("--behavior", metavar="NAME", help="only this behavior (default: all)")
    archive = _action(actions, "archive", "pack runs into RUN.tar.gz, and delete them", _archive, runs="+")
    archive.add_argument(
        "-o", "--output", type=Path, default=Path("archive"), metavar="FOLDER", help="default: archive"
    )
    archive.add_argument("--keep", action="store_true", help="do not delete what was packed")
    delete = _action(actions, "delete", "delete runs with all their files", _delete, runs="+")
    delete.add_argument("--yes", action="store_true", help="do not ask")


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    run: Callable[[argparse.Namespace], int],
    runs: str | None,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=summary)
    if runs is not None:
        parser.add_argument("runs", nargs=runs, type=Path, metavar="RUN", help="id or folder of a run")
    parser.add_argument(
        "--results-dir", type=Path, metavar="DIR", help="look for runs there (default: in models/ and results/)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    return parser


def _list(arguments: argparse.Namespace) -> int:
    from mlagents.runs.records import find_runs, read_record

    records = [read_record(layout) for layout in find_runs(arguments.results_dir)]
    if arguments.json:
        _print_json([asdict(record) for record in records])
        return 0
    if not records:
        where = str(arguments.results_dir or "models/ and results/")
        print(f"no runs in {where}; `mlagents-learn CONFIG --env NAME --run-id RUN` makes one", file=sys.stderr)
    columns = ("run", "state", "behavior", "steps", "reward", "best", "Elo", "steps/s", "began", "MB")
    print_table(columns, [row for record in records for row in _rows(record)])
    return 0


def _rows(record: RunRecord) -> list[tuple[str, ...]]:
    from mlagents.runs.records import age

    last = (age(record), f"{record.size_bytes / 1e6:.1f}")
    return [
        (record.run_id, record.state, behavior.name, str(behavior.step), *_results(behavior), *last)
        for behavior in record.behaviors
    ] or [(record.run_id, record.state, _NOTHING, "0", *[_NOTHING] * 4, *last)]


def _results(behavior: BehaviorRecord) -> tuple[str, ...]:
    return (
        _number(behavior.reward, ".3f"),
        _number(behavior.best_reward, ".3f"),
        _number(behavior.rating, ".0f"),
        _number(behavior.steps_per_second, ".0f"),
    )


def _number(value: float | None, form: str) -> str:
    return _NOTHING if value is None else format(value, form)


def _compare(arguments: argparse.Namespace) -> int:
    from mlagents.runs.comparison import differences, flattened
    from mlagents.runs.records import read_record, settings_of

    layouts = _layouts(arguments)
    records = [read_record(layout) for layout in layouts]
    settings = [settings_of(layout) for layout in layouts]
    table = differences(settings)
    if arguments.all:
        keys = dict.fromkeys(key for tree in settings for key, _ in flattened(tree))
        table = {key: [dict(flattened(tree)).get(key, _NOTHING) for tree in settings] for key in keys}
    if arguments.json:
        _print_json({"runs": [asdict(record) for record in records], "settings": table})
        return 0
    columns = ("run", "behavior", "steps", "reward", "best", "Elo", "steps/s")
    print_table(
        columns, [(r.run_id, b.name, str(b.step), *_results(b)) for r in records for b in r.behaviors] or [("",) * 7]
    )
    print()
    if len({layout.run for layout in layouts}) == 1 and not arguments.all:
        print("one run: nothing to compare it with; name another, or see all of its settings with --all")
    elif table:
        print_table(("setting", *(layout.run_id for layout in layouts)), [(k, *v) for k, v in table.items()])
    else:
        print("all settings are the same")
    return 0


def _plot(arguments: argparse.Namespace) -> int:
    from mlagents.runs.chart import Panel, draw

    if arguments.output.suffix.lower() != ".png":
        raise UsageError(f"{arguments.output}: expected a name that ends in .png")
    curves = _curves(_layouts(arguments), arguments.behavior, arguments.tag)
    panels = [
        Panel(_AXES[x], arguments.tag, [n for label, c in curves for n in _lines(label, x, arguments.tag, c)])
        for x in arguments.over
    ]
    draw(arguments.output, panels)
    if arguments.json:
        _print_json({"file": str(arguments.output), "lines": [label for label, _ in curves]})
    else:
        print(arguments.output)
    return 0


def _curves(layouts: Sequence[Layout], behavior: str | None, tag: str) -> list[tuple[str, Curves]]:
    """Return label and curves of all behaviors that have something to draw.

    Raises:
      UsageError: none has.
    """
    from mlagents.runs.curves import behaviors_of, read_curves

    found = [(layout.run_id, read_curves(layout, name)) for layout in layouts for name in behaviors_of(layout)]
    there = ", ".join(sorted({curves.behavior for _, curves in found})) or "none"
    shown = [(run, curves) for run, curves in found if behavior in (None, curves.behavior)]
    if found and not shown:
        raise UsageError(f"--behavior={behavior}: there is no such behavior in these runs; there are {there}")
    drawn = [(run, curves) for run, curves in shown if tag in curves.values]
    if not drawn:
        tags = sorted({tag for _, curves in shown for tag in curves.values})
        raise UsageError(f"nothing to draw of {tag!r}; behaviors: {there}; tags: {', '.join(tags) or 'none yet'}")
    several = len({curves.behavior for _, curves in drawn}) > 1
    return [(f"{run} {curves.behavior}" if several else run, curves) for run, curves in drawn]


def _lines(label: str, axis: str, tag: str, curves: Curves) -> list[Line]:
    """Return the curve over an axis; none if it is not known there."""
    from mlagents.runs.chart import Line

    seconds = {"wall": curves.wall_s, "cpu": curves.cpu_s}.get(axis)
    x = curves.steps.astype(float) if axis == "steps" else None if seconds is None else seconds / 60.0
    return [] if x is None else [Line(label, x, curves.value(tag))]


def _archive(arguments: argparse.Namespace) -> int:
    from mlagents.runs.removal import archive

    done = []
    for layout in _layouts(arguments):
        done.append(str(archive(layout, arguments.output, keep=arguments.keep)))
        if not arguments.json:
            print(f"{layout.run_id}: packed into {done[-1]}{'' if arguments.keep else ', and deleted'}")
    if arguments.json:
        _print_json({"archived": done})
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    from mlagents.runs.removal import delete

    layouts = _layouts(arguments)
    if not arguments.yes:
        _confirm(layouts)
    freed = {}
    for layout in layouts:
        freed[layout.run_id] = delete(layout)
        if not arguments.json:
            print(f"{layout.run_id}: deleted, {freed[layout.run_id] / 1e6:.1f} MB")
    if arguments.json:
        _print_json({"deleted": freed})
    return 0


def _confirm(layouts: Sequence[Layout]) -> None:
    """Ask on the terminal whether to delete.

    Raises:
      UsageError: there is nobody to ask, or the answer is no.
    """
    folders = ", ".join(str(layout.run) for layout in layouts)
    if not (sys.stdin and sys.stdin.isatty()):
        raise UsageError(f"this deletes {folders}; say so with --yes")
    if input(f"Delete {folders} for good? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was deleted")


def _layouts(arguments: argparse.Namespace) -> list[Layout]:
    from mlagents.runs.records import find_run

    return list({run: find_run(run, arguments.results_dir) for run in arguments.runs}.values())


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2))
