"""Environment parameters through the real loop and pools: what the log and TensorBoard say is what arrives."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.rollout.env_pool import InlinePool
from mlagents.rollout.processes import ProcessPool
from mlagents.rollout.sampler import LocalSampler
from mlagents.rollout.source import EnvironmentSource
from mlagents.settings import RunSettings
from mlagents.stats import Statistics
from mlagents.training.loop import TrainingLoop
from mlagents_envs.exception import UnitySideChannelException
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel, ParameterSampler
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel
from toys.training import make_loop, ppo_settings

BEHAVIOR = "3DBall"
UNIFORM = {"sampler_type": "uniform", "sampler_parameters": {"min_value": 9.0, "max_value": 10.0}}


def schedule(workers=1, resampling_interval=0, **parameters):
    settings = RunSettings.model_validate({"default_settings": {}, "environment_parameters": parameters})
    return ParameterSchedule(settings.environment_parameters, 5, workers, resampling_interval)


def lessons(*values, threshold=0.5, **criteria):
    criteria = {"behavior": BEHAVIOR, "measure": "progress", "threshold": threshold} | criteria
    first, last = values
    return {
        "curriculum": [
            {"name": "Easy", "value": first, "completion_criteria": criteria},
            {"name": "Hard", "value": last},
        ]
    }


class Watched:
    """A 3DBall, its loop, and what its balls are at every round: gravities [rounds, areas]."""

    def __init__(self, parameters, max_steps=3000, areas=4):
        channel, stats = EnvironmentParametersChannel(), StatsSideChannel()
        self.env = default_registry["3DBall"].make(seed=1, num_areas=areas, side_channels=[channel, stats])
        self.gravities, self.resets, self.changed_at = [], 0, []
        never = {"hyperparameters": {"buffer_size": 8000}}  # nothing is learned, and nothing compiled
        settings = ppo_settings(max_steps, time_horizon=50, summary_freq=500, **never)
        self.statistics = Statistics([self])
        self.written = []
        made = make_loop(self.env, settings, statistics=self.statistics, parameters=parameters)
        self.loop = TrainingLoop(
            LocalSampler(Counting(InlinePool(self.env, channel, stats), self)),
            made._make_behavior,
            self.statistics,
            parameters,
            self.watch,
            made._save,
        )

    def watch(self, name, step):
        self.gravities.append(self.env._world.areas.gravity.copy())

    def write(self, behavior, step, summaries):
        self.written.append((step, {tag: summary.value for tag, summary in summaries.items()}))

    def text(self, behavior, name, value):
        pass

    def close(self):
        pass


class Counting:
    """A pool that counts its resets."""

    def __init__(self, pool, watched):
        self._pool, self._watched = pool, watched

    def reset(self, parameters):
        self._watched.resets += 1
        self._pool.reset(parameters)

    def __getattr__(self, name):
        return getattr(self._pool, name)


def test_a_lesson_reaches_the_environment_at_the_next_episodes(caplog):
    caplog.set_level(logging.INFO)
    watched = Watched(schedule(gravity=lessons(7.5, 12.0)))
    watched.loop.run(lambda: False)
    gravities = np.array(watched.gravities)
    assert (gravities[0] == 7.5).all()
    assert (gravities[-1] == 12.0).all()
    assert set(np.unique(gravities)) == {7.5, 12.0}
    mixed = [(row == 12.0).mean() for row in gravities]
    assert any(0 < share < 1 for share in mixed)  # each ball changes when its own episode ends
    assert watched.resets == 1
    assert caplog.messages.count("Parameter 'gravity' is in lesson 'Hard' and has value 'Float: value=12.0'.") == 1
    by_step = {
        step: (tags["Environment/Lesson Number/gravity"], tags["Environment/Parameter/gravity"])
        for step, tags in watched.written
    }
    assert by_step[1000] == (0.0, 7.5)
    assert by_step[2000] == (1.0, 12.0)
    assert watched.written[-1][1]["Environment/Lesson"] == 1.0


def test_require_reset_starts_new_episodes_everywhere_and_drops_what_was_begun():
    watched = Watched(schedule(gravity=lessons(7.5, 12.0, require_reset=True)))
    watched.loop.run(lambda: False)
    shares = [(row == 12.0).mean() for row in watched.gravities]
    assert set(shares) == {0.0, 1.0}  # all balls at once
    assert watched.resets == 2
    (behavior,) = watched.loop.behaviors.values()
    assert behavior.learner.steps > 3000


def test_a_sampler_is_drawn_anew_at_every_episode():
    watched = Watched(schedule(gravity=UNIFORM))
    watched.loop.run(lambda: False)
    gravities = np.unique(watched.gravities)
    assert len(gravities) > 20
    assert gravities.min() >= 9.0
    assert gravities.max() < 10.0


def test_resampling_resets_at_multiples_of_the_interval_and_holds_between():
    watched = Watched(schedule(resampling_interval=200, gravity=UNIFORM), max_steps=2500)
    watched.loop.run(lambda: False)
    distinct = {float(np.float32(value)) for row in watched.gravities for value in row}
    assert len(distinct) == watched.resets
    assert watched.resets == 1 + len(watched.gravities) // 200
    assert all(len(set(row)) == 1 for row in watched.gravities)


NAME = "3DBall?team=0"
SAMPLED = ParameterSampler(EnvironmentParametersChannel.SamplerTypes.UNIFORM, 9, (8.0, 12.0))


@pytest.fixture
def pool():
    """Two processes with three balls each."""
    pool = ProcessPool(EnvironmentSource("3DBall", seed=1, num_areas=3), 2)
    yield pool
    pool.close()


def falling(pool):
    """Let all balls fall through one decision, and return how fast they do: float [worker, ball], m/s."""
    speeds = {}
    while len(speeds) < 2:
        speeds |= {report.worker: -report.steps[NAME][0].obs[0][:, 6] for report in pool.receive()}
    for worker in speeds:
        pool.send(worker, {})
    return np.array([speeds[0], speeds[1]])


def gravity(pool):
    """Return what accelerates each ball: float [worker, ball], m/s^2."""
    before = falling(pool)
    return (falling(pool) - before) / 0.1  # five steps of 0.02 s


def test_worker_processes_get_numbers_of_their_own(pool):
    pool.reset({"gravity": (8.0, 12.0)})
    np.testing.assert_allclose(gravity(pool), [[8.0] * 3, [12.0] * 3], rtol=1e-3)


def test_worker_processes_draw_from_streams_of_their_own(pool):
    pool.reset({"gravity": SAMPLED})
    found = gravity(pool)
    assert len(np.unique(found.round(3))) == 6
    assert (found > 7.9).all()
    assert (found < 12.1).all()


def test_a_parameter_that_is_refused_is_not_tried_again(pool):
    pool.reset({"mass": 500.0})
    with pytest.raises(UnitySideChannelException, match="mass"):
        falling(pool)


def test_parameters_without_a_reset_wait_for_the_next_episode(pool):
    pool.reset({"gravity": 9.0})
    falling(pool)
    pool.set_parameters({"gravity": 50.0})
    np.testing.assert_allclose(gravity(pool), 9.0, rtol=1e-3)
    pool.reset({})
    np.testing.assert_allclose(gravity(pool), 50.0, rtol=1e-3)
