"""docs/ragdolls.md is followed literally: its blocks of code are a game that works, and its words are true."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.registry import default_registry
from mlagents_envs.testing import check_env
from mlagents_sim.physics.articulated import __all__ as offered

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ragdolls.md").read_text()
CODE = "\n\n".join(re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL))


@pytest.fixture
def hopper(tmp_path, monkeypatch):
    """The file that a reader has at the end."""
    monkeypatch.chdir(tmp_path)
    Path("hopper.py").write_text(CODE)
    return default_registry["hopper.py"]


def acted(env, numbers):
    action = np.tile(np.array(numbers, np.float32), (len(env.get_steps("Hopper?team=0")[0]), 1))
    env.set_actions("Hopper?team=0", ActionTuple(action))
    env.step()


def test_the_game_keeps_the_contract(hopper):
    check_env(lambda: hopper.make(seed=3, num_areas=2), steps=40, deterministic=True)


def test_the_hopper_does_what_it_is_told(hopper):
    """It bends its knee by half of 120 degrees: the shin turns backwards; it stands on its foot, and then falls."""
    env = hopper.make(num_areas=3)
    env.reset()
    ragdolls = env._world.hoppers.ragdolls
    for _ in range(6):
        acted(env, (0.0, 0.0, 0.0))
    thigh, shin = (np.degrees(2.0 * np.arctan2(*ragdolls.rotation[0, body, [1, 0]])) for body in (1, 2))
    assert shin - thigh == pytest.approx(-60.0, abs=15.0)
    ends = 0
    for _ in range(100):
        acted(env, (1.0, -1.0, 1.0))
        terminal = env.get_steps("Hopper?team=0")[1]
        ends += len(terminal)
        assert (terminal.reward == -1.0).all()
    assert ends > 0


def test_the_hopper_is_seen(opengl, hopper):
    env = hopper.make(num_areas=4)
    env.reset()
    assert len(env._world.bodies().shape) == 4 * (4 + 1)  # four bodies and a floor
    assert len(np.unique(env.picture(96, 64).reshape(-1, 3), axis=0)) > 3


def test_every_function_of_the_room_is_told_of():
    missing = [name for name in offered if name not in PAGE and name not in ("Ragdolls", "multiply")]
    assert not missing
