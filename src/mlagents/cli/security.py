"""Flags of encryption and tokens, for commands that play for trainers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mlagents.errors import UsageError

if TYPE_CHECKING:
    from mlagents_envs.rpc.security import ClientSecurity, ServerSecurity


def add_client_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a connection to a trainer that listens."""
    parser.add_argument("--host", default="localhost", help="machine of the trainer (default: this one)")
    parser.add_argument(
        "--tls-ca",
        metavar="FILE",
        help="encrypt; PEM file with the certificates to trust, or system",
    )
    parser.add_argument("--token-file", metavar="FILE", help="token that both sides know, a line in a file")
    parser.add_argument(
        "--insecure", action="store_true", help="permit connections with other machines that are not encrypted"
    )


def add_server_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of what listens, which shares a token and --insecure with the others."""
    parser.add_argument(
        "--bind",
        default="localhost",
        metavar="ADDRESS",
        help="address to listen on (default: localhost)",
    )
    parser.add_argument("--tls-cert", metavar="FILE", help="encrypt; PEM file with the certificate of what listens")
    parser.add_argument("--tls-key", metavar="FILE", help="PEM file with its key (default: that of --tls-cert)")


def client_security(arguments: argparse.Namespace, used: object) -> ClientSecurity:
    """Return what the flags say; `used` is None where nothing is called.

    Raises:
      UsageError: there are flags, and nothing is called.
    """
    from mlagents_envs.rpc.security import ClientSecurity

    if used is None and (arguments.tls_ca is not None or arguments.host != "localhost"):
        raise UsageError("--host and --tls-ca are for calling a trainer, and none is called here")
    return ClientSecurity(arguments.tls_ca, arguments.token_file, arguments.insecure)


def server_security(arguments: argparse.Namespace, used: object) -> ServerSecurity:
    """Return what the flags say; `used` is None where nothing listens.

    Raises:
      UsageError: there are flags, and nothing listens; or a key without a certificate.
    """
    from mlagents_envs.rpc.security import ServerSecurity

    typed = arguments.tls_cert is not None or arguments.tls_key is not None or arguments.bind != "localhost"
    if used is None and typed:
        raise UsageError("--bind, --tls-cert and --tls-key are for --listen, which is not there")
    if arguments.tls_key is not None and arguments.tls_cert is None:
        raise UsageError("--tls-key without --tls-cert: a key without its certificate")
    return ServerSecurity(arguments.tls_cert, arguments.tls_key, arguments.token_file, arguments.insecure)
