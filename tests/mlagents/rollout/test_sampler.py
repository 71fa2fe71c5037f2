"""Values from a sampler: what they say of themselves, how long they hold, and who plays with which weights."""

from __future__ import annotations

import copy

import equinox as eqx
import numpy as np
import pytest

from mlagents.data.segments import NEWEST, WeightsId
from mlagents.nn.build import make_policy
from mlagents.rollout.collected import Assignment, Sampling, Weights
from mlagents.rollout.env_pool import InlinePool
from mlagents.rollout.sampler import LocalSampler
from mlagents.settings import NetworkSettings
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel
from toys.walk import Walk

WALK = BehaviorId("Walk")
NEWEST_WALK = WeightsId("Walk", NEWEST)


def policy_that(spec, move):
    """A policy that always walks one way."""
    policy = make_policy(np.random.default_rng(0), spec, NetworkSettings(hidden_units=4, num_layers=1))
    bias = np.full(1, 3.0 * move, np.float32)
    return eqx.tree_at(lambda p: (p.head.mean.bias, p.head.log_std), policy, (bias, np.full(1, -9.0, np.float32)))


def make_sampler(horizon=4, agents=3):
    env = Walk("continuous", agents=agents)
    sampler = LocalSampler(InlinePool(env, EnvironmentParametersChannel(), StatsSideChannel()))
    sampler.reset({})
    return sampler, Sampling(horizon, False, np.random.default_rng(0))


def begin(sampler, sampling, version=0):
    assert sampler.collect() == []
    ((name, spec),) = sampler.missing().items()
    sampler.add(name, spec, sampling, Weights(policy_that(spec, 1), version))
    assert sampler.missing() == {}
    return spec


def collect(sampler, rounds):
    """Return copies of all segments, and all episodes."""
    segments, episodes = [], []
    for _ in range(rounds):
        for collected in sampler.collect():
            assert collected.environment_steps == 1
            assert collected.lanes == {"Walk": 3}
            segments += [copy.deepcopy(segment) for segment in collected.segments]
            episodes += collected.episodes
    return segments, episodes


def test_a_behavior_waits_for_weights_and_its_first_report_is_not_lost():
    sampler, sampling = make_sampler()
    begin(sampler, sampling)
    (first,) = sampler.collect()
    assert first.environment_steps == 1
    assert first.segments == []


def test_segments_say_whose_they_are():
    sampler, sampling = make_sampler()
    begin(sampler, sampling, version=7)
    segments, episodes = collect(sampler, 40)
    assert {s.behavior for s in segments} == {WALK}
    assert {s.worker for s in segments} == {0}
    assert {s.weights for s in segments} == {NEWEST_WALK}
    assert {s.version for s in segments} == {7}
    assert any(s.terminated for s in segments)
    assert all(e.weights == NEWEST_WALK and e.behavior == WALK for e in episodes)
    assert not any(s.terminated and s.truncated for s in segments)


def test_the_version_is_that_of_the_first_decision():
    sampler, sampling = make_sampler(horizon=100)
    spec = begin(sampler, sampling)
    sampler.collect()
    sampler.publish({NEWEST_WALK: Weights(policy_that(spec, 1), 1)})
    segments, _ = collect(sampler, 30)
    assert {s.version for s in segments} == {0, 1}
    assert [s.version for s in segments][:3] == [0, 0, 0]


def test_segments_hold_until_the_next_collect_while_their_agents_go_on():
    """Horizon 1: every decision is a segment, and every lane goes on in the same round."""
    sampler, sampling = make_sampler(horizon=1)
    begin(sampler, sampling)
    for _ in range(10):
        for collected in sampler.collect():
            for segment in collected.segments:
                columns = segment.columns
                before, after = columns.observations[0][:, 0]
                if not segment.terminated:
                    assert after == pytest.approx(min(before + 0.5, 1.0), abs=0.01)


def test_snapshots_play_from_the_next_episode_on_never_in_the_middle_of_one():
    sampler, sampling = make_sampler(horizon=100)
    spec = begin(sampler, sampling)
    snapshot = WeightsId("Walk", 3)
    sampler.collect()
    sampler.publish({snapshot: Weights(policy_that(spec, -1), 0)})
    sampler.apply({}, Assignment({(WALK, 0): snapshot}))
    segments, episodes = collect(sampler, 60)
    whole = [s for s in segments if s.terminated or s.truncated]
    assert {s.weights for s in whole} == {NEWEST_WALK, snapshot}
    for segment in whole:
        moves = np.sign(segment.columns.continuous[:, 0])
        assert (moves == (1.0 if segment.weights == NEWEST_WALK else -1.0)).all()
    assert {e.weights for e in episodes} == {NEWEST_WALK, snapshot}


def test_a_reset_drops_what_was_begun():
    sampler, sampling = make_sampler(horizon=2)
    begin(sampler, sampling)
    sampler.collect()
    sampler.apply({}, Assignment(reset=True))
    sampler.collect()
    (collected,) = sampler.collect()
    assert all(s.columns.observations[0][0, 0] == 0.0 for s in collected.segments)


def test_weights_stay_as_long_as_an_episode_plays_with_them():
    """A snapshot that the next assignment names no more goes on with the episodes it began, and then is forgotten."""
    sampler, sampling = make_sampler(horizon=100)
    spec = begin(sampler, sampling)
    first, second = WeightsId("Walk", 1), WeightsId("Walk", 2)
    sampler.publish({first: Weights(policy_that(spec, -1), 0)})
    sampler.apply({}, Assignment({(WALK, 0): first}))
    sampler.collect()
    assert set(sampler.weights_in_play()) == {first}
    sampler.publish({second: Weights(policy_that(spec, -1), 0)})
    sampler.apply({}, Assignment({(WALK, 0): second}))
    _, episodes = collect(sampler, 60)
    assert {e.weights for e in episodes} == {first, second}
    assert set(sampler.weights_in_play()) == {second}


class BrokenEnds(Walk):
    """The rewards of ends are infinite."""

    def step(self):
        super().step()
        self._steps[1].reward[:] = np.inf


def test_ends_are_guarded_like_decisions(caplog):
    sampler = LocalSampler(
        InlinePool(BrokenEnds("continuous", agents=3), EnvironmentParametersChannel(), StatsSideChannel())
    )
    sampler.reset({})
    begin(sampler, Sampling(100, False, np.random.default_rng(0)))
    episodes = [e for _ in range(6) for c in sampler.collect() for e in c.episodes]
    assert episodes
    assert all(np.isfinite(e.reward) for e in episodes)
    assert "the reward of agent" in caplog.text
