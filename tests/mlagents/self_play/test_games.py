from __future__ import annotations

import pytest

from mlagents.data.segments import WeightsId
from mlagents.data.trajectories import Episode
from mlagents.self_play.games import Games, final_reward, score
from mlagents_envs.behavior_id import BehaviorId

LEFT, RIGHT = BehaviorId("Game", 0), BehaviorId("Game", 1)
PAIR, SINGLE = BehaviorId("Pair", 0), BehaviorId("Single", 1)


def episode(behavior, last_reward, worker=0, tick=1, group_id=0, length=5):
    return Episode(behavior, worker, tick, 0, 0, last_reward, length, False, group_id, WeightsId(behavior.name))


def results(games, episodes):
    """The final rewards of each game's sides."""
    return [
        {side: final_reward([episodes[i] for i in places]) for side, places in game.sides.items()}
        for game in games.finished(episodes)
    ]


@pytest.mark.parametrize(("reward", "expected"), [(1, 1), (0.3, 1), (0, 0.5), (-0.0, 0.5), (-0.01, 0)])
def test_score_is_the_sign(reward, expected):
    assert score(reward) == expected


def test_one_game():
    assert results(Games(), [episode(LEFT, 1), episode(RIGHT, -1)]) == [{LEFT: 1, RIGHT: -1}]


def test_another_worker_or_tick_is_another_game():
    episodes = [episode(LEFT, 1), episode(RIGHT, -1), episode(LEFT, -1, worker=1), episode(RIGHT, 1, worker=1)]
    episodes += [episode(LEFT, 0, tick=2), episode(RIGHT, 0, tick=2)]
    assert [r[LEFT] for r in results(Games(), episodes)] == [1, -1, 0]


def test_a_side_alone_is_no_game():
    assert results(Games(), [episode(LEFT, 1), episode(LEFT, 0, tick=2)]) == []
    assert results(Games(), [episode(PAIR, 1), episode(BehaviorId("Other", 0), -1)]) == []


def test_the_agents_of_a_team_are_one_side():
    games = Games()
    assert results(games, [episode(PAIR, 1), episode(PAIR, 0), episode(SINGLE, -1)]) == [{PAIR: 1, SINGLE: -1}]
    assert games.team_size == {PAIR: 2, SINGLE: 1}
    both = [episode(PAIR, r) for r in (1, 1, -1, -1)] + [episode(SINGLE, -1), episode(SINGLE, 1)]
    assert results(games, both) == [{PAIR: 2, SINGLE: -1}, {PAIR: -2, SINGLE: 1}]


def test_games_in_step_are_told_apart_by_results_that_differ():
    """Eight games that always end together: winners and losers cannot be one team."""
    games = Games()
    won = [1, -1, 1, 1, -1, -1, 1, -1]
    episodes = [episode(LEFT, r) for r in won] + [episode(RIGHT, -r) for r in won]
    assert [r[LEFT] for r in results(games, episodes)] == won
    alike = [episode(LEFT, 1) for _ in won] + [episode(RIGHT, -1) for _ in won]
    assert len(results(games, alike)) == 8


def test_before_a_team_was_seen_alone_games_of_the_same_result_count_as_one():
    """The limit of the rule, as it is documented."""
    games = Games()
    episodes = [episode(LEFT, 1), episode(LEFT, 1), episode(RIGHT, -1), episode(RIGHT, -1)]
    assert len(results(games, episodes)) == 1
    assert len(results(games, [episode(LEFT, 1), episode(RIGHT, -1)])) == 1
    assert len(results(games, episodes)) == 2


def test_groups_are_sides():
    episodes = [episode(PAIR, 1, group_id=g) for g in (4, 9, 4)] + [episode(SINGLE, -1), episode(SINGLE, -1)]
    games = Games()
    games.team_size[SINGLE] = 1
    found = [dict(game.sides) for game in games.finished(episodes)]
    assert found == [{PAIR: [0, 2], SINGLE: [3]}, {PAIR: [1], SINGLE: [4]}]


def test_three_teams():
    third = BehaviorId("Game", 2)
    assert results(Games(), [episode(LEFT, 1), episode(RIGHT, -1), episode(third, -1)]) == [
        {LEFT: 1, RIGHT: -1, third: -1}
    ]


def test_state():
    games, again = Games(), Games()
    list(games.finished([episode(PAIR, 1), episode(PAIR, 1), episode(SINGLE, -1)]))
    again.load_state_dict(games.state_dict())
    assert again.team_size == games.team_size == {PAIR: 2, SINGLE: 1}
