"""POCA on games with a known optimum, where agents that learn by themselves come to a known lower value."""

from __future__ import annotations

import numpy as np
import pytest

from toys.teams import Corridor, NoisyMatrix, Sacrifice
from toys.training import poca_settings, ppo_settings, train

SEEDS = pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)


def latest(game, settings, seed):
    """What groups earn in the last third of the training."""
    env = game(seed=seed)
    train(env, settings, seed=seed)
    return float(np.mean(env.latest[-len(env.latest) // 3 :]))


@SEEDS
def test_somebody_stays_behind_so_that_the_others_win(seed):
    assert latest(Sacrifice, poca_settings(9000, {"beta": 1e-2}), seed) > 0.95


@pytest.mark.slow
@SEEDS
def test_with_ppo_nobody_stays_behind(seed):
    assert latest(Sacrifice, ppo_settings(20_000, {"beta": 1e-2}), seed) == pytest.approx(
        Sacrifice.consolation, abs=0.05
    )


@pytest.mark.slow
@SEEDS
def test_the_first_in_the_corridor_makes_way_for_the_other(seed):
    assert latest(Corridor, poca_settings(10_000, {"beta": 1e-2}), seed) > 0.95
    assert latest(Corridor, ppo_settings(16_000, {"beta": 1e-2}), seed) == pytest.approx(Corridor.consolation, abs=0.1)


@pytest.mark.slow
@SEEDS
def test_a_matrix_game_in_the_noise_of_what_the_mate_sees(seed):
    assert latest(NoisyMatrix, poca_settings(12_000, {"beta": 0.1}), seed) > 0.95
    ppo = latest(NoisyMatrix, ppo_settings(16_000, {"beta": 0.1}), seed)
    assert ppo == pytest.approx(NoisyMatrix.undecided(0.1), abs=0.1)
