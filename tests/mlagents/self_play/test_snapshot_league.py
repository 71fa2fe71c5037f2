"""Who plays with what, and who learns: the league alone, told what a loop would tell it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mlagents.data.segments import NEWEST, WeightsId
from mlagents.data.trajectories import Episode
from mlagents.rollout.collected import Weights
from mlagents.self_play.league import BaselineResult
from mlagents.self_play.ratings import Rating, Score
from mlagents.self_play.snapshot_league import SnapshotLeague
from mlagents.settings import SelfPlaySettings
from mlagents_envs.behavior_id import BehaviorId

LEFT, RIGHT = BehaviorId("Game", 0), BehaviorId("Game", 1)
TEAMS = ["Game?team=0", "Game?team=1"]
ASYMMETRIC = ["Striker?team=0", "Goalie?team=1"]


def settings(**changes):
    own = {"save_steps": 100, "team_change": 500, "swap_steps": 50, "window": 3, "play_against_latest_model_ratio": 0.0}
    return SelfPlaySettings(**own | changes)


def league(workers=1, teams=TEAMS, max_steps=100_000, **changes):
    found = SnapshotLeague(workers, np.random.default_rng(0))
    for name in dict.fromkeys(BehaviorId.parse(team).name for team in teams):
        found.add(name, settings(**changes), max_steps)
    found.meet(teams)
    return found


def advance(found, **steps):
    steps = steps or {"Game": 0}
    return found.advance(steps, {name: Weights(f"{name} at {steps[name]}", 0) for name in found.due(steps)})


def game(found, left, length=10, tick=1, weights=None):
    """A game of Game's two teams that the left one won (1), drew (0) or lost (-1)."""
    opponent = weights or found._assignment.plays.get((RIGHT, 0), WeightsId("Game"))
    ends = [(LEFT, left, WeightsId("Game")), (RIGHT, -left, opponent)]
    found.record([Episode(b, 0, tick, r, 0.0, r, length, False, 0, w) for b, r, w in ends])


def test_the_first_snapshot_is_of_the_first_weights_and_everybody_plays_with_it():
    found = league(workers=2)
    assert found.due({"Game": 0}) == ["Game"]
    move = advance(found)
    first = WeightsId("Game", 0)
    assert move.snapshots == move.publish == {first: Weights("Game at 0", 0)}
    newest = WeightsId("Game")
    assert move.assignment.plays == {(LEFT, 0): newest, (LEFT, 1): newest, (RIGHT, 0): first, (RIGHT, 1): first}
    assert not move.assignment.reset
    assert move.learning == 0
    assert found.learns(LEFT)
    assert not found.learns(RIGHT)
    assert found.learns(BehaviorId("Stranger", 1))


def test_a_second_advance_changes_nothing():
    found = league()
    first = advance(found)
    again = advance(found)
    assert again.assignment == first.assignment
    assert not again.snapshots
    assert not again.publish
    assert again.learning is None


def test_snapshots_come_every_save_steps_and_the_window_forgets_the_oldest():
    found = league()
    taken = [s for step in range(0, 600, 50) for s in advance(found, Game=step).snapshots]
    assert taken == [WeightsId("Game", number) for number in range(6)]
    assert {w.snapshot for w in found.kept()} - {0} <= {3, 4, 5}
    assert list(found._entrants["Game"].window) == [3, 4, 5]


def test_opponents_change_after_swap_steps_of_those_who_do_not_learn():
    found = league(swap_steps=50)
    advance(found)
    advance(found, Game=100)
    plays = advance(found, Game=200).assignment
    changes = []
    for round_ in range(60):
        game(found, 1, length=10)
        before, plays = plays, advance(found, Game=201 + round_).assignment
        if plays is not before and plays != before:
            changes.append(round_)
        if before != plays:
            assert (round_ + 1) % 5 == 0, "opponents change every 50 steps of the right team, in finished episodes"
    assert len(changes) >= 3


def test_every_worker_draws_for_itself():
    found = league(workers=50)
    for step in (0, 100, 200):
        move = advance(found, Game=step)
    game(found, 1, length=60)
    move = advance(found, Game=201)
    drawn = {move.assignment.plays[RIGHT, worker].snapshot for worker in range(50)}
    assert drawn == {0, 1, 2}
    assert {w.snapshot for w in move.publish} == {0, 1, 2}


