"""PPO on tasks with a known optimum."""

from __future__ import annotations

import numpy as np
import pytest

from toys.training import greedy_returns, ppo_settings, train
from toys.walk import OPTIMUM, Walk


@pytest.mark.parametrize(
    "kind", ["continuous", "branches", *(pytest.param(k, marks=pytest.mark.slow) for k in ("discrete", "hybrid"))]
)
def test_walk_is_solved_within_10_000_steps(kind):
    behavior = train(Walk(kind), ppo_settings(10_000, {"learning_rate": 1e-3}))
    returns = greedy_returns(Walk(kind, seed=1), behavior.learner.snapshot())
    assert len(returns) > 100
    assert np.mean(returns) >= 0.95 * OPTIMUM
