"""The gRPC side that Python plays: a server on which one player makes one call at a time.

A player's call carries its report and returns with our next command; between steps a call is always open. So
Python never sends on its own: `exchange` answers the open call and waits for the next one.

A player that listens (`rpc/listener.py`) is such a server, too, with the other method: there trainers call.
"""

from __future__ import annotations

import errno
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc

from mlagents_envs.exception import (
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityTimeOutException,
    UnityWorkerInUseException,
)
from mlagents_envs.rpc.security import PLAIN_SERVER, ServerSecurity, knows_token

METHOD = "/communicator_objects.UnityToExternalProto/Exchange"
METHOD_OF_LISTENERS = "/communicator_objects.ExternalToUnityProto/Exchange"
SESSION_KEY = "mlagents-session"
"""Metadata with which a caller says that all its calls are one's: the first to call is the only one."""

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]

PollCallback = Callable[[], None]

_WATCH_PERIOD_S = 0.2  # how often a waiting server looks whether the player is alive
_RECONNECT_S = 2.0  # for a player whose connection broke to call again
_FLUSH_S = 0.5  # for the last answer to leave before the connection is cut


@dataclass
class _Call:
    request: bytes
    context: Any
    answer: queue.SimpleQueue[bytes] = field(default_factory=queue.SimpleQueue)


class ExchangeServer:
    """Listens for one player.

    Args:
      port: TCP port.
      worker_id: named in the exception when the port is taken.
      bind: address to listen on; `localhost` is both loopback addresses, since players may try either.
      security: encryption and token.
      method: which callers call.

    Raises:
      UnityWorkerInUseException: the port is taken.
      UnityEnvironmentException: the port or address cannot be used at all, or not without encryption.
    """

    def __init__(
        self,
        port: int,
        worker_id: int = 0,
        bind: str = "localhost",
        security: ServerSecurity = PLAIN_SERVER,
        method: str = METHOD,
    ) -> None:
        addresses = _free_addresses(bind, port, worker_id)
        security.refuse_open(bind)
        handler = _Handler(method, self._serve, security.token())
        credentials = security.credentials()
        self._port = port
        self._was_called = False
        self._requests: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._open_call: _Call | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._workers = _DaemonWorkers()
        options = [*UNLIMITED, ("grpc.so_reuseport", 0)]
        self._server = grpc.server(self._workers, handlers=(handler,), options=options)
        for address in addresses:
            self._add_port(address, worker_id, credentials)
        self._server.start()

    def receive(self, timeout_s: float, poll: PollCallback | None = None) -> bytes:
        """Return the player's next request.

        Args:
          timeout_s: how long to wait.
          poll: called now and then while waiting; what it raises ends the waiting.

        Raises:
          UnityTimeOutException: no request came in time.
          UnityCommunicatorStoppedException: the player, which had called before, has closed its connection.
        """
        deadline = time.monotonic() + timeout_s
        connected = time.monotonic()
        while True:
            left = deadline - time.monotonic()
            try:
                request = self._requests.get(timeout=max(0.0, min(_WATCH_PERIOD_S, left))).request
                self._was_called = True
                return request
            except queue.Empty:
                if poll is not None:
                    poll()
            if not self._was_called or _is_connected(self._port):
                connected = time.monotonic()
            elif time.monotonic() - connected > _RECONNECT_S:
                raise UnityCommunicatorStoppedException(
                    f"The environment closed its connection to port {self._port} without a word."
                )
            if left <= 0:
                raise UnityTimeOutException(f"The environment sent nothing for {timeout_s:g} seconds.")

    def answer(self, data: bytes) -> None:
        """Return the open call.

        Raises:
          UnityCommunicatorStoppedException: the player has dropped the call.
        """
        call = self._waiting()
        self._open_call = None  # first: the player may call again at once
        call.answer.put(data)

    def check_waiting(self) -> None:
        """Raise an error unless a call is open; raises as `answer`."""
        self._waiting()

    def _waiting(self) -> _Call:
        call = self._open_call
        if call is None or not call.context.is_active():
            raise UnityCommunicatorStoppedException(
                "The environment dropped its connection while it was waiting for an answer."
            )
        return call

    def exchange(self, data: bytes, timeout_s: float, poll: PollCallback | None = None) -> bytes:
        """Answer the open call with `data`, and wait for the next one; raises as `answer` and `receive`."""
        self.answer(data)
        return self.receive(timeout_s, poll)

    def close(self, farewell: bytes) -> None:
        """Answer the open call, if any, with `farewell`, and stop listening. May be called again."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._open_call is not None:
            self._open_call.answer.put(farewell)
        self._server.stop(_FLUSH_S).wait(2 * _FLUSH_S)
        self._workers.shutdown(wait=False)

    def _serve(self, request: bytes, context: Any) -> bytes:
        call = _Call(request, context)
        with self._lock:
            if self._closed:
                context.abort(grpc.StatusCode.UNAVAILABLE, "closed")
            if self._open_call is not None:
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "another player is connected to this port")
            self._open_call = call
        self._requests.put(call)
        return call.answer.get()

    def _add_port(self, address: str, worker_id: int, credentials: Any) -> None:
        try:
            if credentials is None:
                bound = self._server.add_insecure_port(address)
            else:
                bound = self._server.add_secure_port(address, credentials)
        except RuntimeError:
            bound = 0
        if not bound:
            raise UnityWorkerInUseException(worker_id)


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Routes the one method there is, with bytes as they come: what cannot be parsed is ours to explain.

    Who does not know the token, or calls for another session than the first, is refused before anything is read.
    """

    def __init__(self, method: str, serve: Callable[[bytes, Any], bytes], token: str | None) -> None:
        self._name, self._token = method, token
        self._session: str | bytes | None = None
        self._method = grpc.unary_unary_rpc_method_handler(serve)
        self._lock = threading.Lock()

    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method != self._name:
            return None
        metadata = handler_call_details.invocation_metadata or ()
        if not knows_token(metadata, self._token):
            return _refusing(grpc.StatusCode.UNAUTHENTICATED, "the token is missing or wrong")
        session = next((value for key, value in metadata if key == SESSION_KEY), "")
        with self._lock:
            if self._session is None:
                self._session = session
        if session != self._session:
            return _refusing(grpc.StatusCode.RESOURCE_EXHAUSTED, "it is busy with another program")
        return self._method


