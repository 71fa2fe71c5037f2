"""`mlagents-learn --attach` with `mlagents serve --listen` and `mlagents relay`: processes all."""

from __future__ import annotations

import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from mlagents.cli.main import main
from mlagents.rollout.source import EnvironmentSource
from toys.certificates import write_certificate

CONFIG = """\
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 5000}
    network_settings: {hidden_units: 16, num_layers: 1}
    max_steps: %d
    time_horizon: 3
    summary_freq: 200
"""


def free_ports(count):
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@contextmanager
def started(folder, module, *arguments):
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def serving(folder, port, *flags):
    return started(folder, "mlagents.cli.main", "serve", "Basic", "--listen", str(port), *flags)


def learning(folder, *flags, max_steps=600):
    (folder / "run.yaml").write_text(CONFIG % max_steps)
    return started(folder, "mlagents.cli.learn", "run.yaml", "--run-id=r", "--results-dir=results", "--seed=1", *flags)


def test_a_run_over_two_encrypted_players(tmp_path):
    cert, key = write_certificate(tmp_path, "localhost", "127.0.0.1")
    (tmp_path / "token").write_text(secrets.token_urlsafe())
    ports = free_ports(2)
    secure = ("--tls-cert", cert, "--tls-key", key, "--token-file=token")
    with serving(tmp_path, ports[0], *secure) as first, serving(tmp_path, ports[1], *secure) as second:
        addresses = [f"localhost:{port}" for port in ports]
        with learning(
            tmp_path, "--tls-ca", cert, "--token-file=token", "--timeout-wait=200", "--attach", *addresses
        ) as run:
            output, _ = run.communicate(timeout=280)
        assert run.returncode == 0, output
        assert (tmp_path / "results/r/Basic.onnx").is_file()
        for player in (first, second):
            assert player.poll() is None  # it waits for the next trainer
            player.send_signal(signal.SIGINT)
            heard, _ = player.communicate(timeout=60)
            assert heard.count("A trainer connected") == 1
            assert "The trainer left." in heard
    assert {int(seed) for seed in re.findall(r"seed (\d+)", heard)} == {2}  # worker 1 gets the seed of the run + 1


@pytest.mark.slow
def test_a_player_that_dies_and_is_started_again_is_attached_again(tmp_path):
    (port,) = free_ports(1)
    with learning(tmp_path, "--attach", f"127.0.0.1:{port}", "--timeout-wait=200", max_steps=10**7) as run:
        with serving(tmp_path, port):
            until(lambda: (tmp_path / "results/r/Basic/statistics.csv").exists())
        with serving(tmp_path, port):
            before = lines(tmp_path)
            until(lambda: lines(tmp_path) > before + 2)
            run.send_signal(signal.SIGINT)
            output, _ = run.communicate(timeout=60)
    assert run.returncode == 0
    assert f"The player at 127.0.0.1:{port} closed the connection" in output
    assert "it is restarted" in output


@pytest.mark.slow
def test_a_relay_lets_a_player_that_calls_be_attached(tmp_path):
    called, listening = free_ports(2)
    arguments = ("relay", "--mlagents-port", str(called), "--listen", str(listening), "--once")
    with (
        started(tmp_path, "mlagents.cli.main", *arguments) as relay,
        started(tmp_path, "mlagents.cli.main", "serve", "Basic", "--mlagents-port", str(called)) as player,
        learning(tmp_path, "--timeout-wait=200", "--attach", f"127.0.0.1:{listening}") as run,
    ):
        output, _ = run.communicate(timeout=280)
        assert run.returncode == 0, output
        assert player.wait(30) == 0
        assert relay.wait(30) == 0


def until(is_so):
    deadline = time.monotonic() + 280
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def lines(folder):
    return len((folder / "results/r/Basic/statistics.csv").read_text().splitlines())


def test_each_worker_has_its_own_player():
    """The source alone, over addresses where nobody listens: the error names the one that the worker tried."""
    ports = free_ports(2)
    source = EnvironmentSource(None, 0, timeout_wait=0.1, attach=tuple(f"127.0.0.1:{port}" for port in ports))
    for worker in (0, 1):
        with pytest.raises(Exception, match=rf"Nobody answered at 127\.0\.0\.1:{ports[worker]} for 1 seconds"):
            source.make(worker, [])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["serve", "Basic", "--listen", "5", "--bind=0.0.0.0"], "Refused to listen on 0.0.0.0 without encryption"),
        (["serve", "Basic", "--listen", "5", "--tls-key=x"], "--tls-key without --tls-cert"),
        (["serve", "Basic", "--bind=0.0.0.0"], "--bind, --tls-cert and --tls-key are for --listen"),
        (["serve", "Basic", "--listen", "5", "--tls-ca=x"], "--host and --tls-ca are for calling a trainer"),
        (["serve", "Basic", "--listen", "5005", "--token-file=none"], "No token in none"),
        (["relay", "--mlagents-port", "5005", "--trainer-port", "5", "--tls-cert=x"], "are for --listen"),
        (["relay", "--mlagents-port", "5005", "--listen", "5", "--bind=0.0.0.0"], "Refused to listen on 0.0.0.0"),
        (
            ["relay", "--mlagents-port", "5005", "--listen", "5", "--tls-cert=none"],
            "No certificate with its key in none",
        ),
        (["relay", "--mlagents-port", "5005", "--trainer-port", "5", "--tls-ca=none"], "No certificates in none"),
        (["relay", "--mlagents-port", "5005", "--trainer-port", "5", "--token-file=none"], "No token in none"),
    ],
)
def test_what_cannot_be_is_one_line(flags, said, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(flags) in (1, 2)
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert said in errors
    assert len(errors.splitlines()) == 1
