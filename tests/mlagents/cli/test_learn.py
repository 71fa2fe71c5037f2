"""`mlagents-learn` as a user types it: real processes, real files, and bad input."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mlagents.artifacts.state_file import read_state
from mlagents.cli.learn import main

CONFIG = """\
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 256, learning_rate: 3.0e-4, beta: 5.0e-3}
    network_settings: {hidden_units: 20, num_layers: 1}
    reward_signals: {extrinsic: {gamma: 0.9, strength: 1.0}}
    max_steps: %(max_steps)d
    time_horizon: 3
    summary_freq: 500
    checkpoint_interval: %(interval)d
"""
LEARN = (sys.executable, "-m", "mlagents.cli.learn")


@pytest.fixture
def folder(tmp_path):
    write_config(tmp_path)
    return tmp_path


def write_config(folder, max_steps=2000, interval=1000):
    (folder / "basic.yaml").write_text(CONFIG % {"max_steps": max_steps, "interval": interval})


def command(*flags):
    return [*LEARN, "basic.yaml", "--env=Basic", "--run-id=r", "--seed=1", *flags]


def learn(folder, *flags, argv=None, **kwargs):
    return subprocess.run(
        argv or command(*flags), cwd=folder, capture_output=True, text=True, timeout=120, check=False, **kwargs
    )


def started(folder, *flags):
    """Start a run that would go on for ever, and wait until it has saved something."""
    write_config(folder, max_steps=10**8)
    process = subprocess.Popen(command(*flags), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 60
    while not list(folder.glob("models/r/Basic/*.safetensors")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def status(folder):
    return json.loads((folder / "models/r/training_status.json").read_text())


def newest_step(folder):
    return status(folder)["Basic"]["checkpoints"][-1]["steps"]


def assert_told(result, *words):
    """The run failed with one clear message and no traceback."""
    assert result.returncode not in (0, -signal.SIGSEGV)
    assert_said(result.stderr, result.stdout, words)


def assert_said(error, output, words):
    assert "Traceback" not in error + output, error
    for word in words:
        assert word in error, error


@pytest.fixture
def refused(folder, monkeypatch, capsys):
    """The same for a run that is refused before it starts, in this process."""

    def check(words, *argv):
        monkeypatch.chdir(folder)
        assert main(argv or command()[len(LEARN) :]) == 1
        said = capsys.readouterr()
        assert_said(said.err, said.out, words)

    return check


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of 2,000 steps."""
    folder = tmp_path_factory.mktemp("finished")
    write_config(folder)
    result = learn(folder)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder, result


@pytest.fixture
def trained(finished, folder):
    """A folder with a copy of it."""
    return shutil.copytree(finished[0], folder, dirs_exist_ok=True)


