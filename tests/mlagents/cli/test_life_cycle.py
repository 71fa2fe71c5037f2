"""Starting, stopping and continuing runs from a shell: signals, manifests, first weights, lessons."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlagents.artifacts.state_file import read_state

CONFIG = """\
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 256, learning_rate: 1.0e-3}
    network_settings: {hidden_units: 20, num_layers: 1}
    max_steps: 100000000
    time_horizon: 3
    summary_freq: 100
    checkpoint_interval: 500
    keep_checkpoints: 2
"""
BALL = """\
behaviors:
  3DBall:
    trainer_type: ppo
    network_settings: {hidden_units: 16, num_layers: 1}
    max_steps: 1500
    time_horizon: 20
    summary_freq: 500
environment_parameters:
  gravity:
    curriculum:
      - {name: Low, value: 8, completion_criteria: {behavior: 3DBall, measure: progress, threshold: 0.5}}
      - {name: High, value: 12}
  mass: {sampler_type: "heavy_balls:Doubling", sampler_parameters: {first: 0.5}}
"""


def start(folder, *flags, config="run.yaml", env="Basic", run="r", **variables):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "mlagents.cli.learn", config, f"--env={env}"),
            *(f"--run-id={run}", *flags),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | variables,
    )


def read_until(process, words):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError("".join(lines))


def status(folder, run="r"):
    return json.loads((folder / f"models/{run}/training_status.json").read_text())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run.yaml").write_text(CONFIG)
    return tmp_path


def test_sigterm_saves_within_seconds_and_the_manifest_says_what_ran(folder):
    with start(folder) as process:
        read_until(process, "Step: 1500.")
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert time.monotonic() - begin < 30  # seconds also on a busy machine, where the grace before SIGKILL is as long
    assert process.returncode == 0, rest
    assert "SIGTERM" in rest
    checkpoints = status(folder)["Basic"]["checkpoints"]
    assert checkpoints[-1]["steps"] >= 1500
    assert len(checkpoints) == 2  # keep_checkpoints
    assert len(list((folder / "models/r/Basic").glob("*.safetensors"))) == 2
    manifest = json.loads((folder / "models/r/run_manifest.json").read_text())
    assert "--env=Basic" in manifest["command_line"]
    assert 0 <= manifest["seed"] < 10000  # drawn
    assert manifest["configuration"]["env_settings"]["seed"] == manifest["seed"]
    assert f"seed: {manifest['seed']}" in (folder / "models/r/configuration.yaml").read_text()
    assert {"mlagents-jax", "jax", "numpy"} <= manifest["packages"].keys()
    _first_weights_by_init_path(folder)


def _first_weights_by_init_path(folder):
    saved = Path("models/r/Basic")
    for path, origin in ((saved, "Basic-"), (saved / "nothing.safetensors", "does not exist"), (".", "no checkpoint")):
        (folder / "run.yaml").write_text(CONFIG + f"    init_path: {path}\n")
        with start(folder, "--force", run="s") as process:
            if path == saved:
                lines = read_until(process, "Step: 100.")
                assert any(f"weights from {path}/{origin}" in line for line in lines)
                process.send_signal(signal.SIGINT)
            assert path == saved or f"init_path: {path}" in (output := process.stdout.read())
            assert path == saved or (origin in output and "Traceback" not in output)


def test_lessons_survive_and_a_sampler_of_ones_own_is_drawn(tmp_path):
    (tmp_path / "ball.yaml").write_text(BALL)
    (tmp_path / "heavy_balls.py").write_text(
        "class Doubling:\n"
        "    def __init__(self, first, seed):\n"
        "        self.value = first\n"
        "    def sample_parameter(self):\n"
        "        self.value *= 2\n"
        "        return self.value\n"
    )
    ball = {"config": "ball.yaml", "env": "3DBall", "PYTHONPATH": str(tmp_path)}
    with start(tmp_path, "--seed=1", **ball) as process:
        output = process.stdout.read()
    assert process.returncode == 0, output
    assert "is in lesson 'Low' and has value 'Float: value=8.0'" in output
    assert output.count("is in lesson 'High' and has value 'Float: value=12.0'") == 1
    assert status(tmp_path)["gravity"] == {"lesson_num": 1}
    (tmp_path / "models/r/begun.safetensors").unlink()  # as after a kill
    with start(tmp_path, "--resume", **ball) as process:
        output = process.stdout.read()
    assert "'Low'" not in output
    assert "is in lesson 'High'" in output


def test_a_sampler_that_is_not_there_is_said_before_anything_starts(tmp_path):
    (tmp_path / "ball.yaml").write_text(BALL)
    with start(tmp_path, config="ball.yaml", env="3DBall") as process:
        output = process.stdout.read()
    assert process.returncode == 1
    assert "heavy_balls:Doubling" in output
    assert "PYTHONPATH" in output
    assert "Traceback" not in output
    assert not (tmp_path / "models").exists()


@pytest.mark.slow
def test_killed_thirty_times(folder):
    """Every time the run goes on from a whole checkpoint that is no older than one interval."""
    chance = random.Random(7)
    saved = 0
    for _ in range(30):
        flags = ["--resume"] if saved else []
        with start(folder, *flags) as process:
            lines = read_until(process, f"resuming training from step {saved}" if saved else "Step: 600.")
            lines += read_until(process, f"Step: {(saved // 100 + chance.randrange(2, 15)) * 100}.")
            time.sleep(chance.random() * 0.02)
            process.kill()
            lines += process.stdout.readlines()
        last = max(int(step) for line in lines for step in re.findall(r"Step: (\d+)\.", line))
        saved = status(folder)["Basic"]["checkpoints"][-1]["steps"]
        read_state(folder / f"models/r/Basic/Basic-{saved}.safetensors")
        assert saved >= last - 500 - 10
