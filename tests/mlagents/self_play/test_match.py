from __future__ import annotations

import math

import numpy as np
import pytest

from mlagents.inference import HeuristicPolicy, RandomPolicy
from mlagents.self_play.match import Leg, MatchError, play_leg, teams_of, total
from mlagents.self_play.players import PolicyModel
from mlagents.self_play.ratings import Score
from toys.contest import OneShot, Race, two_against_one
from toys.policies import MEMORY, seasoned_policy


class Always:
    """Chooses one action."""

    def __init__(self, action, spec):
        self._action, self._spec = action, spec

    def act(self, decision_steps, deterministic, rng):
        action = self._spec.action_spec.empty_action(len(decision_steps))
        action.discrete[:] = self._action
        return action

    def forget(self, agent_ids):
        pass


def always(action):
    return lambda name, spec: Always(action, spec)


@pytest.mark.parametrize("team", [0, 1])
@pytest.mark.parametrize("games", [1, 5, 6, 20])
def test_who_runs_beats_who_does_not(team, games):
    leg = play_leg(Race(areas=6, seed=1), (always(1), always(0)), team, games)
    assert leg.score == Score(games, 0, 0)
    assert leg.team == team
    assert 3 <= leg.mean_length <= 4, "the line is 4 long, and runners begin at 0 or 1"
    assert play_leg(Race(areas=6, seed=1), (always(0), always(1)), team, games).score == Score(0, 0, games)


def test_equals_draw_and_so_do_those_who_stand_still():
    assert play_leg(Race(seed=1), (always(1), always(1)), 0, 30).score == Score(0, 30, 0)
    assert play_leg(Race(seed=1), (always(0), always(0)), 1, 30).score == Score(0, 30, 0)


def test_a_game_has_one_result_however_many_agents_a_team_has():
    """Both of the pair choose 1, the single player 0: the points are 2 and chance, from -1 to 1."""
    players = (always(1), always(0))
    assert play_leg(two_against_one(areas=4), players, 0, 40).score == Score(40, 0, 0)
    assert play_leg(two_against_one(areas=4), (always(0), always(1)), 1, 40).score == Score(0, 0, 40)


def test_no_games_and_games_that_never_end():
    assert play_leg(Race(), (always(1), always(0)), 0, 0).score == Score()
    calls = iter(range(100))
    leg = play_leg(Race(stuck=True), (always(1), always(0)), 0, 3, stop=lambda: next(calls) == 50)
    assert leg.score == Score()
    assert math.isnan(leg.mean_length)


def test_the_first_games_to_begin_count_not_the_first_to_end():
    """Area 0's games last until the limit (a draw); the others are over at once, and won.

    Of the first six games, one began in area 0.
    """

    class Uneven(Race):
        def step(self):
            super().step()
            self._place[:, 0] = 0
            self._over[0] = self._clock[0] == 15
            if self._over[0]:
                self._late[0], self._won[0], self._clock[0] = True, 0.0, 0

    assert play_leg(Uneven(areas=6), (always(1), always(0)), 0, 6).score == Score(5, 1, 0)


def test_one_team_is_no_match():
    env = OneShot({"Game?team=3": 1}, lambda actions, rng: actions[0][:, 0])
    with pytest.raises(MatchError, match=r"a match needs two teams, and there is only team 3 \(Game\?team=3\)"):
        teams_of(env)
    assert teams_of(Race()) == [0, 1]


def test_total():
    assert total([Leg(0, Score(1, 2, 3), 1.0), Leg(1, Score(4, 0, 0), 1.0)]) == Score(5, 2, 3)


@pytest.mark.parametrize("network", [{}, MEMORY], ids=["dense", "memory"])
def test_policies_play_as_models(network):
    """The same policy, alone or with agents in another order, decides the same."""
    env = Race(areas=5)
    env.reset()
    policy = seasoned_policy(env.spec, hidden_units=8, num_layers=1, **network)
    one, other = PolicyModel(policy), PolicyModel(policy)
    for _ in range(4):
        steps = env.get_steps("Runner?team=0")[0]
        whole = one.act(steps, True, np.random.default_rng(0)).discrete
        np.testing.assert_array_equal(whole, other.act(steps, True, np.random.default_rng(1)).discrete)
        for side in (0, 1):
            env.set_actions(f"Runner?team={side}", one.act(steps, True, np.random.default_rng(0)))
        other.act(steps, True, np.random.default_rng(0))
        env.step()
    one.forget([0, 1])


def test_rules_and_chance_play():
    env = Race(seed=3)
    rule = lambda name, spec: HeuristicPolicy(env.heuristic, name)  # noqa: E731
    leg = play_leg(env, (rule, lambda name, spec: RandomPolicy(spec)), 0, 40)
    assert leg.score.rate > 0.9