def test_artifacts_of_2020(finished):
    folder, _ = finished
    assert (folder / "models/r/Basic.onnx").is_file()
    assert (folder / "models/r/configuration.yaml").is_file()
    assert (folder / "summaries/r_Basic.csv").is_file()
    tags = EventAccumulator(str(folder / "summaries/r_Basic")).Reload().Tags()["scalars"]
    assert {
        "Environment/Cumulative Reward",
        "Environment/Episode Length",
        "Policy/Entropy",
        "Policy/Extrinsic Reward",
        "Policy/Extrinsic Value Estimate",
        "Policy/Learning Rate",
        "Policy/Epsilon",
        "Policy/Beta",
        "Losses/Policy Loss",
        "Losses/Value Loss",
    } <= set(tags)
    outputs = [o.name for o in onnx.load(folder / "models/r/Basic.onnx").graph.output]
    assert outputs[0] == "version_number"
    timers = json.loads((folder / "summaries/r_timers.json").read_text())
    assert {"environment", "collect", "act", "learn"} <= set(timers["children"])
    assert [e["steps"] // 1000 for e in status(folder)["Basic"]["checkpoints"]] == [1, 2]


def test_summary_lines_have_the_known_form(finished):
    _, result = finished
    lines = [line for line in result.stdout.splitlines() if "Step: " in line]
    assert lines[0].startswith("[INFO] Basic. Step: 500. Time Elapsed: ")
    assert "Mean Reward: " in lines[-1]
    assert lines[-1].endswith("Training.")


def test_the_modern_layout(folder):
    assert learn(folder, "--results-dir=out").returncode == 0
    for name in ("Basic.onnx", "configuration.yaml", "run_logs/timers.json", "run_logs/training_status.json"):
        assert (folder / "out/r" / name).is_file(), name
    assert not (folder / "models").exists()


def test_an_existing_run_is_refused_with_the_choices(trained, refused):
    before = {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}
    refused(["'r' is taken", "--resume", "--force", "--run-id"])
    assert before == {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}


def test_resuming_a_missing_run_is_refused(folder, refused):
    refused(["no run 'r'"], *command("--resume")[len(LEARN) :])
    assert not (folder / "models").exists()


def test_interrupt_saves_and_resume_goes_on(folder):
    process = started(folder)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert "SIGINT" in output
    stopped = newest_step(folder)
    write_config(folder, max_steps=stopped + 1000)
    result = learn(folder, "--resume")
    assert result.returncode == 0, result.stderr
    assert f"resuming training from step {stopped}" in result.stdout
    assert newest_step(folder) > stopped + 1000


@pytest.mark.parametrize("delay", [0.0, *(pytest.param(d, marks=pytest.mark.slow) for d in (0.05, 0.21))])
def test_a_killed_run_resumes_from_a_whole_checkpoint(folder, delay):
    process = started(folder)
    time.sleep(delay)
    process.kill()
    process.communicate()
    listed = (folder / "models/r/training_status.json").exists() and "Basic" in status(folder)
    saved = newest_step(folder) if listed else None
    assert saved is None or saved >= 1000
    write_config(folder, max_steps=(saved or 0) + 500)
    result = learn(folder, "--resume")
    assert result.returncode == 0, result.stderr
    assert ("starts from step 0" if saved is None else f"resuming training from step {saved}") in result.stdout


def test_resuming_what_has_no_checkpoint_starts_it(folder):
    write_config(folder, max_steps=500)
    assert learn(folder).returncode == 0
    listed = folder / "models/r/training_status.json"
    without = {key: value for key, value in json.loads(listed.read_text()).items() if key != "Basic"}
    listed.write_text(json.dumps(without))
    result = learn(folder, "--resume")
    assert result.returncode == 0, result.stderr
    assert "[WARNING] Basic: the run has no checkpoint of it; it starts from step 0." in result.stdout
    listed.unlink()
    result = learn(folder, "--resume")
    assert result.returncode == 0, result.stderr
    assert "the list is rebuilt from the checkpoints beside it" in result.stdout
    listed.unlink()
    for checkpoint in (folder / "models/r/Basic").iterdir():
        checkpoint.unlink()
    assert_told(learn(folder, "--resume", "--inference"), "has no checkpoint yet")
    result = learn(folder, "--resume")
    assert result.returncode == 0, result.stderr
    assert "[WARNING] The run 'r' was stopped before its first checkpoint: it starts from step 0." in result.stdout
    assert 500 <= newest_step(folder) < 1000


def test_force_starts_anew(trained):
    result = learn(trained, "--force")
    assert result.returncode == 0, result.stderr
    assert "resuming" not in result.stdout


def test_initialize_from_another_run(trained):
    flags = [flag if flag != "--run-id=r" else "--run-id=s" for flag in command("--initialize-from=r")]
    result = learn(trained, argv=flags)
    assert result.returncode == 0, result.stderr
    assert "weights from run r; steps start at 0" in result.stdout
    missing = [flag if flag != "--run-id=r" else "--run-id=t" for flag in command("--initialize-from=nobody")]
    assert_told(learn(trained, argv=missing), "--initialize-from=nobody", "does not exist")


def test_inference_plays_and_changes_nothing(trained):
    before = {p: p.read_bytes() for p in (trained / "models").rglob("*") if p.is_file()}
    process = subprocess.Popen(
        command("--resume", "--inference"), cwd=trained, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Step: 3500" in line:
            process.send_signal(signal.SIGINT)
            break
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert any("Not Training." in line for line in lines)
    assert before == {p: p.read_bytes() for p in (trained / "models").rglob("*") if p.is_file()}


def test_several_environment_processes(folder):
    result = learn(folder, "--num-envs=2")
    assert result.returncode == 0, result.stderr
    assert newest_step(folder) > 2000


def test_same_seed_same_weights(finished, folder):
    assert learn(folder).returncode == 0
    name = f"models/r/Basic/Basic-{newest_step(folder)}.safetensors"
    one, other = (read_state(run / name) for run in (finished[0], folder))
    tensors, others = one.pop("tensors"), other.pop("tensors")
    assert tensors.keys() == others.keys()
    for tensor in tensors:
        np.testing.assert_array_equal(tensors[tensor], others[tensor])
    assert one == other


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CONFIG.replace("batch_size", "batchsize"), ["basic.yaml:4:", "batchsize", "did you mean", "batch_size"]),
        (CONFIG.replace("batch_size: 32", "batch_size: many"), ["basic.yaml:4:", "batch_size", "many"]),
        (CONFIG.replace("trainer_type: ppo", "trainer_type: pppo"), ["basic.yaml:3:", "pppo", "ppo"]),
        (CONFIG.replace("  Basic:", "  Other:"), ["Basic", "Other"]),
        ("behaviors: [", ["basic.yaml:"]),
        ("", ["basic.yaml"]),
    ],
)
def test_faults_in_the_configuration(folder, refused, text, words):
    (folder / "basic.yaml").write_text(text % {"max_steps": 100, "interval": 100} if "%(" in text else text)
    refused(words)
    assert not (folder / "models").exists()


