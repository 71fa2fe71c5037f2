"""Ratings of models by episodes of their own."""

from __future__ import annotations

import itertools
import logging

import equinox as eqx
import numpy as np
import pytest

from mlagents.export import export_policy
from mlagents.nn.build import make_policy
from mlagents.rollout.source import EnvironmentSource
from mlagents.settings import NetworkSettings, RunSettings, SettingsError
from mlagents.training.evaluator import CheckpointEvaluator
from mlagents_envs.registry import default_registry

SETTINGS = RunSettings.model_validate({"checkpoint_settings": {"keep_best": 1}})


@pytest.fixture
def basic(tmp_path):
    """Models for Basic that always go one way: branch 0 stays, 1 goes left, 2 right."""
    env = default_registry["Basic"].make()
    (spec,) = env.behavior_specs.values()
    env.close()

    def write(action):
        policy = make_policy(np.random.default_rng(0), spec, NetworkSettings(hidden_units=2, num_layers=1))
        bias = np.where(np.arange(3) == action, 50, 0).astype(np.float32)
        policy = eqx.tree_at(lambda p: p.head.logits[0].bias, policy, bias)
        export_policy(policy, spec, tmp_path / f"{action}.onnx")
        return {"Basic": tmp_path / f"{action}.onnx"}

    return write


def test_better_models_get_better_ratings(basic, caplog):
    """The large goal, +1, is to the right, at 0.01 per step on the way; the small one, +0.1, to the left."""
    clock = itertools.count(0.0, 2.0).__next__
    judge = CheckpointEvaluator(SETTINGS, EnvironmentSource("Basic", seed=3), clock)
    with caplog.at_level(logging.INFO):
        ratings = [judge.rate(basic(action), lambda: False)["Basic"] for action in (0, 1, 2)]
    assert ratings[0] < ratings[1] < ratings[2] <= 1
    assert ratings[2] > 0.8
    assert ratings[1] > 0
    again = CheckpointEvaluator(SETTINGS, EnvironmentSource("Basic", seed=4)).rate(basic(2), lambda: False)
    assert again == {"Basic": ratings[2]}
    assert "in episodes of its own (2.0 s; so far 33.3 % of the run's time)" in caplog.records[0].message


def test_a_run_that_stops_is_not_kept_waiting(basic):
    rounds = []

    def stop():
        rounds.append(1)
        return len(rounds) == 3

    assert CheckpointEvaluator(SETTINGS, EnvironmentSource("Basic", seed=3)).rate(basic(0), stop) == {}
    assert len(rounds) == 3


def test_executables_cannot_be_played_beside_the_run(tmp_path):
    (tmp_path / "build").write_text("")
    for env in (None, str(tmp_path / "build")):
        with pytest.raises(SettingsError, match=r"keep_best is 1, but .* only in environments of Python"):
            CheckpointEvaluator(SETTINGS, EnvironmentSource(env, seed=3))
