"""Silent agents are said, less and less often."""

from __future__ import annotations

from mlagents.training.patience import Patience, already_trained


def test_silence_is_said_after_one_two_four_minutes_and_so_on():
    now = 0.0
    patience = Patience(60.0, lambda: now)
    said = []
    for second in range(0, 1000, 5):
        now = float(second)
        steps = {"Busy": second, "Absent": 0, "Gone": min(second, 100)}
        said += [(second, line.split(" (")[0]) for line in patience.observe(steps)]
    absent = [(at, "Absent: no decision was asked for yet") for at in (60, 120, 240, 480, 960)]
    gone = [(100 + after, "Gone: no decision was asked for since step 100") for after in (60, 120, 240, 480)]
    assert said == sorted(absent + gone)


def test_a_second_passes_between_two_looks():
    now = 100.0
    patience = Patience(60.0, lambda: now)
    assert patience.is_due()
    list(patience.observe({"B": 1}))
    now = 100.9
    assert not patience.is_due()
    now = 101.0
    assert patience.is_due()


def test_those_who_ask_again_are_waited_for_anew():
    now = 0.0
    patience = Patience(60.0, lambda: now)
    lines = []
    for second, step in ((0, 1), (61, 1), (62, 2), (121, 2), (123, 2)):
        now = float(second)
        lines += [(second, line) for line in patience.observe({"B": step})]
    assert [second for second, _ in lines] == [61, 123]
    assert "(61 s)" in lines[0][1]
    assert "Ctrl+C saves and ends it" in lines[0][1]


def test_a_behavior_that_has_nothing_left_to_learn():
    line = already_trained("B", 3002, 3000)
    assert line.startswith("B: its training is over, step 3002 is beyond max_steps (3000). Raise max_steps")
