"""Who may connect, and whether others can read along: TLS, and a token that both sides know.

Only names of files are kept, so that these values can be pickled, logged and sent; secrets are read where they are
used.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents_envs.exception import UnityEnvironmentException

if TYPE_CHECKING:
    import grpc

TOKEN_KEY = "authorization"
SYSTEM_ROOTS = "system"
"""Stands for the certificate authorities that the operating system's programs trust."""

_SHORTEST_TOKEN = 16
_SCHEME = "Bearer "


@dataclass(frozen=True)
class ServerSecurity:
    """How a listener is protected.

    Attributes:
      certificate: PEM file with its certificate, followed by those up to the authority; None: no encryption.
      private_key: PEM file with the key of the certificate; None: it is in the same file.
      token_file: file with a token that callers must know; None: anybody may call.
      insecure: listen without encryption even where other machines can connect.
    """

    certificate: str | None = None
    private_key: str | None = None
    token_file: str | None = None
    insecure: bool = False

    def refuse_open(self, bind: str) -> None:
        """Raise an error if other machines could connect to `bind`, and nothing is encrypted.

        Raises:
          UnityEnvironmentException: it is so, and `insecure` does not permit it.
        """
        if self.certificate is None and not self.insecure and not is_loopback(bind):
            raise UnityEnvironmentException(
                f"Refused to listen on {bind} without encryption: others could read along, and connect. Give a"
                " certificate (--tls-cert, --tls-key) and a token (--token-file); or, in a network that you trust,"
                " --insecure."
            )

    def check(self, bind: str) -> None:
        """Raise the error that listening on `bind` would raise.

        Raises:
          UnityEnvironmentException: it is open to others without encryption, or certificate or token cannot be used.
        """
        self.refuse_open(bind)
        self.token()
        self.credentials()

    def credentials(self) -> grpc.ServerCredentials | None:
        """Return what gRPC wants for encryption, None without.

        Raises:
          UnityEnvironmentException: certificate and key cannot be read, or do not go together.
        """
        if self.certificate is None:
            return None
        import grpc

        key = self.private_key or self.certificate
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, key)
            pair = Path(key).read_bytes(), Path(self.certificate).read_bytes()
        except (OSError, ValueError) as error:
            raise UnityEnvironmentException(
                f"No certificate with its key in {self.certificate} and {key} (expected PEM files): {_reason(error)}."
            ) from None
        return grpc.ssl_server_credentials([pair])

    def token(self) -> str | None:
        """Return the token that callers must know; raises as `read_token`."""
        return None if self.token_file is None else read_token(self.token_file)


@dataclass(frozen=True)
class ClientSecurity:
    """How a caller makes sure whom it calls, and says that it may.

    Attributes:
      authorities: PEM file with the certificates that are trusted, or `system`; None: no encryption.
      token_file: file with the token; None: the listener asks for none.
      insecure: send the token without encryption even to another machine.
    """

    authorities: str | None = None
    token_file: str | None = None
    insecure: bool = False

    def context(self) -> ssl.SSLContext | None:
        """Return what Python's TLS wants, None without encryption.

        Raises:
          UnityEnvironmentException: the certificates cannot be read.
        """
        if self.authorities is None:
            return None
        try:
            context = ssl.create_default_context(cafile=None if self.authorities == SYSTEM_ROOTS else self.authorities)
        except (OSError, ValueError) as error:
            raise UnityEnvironmentException(
                f"No certificates in {self.authorities} (expected a PEM file, or {SYSTEM_ROOTS}): {_reason(error)}."
            ) from None
        context.set_alpn_protocols(["h2"])
        return context

    def check(self, host: str) -> None:
        """Raise the error that calling a host would raise, but for those of the network.

        Raises:
          UnityEnvironmentException: the certificates or the token cannot be used.
        """
        self.context()
        self.metadata(host)

    def channel(self, address: str, options: Sequence[tuple[str, object]]) -> grpc.Channel:
        """Return a channel to HOST:PORT; raises as `context`."""
        import grpc

        if self.context() is None:
            return grpc.insecure_channel(address, options=options)
        trusted = None if self.authorities == SYSTEM_ROOTS else Path(str(self.authorities)).read_bytes()
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(trusted), options=options)

    def metadata(self, host: str) -> tuple[tuple[str, str], ...]:
        """Return what goes with each call to a host.

        Raises:
          UnityEnvironmentException: there is no token, or it would go to another machine without encryption.
        """
        if self.token_file is None:
            return ()
        if self.authorities is None and not self.insecure and not is_loopback(host):
            raise UnityEnvironmentException(
                f"Refused to send the token to {host} without encryption. Say whose certificates are trusted"
                " (--tls-ca); or, in a network that you trust, --insecure."
            )
        return ((TOKEN_KEY, _SCHEME + read_token(self.token_file)),)


PLAIN_SERVER, PLAIN_CLIENT = ServerSecurity(), ClientSecurity()
"""Without encryption and token, as Unity's players are."""


def knows_token(metadata: Iterable[tuple[str, str | bytes]], token: str | None) -> bool:
    """Return whether a call's metadata has the token; also if there is none."""
    if token is None:
        return True
    said = [value for key, value in metadata if key == TOKEN_KEY and isinstance(value, str)]
    return len(said) == 1 and hmac.compare_digest(said[0].encode(), (_SCHEME + token).encode())


def read_token(path: str) -> str:
    """Return the token in a file: its only line.

    Raises:
      UnityEnvironmentException: there is none, or it is easy to guess.
    """
    expected = f"expected one line of at least {_SHORTEST_TOKEN} printable ASCII characters without blanks"
    try:
        token = Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise UnityEnvironmentException(f"No token in {path} ({expected}): {_reason(error)}.") from None
    if len(token) < _SHORTEST_TOKEN or not token.isprintable() or len(token.split()) != 1:
        raise UnityEnvironmentException(
            f'No token in {path}: {expected}; make one with: python -c "import secrets; print(secrets.token_urlsafe())"'
        )
    return token


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to an address, or to all that a name stands for."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        pass
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or " ".join(str(error).split())
