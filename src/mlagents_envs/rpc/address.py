"""HOST:PORT, and whether gRPC answers there: gRPC itself tries again and again, and does not say why in vain."""

from __future__ import annotations

import math
import socket
import ssl
import time
from typing import NamedTuple

from mlagents_envs.exception import UnityEnvironmentException, UnityTimeOutException
from mlagents_envs.rpc.security import ClientSecurity

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_EMPTY_SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # https://www.rfc-editor.org/rfc/rfc9113#section-6.5
_HEAD_BYTES, _KIND_AT, _SETTINGS = 9, 3, 4
_RETRY_S = 0.2
_ANSWER_S = 5.0  # for one that took the connection; it may be busy with its own start
_TURN_S = 2.0  # for one that closes connections: a player between two trainers does so for a moment


class Address(NamedTuple):
    """Where a program listens.

    Attributes:
      host: name or address, that of IPv6 without brackets. port: from 1 to 65535.
    """

    host: str
    port: int

    @staticmethod
    def parse(text: str) -> Address:
        """Return the address in `HOST:PORT` or `[IPv6]:PORT`.

        Raises:
          ValueError: there is none.
        """
        host, _, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        if not bare or ((":" in bare) != host.startswith("[")) or not (port.isascii() and port.isdecimal()):
            raise ValueError(f"expected HOST:PORT, got {text!r}")
        if not 0 < int(port) < 65536:
            raise ValueError(f"expected a port from 1 to 65535, got {text!r}")
        return Address(bare, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class _Silent(Exception):
    """Nobody takes the connection; somebody may later."""


class _Closed(Exception):
    """What listens closed the connection without a word, as a player does that ends its turn with another trainer."""


def await_answer(address: Address, security: ClientSecurity, timeout_s: float) -> None:
    """Wait until a program listens that speaks gRPC, encrypted as we expect it.

    Raises:
      UnityTimeOutException: nobody took the connection in time.
      UnityEnvironmentException: something else listens there, or its certificate is not trusted.
    """
    context = security.context()
    deadline = time.monotonic() + timeout_s
    turn_end = math.inf
    while True:
        try:
            return _shake_hands(address, context, max(0.1, deadline - time.monotonic()))
        except _Closed as error:
            turn_end = min(turn_end, time.monotonic() + _TURN_S)
            if time.monotonic() + _RETRY_S > min(turn_end, deadline):
                raise UnityEnvironmentException(str(error)) from None
        except _Silent as error:
            if time.monotonic() + _RETRY_S > deadline:
                raise UnityTimeOutException(
                    f"Nobody answered at {address} for {timeout_s:g} seconds ({error}). Is the player started there,"
                    " with --listen, and is the port open from here?"
                ) from None
        time.sleep(_RETRY_S)


def _shake_hands(address: Address, context: ssl.SSLContext | None, timeout_s: float) -> None:
    try:
        plain = socket.create_connection(address, timeout_s)
    except (OSError, UnicodeError) as error:
        raise _Silent(getattr(error, "strerror", None) or str(error) or type(error).__name__) from None
    plain.settimeout(_ANSWER_S)
    hint = "" if context is not None else "; if it was started with --tls-cert, say whom to trust with --tls-ca"
    no_player = f"What listens at {address} is no player: it does not speak gRPC (expected HTTP/2){hint}."
    try:
        with plain if context is None else context.wrap_socket(plain, server_hostname=address.host) as connection:
            head = _first_frame(connection)
    except ssl.SSLCertVerificationError as error:
        raise UnityEnvironmentException(
            f"The certificate of {address} is not trusted: {error.verify_message.rstrip('.')}. --tls-ca names the"
            " certificates that are; they must be for the host's name as it is written here."
        ) from None
    except ssl.SSLError as error:
        raise (_Closed if isinstance(error, ssl.SSLEOFError) else UnityEnvironmentException)(
            f"{address} does not encrypt as TLS does ({error.reason}): leave out --tls-ca, or start it with --tls-cert."
        ) from None
    except TimeoutError:
        raise UnityEnvironmentException(no_player) from None
    except OSError:
        raise _Closed(no_player) from None
    if not _is_settings(head):
        raise (UnityEnvironmentException if head else _Closed)(no_player)


def speaks_grpc(connection: socket.socket) -> bool:
    """Return whether gRPC's protocol, HTTP/2, is answered on a new connection, which must have a timeout."""
    try:
        return _is_settings(_first_frame(connection))
    except OSError:
        return False


def _first_frame(connection: socket.socket) -> bytes:
    """Return the head of what is answered to a client's first words; less of it where the connection ends."""
    head = b""
    connection.sendall(_PREFACE + _EMPTY_SETTINGS)
    while len(head) < _HEAD_BYTES and (more := connection.recv(_HEAD_BYTES - len(head))):
        head += more
    return head


def _is_settings(head: bytes) -> bool:
    return len(head) == _HEAD_BYTES and head[_KIND_AT] == _SETTINGS
