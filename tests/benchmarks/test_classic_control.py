"""What peers are told of Gymnasium's environments, and what they say of themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from classic_control import TASKS, Progress, Watched, maker
from observe import PROGRESS


class Counting(gymnasium.Env):
    """Episodes of three steps, with rewards 1, 2, 3."""

    observation_space = action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def reset(self, *, seed=None, options=None):
        self._steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self._steps += 1
        return np.zeros(1, np.float32), float(self._steps), False, self._steps == 3, {}


def test_the_lines_are_those_that_are_watched_for(capsys):
    env = Watched(Counting(), Progress(every=2), strength=0.5)
    rewards = []
    for _ in range(2):
        env.reset()
        rewards += [env.step(np.zeros(1))[1] for _ in range(3)]
    assert rewards == [0.5, 1.0, 1.5] * 2
    found = [PROGRESS.search(line).groups() for line in capsys.readouterr().out.splitlines()]
    assert found == [("2", None), ("4", "6.000"), ("6", "6.000")]  # of whole episodes, unscaled


@pytest.mark.parametrize("key", TASKS)
def test_peers_learn_the_configured_task(key, capsys):
    task = TASKS[key]
    name, section = task.behavior()
    assert task.env_id.startswith(name)
    assert section["hyperparameters"]["buffer_size"] % task.copies == 0
    env = maker(task, Progress(every=1))()
    env.reset(seed=1)
    env.step(env.action_space.sample())
    assert capsys.readouterr().out == "Step: 1.\n"
