"""Players that listen, relays beside players that do not, TLS and tokens: everything over real sockets."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from interop.scene import CHOOSER, PNG, Scene
from interop.session import SEED, Channels, play
from mlagents_envs import serve as serve_module
from mlagents_envs.attached_communicator import AttachedCommunicator
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.exception import (
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityTimeOutException,
)
from mlagents_envs.relay import Relay
from mlagents_envs.rpc.address import Address
from mlagents_envs.rpc.client import Connection, Player
from mlagents_envs.rpc.listener import ListeningConnection
from mlagents_envs.rpc.security import ClientSecurity, ServerSecurity, is_loopback, read_token
from mlagents_envs.rpc.server import METHOD_OF_LISTENERS, ExchangeServer
from mlagents_envs.serve import serve
from toys.certificates import write_certificate

NAMES = ("size", "color", "speed")
TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def other_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    return write_certificate(tmp_path_factory.mktemp("tls"), "localhost", "127.0.0.1")


@pytest.fixture
def token_file(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return str(file)


class Listening(threading.Thread):
    """`serve_trainers` in a thread, for a number of trainers."""

    def __init__(self, make, port, trainers=1, **kwargs):
        super().__init__(daemon=True)
        self.errors, self._trainers = [], trainers
        self._arguments = make, port, kwargs
        self.start()

    def run(self):
        make, port, kwargs = self._arguments
        security, bind = kwargs.pop("security", ServerSecurity()), kwargs.pop("bind", "localhost")
        for _ in range(self._trainers):
            self.connection = ListeningConnection(port, bind, security)
            player = Player(port, connection=self.connection, **kwargs)
            try:
                with player:
                    serve_module._await_trainer(player)
                    serve_module._play(make, player)
            except Exception as error:
                self.errors.append(error)

    def end(self):
        self.join(20)
        assert not self.is_alive()
        return self.errors


def attach(port, **kwargs):
    return UnityEnvironment(attach=f"127.0.0.1:{port}", **kwargs)


def test_an_environment_that_listens_is_the_same_environment(port):
    listening, channels = Listening(Scene, port, png=PNG), Channels()
    with attach(port, seed=SEED, side_channels=channels.all) as env:
        seen = play(env, channels, 12, NAMES)
    assert listening.end() == []
    channels = Channels()
    expected = play(Scene(seed=SEED, num_areas=None, side_channels=channels.all), channels, 12, NAMES)
    assert seen.keys() == expected.keys()
    for label, values in expected.items():
        np.testing.assert_array_equal(seen[label], values, err_msg=label)


def test_trainers_come_and_go(port):
    listening = Listening(Scene, port, trainers=3)
    for seed in (1, 2, 3):
        with attach(port, seed=seed) as env:
            env.reset()
            assert env.get_steps(CHOOSER)[0].obs[0][0, 1] == seed
    assert listening.end() == []


def test_the_real_loop_serves_one_trainer_after_the_other(port):
    threading.Thread(target=serve_module.serve_trainers, args=(Scene, port), daemon=True).start()
    for seed in (4, 5):
        with attach(port, seed=seed) as env:
            env.reset()
            assert env.get_steps(CHOOSER)[0].obs[0][0, 1] == seed


def test_a_second_trainer_waits_for_the_first_and_is_told_so(port):
    Listening(Scene, port, trainers=2)
    with attach(port, seed=1) as env:
        env.reset()
        begin = time.monotonic()
        with pytest.raises(UnityCommunicatorStoppedException, match="busy with another program"):
            attach(port, timeout_wait=1)
        assert time.monotonic() - begin < 3
        env.step()
    with attach(port, seed=2, timeout_wait=10) as env:
        env.reset()


def test_a_player_that_starts_late_is_waited_for(port):
    late = threading.Timer(0.7, lambda: Listening(Scene, port))
    late.start()
    with attach(port, timeout_wait=20) as env:
        env.reset()


def test_nobody_answers(port):
    with pytest.raises(UnityTimeOutException, match=rf"Nobody answered at 127\.0\.0\.1:{port} for 1 seconds"):
        attach(port, timeout_wait=1)


def test_a_player_that_dies_in_the_middle(port):
    listening = Listening(Scene, port)
    with attach(port) as env:
        env.reset()
        listening.connection._server._server.stop(None).wait()
        with pytest.raises(UnityEnvironmentException, match=rf"player at 127\.0\.0\.1:{port} closed the conn"):
            env.step()


def test_a_player_that_hangs_in_the_middle(port):
    class Slow(Scene):
        def step(self):
            time.sleep(3)

    Listening(Slow, port)
    with attach(port, timeout_wait=1) as env:
        env.reset()
        with pytest.raises(UnityTimeOutException, match=r"sent nothing for 1 seconds\. It may hang"):
            env.step()


def test_a_player_that_fails_in_the_middle_has_left(port):
    class Failing(Scene):
        def step(self):
            raise UnityEnvironmentException("out of order")

    listening = Listening(Failing, port)
    with attach(port) as env:
        env.reset()
        with pytest.raises(UnityCommunicatorStoppedException, match="The environment left"):
            env.step()
    assert [str(error) for error in listening.end()] == ["out of order"]


def test_a_trainer_that_dies_makes_room_for_the_next(port):
    Listening(Scene, port, trainers=2)
    communicator = AttachedCommunicator(f"127.0.0.1:{port}")
    communicator._connection.exchange(b"", 10)  # no handshake: the player gives it up
    communicator._connection.close()
    with attach(port, timeout_wait=20) as env:
        env.reset()


@contextmanager
def listener(reply):
    """A program that sends these bytes to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def answer():
            with suppress(OSError):  # the end of the listener
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(reply)
                        connection.recv(100)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        with suppress(OSError):  # not everywhere may a listener be shut down
            server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.mark.parametrize("reply", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_another_protocol(reply):
    with listener(reply) as where, pytest.raises(UnityEnvironmentException, match="does not speak gRPC"):
        attach(where, timeout_wait=5)


def test_a_player_that_closes_before_its_next_turn(port):
    """It takes a connection while it stops to listen for the trainer before, and closes it without a word."""
    with socket.create_server(("127.0.0.1", port)) as leaving:
        leaving.settimeout(10)
        late = threading.Thread(target=lambda: leaving.accept()[0].close())
        late.start()
        back = threading.Timer(0.5, lambda: (late.join(), leaving.close(), Listening(Scene, port)))
        back.start()
        with attach(port, timeout_wait=20) as env:
            env.reset()


def test_a_trainer_is_no_player(port):
    server = ExchangeServer(port)
    with pytest.raises(UnityEnvironmentException, match=rf"at 127\.0\.0\.1:{port} speaks gRPC, but is no player"):
        attach(port, timeout_wait=5)
    server.close(b"")


def test_a_listening_player_is_no_trainer(port):
    connection = ListeningConnection(port)
    with Player(port) as player, pytest.raises(UnityEnvironmentException, match="is no Python program"):
        player.connect(5)
    connection.close()


def test_an_idle_trainer_has_left(port):
    connection, caller = ListeningConnection(port, idle_s=0.5), Connection(port, method=METHOD_OF_LISTENERS)
    answers = []
    calling = threading.Thread(target=lambda: answers.append(caller.exchange(b"theirs", 10)), daemon=True)
    calling.start()
    assert connection.exchange(b"ours", 10) == b"theirs"
    calling.join(10)
    assert answers == [b"ours"]
    begin = time.monotonic()
    with pytest.raises(UnityTimeOutException, match=r"sent nothing for 0\.5 seconds"):
        connection.exchange(b"ready")
    assert time.monotonic() - begin < 3
    caller.close()
    connection.close()


@pytest.mark.parametrize(
    ("text", "host", "where"),
    [("10.0.0.1:5", "10.0.0.1", 5), ("[::1]:6005", "::1", 6005), ("game.example:65535", "game.example", 65535)],
)
def test_addresses(text, host, where):
    assert Address.parse(text) == (host, where)
    assert str(Address(host, where)) == text


@pytest.mark.parametrize("text", ["", "host", "host:", ":5", "host:x", "host:0", "host:65536", "::1:5", "host:-1"])
def test_no_addresses(text):
    with pytest.raises(ValueError, match=r"expected (HOST:PORT|a port)"):
        Address.parse(text)


# ---- TLS and tokens


def test_encrypted_and_with_a_token_it_is_the_same_environment(port, pems, token_file):
    cert, key = pems
    listening = Listening(Scene, port, security=ServerSecurity(cert, key, token_file))
    with attach(port, seed=3, attach_security=ClientSecurity(cert, token_file)) as env:
        env.reset()
        assert env.get_steps(CHOOSER)[0].obs[0][0, 1] == 3
    assert listening.end() == []


def test_the_usual_direction_is_encrypted_too(port, pems, token_file):
    cert, key = pems
    trusting = ClientSecurity(cert, token_file)
    thread = threading.Thread(target=serve, args=(Scene, port), kwargs={"security": trusting}, daemon=True)
    thread.start()
    with UnityEnvironment(base_port=port, seed=3, security=ServerSecurity(cert, key, token_file)) as env:
        env.reset()
    thread.join(10)
    assert not thread.is_alive()


def test_nothing_can_be_read_on_the_way(port, other_port, pems, token_file):
    """A tap between the two sees neither the token nor the names that plain messages are full of."""
    cert, key = pems
    for security, trusting, readable in [
        (ServerSecurity(token_file=token_file), ClientSecurity(token_file=token_file), True),
        (ServerSecurity(cert, key, token_file), ClientSecurity(cert, token_file), False),
    ]:
        listening = Listening(Scene, port, security=security)
        with tap(other_port, port) as seen, attach(other_port, attach_security=trusting) as env:
            env.reset()
        assert listening.end() == []
        assert (CHOOSER.encode() in bytes(seen)) is readable
        assert TOKEN.encode() not in bytes(seen) or readable


@contextmanager
def tap(port, target):
    """Pass on everything between two ports, and keep it."""
    seen = bytearray()

    def copy(source, sink):
        while data := _receive(source):
            seen.extend(data)
            try:
                sink.sendall(data)
            except OSError:
                break
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept():
        while True:
            try:
                here, _ = server.accept()
            except OSError:
                return
            there = _connected(target)
            sockets.extend((here, there))
            for pair in ((here, there), (there, here)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    sockets = []
    with socket.create_server(("127.0.0.1", port)) as server:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield seen
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    for each in sockets:
        each.close()


def _receive(source):
    try:
        return source.recv(65536)
    except OSError:
        return b""


def _connected(port):
    until = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 10)
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.1)


