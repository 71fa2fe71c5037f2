"""`mlagents serve`: play an environment as a Unity player would, for any trainer that speaks the protocol."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from mlagents.cli.values import find_environment, whole_number

if TYPE_CHECKING:
    from mlagents_envs.base_env import BaseEnv
    from mlagents_envs.side_channel.side_channel import SideChannel


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command. Arguments that only Unity knows are ignored; none of them may look like one of ours."""
    parser = subparsers.add_parser(
        "serve",
        help="play an environment for a trainer, as a Unity player would",
        description=__doc__,
        epilog="Other arguments that Unity players take, like -batchmode or -logFile FILE, are ignored.",
        allow_abbrev=False,
        add_help=False,  # no -h: Unity has -headless
    )
    parser.add_argument("--help", action="help", help="show this and exit")
    parser.add_argument("environment", metavar="ENV", help="name of an environment; see `mlagents envs`")
    parser.add_argument(
        "--mlagents-port",
        type=whole_number(1, 65535),
        metavar="P",
        help="play for the trainer that listens on this port, and exit when it leaves; without a port play the"
        " Unity Editor: wait on port 5004 for one trainer after the other",
    )
    parser.add_argument(
        "--num-areas",
        type=whole_number(1, 10_000),
        metavar="N",
        help="copies of the scene (default: what the trainer asks for if that is more than 1, or as many as usual)",
    )
    parser.add_argument("--seed", type=whole_number(0), metavar="S", help="default: the trainer's")
    parser.set_defaults(run=run, ignores_unknown=True)


def run(arguments: argparse.Namespace) -> int:
    """Play until the trainer leaves, and return the exit code.

    Raises:
      UsageError: no such environment.
      UnityException: no trainer came, or it asked for something that cannot be done.
    """
    entry = find_environment(arguments.environment)
    from mlagents_envs.logging_util import set_log_level
    from mlagents_envs.serve import serve, serve_editor

    set_log_level(logging.DEBUG if arguments.debug else logging.INFO)

    def make(*, seed: int, num_areas: int | None, side_channels: list[SideChannel]) -> BaseEnv:
        return entry.make(
            seed=seed if arguments.seed is None else arguments.seed,
            num_areas=arguments.num_areas or num_areas,
            side_channels=side_channels,
        )

    if arguments.mlagents_port is None:
        serve_editor(make, name=entry.identifier)
    else:
        serve(make, arguments.mlagents_port, name=entry.identifier)
    return 0
