"""`mlagents serve`: play an environment as a Unity player would, for any trainer that speaks the protocol.

By default it calls the trainer, as Unity does; with --listen it waits for trainers, who attach.
"""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from mlagents.cli.security import add_client_flags, add_server_flags, client_security, server_security
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
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--mlagents-port",
        type=whole_number(1, 65535),
        metavar="P",
        help="play for the trainer that listens on this port, and exit when it leaves; without a port play the"
        " Unity Editor: wait on port 5004 for one trainer after the other",
    )
    where.add_argument(
        "--listen",
        type=whole_number(1, 65535),
        metavar="P",
        help="listen on this port for trainers that attach (mlagents-learn --attach), one after the other",
    )
    add_client_flags(parser)
    add_server_flags(parser)
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
      UsageError: no such environment, or flags that do not go together.
      UnityException: no trainer came, or it asked for something that cannot be done.
    """
    entry = find_environment(arguments.environment)
    from mlagents_envs.logging_util import set_log_level
    from mlagents_envs.serve import serve, serve_editor, serve_trainers

    server, client = server_security(arguments, arguments.listen), client_security(arguments, arguments.mlagents_port)
    set_log_level(logging.DEBUG if arguments.debug else logging.INFO)

    def make(*, seed: int, num_areas: int | None, side_channels: list[SideChannel]) -> BaseEnv:
        return entry.make(
            seed=seed if arguments.seed is None else arguments.seed,
            num_areas=arguments.num_areas or num_areas,
            side_channels=side_channels,
        )

    if arguments.listen is not None:
        serve_trainers(make, arguments.listen, bind=arguments.bind, security=server, name=entry.identifier)
    elif arguments.mlagents_port is None:
        serve_editor(make, name=entry.identifier)
    else:
        serve(make, arguments.mlagents_port, name=entry.identifier, host=arguments.host, security=client)
    return 0
