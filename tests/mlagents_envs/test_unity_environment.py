"""`UnityEnvironment` against player processes over loopback; `player.py` has the players."""

from __future__ import annotations

import importlib.util
import logging
import os
import shlex
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.exception import (
    UnityActionException,
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityNotFiniteException,
    UnityTimeOutException,
    UnityWorkerInUseException,
)
from mlagents_envs.mock_communicator import MockCommunicator
from mlagents_envs.rpc.client import Player
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.raw_bytes_channel import RawBytesChannel
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel
from mlagents_envs.testing import check_env

SCRIPT = Path(__file__).with_name("player.py")
_module_spec = importlib.util.spec_from_file_location("player_script", SCRIPT)
players = importlib.util.module_from_spec(_module_spec)
_module_spec.loader.exec_module(players)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the players are started by a shell script")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def executable(tmp_path):
    path = tmp_path / "Player.x86_64"
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(SCRIPT))} "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def start(executable):
    """Starts an environment of a scenario; closes it after the test."""
    environments = []

    def make(scenario="ball", extra=(), **kwargs):
        kwargs.setdefault("timeout_wait", 20)
        kwargs.setdefault("base_port", free_port())
        env = UnityEnvironment(str(executable), additional_args=["--scenario", scenario, *extra], **kwargs)
        environments.append(env)
        return env

    yield make
    for env in environments:
        env.__exit__()


def impatient(env):
    """From now on the player gets 1 second; it had all the time that a busy machine may need to start it."""
    env._timeout_wait = env._communicator.timeout_wait = 1


@pytest.fixture
def quiet():
    """As `mlagents-learn` sets it: what players print is kept, not shown."""
    logger = logging.getLogger("mlagents_envs.environment")
    before = logger.level
    logger.setLevel(logging.INFO)
    yield
    logger.setLevel(before)


# ---- whole sessions


def test_session(start):
    env = start(seed=5, num_areas=4)
    assert dict(env.behavior_specs) == {}
    with pytest.raises(UnityActionException, match=r"no behavior '3DBall\?team=0'"):
        env.get_steps(players.BALL)
    env.reset()
    spec = env.behavior_specs[players.BALL]
    assert spec.action_spec == ActionSpec(2, ())
    assert spec.observation_specs[0].shape == (8,)
    assert env.academy_capabilities.multiAgentGroups
    decision_steps, terminal_steps = env.get_steps(players.BALL)
    assert decision_steps.agent_id.tolist() == list(range(12))
    assert len(terminal_steps) == 0
    assert decision_steps.obs[0][0].tolist() == [0, 5, 1, 0, 0, 4, 0, 0]
    for step in range(1, 7):
        action = spec.action_spec.random_action(12)
        env.set_actions(players.BALL, action)
        env.step()
        decision_steps, terminal_steps = env.get_steps(players.BALL)
        assert (decision_steps.obs[0][:, 0] == step).all()
        assert np.array_equal(decision_steps.obs[0][:, 3:5], action.continuous)
        assert decision_steps.reward.tolist() == [np.float32(0.1)] * 12
        assert list(terminal_steps) == ([3] if step % 3 == 2 else [])
        if step % 3 == 2:
            assert 3 in decision_steps
            assert terminal_steps[3].reward == -1.0
            assert terminal_steps[3].interrupted is (step % 2 == 0)
    env.step()  # no actions: zeros
    assert not env.get_steps(players.BALL)[0].obs[0][:, 3:5].any()
    env.reset()
    assert (env.get_steps(players.BALL)[0].obs[0][:, 2] == 2).all()
    process = env._process
    env.close()
    assert process.returncode == 0
    for method in (env.close, env.step, env.reset):
        with pytest.raises(UnityEnvironmentException, match="No environment loaded"):
            method()


@pytest.mark.parametrize("scenario", ["ball", "grid", "images"])
def test_contract(start, scenario):
    check_env(lambda: start(scenario), steps=30)


def test_first_step_resets(start):
    env = start()
    env.step()
    assert (env.get_steps(players.BALL)[0].obs[0][:, 2] == 1).all()


def test_actions_of_single_agents(start):
    env = start()
    env.reset()
    one = ActionTuple(np.array([[0.5, -0.5]], np.float32))
    env.set_action_for_agent(players.BALL, 7, one)
    env.set_action_for_agent(players.BALL, 2, one)
    everyone = np.full((12, 2), 0.25, np.float32)
    env.step()
    moved = env.get_steps(players.BALL)[0].obs[0][:, 3:5]
    assert moved.any(axis=1).nonzero()[0].tolist() == [2, 7]
    env.set_actions(players.BALL, ActionTuple(everyone))
    env.set_action_for_agent(players.BALL, 7, one)
    assert (everyone == 0.25).all()  # the caller's array stays
    env.step()
    moved = env.get_steps(players.BALL)[0].obs[0][:, 3:5]
    assert moved[7].tolist() == [0.5, -0.5]
    assert (np.delete(moved, 7, axis=0) == 0.25).all()
    with pytest.raises(IndexError, match="Agent 99"):
        env.set_action_for_agent(players.BALL, 99, one)
    with pytest.raises(UnityActionException, match=r"\(11, 2\)"):
        env.set_actions(players.BALL, ActionTuple(everyone[:11]))
    with pytest.raises(UnityActionException, match="no behavior 'Ball'"):
        env.set_actions("Ball", one)