@pytest.mark.parametrize("said", [None, "another-token-of-that-length"])
def test_without_the_token_nobody_is_let_in(port, pems, token_file, tmp_path, said):
    cert, key = pems
    Listening(Scene, port, security=ServerSecurity(cert, key, token_file))
    file = None
    if said is not None:
        file = str(tmp_path / "other")
        (tmp_path / "other").write_text(said)
    with pytest.raises(UnityEnvironmentException, match="lets nobody in without its token"):
        attach(port, timeout_wait=10, attach_security=ClientSecurity(cert, file))
    with attach(port, timeout_wait=10, attach_security=ClientSecurity(cert, token_file)) as env:  # it is not disturbed
        env.reset()


def test_a_certificate_that_is_not_trusted(port, pems, tmp_path):
    other, _ = write_certificate(tmp_path, "localhost", "127.0.0.1")
    Listening(Scene, port, security=ServerSecurity(*pems))
    with pytest.raises(UnityEnvironmentException, match=r"not trusted: self.signed certificate.*--tls-ca"):
        attach(port, timeout_wait=10, attach_security=ClientSecurity(other))


def test_a_certificate_for_another_host(port, tmp_path):
    cert, key = write_certificate(tmp_path, "game.example")
    Listening(Scene, port, security=ServerSecurity(cert, key))
    with pytest.raises(UnityEnvironmentException, match=r"not trusted: IP address mismatch"):
        attach(port, timeout_wait=10, attach_security=ClientSecurity(cert))


