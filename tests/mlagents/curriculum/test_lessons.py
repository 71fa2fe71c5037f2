"""Lessons change at thresholds worked out by hand."""

from __future__ import annotations

import pytest

from mlagents.curriculum.lessons import Lessons, Progress
from mlagents.settings import CurriculumSettings


def curriculum(*thresholds, values=None, **criteria):
    values = values or range(len(thresholds) + 1)
    criteria = {"behavior": "B"} | criteria
    lessons = [
        {"name": f"L{i}", "value": value, "completion_criteria": criteria | {"threshold": threshold}}
        for i, (value, threshold) in enumerate(zip(values, thresholds, strict=False))
    ]
    return CurriculumSettings.model_validate({"curriculum": [*lessons, {"name": "last", "value": values[-1]}]})


def tell(lessons, *returns, share=0.0, behavior="B"):
    return list(lessons.advance({behavior: Progress(share, returns)}))


def test_progress_must_be_above_the_threshold():
    lessons = Lessons({"wall": curriculum(0.1, 0.3, 0.5, measure="progress")})
    shares = [0.0, 0.1, 0.1000001, 0.3, 0.31, 0.5, 0.50001, 1.0]
    numbers = []
    for share in shares:
        tell(lessons, share=share)
        numbers.append(lessons.number["wall"])
    assert numbers == [0, 0, 1, 1, 2, 2, 3, 3]


def test_progress_waits_for_the_episodes_of_the_lesson():
    lessons = Lessons({"wall": curriculum(0.1, 0.2, measure="progress", min_lesson_length=3)})
    assert tell(lessons, 1.0, 1.0, share=0.9) == []
    assert tell(lessons, 1.0, share=0.9) == ["wall"]
    assert tell(lessons, 1.0, 1.0, share=0.9) == []  # the buffer was cleared
    assert tell(lessons, 1.0, share=0.9) == ["wall"]


def test_reward_is_the_mean_of_the_last_episodes():
    lessons = Lessons({"p": curriculum(10, 20, min_lesson_length=2, signal_smoothing=False)})
    assert tell(lessons, 100.0) == []  # one episode is not two
    assert tell(lessons, 0.0, 20.0) == []  # mean of the last two: 10, not above 10
    assert tell(lessons, 0.5) == ["p"]  # (20 + 0.5) / 2 = 10.25
    assert tell(lessons, 19.0, 21.0) == []  # 20
    assert tell(lessons, 19.5) == ["p"]  # 20.25
    assert tell(lessons, 1e9, 1e9) == []  # the last lesson


def test_reward_smoothing_by_hand():
    """m = 0.25 s + 0.75 m with s = 0 at first: a mean of 12 gives 9, then 11.25; it stays for the next lesson."""
    lessons = Lessons({"p": curriculum(10, 11, min_lesson_length=1, signal_smoothing=True)})
    assert tell(lessons, 12.0) == []  # 0.75 * 12 = 9
    assert tell(lessons) == ["p"]  # 0.25 * 9 + 9 = 11.25 > 10, checked although no new episode ended
    assert tell(lessons) == []  # the buffer was cleared, nothing is measured
    assert tell(lessons, 10.9) == []  # 0.25 * 11.25 + 0.75 * 10.9 = 10.9875
    assert tell(lessons, 11.0) == []  # 0.25 * 10.9875 + 8.25 = 10.996875
    assert tell(lessons, 11.1) == ["p"]  # 0.25 * 10.996875 + 8.325 = 11.07421875


def test_a_threshold_below_zero_and_a_return_of_exactly_zero():
    lessons = Lessons({"p": curriculum(-0.5, min_lesson_length=0, signal_smoothing=False)})
    assert tell(lessons) == []  # no episode yet
    assert tell(lessons, 0.0) == ["p"]


def test_returns_that_are_not_numbers_do_not_advance():
    lessons = Lessons({"p": curriculum(0.5, min_lesson_length=1, signal_smoothing=True)})
    assert tell(lessons, float("nan")) == []
    assert tell(lessons, 1.0) == ["p"]  # and have not spoilt the smoothed value: 0.75


def test_parameters_of_the_same_criteria_advance_together_and_all_buffers_are_cleared():
    criteria = {"min_lesson_length": 2, "signal_smoothing": False}
    lessons = Lessons(
        {
            "low": curriculum(1, **criteria),
            "high": curriculum(1, **criteria),
            "other": curriculum(1, behavior="C", **criteria),
        }
    )
    assert tell(lessons, 5.0, behavior="C") == []
    assert tell(lessons, 2.0, 2.0) == ["low", "high"]
    assert tell(lessons, 5.0, behavior="C") == []  # its first return was forgotten, too
    assert tell(lessons, 5.0, behavior="C") == ["other"]


def test_the_buffer_holds_as_many_as_the_longest_lesson_of_the_behavior():
    lessons = Lessons(
        {
            "short": curriculum(10, min_lesson_length=1, signal_smoothing=False),
            "long": curriculum(100, min_lesson_length=3, signal_smoothing=False),
        }
    )
    assert tell(lessons, 4.0, 20.0) == ["short"]  # mean 12 of both


@pytest.mark.parametrize("initial", [0, 2, 3])
def test_initial_lesson(initial):
    settings = curriculum(0.1, 0.2, 0.3, measure="progress").model_copy(update={"initial_lesson": initial})
    lessons = Lessons({"p": settings})
    assert lessons.number == {"p": initial}
    assert lessons.current("p").name == ("last" if initial == 3 else f"L{initial}")


def test_state_survives():
    settings = {"p": curriculum(10, 11, min_lesson_length=2)}
    one, other = Lessons(settings), Lessons(settings)
    tell(one, 12.0, 12.0)
    other.load_state_dict(one.state_dict())
    assert tell(one) == tell(other) == ["p"]
    assert one.state_dict() == other.state_dict()


def test_a_state_of_other_curricula_is_taken_as_far_as_it_fits():
    lessons = Lessons({"p": curriculum(10)})
    lessons.load_state_dict({"number": {"p": 7, "gone": 2}})
    assert lessons.number == {"p": 1}


@pytest.mark.parametrize(
    ("measure", "known"), [("elo", {"elo": 1300.5}), ("Elo", {"elo": 1300.5}), ("win_rate", {"win_rate": 0.7})]
)
def test_measures_of_self_play(measure, known):
    threshold = 0.6 if measure == "win_rate" else 1300
    lessons = Lessons({"speed": curriculum(threshold, measure=measure)})
    assert not lessons.advance({"B": Progress(1.0, [])}), "a measure that is not known passes no lesson"
    below = {name: value - 0.9 for name, value in known.items()}
    assert not lessons.advance({"B": Progress(1.0, [], below)})
    assert list(lessons.advance({"B": Progress(0.0, [], known)})) == ["speed"]


def test_a_win_rate_is_between_0_and_1():
    with pytest.raises(ValueError, match="expected 0 to 1 for the measure win_rate"):
        curriculum(60, measure="win_rate")
