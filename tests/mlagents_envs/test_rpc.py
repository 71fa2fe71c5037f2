"""Server and client of the wire in one process: threads play the other side."""

from __future__ import annotations

import socket
import threading
import time
from concurrent import futures
from concurrent.futures import Future

import grpc
import numpy as np
import pytest

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.communicator_objects.command_pb2 import QUIT, RESET
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.communicator_objects.unity_to_external_pb2_grpc import UnityToExternalProtoStub
from mlagents_envs.exception import (
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityTimeOutException,
    UnityWorkerInUseException,
)
from mlagents_envs.rpc import client
from mlagents_envs.rpc.client import Connection, Player, all_capabilities
from mlagents_envs.rpc.codec import encode_actions
from mlagents_envs.rpc.server import METHOD, ExchangeServer
from mlagents_envs.rpc_communicator import RpcCommunicator

SPEC = BehaviorSpec(
    [ObservationSpec((1, 2, 3), (DimensionProperty.UNSPECIFIED,) * 3, ObservationType.DEFAULT, "image")],
    ActionSpec(1, (3,)),
)
NAME = "B?team=0"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def thread():
    """Runs a function in a daemon thread, so that a failed test does not hang; gives its future."""

    def start(function, *args, **kwargs):
        future = Future()

        def run():
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future

    return start


def hello_input(version="1.5.0", package="2.0.0"):
    inputs = UnityInputProto()
    hello = inputs.rl_initialization_input
    hello.seed, hello.num_areas = 3, 2
    hello.communication_version, hello.package_version = version, package
    hello.capabilities.CopyFrom(all_capabilities())
    return inputs


def command_input(command=0, actions=None, side_channel=b""):
    inputs = UnityInputProto()
    inputs.rl_input.command = command
    inputs.rl_input.side_channel = side_channel
    if actions is not None:
        inputs.rl_input.agent_actions[NAME].ParseFromString(encode_actions(actions))
    return inputs


def steps():
    images = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
    batch = DecisionSteps([images], np.zeros(1, np.float32), np.zeros(1, np.int32), None)
    return {NAME: (batch, TerminalSteps.empty(SPEC))}


# ---- the server


def test_calls_and_answers_alternate(thread):
    server, connection = ExchangeServer(port := free_port()), Connection(port, "127.0.0.1")
    call = thread(connection.exchange, b"one", 10)
    assert server.receive(10) == b"one"
    answer = thread(server.exchange, b"first", 10)
    assert call.result(20) == b"first"
    last = thread(connection.exchange, b"two")
    assert answer.result(20) == b"two"
    server.close(b"farewell")
    assert last.result(20) == b"farewell"
    with pytest.raises(UnityCommunicatorStoppedException, match="closed the connection"):
        connection.exchange(b"three")
    server.close(b"again")
    connection.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_both_loopbacks_are_served(thread, host):
    if host == "[::1]" and not socket.has_ipv6:
        pytest.skip("no IPv6")
    server, connection = ExchangeServer(port := free_port()), Connection(port, host)
    call = thread(connection.exchange, b"x", 10)
    assert server.receive(10) == b"x"
    server.close(b"")
    call.result(20)
    connection.close()