def test_only_one_side_encrypts(port, other_port, pems):
    Listening(Scene, port, security=ServerSecurity(*pems))
    with pytest.raises(UnityEnvironmentException, match=r"if it was started with --tls-cert, say whom to trust"):
        attach(port, timeout_wait=10)
    Listening(Scene, other_port)
    with pytest.raises(UnityEnvironmentException, match=r"does not encrypt as TLS does"):
        attach(other_port, timeout_wait=10, attach_security=ClientSecurity(pems[0]))


def test_listening_to_other_machines_without_encryption_is_refused(port, pems):
    with pytest.raises(UnityEnvironmentException, match=r"Refused to listen on 0\.0\.0\.0 without encryption"):
        ExchangeServer(port, bind="0.0.0.0")
    for permitted in (ServerSecurity(insecure=True), ServerSecurity(*pems)):
        ExchangeServer(port, bind="0.0.0.0", security=permitted).close(b"")


def test_a_token_is_not_sent_to_other_machines_without_encryption(token_file, pems):
    with pytest.raises(UnityEnvironmentException, match=r"Refused to send the token to 192\.0\.2\.1 without"):
        Connection(5, "192.0.2.1", ClientSecurity(token_file=token_file))
    for permitted in (ClientSecurity(pems[0], token_file), ClientSecurity(None, token_file, insecure=True)):
        Connection(5, "192.0.2.1", permitted).close()


