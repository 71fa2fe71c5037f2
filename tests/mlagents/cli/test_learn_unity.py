"""`mlagents-learn` with players: how they are started, what they are told, and how a run ends with them."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PLAYER = Path(__file__).with_name("unity_player.py")
CONFIG = """\
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 128}
    network_settings: {hidden_units: 8, num_layers: 1}
    max_steps: 100000000
    time_horizon: 5
    summary_freq: 100
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the players are started by a shell script")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run.yaml").write_text(CONFIG)
    player = tmp_path / "Player.x86_64"
    player.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(PLAYER))} "$@"\n')
    player.chmod(0o755)
    return tmp_path


def start(folder, *flags, scenario="play", extra=(), port=None, **kwargs):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "mlagents.cli.learn", "run.yaml", "--run-id=r", "--seed=1", "--env=Player"),
            *(f"--base-port={port or free_port()}", *flags, "--env-args", f"--scenario={scenario}", *extra),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **kwargs,
    )


def read_until(process, words):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def finish(process):
    output, _ = process.communicate(timeout=60)
    assert "Traceback" not in output, output
    assert "SystemExit" not in output, output
    return output


def gone(processes, within_s):
    _, alive = psutil.wait_procs(processes, within_s)
    return not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


def family(process):
    return psutil.Process(process.pid).children(recursive=True)


def test_a_player_that_leaves_ends_the_run_well(folder):
    with start(folder, scenario="leave") as process:
        output = finish(process)
    assert process.returncode == 0, output
    assert "The environment left" in output
    assert "restarted" not in output
    assert "Connected to Unity environment" in output  # workers log as the trainer does
    assert "the player says hello" not in output  # kept for when something goes wrong
    status = json.loads((folder / "models/r/training_status.json").read_text())
    assert 300 <= status["Basic"]["final_checkpoint"]["steps"] <= 400
    assert (folder / "models/r/Basic.onnx").is_file()


def test_numbers_that_are_not_finite_are_repaired_and_stop_the_run_when_they_keep_coming(folder):
    with start(folder, scenario="nan") as process:
        output = finish(process)
    assert process.returncode == 1, output
    assert "behavior Basic: vector of agent 0 in environment 0 is nan at [1], in decision round" in output
    assert output.count("before the run stops") == 10
    assert "This was number 11: the run stops here" in output
    assert "restarted" not in output
    (checkpoint,) = json.loads((folder / "models/r/training_status.json").read_text())["Basic"]["checkpoints"]
    assert checkpoint["steps"] > 700  # forty for each
    with start(folder, "--resume", scenario="leave") as process:
        output = finish(process)
    assert process.returncode == 0, output
    assert f"resuming training from step {checkpoint['steps']}" in output


def test_a_crash_is_restarted_and_the_limit_is_one_message(folder):
    with start(folder, scenario="crash") as process:
        output = finish(process)
    assert process.returncode == 1, output
    assert "Worker 0: Environment shut down with return code 3; it is restarted." in output
    assert output.count("the last words of the player") == 2  # in the warning, and in the error
    assert "--restarts-rate-limit-n=1" in output
    assert (folder / "models/r/Basic.onnx").is_file()


def test_a_player_that_cannot_start_is_one_message(folder):
    with start(folder, scenario="early") as process:
        output = finish(process)
    assert process.returncode == 1
    assert "error: Environment shut down with return code 4." in output
    assert "cannot open display" in output
    with start(folder, scenario="early") as process:
        assert "is taken" not in finish(process)  # the logs of a player are no run


def test_silence_has_its_diagnosis(folder):
    (folder / "Player.x86_64").write_text("#!/bin/sh\necho the player says hello\nexec sleep 600\n")
    with start(folder, "--timeout-wait=3") as process:
        output = finish(process)
    assert process.returncode == 1
    assert "error: The environment did not connect within 3 seconds." in output
    assert "the player says hello" in output


def test_the_next_free_port_engine_settings_and_ctrl_c(folder):
    engine = ["--width=100", "--height=50", "--quality-level=3", "--time-scale=7.5", "--capture-frame-rate=30"]
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        record = ["--record", str(folder / "record")]
        with start(folder, *engine, "--target-frame-rate=25", port=port, extra=record) as process:
            output = read_until(process, "Step: 200.")
            process.send_signal(signal.SIGINT)
            finish(process)
    assert f"[WARNING] Port {port} is in use; worker 0 uses " in output
    assert process.returncode == 0
    assert sorted((folder / "record").read_text().splitlines()) == [
        "('CAPTURE_FRAME_RATE', 30)",
        "('QUALITY_LEVEL', 3)",
        "('SCREEN_RESOLUTION', 100, 50)",
        "('TARGET_FRAME_RATE', 25)",
        "('TIME_SCALE', 7.5)",
    ]


