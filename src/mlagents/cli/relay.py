"""`mlagents relay`: stand between a Unity build on this machine and a trainer elsewhere.

A build looks for a trainer on its own machine, once, when it starts. The relay is called by it, and keeps it waiting
until a trainer attaches (--listen), or calls a trainer that listens (--trainer-port). Start a build with
--mlagents-port P.
"""

from __future__ import annotations

import argparse
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from mlagents.cli.security import add_client_flags, add_server_flags, client_security, server_security
from mlagents.cli.values import whole_number

if TYPE_CHECKING:
    from mlagents_envs.rpc.client import Exchanging

_WAIT_S = 7 * 24 * 3600.0
"""For a player, or a trainer: nothing is lost by waiting."""

_CALL_S = 300.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "relay", help="let a Unity build on this machine play for a trainer elsewhere", description=__doc__
    )
    port = whole_number(1, 65535)
    parser.add_argument("--mlagents-port", type=port, required=True, metavar="P", help="port that the build calls")
    to = parser.add_mutually_exclusive_group(required=True)
    to.add_argument("--listen", type=port, metavar="P", help="port for trainers that attach (mlagents-learn --attach)")
    to.add_argument("--trainer-port", type=port, metavar="P", help="port of the trainer to call, see --host")
    parser.add_argument(
        "--once", action="store_true", help="exit when the first build has played (default: wait for the next)"
    )
    add_client_flags(parser)
    add_server_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Pass messages on, for one build after the other, and return the exit code.

    Raises:
      UsageError: flags that do not go together.
      UnityException: a port, a certificate or the token cannot be used.
    """
    from mlagents_envs.exception import UnityCommunicatorStoppedException, UnityTimeOutException
    from mlagents_envs.logging_util import get_logger, set_log_level
    from mlagents_envs.relay import Relay
    from mlagents_envs.rpc.client import Connection
    from mlagents_envs.rpc.listener import ListeningConnection

    logger = get_logger(__name__)
    server = server_security(arguments, arguments.listen)
    client = client_security(arguments, arguments.trainer_port)
    if arguments.listen is not None:
        server.check(arguments.bind)  # rather than when a build has come
    else:
        client.check(arguments.host)
    set_log_level(logging.DEBUG if arguments.debug else logging.INFO)
    while True:
        relay = Relay(arguments.mlagents_port)
        try:
            logger.info("Waiting for a build on port %d. Ctrl+C ends this.", arguments.mlagents_port)
            relay.await_player(_WAIT_S)
            trainer: Exchanging
            if arguments.listen is None:
                trainer = Connection(arguments.trainer_port, arguments.host, client)
            else:
                trainer = ListeningConnection(arguments.listen, arguments.bind, server, poll=relay.check_player)
            try:
                relay.pass_on(trainer, _WAIT_S if arguments.listen is not None else _CALL_S)
                logger.info("The game is over.")
            finally:
                with suppress(UnityCommunicatorStoppedException):
                    trainer.close()
        except (UnityTimeOutException, UnityCommunicatorStoppedException) as error:
            logger.error("%s", error)
        finally:
            relay.close()
        if arguments.once:
            return 0