def test_key_and_certificate_must_go_together(port, pems, tmp_path):
    _, other_key = write_certificate(tmp_path, "localhost")
    for cert, key, said in [
        (pems[0], other_key, "KEY_VALUES_MISMATCH"),
        (pems[0], None, "expected PEM files"),
        ("/no/such.pem", pems[1], "No such file"),
    ]:
        with pytest.raises(UnityEnvironmentException, match=said):
            ExchangeServer(port, security=ServerSecurity(cert, key))
    with pytest.raises(UnityEnvironmentException, match="No certificates in"):
        Connection(port, security=ClientSecurity(pems[1]))


def test_certificate_and_key_may_be_one_file(port, pems, tmp_path):
    both = tmp_path / "both.pem"
    both.write_text("".join(Path(file).read_text() for file in pems))
    ExchangeServer(port, security=ServerSecurity(str(both))).close(b"")


@pytest.mark.parametrize(
    "content", ["", "short", "two words that are long enough", "x" * 20 + "\n" + "y" * 20, "é" * 20]
)
def test_no_token(tmp_path, content):
    (tmp_path / "token").write_text(content)
    with pytest.raises(UnityEnvironmentException, match=r"No token in .*expected one line"):
        read_token(str(tmp_path / "token"))


@pytest.mark.parametrize(
    ("host", "only_here"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("[::1]", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback(host, only_here):
    assert is_loopback(host) is only_here


def test_names_that_stand_for_nothing_are_not_this_machine(monkeypatch):
    def unknown(*_):
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert not is_loopback("no.such.host.example")


# ---- relays, beside players that call


def test_a_relay_keeps_a_player_waiting_until_a_trainer_attaches(port, other_port):
    relay = Relay(port)
    player = threading.Thread(target=serve, args=(Scene, port), kwargs={"png": PNG}, daemon=True)
    player.start()
    relay.await_player(20)
    connection = ListeningConnection(other_port, poll=relay.check_player)
    passing = threading.Thread(target=relay.pass_on, args=(connection, 20), daemon=True)
    passing.start()
    channels = Channels()
    with attach(other_port, seed=SEED, side_channels=channels.all) as env:
        seen = play(env, channels, 8, NAMES)
    passing.join(20)
    assert not passing.is_alive()
    connection.close()
    relay.close()
    player.join(20)
    assert not player.is_alive()
    channels = Channels()
    expected = play(Scene(seed=SEED, num_areas=None, side_channels=channels.all), channels, 8, NAMES)
    for label, values in expected.items():
        np.testing.assert_array_equal(seen[label], values, err_msg=label)


def test_a_relay_calls_a_trainer_that_listens_with_encryption(port, other_port, pems, token_file):
    cert, key = pems
    relay = Relay(port)
    player = threading.Thread(target=serve, args=(Scene, port), daemon=True)
    player.start()
    relay.await_player(20)
    connection = Connection(other_port, security=ClientSecurity(cert, token_file))
    passing = threading.Thread(target=relay.pass_on, args=(connection, 20), daemon=True)
    passing.start()
    with UnityEnvironment(base_port=other_port, seed=7, security=ServerSecurity(cert, key, token_file)) as env:
        env.reset()
        assert env.get_steps(CHOOSER)[0].obs[0][0, 1] == 7
    passing.join(20)
    assert not passing.is_alive()
    connection.close()
    relay.close()
    player.join(20)
    assert not player.is_alive()


def test_a_relay_notices_that_its_player_is_gone(port, other_port):
    relay = Relay(port)
    caller = Connection(port)

    def call():
        with suppress(ValueError, UnityCommunicatorStoppedException):  # its channel is closed in the middle
            caller.exchange(b"hello", 20)

    calling = threading.Thread(target=call, daemon=True)
    calling.start()
    relay.await_player(20)
    connection = ListeningConnection(other_port, poll=relay.check_player)
    caller.close()
    calling.join(10)
    with pytest.raises(UnityCommunicatorStoppedException, match="dropped its connection"):
        relay.pass_on(connection, 20)
    connection.close()
    relay.close()
