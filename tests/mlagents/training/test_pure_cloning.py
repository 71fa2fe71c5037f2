"""`trainer_type: bc`: from a recording to a model, without an environment; on from there with PPO."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.artifacts.checkpoints import CheckpointError
from mlagents.rollout.offline import OfflineSampler
from mlagents.rollout.sampler import LocalSampler
from mlagents.settings import SettingsError, parse_run_settings
from mlagents.training.build import build
from mlagents_envs.demonstrations import DemonstrationError
from toys.experts import record, walk_rule
from toys.walk import NAME, Walk

CLONE = """\
behaviors:
  Walk:
    trainer_type: bc
    max_steps: %d
    summary_freq: 4000
    checkpoint_interval: 8000
    hyperparameters: {batch_size: 64, learning_rate: 5.0e-3, learning_rate_schedule: constant}
    network_settings: {hidden_units: 16, num_layers: 1, normalize: true}
    behavioral_cloning: {demo_path: walk.demo}
env_settings: {seed: 1}
checkpoint_settings: {run_id: %s, resume: %s}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    env = Walk("discrete", agents=4, seed=9)
    record(env, walk_rule(env.behavior_specs[NAME]), tmp_path / "walk.demo", 60)
    return tmp_path


def run(max_steps, run_id, resume="false"):
    made = build(parse_run_settings(CLONE % (max_steps, run_id, resume)), None)
    assert isinstance(made.sampler, OfflineSampler)
    made.execute()
    return made


def test_a_recording_becomes_a_model_and_a_resumed_run_equals_one_that_never_stopped(folder):
    run(20_000, "whole")
    assert (folder / "models/whole/Walk.onnx").is_file()
    run(10_000, "parts")
    run(20_000, "parts", "true")
    whole, parts = (build(parse_run_settings(CLONE % (1, name, "true")), None) for name in ("whole", "parts"))
    states = [made.checkpoints.load("Walk") for made in (whole, parts)]
    assert states[0]["steps"] == states[1]["steps"] > 20_000
    for tensor, resumed in zip(states[0]["tensors"].values(), states[1]["tensors"].values(), strict=True):
        np.testing.assert_array_equal(tensor, resumed)
    for made in (whole, parts):
        made.statistics.close()


def test_ppo_goes_on_from_a_cloned_policy(folder):
    run(4_000, "cloned")
    ppo = """\
default_settings:
  network_settings: {hidden_units: 16, num_layers: 1, normalize: true}
env_settings: {env_path: Basic, seed: 1}
checkpoint_settings: {run_id: further, initialize_from: cloned}
"""
    made = build(parse_run_settings(ppo), None)
    assert isinstance(made.sampler, LocalSampler)
    spec = Walk("discrete").behavior_specs[NAME]
    behavior = made.make_behavior("Walk", spec)
    tensors = behavior.learner.state_dict()["tensors"]
    own = build(parse_run_settings(CLONE % (1, "cloned", "true")), None)
    for name, tensor in own.checkpoints.load("Walk")["tensors"].items():
        if not name.startswith("adam."):
            np.testing.assert_array_equal(tensors[name], tensor, err_msg=name)
    assert tensors["adam.count"] == 0
    for one in (made, own):
        one.sampler.close()
        one.statistics.close()


def test_cloning_needs_something_to_clone():
    with pytest.raises(SettingsError, match="trainer_type bc without behavioral_cloning"):
        parse_run_settings("behaviors: {Walk: {trainer_type: bc}}")
    with pytest.raises(SettingsError, match="demo_replay_ratio without demonstrations"):
        parse_run_settings("behaviors: {Walk: {trainer_type: sac, hyperparameters: {demo_replay_ratio: 0.5}}}")


def test_a_damaged_recording_is_named_before_anything_is_made(folder):
    (folder / "walk.demo").write_bytes((folder / "walk.demo").read_bytes()[:50])
    with pytest.raises(DemonstrationError, match=r"walk\.demo"):
        build(parse_run_settings(CLONE % (1, "r", "false")), None)
    assert not (folder / "models/r/Walk").exists()


def test_the_run_id_rules_hold_as_for_every_run(folder):
    run(2_100, "twice")
    with pytest.raises(CheckpointError, match="taken"):
        build(parse_run_settings(CLONE % (1, "twice", "false")), None)
