"""A policy that sees nothing but a grid sensor."""

from __future__ import annotations

import numpy as np
import pytest

from toys.forage import forage
from toys.training import greedy_returns, ppo_settings, train


@pytest.mark.slow
def test_food_is_found_and_poison_avoided():
    """Food is some 4 steps away: a perfect forager earns 0.95. Who does not see it earns nothing on average."""
    settings = ppo_settings(30_000, {"learning_rate": 1e-3, "num_epoch": 3}, network_settings={"hidden_units": 64})
    behavior = train(forage(), settings)
    returns = greedy_returns(forage(seed=1), behavior.learner.snapshot(), steps=400)
    assert len(returns) > 200
    assert np.mean(returns) >= 0.85
