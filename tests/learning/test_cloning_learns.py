"""Cloning of experts on tasks with a known optimum: alone, and beside a reward."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.algorithms.bc import BCLearner
from mlagents.settings import BehaviorSettings
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.demonstrations import load_demonstration
from toys.experts import record, walk_rule
from toys.guess import Guess, cue, pixels
from toys.training import greedy_returns, ppo_settings, sac_settings, train
from toys.walk import NAME, OPTIMUM, Walk

SINGLE = ["continuous", "discrete", "branches"]
"""What a hybrid action has both of, and several branches."""


def walk_demo(folder, kind):
    env = Walk(kind, agents=4, seed=9)
    return record(env, walk_rule(env.behavior_specs[NAME]), folder / "walk.demo", 100)


def guess_demo(folder, question, delay=0):
    """Recorded from somebody who knows the answers."""
    env = Guess(question, agents=4, delay=delay, seed=9)
    rule = lambda decision: ActionTuple(None, env._right[: len(decision), None].astype(np.int32))  # noqa: E731
    return record(env, rule, folder / "guess.demo", 150 * (delay + 1))


def cloned(path, max_steps=30_000, **more):
    """Pure cloning: nothing but the file."""
    settings = BehaviorSettings.model_validate(
        {
            "trainer_type": "bc",
            "max_steps": max_steps,
            "hyperparameters": {"batch_size": 64, "learning_rate": 5e-3},
            "network_settings": {"hidden_units": 32, "num_layers": 2} | more,
            "behavioral_cloning": {"demo_path": str(path)},
        }
    )
    learner = BCLearner("B", load_demonstration(path).spec, settings, 0)
    while learner.steps <= max_steps:
        learner.update()
    return learner.snapshot()


@pytest.mark.parametrize("kind", ["hybrid", *(pytest.param(k, marks=pytest.mark.slow) for k in SINGLE)])
def test_pure_cloning_walks_like_the_expert(tmp_path, kind):
    policy = cloned(walk_demo(tmp_path, kind))
    returns = greedy_returns(Walk(kind, seed=1), policy)
    assert np.mean(returns) >= 0.9 * OPTIMUM


def test_pure_cloning_remembers(tmp_path):
    """A sign is shown, then nothing for three decisions; then the answer counts."""
    memory = {"memory": {"sequence_length": 4, "memory_size": 16}}
    policy = cloned(guess_demo(tmp_path, cue(), delay=3), **memory)
    assert np.mean(greedy_returns(Guess(cue(), delay=3, seed=1), policy)) >= 0.99


@pytest.mark.slow
def test_pure_cloning_sees_images(tmp_path):
    policy = cloned(guess_demo(tmp_path, pixels(20)), 10_000)
    assert np.mean(greedy_returns(Guess(pixels(20), seed=1), policy, steps=20)) >= 0.95


class Unrewarded(Walk):
    """Nothing is to be learned from its rewards."""

    def _report(self, reward, terminal):
        terminal.reward[:] = 0.0
        super()._report(0.0 * reward, terminal)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("settings", [ppo_settings, sac_settings], ids=["ppo", "sac"])
@pytest.mark.parametrize("kind", ["continuous", "discrete", "hybrid", "branches"])
def test_cloning_alone_teaches_ppo_and_sac(tmp_path, kind, settings, seed):
    """Without rewards. Who is nearly there is there: clones come close to full actions, SAC's squashed ones only in the
    limit, and no expert has shown what to do just short of the goal.
    """
    cloning, steps = {"demo_path": str(walk_demo(tmp_path, kind)), "samples_per_update": 640}, 8_000
    if settings is sac_settings:
        cloning |= {"samples_per_update": 64, "num_epoch": 1}
        steps = 5_000
    learner = train(Unrewarded(kind), settings(steps, behavioral_cloning=cloning), seed=seed).learner
    returns = greedy_returns(Walk(kind, seed=1, tolerance=0.15), learner.snapshot())
    assert np.mean(returns) >= 0.9 * OPTIMUM


@pytest.mark.slow
@pytest.mark.parametrize("settings", [ppo_settings, sac_settings], ids=["ppo", "sac"])
def test_cloning_for_the_first_steps_then_reward(tmp_path, settings):
    cloning = {"demo_path": str(walk_demo(tmp_path, "discrete")), "samples_per_update": 64, "num_epoch": 1}
    learner = train(Walk("discrete"), settings(8_000, behavioral_cloning=cloning | {"steps": 2_000})).learner
    assert np.mean(greedy_returns(Walk("discrete", seed=1), learner.snapshot())) >= 0.95 * OPTIMUM


@pytest.mark.slow
def test_demonstrations_in_sacs_minibatches(tmp_path):
    path = walk_demo(tmp_path, "continuous")
    settings = sac_settings(
        6_000, {"demo_replay_ratio": 0.25}, behavioral_cloning={"demo_path": str(path), "strength": 0.0}
    )
    learner = train(Walk("continuous"), settings).learner
    assert np.mean(greedy_returns(Walk("continuous", seed=1), learner.snapshot())) >= 0.8 * OPTIMUM