def test_teams_take_turns_and_the_environments_are_reset():
    found = league()
    resets = []
    for step in range(0, 1600, 100):
        move = advance(found, Game=step)
        resets.append(move.assignment.reset)
        if move.assignment.reset:
            assert move.learning == found.learning_team
            assert move.messages == [f"Self-play: team {move.learning} learns now."]
        playing = {side for (side, _), weights in move.assignment.plays.items() if weights.snapshot == NEWEST}
        assert playing == {LEFT if found.learning_team == 0 else RIGHT}
    assert [index for index, reset in enumerate(resets) if reset] == [5, 10, 15]


def test_one_team_learns_in_all_behaviors():
    found = league(teams=ASYMMETRIC)
    striker, goalie = map(BehaviorId.parse, ASYMMETRIC)
    move = advance(found, Striker=0, Goalie=0)
    assert move.assignment.plays == {(striker, 0): WeightsId("Striker"), (goalie, 0): WeightsId("Goalie", 0)}
    assert found.learns(striker)
    assert not found.learns(goalie)
    move = advance(found, Striker=500, Goalie=0)
    assert move.assignment.reset
    assert move.assignment.plays[goalie, 0] == WeightsId("Goalie")
    assert move.assignment.plays[striker, 0].snapshot in (0, 1)
    assert found.learns(goalie)
    assert not advance(found, Striker=500, Goalie=499).assignment.reset
    assert advance(found, Striker=500, Goalie=500).assignment.reset


def test_who_is_done_does_not_keep_the_turn():
    found = league(teams=ASYMMETRIC, max_steps=300)
    assert not advance(found, Striker=300, Goalie=0).assignment.reset
    assert advance(found, Striker=301, Goalie=0).assignment.reset
    assert found.learning_team == 1
    assert not advance(found, Striker=301, Goalie=301).assignment.reset, "nobody is left to learn"


def test_one_result_per_game_and_none_against_oneself():
    found = league()
    advance(found)
    game(found, 1)
    assert found.standings.results == {("Game:0", "Game:0"): Score(1, 0, 0)}
    game(found, 1, weights=WeightsId("Game"))
    assert found.standings.results == {("Game:0", "Game:0"): Score(1, 0, 0)}
    game(found, 0)
    game(found, -1)
    assert found.standings.results == {("Game:0", "Game:0"): Score(1, 1, 1)}
    assert found.measures("Game")["win_rate"] == 0.5
    assert found.measures("Stranger") == {}


def test_statistics():
    found = league(initial_elo=1000)
    advance(found)
    game(found, 1)
    values = {tag: value for name, tag, value in found.statistics() if name == "Game"}
    assert values["Self-play/ELO"] == found.measures("Game")["elo"] > 1000
    assert values["Self-play/Mean Opponent ELO"] < 1000
    assert values["Self-play/Std Opponent ELO"] == 0
    assert values["Self-play/Win Rate"] == 1


def test_the_elo_starts_at_1200_or_at_an_inherited_rating():
    assert league().measures("Game") == {"elo": 1200}
    found = SnapshotLeague(1, np.random.default_rng(0))
    found.add("Game", settings(), 1000, Rating(1777, 60))
    assert found.measures("Game") == {"elo": 1777}


