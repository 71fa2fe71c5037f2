"""From reports to segments and actions: several workers, ends and restarts."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from mlagents.data.segments import WeightsId
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
from mlagents_envs.behavior_id import BehaviorId

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


NEWEST_OF_B = WeightsId("B")
NO_DECISIONS, NO_TERMINALS = DecisionSteps.empty(SPEC), TerminalSteps.empty(SPEC)


class Setting:
    def __init__(self, horizon=3):
        rng = np.random.default_rng(0)
        self.actor = Actor(
            make_policy(rng, SPEC, NetworkSettings(hidden_units=4, num_layers=1)), rng, deterministic=True
        )
        self.segments, self.episodes = [], []
        self.collector = Collector(BehaviorId("B"), SPEC, horizon)
        self.ticks = dict.fromkeys(range(10), 0)

    def observe(self, worker, decision, terminal):
        self.ticks[worker] += 1
        segments, episodes = self.collector.observe(worker, self.ticks[worker], decision, terminal)
        for segment in segments:
            columns = segment.columns
            seen = columns.observations[0][:, 0].tolist()
            self.segments.append((seen, columns.reward.tolist(), segment.terminated, segment.truncated))
        self.episodes += episodes

    def act(self):
        actions = dict(self.collector.decide({NEWEST_OF_B: self.actor}, lambda worker: NEWEST_OF_B, 0))
        self.collector.recycle()
        return actions


def test_workers_are_decided_in_one_batch_and_get_their_own_rows():
    s = Setting()
    s.observe(0, decisions([4, 5], [1, 2], [0, 0]), NO_TERMINALS)
    s.observe(7, decisions([4], [3], [0]), NO_TERMINALS)
    together = s.act()
    assert {worker: len(action.continuous) for worker, action in together.items()} == {0: 2, 7: 1}
    one = Setting()
    one.observe(0, decisions([4, 5], [1, 2], [0, 0]), NO_TERMINALS)
    one.observe(1, NO_DECISIONS, NO_TERMINALS)
    alone = one.act()
    np.testing.assert_allclose(alone[0].continuous, together[0].continuous, atol=1e-6)
    np.testing.assert_array_equal(alone[0].discrete, together[0].discrete)


def test_an_end_and_the_next_decision_in_one_report():
    s = Setting()
    s.observe(0, decisions([1], [10], [0]), NO_TERMINALS)
    s.act()
    s.observe(0, decisions([1], [20], [0]), terminals([1], [11], [0.5], [False]))
    s.act()
    s.observe(0, decisions([1], [21], [0.25]), NO_TERMINALS)
    s.act()
    s.observe(0, NO_DECISIONS, terminals([1], [22], [1.0], [True]))
    assert s.segments == [([10, 11], [0.5], True, False), ([20, 21, 22], [0.25, 1.0], False, True)]
    assert [(e.reward, e.length, e.last_reward, e.truncated) for e in s.episodes] == [
        (0.5, 1, 0.5, False),
        (1.25, 2, 1.0, True),
    ]
    assert [(e.worker, e.tick, e.group_id, e.weights) for e in s.episodes] == [
        (0, 2, 0, NEWEST_OF_B),
        (0, 4, 0, NEWEST_OF_B),
    ]
    assert s.act() == {}


def test_group_rewards_are_kept_apart():
    """Agent 1 is in group 7 from the first report on, agent 2 in none; group rewards count for the decision before."""
    s, kept = Setting(), []

    def observe(tick, decision, terminal):
        segments, episodes = s.collector.observe(0, tick, decision, terminal)
        kept.extend((x.columns, e) for x, e in zip(segments, episodes, strict=True))

    script = [([10, 20], [0, 0], [0.0, 0.0]), ([11, 21], [0.5, 0.25], [2.0, 0.0])]
    for tick, (values, rewards, group_rewards) in enumerate(script, start=1):
        decision = decisions([1, 2], values, rewards, group_rewards)
        decision.group_id[:] = (7, 0)
        observe(tick, decision, NO_TERMINALS)
        list(s.collector.decide({NEWEST_OF_B: s.actor}, lambda worker: NEWEST_OF_B, 0))
    observe(3, NO_DECISIONS, terminals([1, 2], [12, 22], [0.5, 1.0], [False, True], [4.0, 0.0]))
    (grouped, episode), (alone, other) = kept
    assert grouped.reward.tolist() == [0.5, 0.5]
    assert grouped.group_reward.tolist() == [2.0, 4.0]
    assert grouped.group_id.tolist() == [7, 7]
    assert grouped.tick.tolist() == [1, 2]
    assert (episode.reward, episode.group_reward, episode.total_reward) == (1.0, 6.0, 7.0)
    assert (episode.last_reward, episode.group_id) == (4.5, 7)
    assert alone.reward.tolist() == [0.25, 1.0]
    assert alone.group_reward.tolist() == [0.0, 0.0]
    assert alone.group_id.tolist() == [0, 0]
    assert (other.reward, other.group_reward, other.group_id) == (1.25, 0.0, 0)


def test_who_leaves_a_group_that_plays_on_is_outlived():
    """Agents 1, 2 and 3 are in group 7, agent 4 in none, and worker 1 has a group 7 of its own."""
    s = Setting()
    for worker in (0, 1):
        decision = decisions([1, 2, 3, 4], [0, 0, 0, 0], [0, 0, 0, 0])
        decision.group_id[:] = (7, 7, 7, 0)
        s.observe(worker, decision, NO_TERMINALS)
    s.act()
    for leaving in ([1, 4], [2, 3]):
        terminal = terminals(leaving, [0, 0], [0, 0], [False, False], [1.0, 0.0])
        terminal.group_id[:] = (7, 0) if leaving == [1, 4] else 7
        s.observe(0, NO_DECISIONS, terminal)
    assert [(e.group_id, e.outlived) for e in s.episodes] == [(7, True), (0, False), (7, False), (7, False)]


def test_without_a_mask_everything_is_allowed_for_exactly_those_rows():
    """Workers 1 and 3 of three report masks; then the one agent reports with, without and with a mask."""
    s = Setting()
    forbid = lambda *choices: [np.isin(np.arange(3), choices)[None]]  # noqa: E731
    for worker, masks in ((1, forbid(0)), (2, None), (3, forbid(1, 2))):
        s.observe(worker, decisions([1], [1], [0], masks=masks), NO_TERMINALS)
    chosen = {worker: int(action.discrete[0, 0]) for worker, action in s.act().items()}
    alone = Setting()
    alone.observe(2, decisions([1], [1], [0]), NO_TERMINALS)
    assert chosen[1] != 0
    assert chosen[3] == 0
    assert chosen[2] == int(alone.act()[2].discrete[0, 0])

    one = Setting()
    for value, masks in enumerate((forbid(0, 1), None, forbid(2))):
        one.observe(0, decisions([1], [value], [0], masks=masks), NO_TERMINALS)
        one.act()
    segments, _ = one.collector.observe(0, 4, decisions([1], [3], [0]), NO_TERMINALS)
    allowed = segments[0].columns.allowed.tolist()
    assert allowed == [[False, False, True], [True, True, True], [True, True, False]]


def test_an_end_of_an_agent_that_never_decided_is_ignored():
    s = Setting()
    s.observe(0, NO_DECISIONS, terminals([9], [1], [1.0], [False]))
    assert s.segments == []
    assert s.episodes == []


def test_abandoning_a_worker_drops_only_its_trajectories():
    s = Setting()
    for worker in (0, 1):
        s.observe(worker, decisions([1], [10 * worker], [0]), NO_TERMINALS)
    s.act()
    s.collector.abandon(1)
    for worker in (0, 1):
        s.observe(worker, NO_DECISIONS, terminals([1], [10 * worker + 1], [1.0], [False]))
    assert s.segments == [([0, 1], [1.0], True, False)]


def test_masked_actions_are_never_chosen():
    s = Setting()
    for forbidden in range(3):
        mask = np.zeros((1, 3), bool)
        mask[0, forbidden] = True
        s.observe(forbidden, decisions([1], [1], [0], masks=[mask]), NO_TERMINALS)
    for worker, action in s.act().items():
        assert action.discrete[0, 0] != worker


@pytest.mark.parametrize("horizon", [1, 2])
def test_the_horizon_cuts_without_ending(horizon):
    s = Setting(horizon)
    for value in range(5):
        s.observe(0, decisions([1], [value], [value]), NO_TERMINALS)
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

    collector = Collector(BehaviorId("B"), SPEC, horizon, policy.memory_size)
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
        for segment in collector.observe(0, 1, decision, terminal)[0]:
            seen = segment.columns.observations[0][:-1, 0].tolist()
            stored.update(zip(seen, segment.columns.memory.copy(), strict=True))
        list(collector.decide({NEWEST_OF_B: actor}, lambda worker: NEWEST_OF_B, 0))
        collector.recycle()
    episodes = [[0.5, 0.625, 0.75, 0.875, 1.5], [-1.0, -1.125, -1.25], [2.0, 2.125]]
    assert sorted(stored) == sorted(itertools.chain(*episodes))
    for seen in episodes:
        for value, expected in zip(seen, memories(policy, seen), strict=True):
            np.testing.assert_allclose(stored[value], expected, atol=1e-6, err_msg=str(value))


@pytest.mark.parametrize("network", [NetworkSettings(hidden_units=4, num_layers=1), RECURRENT], ids=["dense", "lstm"])
@pytest.mark.parametrize("masked", [False, True])
def test_agents_in_one_batch_each_play_with_the_weights_of_their_episode(network, masked):
    """Agent 1 begins with snapshot 0, 2 with the newest weights, 3 with snapshot 0 again, 4 with snapshot 1."""
    rng = np.random.default_rng(0)
    ids = [WeightsId("B", 0), NEWEST_OF_B, WeightsId("B", 1)]
    policies = {weights: make_policy(rng, SPEC, network) for weights in ids}
    actors = {weights: Actor(policy, rng, deterministic=True) for weights, policy in policies.items()}
    collector = Collector(BehaviorId("B"), SPEC, 5, next(iter(policies.values())).memory_size)
    plays = {1: ids[0], 2: ids[1], 3: ids[0], 4: ids[2]}
    memory = {agent: np.zeros((1, 6), np.float32) for agent in plays} if network is RECURRENT else {}
    for present in ([1], [1, 2], [2, 1, 3], [4, 1, 3, 2], [3, 4, 2, 1]):
        values = [0.25 * agent + 0.5 * len(present) for agent in present]
        masks = [np.array([[agent % 3 == c for c in range(3)] for agent in present])] if masked else None
        decision = decisions(present, values, [0.0] * len(present), masks=masks)
        collector.observe(0, 1, decision, NO_TERMINALS)
        ((_, action),) = collector.decide(actors, lambda worker, who=present: plays[max(who)], 0)
        for row, agent in enumerate(present):
            seen = [np.full((1, 2), values[row], np.float32)]
            allowed = ~masks[0][row : row + 1] if masked else None
            alone = actors[plays[agent]].act(seen, allowed, memory.get(agent))
            memory = memory | ({agent: alone.memory} if alone.memory is not None else {})
            np.testing.assert_allclose(action.continuous[row], alone.action.continuous[0], atol=1e-6)
            np.testing.assert_array_equal(action.discrete[row], alone.action.discrete[0])
