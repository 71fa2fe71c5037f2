"""From reports to segments and actions: several workers, ends and restarts."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.nn.build import make_policy
from mlagents.rollout.actor import Actor
from mlagents.rollout.collector import Collector
from mlagents.settings import NetworkSettings
from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)

SPEC = BehaviorSpec(
    [ObservationSpec((2,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "v")], ActionSpec.create_hybrid(1, (3,))
)


def decisions(ids, values, rewards, group_rewards=None, masks=None):
    n = len(ids)
    return DecisionSteps(
        [np.repeat(np.array(values, np.float32)[:, None], 2, axis=1)],
        np.array(rewards, np.float32),
        np.array(ids, np.int32),
        masks,
        np.zeros(n, np.int32),
        np.array(group_rewards if group_rewards else [0.0] * n, np.float32),
    )


def terminals(ids, values, rewards, interrupted, group_rewards=None):
    n = len(ids)
    return TerminalSteps(
        [np.repeat(np.array(values, np.float32)[:, None], 2, axis=1)],
        np.array(rewards, np.float32),
        np.array(interrupted, bool),
        np.array(ids, np.int32),
        np.zeros(n, np.int32),
        np.array(group_rewards if group_rewards else [0.0] * n, np.float32),
    )


NO_DECISIONS, NO_TERMINALS = DecisionSteps.empty(SPEC), TerminalSteps.empty(SPEC)


class Setting:
    def __init__(self, horizon=3):
        rng = np.random.default_rng(0)
        self.actor = Actor(
            make_policy(rng, SPEC, NetworkSettings(hidden_units=4, num_layers=1)), rng, deterministic=True
        )
        self.segments, self.episodes = [], []
        self.collector = Collector(SPEC, horizon, self.keep, self.episodes.append)

    def keep(self, segment):
        seen = segment.observations[0][:, 0].tolist()
        self.segments.append((seen, segment.reward.tolist(), segment.ended, segment.interrupted))

    def act(self):
        return dict(self.collector.decide(self.actor))


def test_workers_are_decided_in_one_batch_and_get_their_own_rows():
    s = Setting()
    s.collector.observe(0, decisions([4, 5], [1, 2], [0, 0]), NO_TERMINALS)
    s.collector.observe(7, decisions([4], [3], [0]), NO_TERMINALS)
    together = s.act()
    assert {worker: len(action.continuous) for worker, action in together.items()} == {0: 2, 7: 1}
    one = Setting()
    one.collector.observe(0, decisions([4, 5], [1, 2], [0, 0]), NO_TERMINALS)
    one.collector.observe(1, NO_DECISIONS, NO_TERMINALS)
    alone = one.act()
    np.testing.assert_allclose(alone[0].continuous, together[0].continuous, atol=1e-6)
    np.testing.assert_array_equal(alone[0].discrete, together[0].discrete)


def test_an_end_and_the_next_decision_in_one_report():
    s = Setting()
    s.collector.observe(0, decisions([1], [10], [0]), NO_TERMINALS)
    s.act()
    s.collector.observe(0, decisions([1], [20], [0]), terminals([1], [11], [0.5], [False]))
    s.act()
    s.collector.observe(0, decisions([1], [21], [0.25]), NO_TERMINALS)
    s.act()
    s.collector.observe(0, NO_DECISIONS, terminals([1], [22], [1.0], [True]))
    assert s.segments == [([10, 11], [0.5], True, False), ([20, 21, 22], [0.25, 1.0], True, True)]
    assert s.episodes == [(0.5, 1), (1.25, 2)]
    assert s.act() == {}


def test_group_rewards_count():
    s = Setting()
    s.collector.observe(0, decisions([1], [10], [0]), NO_TERMINALS)
    s.act()
    s.collector.observe(0, decisions([1], [11], [0.5], [2.0]), NO_TERMINALS)
    s.act()
    s.collector.observe(0, NO_DECISIONS, terminals([1], [12], [0.5], [False], [4.0]))
    assert s.segments == [([10, 11, 12], [2.5, 4.5], True, False)]


def test_an_end_of_an_agent_that_never_decided_is_ignored():
    s = Setting()
    s.collector.observe(0, NO_DECISIONS, terminals([9], [1], [1.0], [False]))
    assert s.segments == []
    assert s.episodes == []


def test_abandoning_a_worker_drops_only_its_trajectories():
    s = Setting()
    for worker in (0, 1):
        s.collector.observe(worker, decisions([1], [10 * worker], [0]), NO_TERMINALS)
    s.act()
    s.collector.abandon(1)
    for worker in (0, 1):
        s.collector.observe(worker, NO_DECISIONS, terminals([1], [10 * worker + 1], [1.0], [False]))
    assert s.segments == [([0, 1], [1.0], True, False)]


def test_masked_actions_are_never_chosen():
    s = Setting()
    for forbidden in range(3):
        mask = np.zeros((1, 3), bool)
        mask[0, forbidden] = True
        s.collector.observe(forbidden, decisions([1], [1], [0], masks=[mask]), NO_TERMINALS)
    for worker, action in s.act().items():
        assert action.discrete[0, 0] != worker


@pytest.mark.parametrize("horizon", [1, 2])
def test_the_horizon_cuts_without_ending(horizon):
    s = Setting(horizon)
    for value in range(5):
        s.collector.observe(0, decisions([1], [value], [value]), NO_TERMINALS)
        s.act()
    assert s.segments[0] == (list(range(horizon + 1)), list(range(1, horizon + 1)), False, False)
    assert len(s.segments) == 4 // horizon
    assert s.episodes == []