def test_only_the_loopback_is_served():
    server = ExchangeServer(port := free_port())
    others = [info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    for address in (address for address in others if not address.startswith("127.")):
        with socket.socket() as probe:
            probe.settimeout(1)
            assert probe.connect_ex((address, port)) != 0
    server.close(b"")


def test_generated_stub_and_large_messages(thread):
    server = ExchangeServer(port := free_port())
    with grpc.insecure_channel(f"localhost:{port}", options=[("grpc.max_receive_message_length", -1)]) as channel:
        message = UnityMessageProto(header={"status": 200, "message": "x" * 6_000_000})
        call = thread(UnityToExternalProtoStub(channel).Exchange, message, wait_for_ready=True)
        assert server.receive(10) == message.SerializeToString()
        server.answer(message.SerializeToString())
        assert call.result(20) == message
        server.close(b"")


def test_a_second_player_is_refused(thread):
    server, first, second = ExchangeServer(port := free_port()), Connection(port), Connection(port)
    call = thread(first.exchange, b"first", 10)
    assert server.receive(10) == b"first"
    with pytest.raises(UnityCommunicatorStoppedException, match="another player is connected"):
        second.exchange(b"second")
    server.answer(b"for the first")
    assert call.result(20) == b"for the first"
    server.close(b"")
    first.close()
    second.close()


def test_other_methods_do_not_exist():
    server = ExchangeServer(port := free_port())
    with grpc.insecure_channel(f"localhost:{port}") as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(METHOD + "Other")(b"", wait_for_ready=True, timeout=10)
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
    server.close(b"")


def test_waiting_ends_with_time_or_what_poll_raises():
    server = ExchangeServer(free_port())
    started = time.monotonic()
    with pytest.raises(UnityTimeOutException, match=r"for 0\.3 seconds"):
        server.receive(0.3)
    assert 0.25 < time.monotonic() - started < 5.0

    def poll():
        raise KeyError("dead")

    with pytest.raises(KeyError):
        server.receive(30, poll)
    assert time.monotonic() - started < 10.0
    server.close(b"")


def test_waiting_costs_nothing():
    server = ExchangeServer(free_port())
    used = time.process_time()
    with pytest.raises(UnityTimeOutException):
        server.receive(1.0)
    assert time.process_time() - used < 0.3
    server.close(b"")


def test_a_dropped_call_cannot_be_answered(thread):
    server, connection = ExchangeServer(port := free_port()), Connection(port)
    call = thread(connection.exchange, b"x", 10)
    server.receive(10)
    connection.close()
    with pytest.raises((UnityCommunicatorStoppedException, ValueError)):
        call.result(20)
    deadline = time.monotonic() + 5
    while server._open_call.context.is_active() and time.monotonic() < deadline:
        time.sleep(0.01)  # the server hears of it a moment later
    with pytest.raises(UnityCommunicatorStoppedException, match="dropped"):
        server.answer(b"y")
    server.close(b"")


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_taken_port(family, host):
    with socket.socket(family) as holder:
        try:
            holder.bind((host, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        holder.listen()
        with pytest.raises(UnityWorkerInUseException, match="worker 3"):
            ExchangeServer(holder.getsockname()[1], worker_id=3)


def test_ports_and_addresses_that_cannot_be():
    with pytest.raises(UnityEnvironmentException, match="70000 is not between"):
        ExchangeServer(70000)
    with pytest.raises(UnityEnvironmentException, match=r"No network address 192\.0\.2\.1"):
        ExchangeServer(free_port(), bind="192.0.2.1")


# ---- communicator and player


def test_player_session(thread):
    communicator = RpcCommunicator(base_port=(port := free_port()), timeout_wait=10)
    player = Player(port, name="Test", png={NAME: ()})
    connecting = thread(player.connect)
    first_call = thread(communicator.initialize, hello_input())
    connecting.result(20)
    assert (player.initialization.seed, player.initialization.num_areas) == (3, 2)
    first_command = thread(player.first_command)
    output = first_call.result(20)
    assert output.rl_initialization_output.name == "Test"
    assert communicator.environment_version == "3.0.0"

    report = thread(communicator.exchange, command_input(RESET, side_channel=b"frames"))
    assert first_command.result(20) == (True, {}, b"frames")
    command = thread(player.report, {NAME: SPEC}, steps(), b"back")
    output = report.result(20)
    assert output.rl_output.side_channel == b"back"
    assert [brain.brain_name for brain in output.rl_initialization_output.brain_parameters] == [NAME]
    assert not output.rl_initialization_output.brain_parameters[0].vector_action_size_deprecated

    actions = ActionTuple(np.array([[0.5]], np.float32), np.array([[2]], np.int32))
    report = thread(communicator.exchange, command_input(actions=actions))
    reset, received, _ = command.result(20)
    assert not reset
    assert (received[NAME].continuous.tolist(), received[NAME].discrete.tolist()) == ([[0.5]], [[2]])
    command = thread(player.report, {NAME: SPEC}, steps())
    assert not report.result(20).rl_initialization_output.brain_parameters  # announced once
    communicator.close()
    with pytest.raises(UnityCommunicatorStoppedException, match="done with the environment"):
        command.result(20)
    player.close()
    assert not communicator.is_open


def test_player_leaves(thread, monkeypatch):
    monkeypatch.setattr(client, "_LEAVE_S", 20.0)
    communicator = RpcCommunicator(base_port=(port := free_port()), timeout_wait=10)
    player = Player(port)
    handshake = thread(communicator.initialize, hello_input())
    player.connect()
    first = thread(player.first_command)
    handshake.result(20)
    exchange = thread(communicator.exchange, command_input(RESET))
    first.result(20)
    started = time.monotonic()
    player.close()
    assert time.monotonic() - started < 10.0  # answered at once
    assert exchange.result(20) is None


def test_player_tells_old_python_what_it_understands(thread):
    """Python 0.16 to 0.22: no hybrid actions, images (height, width, channels)."""
    server = ExchangeServer(port := free_port())
    player = Player(port)
    connecting = thread(player.connect)
    server.receive(10)
    answer = UnityMessageProto(header={"status": 200}, unity_input=hello_input("1.0.0", "0.20.0"))
    answer.unity_input.rl_initialization_input.capabilities.Clear()
    server.answer(answer.SerializeToString())
    connecting.result(20)
    spec = BehaviorSpec(SPEC.observation_specs, ActionSpec(0, (3, 2)))
    call = thread(player.report, {NAME: spec}, steps())
    output = UnityMessageProto.FromString(server.receive(10)).unity_output
    (brain,) = output.rl_initialization_output.brain_parameters
    assert list(brain.vector_action_size_deprecated) == [3, 2]
    (agent,) = output.rl_output.agentInfos[NAME].value
    assert list(agent.observations[0].shape) == [2, 3, 1]
    server.answer(UnityMessageProto(header={"status": 200}, unity_input=command_input(QUIT)).SerializeToString())
    with pytest.raises(UnityCommunicatorStoppedException, match="asks the environment to quit"):
        call.result(20)
    server.close(b"")
    player.close()


def test_player_waits_for_python(thread, monkeypatch):
    for name in ("http_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody there
    port = free_port()
    player = Player(port)
    connecting = thread(player.connect)
    time.sleep(0.5)
    communicator = RpcCommunicator(base_port=port, timeout_wait=10)
    handshake = thread(communicator.initialize, hello_input())
    connecting.result(10)
    first = thread(player.first_command)
    handshake.result(20)
    communicator.close()
    with pytest.raises(UnityCommunicatorStoppedException):
        first.result(20)
    player.close()


def test_nobody_there():
    with Player(free_port()) as player, pytest.raises(UnityTimeOutException, match="No Python program"):
        player.connect(0.3)


def test_a_message_that_the_program_refuses(thread):
    """A server with gRPC's usual limit of 4 MiB, as the official package has it."""
    pool = futures.ThreadPoolExecutor(2)
    server = grpc.server(pool, [grpc.method_handlers_generic_handler(*echo())], options=[("grpc.so_reuseport", 0)])
    server.add_insecure_port(f"127.0.0.1:{(port := free_port())}")
    server.start()
    connection = Connection(port, "127.0.0.1")
    assert connection.exchange(b"hello", 10) == b"hello"
    with pytest.raises(UnityEnvironmentException, match=r"has 5,000,000 bytes.* at most 4,194,304"):
        connection.exchange(bytes(5_000_000))
    connection.close()
    server.stop(None).wait()
    pool.shutdown()


def echo():
    service, method = METHOD.strip("/").split("/")
    return service, {method: grpc.unary_unary_rpc_method_handler(lambda request, _: request)}


def test_the_choice_of_images_is_the_callers_dict():
    png = {}
    player = Player(free_port(), png=png)
    assert player._png is png  # behaviors may be added when they are known
    player.close()


def test_player_refuses_another_major_version(thread):
    communicator = RpcCommunicator(base_port=(port := free_port()), timeout_wait=10)
    player = Player(port)
    connecting = thread(player.connect)
    handshake = thread(communicator.initialize, hello_input("2.0.0"))
    with pytest.raises(UnityEnvironmentException, match=r"version '2\.0\.0'"):
        connecting.result(20)
    player.close()
    with pytest.raises(UnityCommunicatorStoppedException, match="during the handshake"):
        handshake.result(20)


def test_first_message_must_be_a_handshake(thread):
    communicator = RpcCommunicator(base_port=(port := free_port()), timeout_wait=10)
    connection = Connection(port)
    message = UnityMessageProto(header={"status": 200})
    message.unity_output.rl_output.agentInfos[NAME].value.add()
    call = thread(connection.exchange, message.SerializeToString(), 10)
    with pytest.raises(UnityEnvironmentException, match="not a new environment"):
        communicator.initialize(hello_input())
    communicator.close()
    assert UnityMessageProto.FromString(call.result(20)).header.status == 400
    connection.close()


def test_threads_end_with_the_server():
    before = threading.active_count()
    for _ in range(3):
        ExchangeServer(free_port()).close(b"")
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= before
