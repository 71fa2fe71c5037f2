"""The example of a trainer in a package of its own: its rules, its loss, and what it learns."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest

from mlagents.nn.tensors import TensorMismatch
from mlagents.settings import BehaviorSettings, SettingsError, parse_run_settings
from mlagents.training.build import make_learner
from toys.packages import on_the_path, write_package
from toys.segments import make_segment
from toys.specs import behavior
from toys.training import greedy_returns, train
from toys.walk import OPTIMUM, Walk

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "a2c"
GROUP = "mlagents.trainer_type"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The example as pip would install it: its module, and what its pyproject.toml says of it."""
    folder = tmp_path_factory.mktemp("site")
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())
    shutil.copy(FOLDER / "a2c.py", folder)
    write_package(folder, project["project"]["name"], GROUP, project["project"]["entry-points"][GROUP])
    return folder


@pytest.fixture(scope="module")
def a2c(site):
    with on_the_path(site):
        import a2c

        yield a2c


def settings_with(max_steps=10_000, **hyperparameters):
    sections = {
        "trainer_type": "a2c",
        "max_steps": max_steps,
        "time_horizon": 5,
        "hyperparameters": {"learning_rate_schedule": "constant"} | hyperparameters,
        "network_settings": {"hidden_units": 16, "num_layers": 1},
        "reward_signals": {"extrinsic": {"gamma": 0.9}},
    }
    return BehaviorSettings.model_validate(sections)


def segment(rng, length, ended=False, interrupted=False):
    """Random decisions of an agent with three observations and three actions."""
    return make_segment(
        observations=(rng.standard_normal((length + 1, 3), np.float32),),
        memory=np.zeros((length, 0), np.float32),
        continuous=np.zeros((length, 0), np.float32),
        discrete=rng.integers(0, 3, (length, 1), np.int32),
        log_prob=np.full((length, 1), -1.0, np.float32),
        allowed=np.ones((length, 3), np.bool_),
        reward=rng.standard_normal(length, np.float32),
        terminated=ended and not interrupted,
        truncated=interrupted,
    )


def test_a_rollout_is_one_batch(a2c):
    assert settings_with(batch_size=64).hyperparameters.buffer_size == 64
    text = "behaviors: {B: {trainer_type: a2c, hyperparameters: {batch_size: 64, buffer_size: 128}}}"
    with pytest.raises(SettingsError, match="batch_size is 64 and buffer_size 128, but A2C takes one gradient step"):
        parse_run_settings(text)


def test_the_loss_is_that_of_the_paper(a2c):
    """Against sums over decisions in plain loops; three segments: cut by the horizon, ended, interrupted."""
    rng = np.random.default_rng(0)
    settings = settings_with(beta=0.25, value_coefficient=0.5)
    learner = make_learner("B", behavior(3, branches=(3,)), settings, 0)
    segments = [segment(rng, 4), segment(rng, 3, ended=True), segment(rng, 2, ended=True, interrupted=True)]
    for one in segments:
        learner.extend([one])
    rows, networks = learner._rows, learner._trained.networks_of(learner._trained.state.parameters)
    inputs = networks.body.layout.sorted(tuple(rows.columns.observations))
    rollout = a2c.Rollout(
        rows.columns,
        rows.columns.reward[:, None],
        rows.terminated[:, None],
        rows.closing,
    )
    gamma = np.array([0.9], np.float32)
    arguments = (learner._trained.networks_of, inputs, rollout, gamma, settings.hyperparameters)
    evaluate = jax.jit(lambda parameters: jax.value_and_grad(a2c.loss, has_aux=True)(parameters, *arguments))
    (total, parts), gradient = evaluate(learner._trained.state.parameters)

    policy_losses, value_losses, entropies, values, errors = [], [], [], [], []
    for one in segments:
        value = np.asarray(networks.critic(networks.body.layout.sorted(one.columns.observations))[0])[:, 0]
        hidden, _ = networks.body(networks.body.layout.sorted(one.columns.observations))
        log_probs = np.asarray(networks.head(hidden, None).log_probs[0])
        n_step = 0.0 if one.terminated else value[-1]
        for t in reversed(range(len(one))):
            n_step = one.columns.reward[t] + 0.9 * n_step
            policy_losses.append(-log_probs[t, one.columns.discrete[t, 0]] * (n_step - value[t]))
            value_losses.append((n_step - value[t]) ** 2)
            errors.append(value[t] - n_step)
            entropies.append(-np.sum(np.exp(log_probs[t]) * log_probs[t]))
            values.append(value[t])
    expected = [np.mean(x) for x in (policy_losses, value_losses, entropies, values)]
    np.testing.assert_allclose(parts, expected, rtol=2e-5)
    np.testing.assert_allclose(total, expected[0] + 0.5 * expected[1] - 0.25 * expected[2], rtol=2e-5)

    bias = np.asarray(learner._trained.networks_of(gradient).critic.value.bias)
    np.testing.assert_allclose(bias, [0.5 * 2 * np.mean(errors)], rtol=1e-4)  # only by the critic's own loss


