"""GAIL alone, without the environment's reward, on tasks with a known optimum."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from toys.experts import record, walk_rule
from toys.guess import Guess, cue, pixels
from toys.ledge import LIMIT, Ledge, keep_to_the_middle
from toys.training import greedy_returns, ppo_settings, sac_settings, train
from toys.walk import OPTIMUM, Walk


def gail(path, **more):
    network = {"hidden_units": 32, "num_layers": 2}
    return {"gail": {"gamma": 0.95, "demo_path": str(path), "learning_rate": 1e-3, "network_settings": network} | more}


def walked(tmp_path, kind, settings=ppo_settings, steps=15_000, seed=0, **more):
    env = Walk(kind, agents=4, seed=9)
    path = record(env, walk_rule(env.behavior_specs["Walk?team=0"]), tmp_path / "walk.demo", 100)
    signals = gail(path, use_actions=True, **more)
    learner = train(Walk(kind), settings(steps, reward_signals=signals), seed=seed).learner
    return np.mean(greedy_returns(Walk(kind, seed=1), learner.snapshot()))


@pytest.mark.slow
def test_whoever_lives_longer_does_worse_and_is_not_rewarded_for_it(tmp_path):
    """Experts are at the goal in two steps. A reward that pays for every step would have agents wait for ever."""
    assert walked(tmp_path, "discrete") >= 0.95 * OPTIMUM


@pytest.mark.slow
def test_whoever_ends_early_does_worse_and_is_not_rewarded_for_it(tmp_path):
    """Experts stay for all of the 20 steps; at random one falls after 8 or so. An always negative reward would have
    agents jump.
    """
    path = record(Ledge(agents=4, seed=9), keep_to_the_middle, tmp_path / "ledge.demo", 100)
    learner = train(Ledge(), ppo_settings(15_000, reward_signals=gail(path))).learner
    returns = greedy_returns(Ledge(seed=1), learner.snapshot())
    assert np.mean(returns) >= 0.95 * LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kind", ["continuous", "hybrid", "branches"])
def test_walk_is_solved_with_every_kind_of_action(tmp_path, kind, seed):
    assert walked(tmp_path, kind, seed=seed, steps=25_000) >= 0.9 * OPTIMUM


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kind", ["discrete", "branches"])
def test_walk_is_solved_with_vail(tmp_path, kind, seed):
    assert walked(tmp_path, kind, seed=seed, use_vail=True) >= 0.9 * OPTIMUM


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_walk_is_solved_with_sac(tmp_path, seed):
    assert walked(tmp_path, "discrete", sac_settings, 8_000, seed=seed) >= 0.9 * OPTIMUM


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_images_are_judged_with_what_was_done(tmp_path, seed):
    """Who does as experts do earns noise. A policy slower than its judge falls back some times, and then stays."""
    expert = Guess(pixels(20), agents=4, seed=9)
    path = record(
        expert, lambda _: ActionTuple(None, expert._right[:, None].astype(np.int32)), tmp_path / "d.demo", 400
    )
    settings = ppo_settings(
        20_000,
        {"learning_rate": 4e-4, "beta": 0.02, "advantage_normalization": "scale"},
        reward_signals=gail(path, use_actions=True),
        network_settings={"hidden_units": 32, "num_layers": 1},
    )
    policy = train(Guess(pixels(20)), settings, seed=seed).learner.snapshot()
    assert np.mean(greedy_returns(Guess(pixels(20), seed=1), policy)) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_was_shown_long_ago_is_remembered(tmp_path, seed):
    """A sign, then nothing for three decisions, then an answer: the discriminator sees only whether it was right."""
    expert = Guess(cue(), agents=4, delay=3, seed=9, verdict=True)
    rule = lambda decision: ActionTuple(None, expert._right[:, None].astype(np.int32))  # noqa: E731
    path = record(expert, rule, tmp_path / "guess.demo", 250)
    network = {"hidden_units": 32, "num_layers": 1, "memory": {"sequence_length": 8, "memory_size": 16}}
    settings = ppo_settings(10_000, reward_signals=gail(path), network_settings=network)
    policy = train(Guess(cue(), delay=3, verdict=True), settings, seed=seed).learner.snapshot()
    assert np.mean(greedy_returns(Guess(cue(), delay=3, seed=1, verdict=True), policy)) >= 0.95