def test_a_missing_configuration(refused):
    refused(["basik.yaml", "basic.yaml"], "basik.yaml", "--env=Basic")


def test_an_unknown_environment(refused):
    refused(["Basik", "did you mean Basic?"], "basic.yaml", "--env=Basik")


def test_a_damaged_checkpoint(trained):
    path = trained / f"models/r/Basic/Basic-{newest_step(trained)}.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert_told(learn(trained, "--resume"), path.name, "damaged", "remove it to continue from step")
    path.unlink()
    assert learn(trained, "--resume").returncode == 0


def test_another_network_on_resume(trained):
    (trained / "basic.yaml").write_text(
        (CONFIG % {"max_steps": 4000, "interval": 1000}).replace("hidden_units: 20", "hidden_units: 24")
    )
    assert_told(learn(trained, "--resume"), "saved [20, 20], this network has [24, 20]")


def test_a_folder_that_cannot_be_written(folder):
    (folder / "models").write_text("in the way")
    assert_told(learn(folder), "models")


@pytest.mark.skipif(os.name == "nt", reason="limits of file sizes are POSIX")
def test_a_full_disk_while_saving_keeps_the_earlier_checkpoint(trained):
    saved = newest_step(trained)
    write_config(trained, max_steps=10**8)

    limited = ["bash", "-c", f"ulimit -f 8; exec {shlex.join(command('--resume'))}"]  # 8 KiB a file
    assert_told(learn(trained, argv=limited), "Basic-", "File too large")
    assert newest_step(trained) == saved
    write_config(trained, max_steps=saved + 300)
    assert learn(trained, "--resume").returncode == 0


def test_help_is_instant_because_nothing_heavy_is_imported():
    code = (
        "import sys; sys.argv = ['mlagents-learn', '--help']\n"
        "from mlagents.cli.learn import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'jax', 'numpy', 'pydantic', 'mujoco', 'numba', 'onnx', 'grpc'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
def test_configurations_of_both_generations_train(tmp_path):
    root = Path(__file__).resolve().parents[3]
    for config in ("config/trainer_config.yaml", "config/ppo/Basic.yaml"):
        process = subprocess.Popen(
            [*LEARN, str(root / config), "--env=Basic", f"--run-id={Path(config).stem}"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        found = any("Step: 2000" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert found
        assert process.returncode == 0