def test_masks_groups_and_a_behavior_that_comes_later(start):
    env = start("grid")
    env.reset()
    mapping = env.behavior_specs
    assert list(mapping) == [players.GRID]
    steps, _ = env.get_steps(players.GRID)
    assert steps.agent_id.tolist() == [200, 5, 1]
    assert steps.group_id.tolist() == [1, 1, 2]
    assert steps.group_reward.tolist() == [0.25, 0.25, 0.5]
    assert [mask.tolist() for mask in steps.action_mask] == [
        [[False, False, True], [False, True, False], [False, False, False]],
        [[True, False], [False, False], [False, True]],
    ]
    for _ in range(2):
        action = env.behavior_specs[players.GRID].action_spec.random_action(3)
        env.set_actions(players.GRID, action)
        env.step()
        assert np.array_equal(env.get_steps(players.GRID)[0].obs[0], action.discrete)
    assert list(mapping) == [players.GRID, players.BALL]
    assert mapping[players.BALL].action_spec == ActionSpec(1, (2,))
    assert len(env.get_steps(players.BALL)[0]) == 1
    env.step()


def test_side_channels(start):
    echo, stats = RawBytesChannel(players.ECHO_ID), StatsSideChannel()
    channels = [echo, stats, EngineConfigurationChannel()]
    env = start(side_channels=channels)
    assert [type(channel).__name__ for channel in channels[3:]] == ["DefaultTrainingAnalyticsSideChannel"]
    echo.send_raw_data(b"one")
    echo.send_raw_data(b"two")
    env.reset()
    env.step()
    assert echo.get_and_clear_received_messages() == [b"one", b"two"]
    average = StatsAggregationMethod.AVERAGE
    assert stats.get_and_reset_stats() == {"step": [(0.0, average), (1.0, average)]}


def test_images(start):
    env = start("images")
    env.reset()
    assert env.behavior_specs[players.BALL].observation_shapes == [(3, 6, 5), (3, 6, 5)]
    compressed, raw = env.get_steps(players.BALL)[0].obs
    assert np.allclose(compressed, players.shown_images(), atol=1e-6)
    assert np.array_equal(raw, players.shown_images()[::-1])


def test_messages_beyond_the_usual_limit(start):
    env = start("big")
    env.reset()
    env.step()
    assert np.array_equal(env.get_steps(players.BALL)[0].obs[0][0], np.arange(2_000_000, dtype=np.float32))


@pytest.mark.parametrize("package", ["1.0.8-preview", "1.9.1"])
def test_old_packages(start, package):
    # 1.0.8 goes silent when it sees a newer package version than 0.25.999.
    env = start("legacy", ["--package", package])
    env.reset()
    spec = env.behavior_specs["Old?team=0"]
    assert spec.action_spec == ActionSpec(2, ())
    assert spec.observation_shapes == [(1, 2, 3), (2,)]
    steps, _ = env.get_steps("Old?team=0")
    assert steps.obs[0].tolist() == [[[[0.0, 0.25, 0.5], [0.75, 1.0, 0.125]]]]
    env.set_actions("Old?team=0", np.array([[0.5, -1.0]], np.float32))  # an array, as programs of 2020 do
    env.step()
    assert env.get_steps("Old?team=0")[0].obs[1].tolist() == [[0.5, -1.0]]


def test_context_manager(start):
    with start() as env:
        env.reset()
        process = env._process
    assert process.poll() == 0
    with start() as env:
        env.close()  # early is no error


def test_command_line(start, tmp_path):
    port = free_port()
    env = start(base_port=port, worker_id=0, no_graphics=True, log_folder=str(tmp_path / "logs"), extra=["--x"])
    log = str(tmp_path / "logs" / "Player-0.log")
    assert env._executable_args() == [
        *["-nographics", "-batchmode", "--mlagents-port", str(port), "-logFile", log],
        *["--scenario", "ball", "--x"],
    ]
    with pytest.raises(UnityWorkerInUseException, match="worker 0"):
        start(base_port=port)
    env.close()
    assert start(base_port=port) is not None  # the port is free at once


