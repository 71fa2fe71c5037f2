"""Stopping the loop at any round and going on with another is the same as not stopping."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.rollout.env_pool import InlinePool
from mlagents.rollout.sampler import LocalSampler
from mlagents.settings import RunSettings
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel
from toys.training import make_loop, ppo_settings

UNIFORM = {"sampler_type": "uniform", "sampler_parameters": {"min_value": 1, "max_value": 2}}
EASY = {"behavior": "3DBall", "measure": "progress", "threshold": 0.3}
MIDDLE = {"behavior": "3DBall", "measure": "progress", "threshold": 0.6, "require_reset": True}
SCALE = {
    "curriculum": [
        {"name": "Small", "value": 1.0, "completion_criteria": EASY},
        {"name": "Middle", "value": UNIFORM, "completion_criteria": MIDDLE},
        {"name": "Large", "value": 3.0},
    ]
}


class Stop:
    """Says so after a number of rounds; notes at which rounds the lessons changed."""

    def __init__(self, rounds, parameters):
        self._rounds, self._parameters = rounds, parameters
        self._lessons = parameters.lessons
        self.round, self.changes = -1, []

    def __call__(self):
        self.round += 1
        if self._parameters.lessons != self._lessons:
            self.changes.append(self.round)
            self._lessons = self._parameters.lessons
        return self.round >= self._rounds


def run(rounds, begun=None, checkpoint=None, resampling_interval=0):
    settings = RunSettings.model_validate(
        {"default_settings": {}, "environment_parameters": {"scale": SCALE, "mass": UNIFORM}}
    )
    parameters = ParameterSchedule(settings.environment_parameters, 3, 1, resampling_interval)
    channel, stats = EnvironmentParametersChannel(), StatsSideChannel()
    env = default_registry["3DBall"].make(seed=1, num_areas=3, side_channels=[channel, stats])
    never = {"hyperparameters": {"buffer_size": 3000}}  # nothing is learned: what was gathered tells all
    loop = make_loop(env, ppo_settings(1000, time_horizon=20, **never), parameters=parameters)
    loop._sampler = LocalSampler(InlinePool(env, channel, stats))
    if checkpoint is not None:
        _resume_from(loop, checkpoint)
    stop = Stop(rounds, parameters)
    loop.run(stop, begun)
    (behavior,) = loop.behaviors.values()
    return loop.state_dict(), behavior.learner, stop


@pytest.mark.parametrize("interval", [pytest.param(0, marks=pytest.mark.slow), 50])
def test_at_every_round_around_a_change(interval):
    total = 400
    whole, _, stop = run(total, resampling_interval=interval)
    assert len(stop.changes) == 2
    around = {change + offset for change in stop.changes for offset in (-1, 0, 1)} | {1, 49, 50, 51, 333}
    for rounds in sorted(around):
        begun, first, _ = run(rounds, resampling_interval=interval)
        rest, _, _ = run(total - rounds, begun, first.state_dict(), resampling_interval=interval)
        _assert_same(rest, whole, f"stopped after round {rounds}")


def _resume_from(loop, checkpoint):
    make = loop._make_behavior

    def make_and_load(name, spec):
        behavior = make(name, spec)
        behavior.learner.load_state_dict(checkpoint)
        return behavior

    loop._make_behavior = make_and_load


def _assert_same(one, other, where):
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, err_msg=where)
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            _assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            _assert_same(a, b, f"{where}/{index}")
    else:
        assert one == other, where
