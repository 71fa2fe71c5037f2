"""RND where reward is too far away for chance."""

from __future__ import annotations

import pytest

from toys.corridor import Corridor
from toys.training import ppo_settings, train

EXTRINSIC = {"extrinsic": {"gamma": 0.99, "strength": 1.0}}
NETWORK = {"hidden_units": 32, "num_layers": 2}
RND = {"rnd": {"gamma": 0.99, "strength": 0.1, "learning_rate": 1e-3, "network_settings": NETWORK}}


def explored(signals, seed=0):
    """Train until the far end was reached 20 times, or for 40,000 decisions."""
    env = Corridor()
    settings = ppo_settings(40_000, {"num_epoch": 4, "buffer_size": 1_920, "beta": 0.01}, reward_signals=signals)
    train(env, settings, seed=seed, stop=lambda: env.arrived >= 20)
    return env


@pytest.mark.slow
def test_rnd_finds_the_far_end_of_a_corridor_and_plain_ppo_does_not():
    plain = explored(EXTRINSIC)
    assert (plain.arrived, plain.furthest <= 9) == (0, True)
    assert explored(EXTRINSIC | RND).arrived >= 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rnd_finds_it_on_other_seeds(seed):
    assert explored(EXTRINSIC | RND, seed).arrived >= 20
