"""`mlagents`: everything but training, one subcommand each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mlagents.cli import (
    completion,
    config,
    demo,
    doctor,
    envs,
    export,
    hub,
    league,
    new,
    play,
    relay,
    runs,
    serve,
    tune,
    view,
)
from mlagents.cli.errors import reporting_errors
from mlagents.cli.first_day import FIRST_DAY
from mlagents.cli.parsing import OneLineParser
from mlagents.distribution import warn_of_others
from mlagents.process import use_one_thread
from mlagents_envs import __version__

COMMANDS = (doctor, envs, play, view, config, runs, export, hub, new, demo, league, tune, serve, relay, completion)
"""Modules with `add_parser(subparsers)` and `run(arguments) -> exit code`, the parser's default `run`.

In the order of a first day, in which the help lists them.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `mlagents` and return its exit code."""
    parser = _parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown and not arguments.ignores_unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    warn_of_others()
    use_one_thread()  # before a command imports numpy
    with reporting_errors(debug=arguments.debug) as outcome:
        outcome.exit_code = arguments.run(arguments)
    return outcome.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="mlagents",
        description="Agents and their environments. `mlagents-learn` trains them.",
        epilog=FIRST_DAY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mlagents {__version__}")
    parser.set_defaults(debug=False, ignores_unknown=False, whole=parser)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    for each in (parser, *subparsers.choices.values()):
        each.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show where an error comes from"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
