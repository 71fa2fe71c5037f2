"""Self-play through the real loop: who is learned from, who plays with what, and stopping at any round."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlagents.data.segments import NEWEST, WeightsId
from mlagents.rollout.collected import Assignment, Sampling, Weights
from mlagents.rollout.env_pool import InlinePool
from mlagents.rollout.sampler import LocalSampler
from mlagents.self_play.snapshot_league import SnapshotLeague
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel
from toys.contest import Race, two_against_one
from toys.policies import seasoned_policy
from toys.training import make_loop, ppo_settings, sac_settings

SELF_PLAY = {"save_steps": 60, "team_change": 150, "swap_steps": 40, "window": 3}
SMALL = {"network_settings": {"hidden_units": 8, "num_layers": 1}, "time_horizon": 7}
FAST = {"buffer_size": 64, "batch_size": 32, "num_epoch": 1}


def self_play_settings(max_steps=10_000, **changes):
    return ppo_settings(max_steps, FAST, self_play=SELF_PLAY | changes, **SMALL)


class Rounds:
    def __init__(self, count):
        self.left = count + 1

    def __call__(self):
        self.left -= 1
        return self.left == 0


class Played:
    """A loop that was run for some rounds, with all that came out of it."""

    def __init__(self, make_env, rounds, settings, before=None):
        self.snapshots = {} if before is None else dict(before.snapshots)
        self.league = SnapshotLeague(1, np.random.default_rng(5))
        self.env = make_env()
        if before is not None:
            self.league.load_state_dict(before.state["league"])
        self.loop = make_loop(
            self.env, settings, league=self.league, keep_snapshots=lambda taken: self.snapshots.update(taken) or ()
        )
        if before is not None:
            self._resume(before)
        self.loop.run(Rounds(rounds), None if before is None else before.state["loop"])
        self.state = {
            "loop": self.loop.state_dict(),
            "league": json.loads(json.dumps(self.league.state_dict())),
            "learners": {name: b.learner.state_dict() for name, b in self.loop.behaviors.items()},
        }
        kept = {*self.league.kept(), *self.loop.weights_in_play()}
        self.kept = {w: self.snapshots[w] for w in kept if w.snapshot != NEWEST}

    def _resume(self, before):
        make = self.loop._make_behavior

        def make_and_load(name, spec):
            behavior = make(name, spec)
            behavior.learner.load_state_dict(before.state["learners"][name])
            self.league.restore(name, {w.snapshot: weights for w, weights in before.kept.items() if w.behavior == name})
            return behavior

        self.loop._make_behavior = make_and_load


def assert_same(one, other, where=""):
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, err_msg=where)
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{where}/{index}")
    else:
        assert one == other, where


@pytest.mark.parametrize(
    "make_env", [Race, pytest.param(two_against_one, marks=pytest.mark.slow)], ids=["symmetric", "asymmetric"]
)
def test_stopping_at_a_round_and_going_on_is_the_same_as_not_stopping(make_env):
    total, settings = 130, self_play_settings()
    whole = Played(make_env, total, settings)
    assert len(whole.snapshots) > 4
    assert whole.league.standings.results
    for rounds in (1, 26, 58, 90):
        first = Played(make_env, rounds, settings)
        rest = Played(make_env, total - rounds, settings, first)
        assert_same(rest.state, whole.state, f"stopped after round {rounds}")


def test_only_the_learning_team_counts_and_team_changes_drop_what_was_begun():
    """Six areas: six decisions of each team in a round; with a horizon of 7, what is cut is never counted."""
    loop_rounds = 60
    played = Played(Race, loop_rounds, self_play_settings(team_change=90))
    (behavior,) = played.loop.behaviors.values()
    assert 0 < behavior.learner.steps <= 6 * loop_rounds
    never = Played(Race, loop_rounds, self_play_settings(team_change=5000))
    (alone,) = never.loop.behaviors.values()
    assert never.league.learning_team == 0
    assert behavior.learner.steps < alone.learner.steps, "a change of teams loses open trajectories"


def test_sac_plays_too():
    hyper = {"buffer_init_steps": 50, "batch_size": 16, "steps_per_update": 20}
    played = Played(Race, 40, sac_settings(10_000, hyper, self_play=SELF_PLAY, **SMALL))
    assert played.snapshots
    assert played.league.standings.results


@pytest.mark.slow
def test_with_memory():
    memory = {"hidden_units": 8, "num_layers": 1, "memory": {"memory_size": 4, "sequence_length": 4}}
    settings = ppo_settings(10_000, FAST, self_play=SELF_PLAY, **SMALL | {"network_settings": memory})
    whole, first = Played(Race, 60, settings), Played(Race, 31, settings)
    rest = Played(Race, 29, settings, first)
    assert rest.league.standings.results
    assert len(rest.snapshots) > len(first.snapshots) > 1
    assert_same(rest.state, whole.state)


def test_a_game_that_never_ends_is_said(caplog):
    caplog.set_level("WARNING")
    Played(lambda: Race(stuck=True), 40, self_play_settings())
    assert caplog.text.count("has ended since the start") == 1


def test_one_team_is_said_and_trains_alone(caplog):
    caplog.set_level("WARNING")

    class Alone(Race):
        def __init__(self):
            super().__init__(teams=(0, 1))
            self._names = ["Runner?team=0", "Runner?team=1"]
            self.behavior_specs = type(self.behavior_specs)({"Runner?team=0": self.spec})

        def step(self):
            self._actions["Runner?team=1"] = np.zeros(self._areas, int)
            super().step()

    played = Played(Alone, 30, self_play_settings())
    (behavior,) = played.loop.behaviors.values()
    assert behavior.learner.steps > 0
    assert caplog.text.count("only team 0 has been seen") == 1


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("assign"), st.integers(-1, 3)),
            st.tuples(st.just("publish"), st.just(0)),
            st.tuples(st.just("play"), st.integers(1, 6)),
        ),
        max_size=12,
    )
)
def test_opponents_never_change_in_the_middle_of_an_episode(script):
    """However weights are assigned and published: an episode's decisions are those of one set of weights.

    Snapshot k moves forward with certainty if k is odd, and back if it is even; the newest, on publish, the other way.
    """
    env = Race(areas=4)
    sampler = LocalSampler(InlinePool(env, EnvironmentParametersChannel(), StatsSideChannel()))
    policy = seasoned_policy(env.spec, hidden_units=4, num_layers=1)
    side = BehaviorId("Runner", 1)
    sampler.reset({})
    sampler.add("Runner", env.spec, Sampling(100, False, np.random.default_rng(0)), Weights(_always(policy, 1), 0))
    sampler.publish({WeightsId("Runner", k): Weights(_always(policy, k % 2), 0) for k in range(4)})
    everything = Assignment({(side, 1 + k): WeightsId("Runner", k) for k in range(4)})  # so that none is forgotten
    plays, expected = dict(everything.plays), 0
    for action, number in [("play", 3), *script, ("play", 30)]:
        if action == "assign":
            plays[side, 0] = WeightsId("Runner", number)
            sampler.apply({}, Assignment(dict(plays)))
        elif action == "publish":
            sampler.publish({WeightsId("Runner"): Weights(_always(policy, 1), 1)})
        else:
            for _ in range(number):
                (collected,) = sampler.collect()
                for segment in collected.segments:
                    if segment.behavior == side:
                        expected += 1
                        forward = 1 if segment.weights.snapshot == NEWEST else segment.weights.snapshot % 2
                        assert set(segment.columns.discrete[:, 0].tolist()) == {forward}
    assert expected


def _always(policy, action):
    """The policy with a bias that leaves it no choice."""
    import equinox as eqx

    bias = np.where(np.arange(2) == action, 1000.0, -1000.0).astype(np.float32)
    return eqx.tree_at(lambda p: p.head.logits[0].bias, policy, bias)