def drawn_until(found, step):
    """What the league does from a step on."""
    moves = []
    for tick in range(step, 1500, 20):
        game(found, (tick // 20) % 3 - 1, length=20, tick=tick)
        moves.append(advance(found, Game=tick))
    return [(m.assignment, m.snapshots, m.learning) for m in moves], json.dumps(found.state_dict())


@pytest.mark.parametrize("stop", [0, 100, 340, 500, 520, 980])
@pytest.mark.parametrize("sampling", ["uniform", "pfsp"])
def test_a_restored_league_goes_on_as_if_it_had_not_been_stopped(stop, sampling):
    whole, snapshots = league(opponent_sampling=sampling), {}
    for tick in range(0, stop + 1, 20):
        if tick:
            game(whole, (tick // 20) % 3 - 1, length=20, tick=tick)
        snapshots |= {w.snapshot: weights for w, weights in advance(whole, Game=tick).snapshots.items()}
    kept = {w.snapshot for w in whole.kept()}
    state = json.loads(json.dumps(whole.state_dict()))
    restored = SnapshotLeague(1, np.random.default_rng(99))
    restored.load_state_dict(state)
    restored.add("Game", settings(opponent_sampling=sampling), 100_000)
    restored.restore("Game", {number: w for number, w in snapshots.items() if number in kept})
    assert restored.state_dict() == whole.state_dict()
    move = advance(restored, Game=stop)
    assert move.assignment == whole._assignment
    assert move.publish.keys() == {WeightsId("Game", number) for number in kept}
    assert move.learning == whole.learning_team, "writers are told again"
    assert drawn_until(restored, stop + 20) == drawn_until(whole, stop + 20)


def test_snapshots_that_are_gone_are_said_and_replaced_by_the_newest():
    found = league()
    advance(found)
    restored = SnapshotLeague(1, np.random.default_rng(0))
    restored.load_state_dict(found.state_dict())
    restored.add("Game", settings(), 1000)
    restored.restore("Game", {})
    move = advance(restored, Game=0)
    assert move.assignment.plays[RIGHT, 0] == WeightsId("Game")
    (warning,) = move.warnings
    assert warning == "Game: the snapshots 0 of this run are gone; opponents are drawn from the others"


def warnings(found, *rounds):
    return [line for steps in rounds for line in advance(found, **steps).warnings]


def test_one_team_only_is_said_once_and_trains_alone():
    found = league(teams=TEAMS[:1])
    (line,) = warnings(found, {"Game": 0}, {"Game": 1000}, {"Game": 2000})
    assert line.startswith("self_play is set, but only team 0 has been seen")
    assert found.learns(LEFT)


def test_a_team_that_appears_late_gets_opponents_and_waits_for_its_turn():
    found = league(teams=TEAMS[:1])
    advance(found)
    advance(found, Game=450)
    found.meet(TEAMS)
    move = advance(found, Game=460)
    assert move.messages == ["Game: team 1 takes part from now on."]
    assert move.assignment.plays[RIGHT, 0].snapshot in (0, 1)
    assert not move.assignment.reset
    assert not advance(found, Game=940).assignment.reset
    assert advance(found, Game=960).assignment.reset


@pytest.mark.parametrize("key", ["swap_steps", "team_change", "save_steps"])
def test_settings_larger_than_max_steps_are_said(key):
    small = {"swap_steps": 50, "team_change": 100, "save_steps": 100} | {key: 2000}
    (line,) = warnings(league(max_steps=1000, **small), {"Game": 0}, {"Game": 10})
    assert line.startswith(f"Game: self_play.{key} (2000) is more than max_steps (1000)")


def test_a_team_that_never_ends_an_episode_is_said_once():
    found = league()
    lines = warnings(found, {"Game": 0}, {"Game": 100}, {"Game": 200})
    (line,) = lines
    assert line.startswith("no episode of Game?team=0, Game?team=1 has ended since the start")


def test_teams_whose_episodes_never_end_together_are_said_once():
    found = league()
    advance(found)
    for tick, behavior in enumerate((LEFT, RIGHT)):
        found.record([Episode(behavior, 0, tick, 1, 0.0, 1, 5, False, 0, WeightsId("Game"))])
    (line,) = warnings(found, {"Game": 100}, {"Game": 200})
    assert line.startswith("episodes of the teams never end at the same time")


def test_rewards_that_are_not_results_are_said_once():
    found = league()
    advance(found)
    for reward in (1, 0.25, 0.5):
        game(found, reward)
    messages = advance(found).messages
    assert len(messages) == 1
    assert "a game ended with the reward 0.25" in messages[0]
    assert not advance(found).messages


def test_baselines_are_recorded():
    found = league()
    advance(found)
    found.record_baselines([BaselineResult("Game", "random", Score(8, 1, 1))])
    assert found.standings.results["Game:0", "Game:random"] == Score(8, 1, 1)
    assert found.measures("Game")["elo"] > 1200
