"""POCA through the real loop: groups of several behaviors, teams that play against themselves, and what is told."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.data.segments import WeightsId
from mlagents.data.trajectories import Episode
from mlagents.self_play.snapshot_league import SnapshotLeague
from mlagents.stats import Statistics
from mlagents.training.behavior import Behavior
from mlagents.training.build import make_learner
from mlagents_envs.base_env import DecisionSteps, TerminalSteps
from mlagents_envs.behavior_id import BehaviorId
from toys.contest import OneShot, two_against_one
from toys.specs import behavior
from toys.training import make_loop, poca_settings

FAST = {"buffer_size": 128, "batch_size": 32, "num_epoch": 3}


def all_or_nothing(actions, rng):
    return np.prod([side.prod(axis=1) for side in actions], axis=0)


class Mixed(OneShot):
    """A keeper and two strikers are one group, which earns 1 if all three choose 1. `latest` are its rewards."""

    def __init__(self, seed=0):
        super().__init__({"Keeper?team=0": 1, "Striker?team=0": 2}, all_or_nothing, seed=seed)
        self.latest = []

    def step(self):
        super().step()
        self.latest += self._won.tolist()

    def get_steps(self, behavior_name):
        decision, terminal = super().get_steps(behavior_name)
        group = (1 + np.arange(self._areas).repeat(self._sides[behavior_name])).astype(np.int32)
        nothing, mask = np.zeros(len(group), np.float32), decision.action_mask
        decision = DecisionSteps(decision.obs, nothing, decision.agent_id, mask, group, nothing)
        if len(terminal):
            won = np.abs(terminal.reward)  # what the first side wins is nobody's loss here
            terminal = TerminalSteps(terminal.obs, nothing, terminal.interrupted, terminal.agent_id, group, won)
        return decision, terminal


@pytest.mark.slow
def test_a_group_of_two_behaviors_learns_to_win_together():
    env = Mixed()
    loop = make_loop(env, poca_settings(3_000, FAST))
    loop.run(lambda: False)
    assert set(loop.behaviors) == {"Keeper", "Striker"}
    assert np.mean(env.latest[:200]) < 0.4
    assert np.mean(env.latest[-400:]) > 0.9
    for each in loop.behaviors.values():
        assert each.learner.version > 3


@pytest.mark.slow
def test_groups_learn_under_self_play():
    """A pair, which is a group, against one: everybody had better choose 1."""
    self_play = {"save_steps": 200, "team_change": 400, "swap_steps": 100, "window": 3}
    league, taken = SnapshotLeague(1, np.random.default_rng(5)), {}
    env = two_against_one(grouped=True)
    settings = poca_settings(2_000, FAST, self_play=self_play)
    loop = make_loop(env, settings, league=league, keep_snapshots=lambda found: taken.update(found) or ())
    rounds = iter(range(600))
    loop.run(lambda: next(rounds, None) is None)
    assert {weights.behavior for weights in taken} == {"Pair", "Single"}
    for name, team in (("Pair", 0.0), ("Single", 1.0)):
        policy = loop.behaviors[name].learner.snapshot()
        hidden, _ = policy.body(policy.body.layout.sorted([np.full((1, 1), team, np.float32)]), None)
        (log_probs,) = policy.head(hidden, np.ones((1, 2), bool)).log_probs
        assert np.exp(np.asarray(log_probs))[0, 1] > 0.8


@pytest.mark.parametrize(("survivors", "returns", "told"), [([2.5, 3.5], [2.5, 3.5], 3.0), ([], [1.0], None)])
def test_what_a_group_came_to_is_told_by_those_who_saw_its_end(survivors, returns, told):
    """One agent left with an own reward of 1 before the group earned anything."""
    spec, settings, statistics = behavior(1, branches=(2,)), poca_settings(1_000), Statistics()
    learner = make_learner("Team", spec, settings, 0)
    team = Behavior("Team", spec, settings, learner, statistics, np.random.default_rng(0), training=True)

    def episode(own, group, outlived):
        return Episode(BehaviorId("Team"), 0, 9, own, group, group, 4, False, 7, WeightsId("Team"), outlived)

    team.record([episode(1.0, 0.0, True), *(episode(0.0, group, False) for group in survivors)])
    assert team.take_progress().returns == returns
    assert team.take_mean_return() == pytest.approx(np.mean(returns))
    assert team.take_mean_return() is None
    written = statistics.write("Team", 1)
    assert written["Environment/Cumulative Reward"].count == 1 + len(survivors)
    group = written.get("Environment/Group Cumulative Reward")
    assert (group.value if group else None) == told