# ---- faults


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("scenario", "message"),
    [("crash", r"return code 3\.\nLast lines of its output:\n.*the last words"), ("segfault", r"-11 \(SIGSEGV\)")],
)
def test_crash(start, scenario, message):
    env = start(scenario)
    env.reset()
    env.step()
    started = time.monotonic()
    with pytest.raises(UnityEnvironmentException, match=message):
        env.step()
    assert time.monotonic() - started < 15  # of 20
    env.close()


@pytest.mark.usefixtures("quiet")
def test_crash_before_connecting(start, tmp_path):
    logs = tmp_path / "logs"
    with pytest.raises(UnityEnvironmentException, match=r"(?s)return code 4.*Player-0\.log:.*no camera.*cannot open"):
        start("early", log_folder=str(logs))


def test_a_program_that_is_no_environment_is_named(tmp_path):
    path = tmp_path / "quick"
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o755)
    with pytest.raises(UnityEnvironmentException) as caught:
        UnityEnvironment(str(path), base_port=free_port(), timeout_wait=20)
    assert str(caught.value).startswith("Environment shut down with return code 0.\n" + str(path))
    assert "ended before it connected" in str(caught.value)


def test_silence_at_the_start(start):
    port = free_port()
    with pytest.raises(UnityTimeOutException, match="did not connect within 1 seconds"):
        start("silent", timeout_wait=1, base_port=port)
    children = [child for child in psutil.Process().children(recursive=True) if child.status() != "zombie"]
    assert not any(str(port) in child.cmdline() for child in children)


def test_silence_after_the_handshake():
    player = Player(port := free_port())
    threading.Thread(target=player.connect, daemon=True).start()
    with pytest.raises(UnityTimeOutException, match="is connected, but sent nothing for 3 seconds"):
        UnityEnvironment(base_port=port, timeout_wait=3)
    player._connection.close()


def test_hang(start):
    env = start("hang")
    env.reset()
    env.step()
    impatient(env)
    with pytest.raises(UnityTimeOutException, match=r"(?s)sent nothing for 1 seconds.*It hangs"):
        env.step()
    process = env._process
    env.close()
    assert process.returncode == -signal.SIGKILL


def test_player_that_will_not_leave_is_killed(start, caplog):
    env = start("stubborn")
    env.reset()
    impatient(env)
    process = env._process
    env.close()
    assert process.returncode == -signal.SIGKILL
    assert "was killed" in caplog.text


def test_player_that_leaves(start):
    env = start("leave")
    env.reset()
    env.step()
    with pytest.raises(UnityCommunicatorStoppedException, match="left"):
        env.step()
    process = env._process
    env.close()
    assert process.returncode == 0


def test_dropped_connection(start):
    env = start("drop", timeout_wait=60)
    env.reset()
    env.step()
    started = time.monotonic()
    with pytest.raises(UnityEnvironmentException, match=r"closed its connection.*Its process still runs"):
        env.step()
    assert time.monotonic() - started < 20
    env._timeout_wait = 0  # it will not leave by itself


def test_behaviors_that_are_never_announced(start):
    env = start("unannounced")
    env.reset()
    with pytest.raises(
        UnityEnvironmentException, match=r"2 agents of behavior 'Grid\?team=1', which it never announced"
    ):
        env.step()


def test_a_behavior_that_becomes_another(start):
    env = start("changed")
    env.reset()
    with pytest.raises(UnityEnvironmentException) as caught:
        env.step()
    for word in ("'3DBall?team=0' for the second time", "(Continuous: 1, Discrete: ()) before", "Continuous: 2"):
        assert word in str(caught.value)


@pytest.mark.parametrize("scenario", ["announced-early", "announced-again"])
def test_announcements_before_the_first_agent_and_twice(start, scenario):
    env = start(scenario)
    env.reset()
    env.step()
    env.step()
    assert list(env.behavior_specs) == [players.BALL, players.GRID]
    assert env.behavior_specs[players.GRID].action_spec == ActionSpec(0, (3,))
    assert env.get_steps(players.GRID)[0].agent_id.tolist() == [0, 1]


def test_killed_player(start):
    env = start()
    env.reset()
    env._process.kill()
    with pytest.raises(UnityEnvironmentException, match="SIGKILL"):
        env.step()


def test_garbage_and_nan(start):
    for scenario, expected in (("garbage", UnityEnvironmentException), ("nan", UnityNotFiniteException)):
        env = start(scenario)
        env.reset()
        env.step()
        with pytest.raises(expected):
            env.step()


def test_another_version(start):
    with pytest.raises(UnityEnvironmentException, match=r"speaks version '2\.0\.0'.*this program 1\.5\.0"):
        start("legacy", ["--api", "2.0.0", "--package", "9.0.0"])


