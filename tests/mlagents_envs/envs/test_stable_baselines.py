"""Stable-Baselines3's checker on every environment, in an environment of its own that has the library."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mlagents_envs.registry import default_registry

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-bench" / "bin" / "python"

CODE = """\
import sys, warnings
from stable_baselines3.common.env_checker import check_env
from mlagents_envs.envs.unity_gym_env import UnityGymException, UnityToGymWrapper
from mlagents_envs.registry import default_registry

name = sys.argv[1]
try:
    env = UnityToGymWrapper(lambda seed: default_registry[name].make(seed=seed, num_areas=1))
except UnityGymException as error:
    print("refused:", error)
else:
    check_env(env)
    print("passed")
"""


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason="there is no .venv-bench with stable-baselines3")
@pytest.mark.parametrize("name", list(default_registry))
def test_every_environment_passes_the_checker_of_stable_baselines(name):
    result = subprocess.run(
        [PYTHON, "-c", CODE, name],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(("passed", "refused: Gymnasium knows one agent", "refused: Behavior"))