def _refusing(code: Any, details: str) -> Any:
    """Return a handler that refuses a call. On the wire a stream of requests is as one, and is not waited for."""
    return grpc.stream_unary_rpc_method_handler(lambda requests, context: context.abort(code, details))


class _DaemonWorkers(futures.Executor):
    """Two daemon threads, one for the open call and one to refuse others.

    The threads of a ThreadPoolExecutor are joined when the interpreter exits, which would wait for ever for a
    call that nobody answers.
    """

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        future: futures.Future[Any] = futures.Future()

        def task() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        self._tasks.put(task)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        for _ in self._threads:
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


def _is_connected(port: int) -> bool:
    """Return whether anybody has a connection to a port of this process; True where the system does not tell."""
    import psutil  # only who waits for long needs it

    try:
        process = psutil.Process()
        connections = (getattr(process, "net_connections", None) or process.connections)("tcp")  # the name before 6.0
    except (psutil.Error, OSError):
        return True
    return any(end.status == psutil.CONN_ESTABLISHED and end.laddr.port == port for end in connections)


def _free_addresses(bind: str, port: int, worker_id: int) -> list[str]:
    """Return the addresses of `bind` that exist here, as gRPC writes them; all must be free."""
    if not 0 < port < 65536:
        raise UnityEnvironmentException(f"Port {port} is not between 1 and 65535; check base_port and worker_id.")
    hosts = ["127.0.0.1", "::1"] if bind == "localhost" else [bind.strip("[]")]
    free = [host for host in hosts if _is_free(host, port, worker_id)]
    if not free:
        raise UnityEnvironmentException(f"No network address {' or '.join(hosts)} exists on this machine.")
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in free]


def _is_free(host: str, port: int, worker_id: int) -> bool:
    """Return True if one can listen there, False if the address does not exist."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if sys.platform == "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                # A port whose last connection is still in TIME_WAIT counts as free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((host, port))
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)):
            raise UnityWorkerInUseException(worker_id) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise UnityEnvironmentException(f"No permission to listen on port {port} of {host}: {error}") from None
        return False
    return True