def test_editor_has_no_workers():
    with pytest.raises(UnityEnvironmentException, match="worker_id is 1"):
        UnityEnvironment(worker_id=1)


def test_editor(caplog, executable):
    """Nobody presses Play; then somebody does."""
    port = free_port()
    caplog.set_level(logging.INFO, "mlagents_envs.environment")
    with pytest.raises(UnityTimeOutException, match="Play was not pressed"):
        UnityEnvironment(base_port=port, timeout_wait=1)
    assert f"Listening on port {port}. Start training by pressing the Play button" in caplog.text
    with subprocess.Popen([executable, "--mlagents-port", str(port)], stdout=subprocess.DEVNULL) as editor:
        with UnityEnvironment(base_port=port, timeout_wait=20) as env:
            env.reset()
            assert len(env.get_steps(players.BALL)[0]) == 12
        assert editor.wait(10) == 0


# ---- nothing outlives us


def run_python(program, *arguments):
    program = textwrap.dedent(program)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_gone(pid):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


START = """
    import os, signal, sys
    from mlagents_envs.environment import UnityEnvironment
    env = UnityEnvironment(sys.argv[1], base_port=int(sys.argv[2]), timeout_wait=20)
    env.reset()
    print("pid", env._process.pid, flush=True)
"""


@pytest.mark.parametrize("end", ["", "    os.kill(os.getpid(), signal.SIGKILL)\n", "    raise KeyError\n"])
def test_player_ends_with_the_program(executable, end):
    with run_python(START + end, executable, free_port()) as program:
        output, _ = program.communicate(timeout=60)
    assert is_gone(int(output.partition("pid ")[2].split()[0]))


def test_threads_may_end_before_their_environment(start):
    # A parent-death signal would kill the player here.
    program = """
        import sys, threading
        from mlagents_envs.environment import UnityEnvironment
        made = []
        thread = threading.Thread(target=lambda: made.append(UnityEnvironment(sys.argv[1], base_port=int(sys.argv[2]))))
        thread.start()
        thread.join()
        made[0].reset()
        made[0].step()
        made[0].close()
        print("fine")
    """
    env = start()  # only for the executable's sake
    with run_python(program, env._file_name, free_port()) as running:
        output, errors = running.communicate(timeout=60)
    assert "fine" in output, errors


@pytest.mark.parametrize("file_name", [False, True])
def test_ctrl_c_while_waiting(executable, file_name):
    program = """
        import sys
        from mlagents_envs.environment import UnityEnvironment
        print("waiting", flush=True)
        file_name = sys.argv[1] or None
        try:
            UnityEnvironment(file_name, base_port=int(sys.argv[2]), additional_args=["--scenario", "silent"])
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    with run_python(program, executable if file_name else "", free_port()) as running:
        running.stdout.readline()
        time.sleep(0.7)
        children = psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGINT)
        started = time.monotonic()
        output, errors = running.communicate(timeout=60)
        assert time.monotonic() - started < 15  # of 60
    assert (output, running.returncode) == ("interrupted\n", 0), errors
    assert all(is_gone(child.pid) for child in children)


# ---- in memory, as tests of other programs do it


def test_mock_communicator(monkeypatch):
    communicator = MockCommunicator(discrete_action=True, visual_inputs=1)
    monkeypatch.setattr(UnityEnvironment, "_get_communicator", staticmethod(lambda *_: communicator))
    env = UnityEnvironment()
    spec = env.behavior_specs["RealFakeBrain"]
    assert spec.observation_shapes == [(3, 30, 40), (3,)]
    assert spec.action_spec == ActionSpec(0, (3, 2))
    env.set_actions("RealFakeBrain", spec.action_spec.empty_action(2))  # before the first reset: no effect
    with pytest.raises(KeyError):
        env.get_steps("RealFakeBrain")
    env.reset()
    decision_steps, terminal_steps = env.get_steps("RealFakeBrain")
    assert decision_steps.obs[1].tolist() == [[1, 2, 3], [1, 2, 3]]
    assert terminal_steps.agent_id.tolist() == [2]
    env.step()
    env.close()
    assert communicator.has_been_closed


def test_programs_may_replace_what_launches_the_player(monkeypatch):
    launched = []

    def launch(file_name, args, *_):
        launched.append((file_name, args))
        return object()

    monkeypatch.setattr("mlagents_envs.env_utils.launch_executable", launch)
    monkeypatch.setattr(UnityEnvironment, "_get_communicator", lambda *_: communicator)
    communicator = MockCommunicator(discrete_action=False, visual_inputs=0)
    env = UnityEnvironment(" ", worker_id=2)
    assert launched == [(" ", ["--mlagents-port", "5007"])]
    assert list(env.behavior_specs) == ["RealFakeBrain"]
    env.reset()
    env.step()
    env.close()
    assert communicator.has_been_closed