@pytest.mark.slow
def test_it_learns_the_walk(a2c):
    behavior = train(Walk("discrete"), settings_with(20_000, batch_size=80, learning_rate=1e-2, beta=1e-3))
    returns = greedy_returns(Walk("discrete", seed=1), behavior.learner.snapshot())
    assert np.mean(returns) > OPTIMUM - 0.1


def test_a_learner_goes_on_where_another_was_saved(a2c):
    spec, settings = behavior(3, branches=(3,)), settings_with(batch_size=8)
    one, other, fresh = (make_learner("B", spec, settings, seed) for seed in range(3))
    for learner in (one, other):
        learner.reserve(2)
    rng = np.random.default_rng(0)
    one.extend([segment(rng, 8, ended=True)])
    assert one.ready()
    one.update()
    one.extend([segment(rng, 5)])
    assert not one.ready()
    other.load_state_dict(one.state_dict())
    other.load_state_dict(other.state_dict() | {"experience": one.state_dict(experience=True)["experience"]})
    last = segment(rng, 4, ended=True)
    for learner in (one, other):
        learner.extend([last])
    assert one.update() == other.update()
    assert one.steps == other.steps == 17
    saved = one.state_dict()
    for name, tensor in other.state_dict()["tensors"].items():
        np.testing.assert_array_equal(tensor, saved["tensors"][name])

    fresh.initialize_from(saved)
    assert fresh.steps == 0
    tensors = fresh.state_dict()["tensors"]
    weights = [name for name in tensors if not name.startswith("adam.")]
    assert weights
    for name in weights:
        np.testing.assert_array_equal(tensors[name], saved["tensors"][name])
    assert tensors["adam.count"] == 0
    with pytest.raises(TensorMismatch, match="behavior B"):
        make_learner("B", behavior(4, branches=(3,)), settings, 0).load_state_dict(saved)


def test_memory_is_refused(a2c):
    settings = BehaviorSettings.model_validate({"trainer_type": "a2c", "network_settings": {"memory": {}}})
    with pytest.raises(SettingsError, match=r"behaviors\.B\.network_settings\.memory: A2C has none"):
        make_learner("B", behavior(3, branches=(3,)), settings, 0)


def run(site, folder, program, *arguments):
    command = [sys.executable, "-c", f"import sys; from {program} import main; sys.exit(main())", *arguments]
    environment = os.environ | {"PYTHONPATH": str(site)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=600
    ).stdout


def learn(site, folder, max_steps, *flags):
    text = (FOLDER / "a2c_basic.yaml").read_text().replace("max_steps: 30000", f"max_steps: {max_steps}")
    (folder / "basic.yaml").write_text(text)
    return run(site, folder, "mlagents.cli.learn", "basic.yaml", "--env=Basic", "--seed=1", *flags)


@pytest.mark.slow
def test_the_installed_package_trains_resumes_and_exports(site, tmp_path):
    learn(site, tmp_path, 1000, "--run-id=one", "--jsonl")
    first = json.loads((tmp_path / "models/one/training_status.json").read_text())["Basic"]["checkpoints"][-1]
    assert 1000 <= first["steps"] < 1100
    out = learn(site, tmp_path, 3500, "--run-id=one", "--resume", "--jsonl")
    assert f"resuming training from step {first['steps']}" in out
    lines = [json.loads(line) for line in (tmp_path / "summaries/one.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "stats" in line] == [3000]
    assert {"Policy/Entropy", "Losses/Value Loss"} <= lines[-1]["stats"].keys()
    out = learn(site, tmp_path, 200, "--run-id=two", "--initialize-from=one")
    assert "weights from run one; steps start at 0" in out
    played = run(site, tmp_path, "mlagents.cli.main", "play", "Basic", "--model", "one", "--episodes", "3", "--json")
    assert json.loads(played)["behaviors"]["Basic?team=0"]["episodes"] == 3


@pytest.mark.slow
def test_basic_is_learned_to_its_benchmark(site, tmp_path):
    run(site, tmp_path, "mlagents.cli.learn", str(FOLDER / "a2c_basic.yaml"), "--env=Basic", "--run-id=a2c", "--seed=2")
    flags = ("--model", "a2c", "--deterministic", "--json")
    played = json.loads(run(site, tmp_path, "mlagents.cli.main", "play", "Basic", *flags))
    assert played["behaviors"]["Basic?team=0"]["mean"] >= 0.93 - 1e-6
