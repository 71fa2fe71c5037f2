"""Our own exports, run as models."""

from __future__ import annotations

import time
from pathlib import Path

import jax
import numpy as np
import pytest

from mlagents.export import Profile, export_policy
from mlagents.export.parity.test_inputs import expected, random_trials
from mlagents.inference import ModelMismatch, OnnxModel
from mlagents.inference.session import open_session
from mlagents.nn.build import make_policy
from mlagents.settings import NetworkSettings
from toys.policies import KINDS, behavior, seasoned_policy, sensor


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


@pytest.mark.slow  # a timing: it says nothing while something else runs
def test_costs_little_more_than_the_network(exported, steps, rng):
    """Preparing inputs and noise for 64 agents adds less than a fifth; 1.4 leaves room for a busy machine."""
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
    assert fastest(lambda: model.act(steps, False, rng)) <= 1.4 * bare


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("profile", [Profile(9, 2), Profile(9, 3), Profile(18, 3)], ids=str)
def test_every_kind_plays_like_its_policy(tmp_path, make_steps, rng, kind, profile):
    """Through feeds and memories, over several steps; the agents come in another order in every step."""
    spec, network = KINDS[kind]
    policy = seasoned_policy(spec, **network)
    export_policy(policy, spec, tmp_path / "model.onnx", profile=profile)
    model = OnnxModel(tmp_path / "model.onnx", spec)
    trials = random_trials(rng, policy, spec) * (1 if policy.memory_size else 2)
    memory = np.zeros((len(trials[0].observations[0]), policy.memory_size), np.float32)
    for trial in trials:
        order = rng.permutation(len(memory))
        masks = None
        if trial.allowed is not None:
            stops = np.cumsum(spec.action_spec.discrete_branches)[:-1]
            masks = np.split(~trial.allowed[order], stops, axis=1)
        steps = make_steps([x[order] for x in trial.observations], masks, agents=order)
        actions = model.act(steps, True, rng)
        wanted = expected(policy, trial, memory)
        memory = wanted.memory
        np.testing.assert_allclose(actions.continuous, wanted.action[order], atol=3e-5)
        for branch, log_probs in enumerate(wanted.log_probs):
            np.testing.assert_array_equal(actions.discrete[:, branch], log_probs.argmax(axis=1)[order])


@pytest.mark.parametrize(
    ("played", "message"),
    [
        (
            behavior((4,), (3, 20, 20), (3, 2), continuous=1),
            r"input obs_1 expects shape \[3, 20, 24\] for each agent; the behavior gives \[3, 20, 20\]",
        ),
        (
            behavior((4,), (3, 20, 24), (4, 2), continuous=1),
            r"input obs_2 expects shape \[3, 2\] for each agent; the behavior gives \[4, 2\]",
        ),
        (
            behavior((4,), (3, 20, 24), continuous=1),
            r"nothing in this behavior fits the model's input 'obs_2' of shape \[3, 2\]; it has obs_0 \[4\], ",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, played, message):
    spec = behavior((4,), (3, 20, 24), (3, 2), continuous=1)
    export_policy(seasoned_policy(spec), spec, tmp_path / "model.onnx")
    with pytest.raises(ModelMismatch, match=message):
        OnnxModel(tmp_path / "model.onnx", played)


def test_images_of_another_size_do_not_fit_version_2(tmp_path):
    spec = behavior(sensor(3, 20, 24), continuous=1)
    export_policy(seasoned_policy(spec), spec, tmp_path / "model.onnx", profile=Profile(9, 2))
    message = r"input visual_observation_0 expects shape \[3, 20, 24\] for each agent; the behavior gives \[3, 24, 20\]"
    with pytest.raises(ModelMismatch, match=message):
        OnnxModel(tmp_path / "model.onnx", behavior(sensor(3, 24, 20), continuous=1))


def test_only_what_is_wanted_is_computed(tmp_path):
    """No node is left of outputs that nobody reads, such as deterministic actions and facts."""
    spec, network = KINDS["vectors, both kinds of actions"]
    export_policy(seasoned_policy(spec, **network), spec, tmp_path / "model.onnx")
    model = OnnxModel(tmp_path / "model.onnx", spec)
    assert [output.name for output in model._session.get_outputs()] == ["continuous_actions", "discrete_actions"]
    assert "branch.0.sample/noise" in [item.name for item in model._session.get_inputs()]