def test_an_address_for_others_is_refused_without_encryption_and_then_warned_of(folder):
    with start(folder, "--bind=0.0.0.0", scenario="early") as process:
        assert "error: Refused to listen on 0.0.0.0 without encryption" in finish(process)
    with start(folder, "--bind=0.0.0.0", "--insecure", scenario="early") as process:
        assert "Listening on 0.0.0.0: any machine may connect, unencrypted" in finish(process)


def test_ctrl_c_while_a_player_is_awaited(folder):
    with start(folder, "--num-envs=2", scenario="silent") as process:
        deadline = time.monotonic() + 30
        while sum("unity_player.py" in " ".join(p.cmdline()) for p in family(process)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        processes = family(process)
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        output = finish(process)
        assert time.monotonic() - begin < 4  # about 1 when nothing else runs
    assert process.returncode == 130, output
    assert gone(processes, within_s=1)


@pytest.mark.parametrize("delay", [0.0, pytest.param(0.2, marks=pytest.mark.slow)])
def test_ctrl_c_in_the_terminal_while_workers_start(folder, delay):
    with start(folder, "--num-envs=3", scenario="silent", start_new_session=True) as process:
        deadline = time.monotonic() + 30
        while not any("spawn_main" in " ".join(p.cmdline()) for p in family(process)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        output = finish(process)
    *ends, last = output.splitlines()
    assert (last, process.returncode) == ("interrupted", 130)
    # A worker that had come as far as starting its player says that it stopped it.
    expected = ("SIGINT: the start is given up", "[INFO] Environment shut down with ")
    assert all(line.startswith(expected) for line in ends), output


def test_ctrl_c_while_a_player_hangs(folder):
    with start(folder, scenario="hang", extra=["-logFile", "log"]) as process:
        read_until(process, "Step: 300.")
        time.sleep(1.5)
        processes = family(process)
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        output = finish(process)
        assert time.monotonic() - begin < 12
    assert process.returncode == 0, output
    assert (folder / "models/r/Basic.onnx").is_file()
    assert gone(processes, within_s=1)


def test_the_editor(folder):
    """Waiting and Ctrl+C; then Play, and its end; then a port that is taken."""
    command = [sys.executable, "-m", "mlagents.cli.learn", "run.yaml", "--run-id=r", "--seed=1"]
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 5004)) == 0:
            pytest.skip("port 5004 is in use")
    pipes = {"cwd": folder, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, **pipes) as waiting:
        output = read_until(waiting, "Play")
        assert "Listening on port 5004. Start training by pressing the Play button in the Unity Editor." in output
        processes = family(waiting)
        with subprocess.Popen([*command, "--run-id=s"], **pipes) as second:
            output = finish(second)
        assert second.returncode == 1
        assert "error: Port 5004 is in use" in output
        waiting.send_signal(signal.SIGINT)
        begin = time.monotonic()
        finish(waiting)
        assert time.monotonic() - begin < 4
    assert waiting.returncode == 130
    assert gone(processes, within_s=1)
    with subprocess.Popen(command, **pipes) as process:
        read_until(process, "Play")
        subprocess.run([folder / "Player.x86_64", "--mlagents-port=5004", "--scenario=leave"], check=True, timeout=60)
        output = finish(process)
    assert process.returncode == 0, output
    assert "play mode ended" in output
    assert (folder / "models/r/Basic.onnx").is_file()


@pytest.mark.parametrize("scenario", ["play", pytest.param("silent", marks=pytest.mark.slow)])
def test_a_killed_trainer_leaves_neither_processes_nor_noise(folder, scenario):
    with start(folder, scenario=scenario) as process:
        if scenario == "play":
            read_until(process, "Step: 100.")
        else:
            while not any("unity_player.py" in " ".join(p.cmdline()) for p in family(process)):
                time.sleep(0.1)
        processes = family(process)
        process.kill()
        finish(process)  # when the last of them has closed the output
    assert gone(processes, within_s=10)
