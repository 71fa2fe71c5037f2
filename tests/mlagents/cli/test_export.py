"""`mlagents export`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from mlagents.artifacts.checkpoints import Checkpoints
from mlagents.artifacts.interface import KEY, interface
from mlagents.artifacts.layout import Layout
from mlagents.artifacts.run_lock import RunLock
from mlagents.cli.export import PROFILES as OFFERED
from mlagents.cli.main import main
from mlagents.export import PROFILES
from mlagents.inference import load_model
from mlagents.nn.tensors import named_tensors
from mlagents.settings import NetworkSettings
from toys.policies import KINDS, seasoned_policy


def state_of(kind, steps):
    spec, network = KINDS[kind]
    policy = seasoned_policy(spec, **network)
    tensors = named_tensors({"weights": {"body": policy.body, "head": policy.head}, "normalizer": policy.normalizer})
    settings = NetworkSettings(hidden_units=16, normalize=network.get("normalize", False))
    return {"tensors": tensors, "steps": steps, KEY: interface(spec, settings, policy)}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of 2020, with one behavior that every format expresses, at steps 5 and 8."""
    monkeypatch.chdir(tmp_path)
    layout = Layout("first")
    checkpoints = Checkpoints(layout)
    for steps in (5, 8):
        checkpoints.save({"Ball": state_of("squashed", steps)}, {}, {})
    return layout


def refused(capsys, *arguments):
    assert main(["export", *arguments]) != 0
    return capsys.readouterr().err


def test_the_newest_by_default(run, capsys):
    assert main(["export", "first", "-o", "out/Ball.onnx"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "out/Ball.onnx: Ball at step 8 (ONNX, operator set 9, model API version 3)"
    assert second.startswith("differs from the policy by at most: deterministic_continuous_actions ")
    load_model("out/Ball.onnx", KINDS["squashed"][0])


def test_another_step_and_profile_from_a_folder_that_was_moved(run, tmp_path, capsys):
    run.run.rename(tmp_path / "elsewhere")
    assert main(["export", "elsewhere", "--checkpoint", "5", "--profile", "sentis1", "--output", "a.onnx"]) == 0
    assert "Ball at step 5 (ONNX, operator set 15" in capsys.readouterr().out
    assert onnx.load("a.onnx").opset_import[0].version == 15


def test_barracuda_by_the_suffix(run, capsys):
    assert main(["export", "first", "-o", "Ball.nn"]) == 0
    assert "(Barracuda, model API version 2)" in capsys.readouterr().out
    load_model("Ball.nn", KINDS["squashed"][0])


def test_one_of_several_behaviors_in_the_modern_layout(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    states = {"Ball": state_of("squashed", 5), "Eyes/2": state_of("entities", 7)}
    Checkpoints(Layout("second", tmp_path / "results")).save(states, {}, {})
    assert "several behaviors; choose one with --behavior: Ball, Eyes/2" in refused(capsys, "second", "-o", "a.onnx")
    assert "no behavior 'Eye'; it has Ball, Eyes/2" in refused(capsys, "second", "--behavior", "Eye", "-o", "a.onnx")
    message = refused(capsys, "second", "--behavior", "Eyes/2", "-o", "a.nn")
    assert message.startswith("error: a.nn: a .nn model cannot observe entities")
    assert not (tmp_path / "a.nn").exists()
    assert main(["export", "second", "--behavior", "Eyes/2", "-o", "a.onnx"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "-o", "a.onnx"], "there is no model or run 'nowhere'"),
        (["first", "-o", "a.pt"], "a.pt: expected a name that ends in .onnx or .nn"),
        (
            ["first", "--checkpoint", "6", "-o", "a.onnx"],
            "no checkpoint of step 6 for behavior 'Ball' (saved steps: 5, 8)",
        ),
    ],
)
def test_what_is_not_there(run, capsys, arguments, message):
    assert message in refused(capsys, *arguments)


def test_a_run_without_checkpoints(run, capsys):
    run.status.unlink()
    assert main(["export", "first", "-o", "a.onnx"]) == 0  # the list is rebuilt from what is there
    for file in (run.run / "Ball").iterdir():
        file.unlink()
    assert "has no checkpoint yet" in refused(capsys, "first", "-o", "a.onnx")


def test_a_checkpoint_of_an_older_version(run, capsys):
    state = state_of("squashed", 9)
    del state[KEY]
    Checkpoints.open(run).save({"Ball": state}, {}, {})
    assert "older version wrote it" in refused(capsys, "first", "-o", "a.onnx")


def test_all_profiles_are_offered():
    assert tuple(PROFILES) == OFFERED


CONFIG = """
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 256}
    network_settings: {hidden_units: 8, num_layers: 1, memory: {memory_size: 8, sequence_length: 8}}
    max_steps: 900
    time_horizon: 3
    checkpoint_interval: 400
    keep_checkpoints: 1
"""


def test_a_run_writes_keeps_its_best_and_exports_again(tmp_path, monkeypatch):
    """Through the processes that a user starts: a policy with memory, whose checkpoints play episodes of their own."""
    (tmp_path / "basic.yaml").write_text(CONFIG)
    flags = ["--env=Basic", "--run-id=r", "--seed=1", "--keep-best=2", "--export-profile=sentis1"]
    learn = [sys.executable, "-m", "mlagents.cli.learn", "basic.yaml", *flags]
    result = subprocess.run(learn, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    listed = json.loads((tmp_path / "models/r/training_status.json").read_text())["Basic"]["checkpoints"]
    assert 2 <= len(listed) <= 3
    ratings = [entry["rating"] for entry in listed]
    assert result.stdout.count("in episodes of its own") >= 3
    assert f"mean reward {max(ratings):.3f}: models/r/Basic/Basic-" in result.stdout
    models = [Path(entry["file_path"]).relative_to("models/r").as_posix() for entry in listed]
    noted = json.loads((tmp_path / "models/r/exports.json").read_text())
    assert set(noted) >= {"Basic.onnx", "Basic.nn", *models}
    assert onnx.load(tmp_path / "models/r/Basic.onnx").opset_import[0].version == 15
    monkeypatch.chdir(tmp_path)
    assert main(["export", "r", "--profile", "sentis1", "-o", "again.onnx"]) == 0
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "models/r/Basic.onnx").read_bytes()


def test_a_run_that_is_being_trained_gets_no_model_from_others(run, capsys):
    lock = RunLock(run.lock)
    lock.acquire()
    assert f"in use by process {os.getpid()}" in refused(capsys, "first", "-o", "models/first/Ball.onnx")
    assert not run.model("Ball").exists()
    assert main(["export", "first", "-o", "Ball.onnx"]) == 0
    lock.release()
    assert main(["export", "first", "-o", "models/first/Ball.onnx"]) == 0
    assert run.model("Ball").exists()
    assert not run.lock.exists()
