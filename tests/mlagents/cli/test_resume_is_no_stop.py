"""A run that was stopped and resumed ends with the same weights, bit for bit, as one that was not stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mlagents.artifacts.state_file import read_state

BASIC = """\
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 256}
    network_settings: {hidden_units: 20, num_layers: 1}
    max_steps: 10000
    time_horizon: 3
    summary_freq: 500
    checkpoint_interval: 2000
"""
BALL = """\
behaviors:
  %(name)s:
    trainer_type: ppo
    hyperparameters: {batch_size: 64, buffer_size: 2000}
    network_settings: {normalize: true, hidden_units: 32}
    max_steps: 10000
    time_horizon: 100
    summary_freq: 1000
    checkpoint_interval: 5000
environment_parameters:
  mass: {sampler_type: uniform, sampler_parameters: {min_value: 0.5, max_value: 10}}
  scale:
    curriculum:
      - {name: Small, value: 1.0, completion_criteria: {behavior: %(name)s, measure: progress, threshold: 0.2}}
      - name: Middle
        value: {sampler_type: uniform, sampler_parameters: {min_value: 1, max_value: 2}}
        completion_criteria: {behavior: %(name)s, min_lesson_length: 20, threshold: 0.5, require_reset: true}
      - {name: Large, value: {sampler_type: gaussian, sampler_parameters: {mean: 2, st_dev: 0.5}}}
"""
RESAMPLED = """\
env_settings: {resampling_interval: 300}
"""
HALLWAY = """\
behaviors:
  Hallway:
    trainer_type: ppo
    hyperparameters: {batch_size: 64, buffer_size: 1000}
    network_settings: {hidden_units: 16, memory: {sequence_length: 16, memory_size: 8}}
    max_steps: 10000
    time_horizon: 40
    summary_freq: 1000
    checkpoint_interval: 5000
"""
GRID_WORLD = """\
behaviors:
  GridWorld:
    trainer_type: sac
    hyperparameters: {batch_size: 8, buffer_size: 400, buffer_init_steps: 100, steps_per_update: 100}
    network_settings: {hidden_units: 8, num_layers: 1}
    max_steps: 10000
    time_horizon: 5
    summary_freq: 1000
    checkpoint_interval: 5000
"""
CASES = {
    "Basic": BASIC,
    "3DBall": BALL % {"name": "3DBall"},
    "3DBallHard": BALL % {"name": "3DBallHard"} + RESAMPLED,
    "Hallway": HALLWAY,
    "GridWorld": GRID_WORLD,
}


def start(folder, environment, run, *flags):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "mlagents.cli.learn", f"{environment}.yaml", f"--env={environment}"),
            *(f"--run-id={run}", "--seed=4", *flags),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def stop_after_step(process, step):
    """Interrupt the run somewhere after its summary of this step; return what it wrote, None if it ended first."""
    lines = []
    with process:
        for line in process.stdout:
            lines.append(line)
            if f"Step: {step}." in line:
                time.sleep(0.003)
                process.send_signal(signal.SIGINT)
                break
        lines += process.stdout.readlines()
    assert process.returncode == 0, "".join(lines)
    return "".join(lines)


def final_state(folder, environment, run):
    files = (folder / "models" / run / environment).glob("*.safetensors")
    return read_state(max(files, key=lambda path: int(path.stem.rpartition("-")[2])))


@pytest.mark.parametrize(
    "environment",
    ["Basic", *(pytest.param(name, marks=pytest.mark.slow) for name in CASES if name != "Basic")],
)
def test_bit_for_bit(tmp_path, environment):
    (tmp_path / f"{environment}.yaml").write_text(CASES[environment])
    whole = start(tmp_path, environment, "whole")
    output, _ = whole.communicate(timeout=600)
    assert whole.returncode == 0, output
    first = stop_after_step(start(tmp_path, environment, "parts"), 2000)
    assert "interrupted" in first
    second = stop_after_step(start(tmp_path, environment, "parts", "--resume"), 6000)
    assert "goes on where it was stopped" in second
    last = start(tmp_path, environment, "parts", "--resume")
    output, _ = last.communicate(timeout=600)
    assert last.returncode == 0, output
    one, other = (final_state(tmp_path, environment, run) for run in ("whole", "parts"))
    tensors, others = one.pop("tensors"), other.pop("tensors")
    assert one == other
    assert tensors.keys() == others.keys()
    for name in tensors:
        np.testing.assert_array_equal(tensors[name], others[name], err_msg=name)
