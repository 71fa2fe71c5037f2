"""From reports to segments and actions: several workers, ends and restarts."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from mlagents.nn.build import make_body, make_policy
from mlagents.nn.observations import Inputs
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


RECURRENT = NetworkSettings.model_validate({"hidden_units": 4, "num_layers": 1, "memory": {"memory_size": 6}})


def memories(policy, seen):
    """What policy and critic remember before each decision of an episode, as their definition has it."""
    own = others = np.zeros((1, 6), np.float32)
    for value in seen:
        yield np.concatenate([own, others], axis=1)[0]
        inputs = Inputs(np.full((1, 2), value, np.float32), (), ())
        (_, own), (_, others) = policy.body(inputs, own), policy.critic_body(inputs, others)


@pytest.mark.parametrize("horizon", [1, 2, 10])
def test_memory_is_the_agents_own_from_before_the_decision_and_ends_with_the_episode(horizon):
    """In the reference it is the memory after the decision (0.16), and critics have one for all agents (1.1)."""
    rng = np.random.default_rng(0)
    policy = make_policy(rng, SPEC, RECURRENT)
    policy = dataclasses.replace(policy, critic_body=make_body(rng, SPEC.observation_specs, RECURRENT))
    actor, stored = Actor(policy, rng), {}

    def keep(segment):
        seen = segment.observations[0][:-1, 0].tolist()
        stored.update(zip(seen, segment.memory.copy(), strict=True))

    collector = Collector(SPEC, horizon, keep, lambda episode: None, policy.memory_size)
    # The agent 1 has one episode; 2 has two, and comes first in the report with which its second begins.
    script = [
        (decisions([1, 2], [0.5, -1.0], [0, 0]), NO_TERMINALS),
        (decisions([1, 2], [0.625, -1.125], [0, 0]), NO_TERMINALS),
        (decisions([1, 2], [0.75, -1.25], [0, 0]), NO_TERMINALS),
        (decisions([2, 1], [2.0, 0.875], [0, 0]), terminals([2], [-1.375], [1], [False])),
        (decisions([2, 1], [2.125, 1.5], [0, 0]), NO_TERMINALS),
        (NO_DECISIONS, terminals([1, 2], [3.0, 3.0], [1, 1], [False, True])),
    ]
    for decision, terminal in script:
        collector.observe(0, decision, terminal)
        list(collector.decide(actor))
    episodes = [[0.5, 0.625, 0.75, 0.875, 1.5], [-1.0, -1.125, -1.25], [2.0, 2.125]]
    assert sorted(stored) == sorted(itertools.chain(*episodes))
    for seen in episodes:
        for value, expected in zip(seen, memories(policy, seen), strict=True):
            np.testing.assert_allclose(stored[value], expected, atol=1e-6, err_msg=str(value))
