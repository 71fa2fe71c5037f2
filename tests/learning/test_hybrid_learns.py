"""Two continuous and two discrete actions that must succeed together, as in the reference's own test."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.settings import BehaviorSettings
from toys.sides import Sides
from toys.training import train

PPO = {
    "trainer_type": "ppo",
    "max_steps": 10_000,
    "summary_freq": 500,
    "hyperparameters": {
        "batch_size": 64,
        "buffer_size": 1024,
        "learning_rate": 1e-3,
        "learning_rate_schedule": "constant",
    },
    "network_settings": {"hidden_units": 32, "num_layers": 1},
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_ppo_takes_every_action_to_the_right_side(seed):
    """The last hundred episodes are averaged, with the noise of training: four positions on their sides pay 1.06.

    A single one that goes to the same side whatever is seen costs a quarter of that: 0.8.
    """
    env = Sides(seed=seed)
    train(env, BehaviorSettings.model_validate(PPO), seed=seed)
    assert np.mean(env.finished[-100:]) > 0.9
