"""SAC on tasks with a known optimum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlagents.algorithms.sac.learner import SACLearner
from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.reward_signals.stack import RewardSignals
from mlagents.rollout.env_pool import InlinePool
from mlagents.settings import BehaviorSettings, load_run_settings
from mlagents.stats import Statistics
from mlagents.training.behavior import Behavior
from mlagents.training.loop import TrainingLoop
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel
from toys.training import greedy_returns
from toys.walk import OPTIMUM, Walk

CONFIG = Path(__file__).resolve().parents[2] / "config"


class EasyWalk(Walk):
    """Continuous moves are lengthened a little: tanh of an action reaches 1 only in the limit."""

    def set_actions(self, behavior_name, action):
        super().set_actions(behavior_name, ActionTuple(1.25 * action.continuous, action.discrete))


def sac_settings(max_steps):
    return BehaviorSettings.model_validate(
        {
            "trainer_type": "sac",
            "max_steps": max_steps,
            "time_horizon": 64,
            "summary_freq": 1000,
            "hyperparameters": {
                "batch_size": 64,
                "buffer_size": 5000,
                "learning_rate": 3e-3,
                "buffer_init_steps": 200,
                "steps_per_update": 4,
                "init_entcoef": 0.1,
                "tau": 0.02,
            },
            "network_settings": {"hidden_units": 32, "num_layers": 2},
            "reward_signals": {"extrinsic": {"gamma": 0.95, "strength": 1.0}},
        }
    )


def train(env, settings, seed=0):
    """Train in this process to `max_steps` and return the learner."""
    learners = []

    def make_behavior(name, spec):
        learners.append(SACLearner(name, spec, settings, RewardSignals(settings.reward_signals), seed))
        return Behavior(name, spec, settings, learners[0], statistics, np.random.default_rng(seed), training=True)

    def ignore(*arguments):
        pass

    statistics = Statistics()
    pool = InlinePool(env, EnvironmentParametersChannel(), StatsSideChannel())
    TrainingLoop(pool, make_behavior, statistics, ParameterSchedule({}), ignore, ignore).run(lambda: False)
    return learners[0]


@pytest.mark.parametrize("kind", ["continuous", "discrete", "hybrid", "branches"])
def test_walk_is_solved_within_5_000_steps(kind):
    learner = train(EasyWalk(kind), sac_settings(5_000))
    returns = greedy_returns(EasyWalk(kind, seed=1), learner.policy)
    assert len(returns) > 100
    assert np.mean(returns) >= 0.95 * OPTIMUM


@pytest.mark.slow
def test_3dball_is_solved_within_100_000_steps():
    settings = load_run_settings(CONFIG / "sac" / "3DBall.yaml").behaviors["3DBall"]
    settings = settings.model_copy(update={"max_steps": 100_000})
    learner = train(default_registry["3DBall"].make(seed=0), settings)
    env = default_registry["3DBall"].make(seed=1)
    returns = greedy_returns(env, learner.policy, steps=1_100)
    assert len(returns) >= 12
    assert np.mean(returns) >= 99.0
