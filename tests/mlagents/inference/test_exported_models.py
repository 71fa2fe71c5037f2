"""Our own exports, run as models."""

from __future__ import annotations

import time
from pathlib import Path

import jax
import numpy as np
import pytest

from mlagents.export import export_policy
from mlagents.inference import OnnxModel
from mlagents.inference.session import open_session
from mlagents.nn.build import make_policy
from mlagents.settings import NetworkSettings


@pytest.fixture
def exported(tmp_path, make_spec, rng):
    """A hybrid policy of two sensors, 2 x 128."""
    spec = make_spec([(5,), (3,)], 2, (3, 2))
    policy = make_policy(rng, spec, NetworkSettings(hidden_units=128, num_layers=2))
    export_policy(policy, spec, tmp_path / "model.onnx")
    return policy, spec, tmp_path / "model.onnx"


@pytest.fixture
def steps(make_steps, rng):
    observations = [rng.normal(size=(64, n)) for n in (5, 3)]
    return make_steps(observations, [np.tile([False, True, False], (64, 1)), np.zeros((64, 2))])


def test_acts_like_the_policy(exported, steps, rng):
    policy, spec, path = exported
    actions = OnnxModel(path, spec).act(steps, True, rng)
    allowed = ~np.concatenate(steps.action_mask, axis=1)
    expected, _ = policy(tuple(map(jax.numpy.asarray, steps.obs)), jax.numpy.asarray(allowed))
    mean = np.clip(expected.mean, -3, 3) / 3
    np.testing.assert_allclose(actions.continuous, mean, atol=1e-5)
    choices = [log_probs.argmax(axis=1) for log_probs in expected.log_probs]
    np.testing.assert_array_equal(actions.discrete, np.stack(choices, axis=1))


def test_costs_little_more_than_the_network(exported, steps, rng):
    """Preparing inputs and noise for 64 agents adds about a fifth; 1.6 leaves room for a busy machine."""
    _, spec, path = exported
    model = OnnxModel(path, spec)
    session = open_session(Path(path).read_bytes())
    outputs = ["continuous_actions", "discrete_actions"]
    masks = 1 - np.concatenate(steps.action_mask, axis=1).astype(np.float32)
    feeds = {"obs_0": steps.obs[0], "obs_1": steps.obs[1], "action_masks": masks}

    def fastest(function):
        best = np.inf
        for _ in range(300):
            start = time.perf_counter()
            for _ in range(5):
                function()
            best = min(best, time.perf_counter() - start)
        return best

    bare = fastest(lambda: session.run(outputs, feeds))
    assert fastest(lambda: model.act(steps, False, rng)) <= 1.6 * bare
