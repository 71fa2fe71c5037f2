from __future__ import annotations

import math

import pytest

from mlagents.data.segments import WeightsId
from mlagents.self_play.ratings import LEARNER_DEVIATION, Rating, Score
from mlagents.self_play.standings import Standings


def test_the_example_of_glickman():
    """The worked example of "The Glicko system": a player of 1500 +- 200 meets three others."""
    player = Rating(1500, 200)
    opponents = [(Rating(1400, 30), 0.639), (Rating(1550, 100), 0.432), (Rating(1700, 300), 0.303)]
    for opponent, expected in opponents:
        assert player.expected(opponent) == pytest.approx(expected, abs=0.001)


def test_one_game_by_hand():
    """q = ln 10 / 400 = 0.0057565, g = 0.99550, E = 0.63948, d^2 = 1 / (q^2 g^2 E (1 - E)) = 132086.

    So the variance is 1 / (1 / 40000 + 1 / d^2) = 30703, and the rating grows by q g (1 - E) 30703 = 63.43.
    """
    won = Rating(1500, 200).after(Rating(1400, 30), 1.0)
    assert won.elo == pytest.approx(1563.43, abs=0.05)
    assert won.deviation == pytest.approx(175.22, abs=0.05)


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
