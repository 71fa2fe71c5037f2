"""Foreign environments through our own training: from `--env` to what the policy earns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlagents.rollout.source import EnvironmentSource
from mlagents.settings import load_run_settings
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.foreign.by_name import make_foreign
from toys.training import greedy_returns, ppo_settings, train

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent

CONFIG = """\
default_settings:
  trainer_type: ppo
  hyperparameters: {batch_size: 64, buffer_size: 256}
  network_settings: {hidden_units: 16, num_layers: 1}
  max_steps: 1000
  summary_freq: 500
"""


@pytest.mark.slow
def test_cartpole_gets_better_within_20_000_steps():
    behavior = train(
        make_foreign("gym:CartPole-v1", seed=1),
        ppo_settings(20_000, reward_signals={"extrinsic": {"gamma": 0.99, "strength": 1.0}}),
    )
    returns = greedy_returns(make_foreign("gym:CartPole-v1", seed=2), behavior.learner.snapshot(), steps=600)
    assert np.mean(returns) > 150  # random play earns 22


def shipped(name):
    return load_run_settings(ROOT / "config" / "gym" / f"{name}.yaml", {}).behavior(name.removesuffix("_sac"))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("CartPole", 475), ("Pendulum", -200), ("Pendulum_sac", -200)])
def test_shipped_configurations_solve_their_environment(name, least):
    means, source = [], f"gym:{name.removesuffix('_sac')}-v1"
    for seed in (1, 2, 3):
        behavior = train(make_foreign(source, seed=seed), shipped(name), seed=seed)
        returns = greedy_returns(make_foreign(source, seed=100 + seed), behavior.learner.snapshot(), steps=2100)
        assert len(returns) >= 32
        means.append(np.mean(returns))
    assert np.mean(means) >= least, means


def test_a_source_makes_them():
    source = EnvironmentSource("gym:Pendulum-v1", seed=4, num_areas=3)
    assert source.is_named()
    starts = []
    for worker in range(2):
        with source.make(worker, []) as env:
            env.reset()
            starts.append(env.get_steps("Pendulum?team=0")[0].obs[0])
    assert starts[0].shape == (3, 3)
    assert not (starts[0] == starts[1]).any()


@pytest.mark.parametrize("kind", ["gym", "pettingzoo"])
def test_a_missing_library_is_told_with_the_extra_that_brings_it(monkeypatch, kind):
    for module in [name for name in sys.modules if name.startswith(("mlagents_envs.envs.", "mlagents_envs.foreign."))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(UnityEnvironmentException, match=rf"gymnasium.*pip install 'mlagents-jax\[{kind}\]'"):
        make_foreign(f"{kind}:anything-v1")


def learn(folder, *flags):
    (folder / "config.yaml").write_text(CONFIG)
    return subprocess.run(
        [sys.executable, "-m", "mlagents.cli.learn", "config.yaml", "--run-id=r", "--results-dir=out", *flags],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("flags", "model"),
    [
        pytest.param(["--env=gym:CartPole-v1", "--num-areas=4"], "CartPole", marks=pytest.mark.slow),
        pytest.param(["--env=gym:Pendulum-v1", "--num-envs=2"], "Pendulum", marks=pytest.mark.slow),
        pytest.param(["--env=pettingzoo:nim_v1"], "nim", marks=pytest.mark.slow),
    ],
)
def test_mlagents_learn_trains_them(tmp_path, flags, model):
    result = learn(tmp_path, *flags)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "out" / "r" / f"{model}.onnx").is_file()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_mlagents_learn_tells_of_unknown_ones(tmp_path, workers):
    result = learn(tmp_path, "--env=gym:CartPol-v1", f"--num-envs={workers}")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "gym:CartPol-v1" in result.stderr
    assert "CartPole-v1" in result.stderr
