from __future__ import annotations

import math

import pytest

from mlagents.data.segments import WeightsId
from mlagents.self_play.ratings import LEARNER_DEVIATION, Rating, Score
from mlagents.self_play.standings import Standings


def test_one_game_by_hand():
    """s = 400 / ln 10 = 173.72; c^2 = s^2 + 200^2 + 30^2 = 71078, c = 266.60; p = 1 / (1 + e^(-100 / c)) = 0.59270.

    So the rating grows by 200^2 / c (1 - p) = 61.11, and the variance is 40000 (1 - 200^2 / c^2 p (1 - p)) = 34566.
    """
    won = Rating(1500, 200).after(Rating(1400, 30), 1.0)
    assert won.elo == pytest.approx(1561.11, abs=0.02)
    assert won.deviation == pytest.approx(185.92, abs=0.02)


def test_a_loss_and_a_draw_by_hand():
    """As above: a loss takes 200^2 / c p = 88.93; a draw 200^2 / c (p - 0.5) = 13.91."""
    before, opponent = Rating(1500, 200), Rating(1400, 30)
    assert before.after(opponent, 0.0).elo == pytest.approx(1500 - 88.93, abs=0.02)
    assert before.after(opponent, 0.5).elo == pytest.approx(1500 - 13.91, abs=0.02)


def test_a_deviation_does_not_fall_below_the_least():
    """50^2 / sqrt(s^2 + 50^2 + 20^2) / 2 is the gain of a win against an equal that is well known: K is 13.8."""
    learner = Rating(1200, LEARNER_DEVIATION).after(Rating(1200, 20), 1.0, LEARNER_DEVIATION)
    assert learner.deviation == LEARNER_DEVIATION
    assert 2 * (learner.elo - 1200) == pytest.approx(13.8, abs=0.1)


def test_a_draw_of_equals_says_nothing_about_strength_and_something_about_certainty():
    after = Rating(1200, 100).after(Rating(1200, 100), 0.5)
    assert after.elo == pytest.approx(1200)
    assert after.deviation < 100


def test_many_results_find_the_difference_that_made_them():
    """75 % of the points are a difference of 400 lg 3 = 190.8."""
    first, second = Rating(1200), Rating(1200)
    for game in range(4000):
        score = float(game % 4 != 0)
        first, second = first.after(second, score), second.after(first, 1 - score)
    assert first.elo - second.elo == pytest.approx(400 * math.log10(3), abs=15)


def test_score():
    score = Score().plus(1).plus(1).plus(0.5).plus(0)
    assert score == Score(2, 1, 1)
    assert score.games == 4
    assert score.rate == 2.5 / 4
    assert math.isnan(Score().rate)
    assert Score().interval() == (0, 1)


@pytest.mark.parametrize(
    ("score", "low", "high"),
    [
        (Score(10, 0, 0), 0.7225, 1.0),  # 1 / (1 + z^2 / n) = 10 / 13.8416
        (Score(0, 0, 10), 0.0, 0.2775),
        (Score(50, 0, 50), 0.4038, 0.5962),
        (Score(40, 20, 40), 0.4038, 0.5962),
    ],
)
def test_interval_of_wilson(score, low, high):
    assert score.interval() == pytest.approx((low, high), abs=1e-3)


def standings():
    found = Standings()
    found.add("A", Rating(1200))
    found.take_snapshot(WeightsId("A", 0))
    return found


def test_a_game_against_oneself_says_nothing():
    found = standings()
    found.record("A", WeightsId("A"), 1.0)
    assert found.ratings["A"] == Rating(1200)
    assert found.win_rate("A") is None
    assert not found.results


def test_winning_against_a_snapshot():
    found = standings()
    for _ in range(100):
        found.record("A", WeightsId("A", 0), 1.0)
    newest, snapshot = found.ratings["A"], found.ratings["A:0"]
    assert newest.elo > 1400 > 1000 > snapshot.elo
    assert LEARNER_DEVIATION <= newest.deviation < 350
    assert snapshot.deviation < 350
    assert found.results == {("A:0", "A:0"): Score(100, 0, 0)}
    assert found.win_rate("A") == 1.0
    assert found.win_rates("A", [WeightsId("A", 0), WeightsId("A", 7)])[0] > 0.9
    assert found.win_rates("A", [WeightsId("A", 7)]) == {7: 0.5}
    found.take_snapshot(WeightsId("A", 1))
    assert found.ratings["A:1"] == newest
    statistics = dict(found.statistics("A", [WeightsId("A", 0), WeightsId("A", 1)]))
    assert statistics["Self-play/ELO"] == newest.elo
    assert statistics["Self-play/Mean Opponent ELO"] == pytest.approx((newest.elo + snapshot.elo) / 2)
    assert statistics["Self-play/Std Opponent ELO"] == pytest.approx((newest.elo - snapshot.elo) / 2)


def test_baselines_are_rated_and_leave_the_win_rate_alone():
    found = standings()
    found.record_match("A", "random", Score(9, 1, 0))
    assert found.ratings["A"].elo > 1200 > found.ratings["A:random"].elo
    assert found.results["A:0", "A:random"] == Score(9, 1, 0)
    assert found.win_rate("A") is None


def test_all_is_restored():
    found = standings()
    found.record("A", WeightsId("A", 0), 1.0)
    found.record_match("A", "random", Score(3, 0, 1))
    again = standings()
    again.load_state_dict(found.state_dict())
    assert again.state_dict() == found.state_dict()
    for each in (found, again):
        each.record("A", WeightsId("A", 0), 0.5)
    assert again.state_dict() == found.state_dict()
