"""SAC on tasks with a known optimum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlagents.settings import load_run_settings
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.registry import default_registry
from toys.training import greedy_returns, sac_settings, train
from toys.walk import OPTIMUM, Walk

CONFIG = Path(__file__).resolve().parents[2] / "config"


class EasyWalk(Walk):
    """Continuous moves are lengthened a little: tanh of an action reaches 1 only in the limit."""

    def set_actions(self, behavior_name, action):
        super().set_actions(behavior_name, ActionTuple(1.25 * action.continuous, action.discrete))


@pytest.mark.parametrize(
    "kind", ["hybrid", *(pytest.param(k, marks=pytest.mark.slow) for k in ("continuous", "discrete", "branches"))]
)
def test_walk_is_solved_within_5_000_steps(kind):
    learner = train(EasyWalk(kind), sac_settings(5_000)).learner
    returns = greedy_returns(EasyWalk(kind, seed=1), learner.snapshot())
    assert len(returns) > 100
    assert np.mean(returns) >= 0.95 * OPTIMUM


@pytest.mark.slow
def test_3dball_is_solved_within_100_000_steps():
    settings = load_run_settings(CONFIG / "sac" / "3DBall.yaml").behaviors["3DBall"]
    settings = settings.model_copy(update={"max_steps": 100_000})
    learner = train(default_registry["3DBall"].make(seed=0), settings).learner
    env = default_registry["3DBall"].make(seed=1)
    returns = greedy_returns(env, learner.snapshot(), steps=1_100)
    assert len(returns) >= 12
    assert np.mean(returns) >= 99.0
