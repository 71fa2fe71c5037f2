"""Both algorithms on every kind of observation, and on memory: tasks whose optimum is 1.

`make test` has a short form of each; the full form, all encoders and sets of entities, is slow.
"""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.settings import BehaviorSettings
from toys.guess import Guess, cue, entities, goal, listed_goals, pixels
from toys.training import greedy_returns, ppo_settings, sac_settings, train

ENCODERS = {"simple": 20, "nature_cnn": 36, "resnet": 15, "match3": 5, "fully_connected": 8}
"""Image encoder to the side of the image shown to it, its smallest where it has one."""

ALGORITHMS = pytest.mark.parametrize("algorithm", ["ppo", pytest.param("sac", marks=pytest.mark.slow)])

MEMORY = {"sequence_length": 8, "memory_size": 32}


def settings(algorithm: str, max_steps: int, learning_rate: float = 1e-3, **network) -> BehaviorSettings:
    shape = {"hidden_units": 32, "num_layers": 1} | network
    if algorithm == "sac":
        return sac_settings(max_steps, {"learning_rate": learning_rate}, network_settings=shape)
    return ppo_settings(max_steps, {"learning_rate": learning_rate, "num_epoch": 3}, network_settings=shape)


def solved(question, wanted: BehaviorSettings, *, delay: int = 0, seed: int = 0) -> float:
    """Train until nearly all of 500 answers are right, or to the end; return the share of right ones to new questions.

    Not always to the end: once all answers are right, PPO's advantages are nothing but errors of its values, which are
    standardised all the same, and at learning rates like this one they may undo what was learned.
    """
    env = Guess(question, delay=delay, seed=seed)
    behavior = train(env, wanted, seed=seed, stop=lambda: sum(env.latest) >= 0.99 * env.latest.maxlen)
    returns = greedy_returns(Guess(question, delay=delay, seed=seed + 100), behavior.learner.snapshot(), steps=60)
    assert len(returns) > 100
    return float(np.mean(returns))


@ALGORITHMS
def test_a_cue_shown_only_first_is_remembered_with_memory(algorithm):
    steps = {"ppo": 20_000, "sac": 10_000}[algorithm]
    assert solved(cue(), settings(algorithm, steps, 3e-3, memory=MEMORY), delay=4) >= 0.98


@pytest.mark.slow
@ALGORITHMS
def test_a_cue_shown_only_first_is_guessed_without_memory(algorithm):
    """Four standard errors of 190 answers or more around one half."""
    steps = {"ppo": 20_000, "sac": 5_000}[algorithm]
    assert solved(cue(), settings(algorithm, steps, 3e-3), delay=4) == pytest.approx(0.5, abs=0.15)


@ALGORITHMS
def test_a_position_shown_as_pixels(algorithm):
    assert solved(pixels(20), settings(algorithm, 2_000)) >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_a_position_shown_as_pixels_to_every_encoder(algorithm, encoder):
    question = pixels(ENCODERS[encoder], channels=3)
    assert solved(question, settings(algorithm, 5_000, vis_encode_type=encoder)) >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_the_nearest_of_one_to_three(algorithm):
    steps = {"ppo": 20_000, "sac": 4_000}[algorithm]
    assert solved(entities(3), settings(algorithm, steps)) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_the_nearest_of_one_to_eight(algorithm):
    steps = {"ppo": 40_000, "sac": 20_000}[algorithm]
    assert solved(entities(8), settings(algorithm, steps)) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_a_goal_turns_the_right_answer_round(algorithm):
    assert solved(goal(), settings(algorithm, 4_000, 3e-3)) >= 0.98


@pytest.mark.slow
def test_goals_of_variable_size_are_read():
    assert solved(listed_goals(3), settings("ppo", 8_000, 3e-3)) >= 0.98


@pytest.mark.slow
def test_a_shared_critic_learns():
    shared = ppo_settings(8_000, {"shared_critic": True})
    assert solved(goal(), shared) >= 0.98
