"""What a run is bound by."""

from __future__ import annotations

import pytest

from mlagents.training.bottleneck import FIRST_VERDICT_S, FirstVerdict, TimeShares
from mlagents_envs.timers import TimerNode


def tree(**seconds):
    root = TimerNode()
    for name, value in seconds.items():
        root.get_child(name).add_time(value)
    return root


def test_shares_come_from_the_timers_of_the_loop():
    root = tree(reset=3.0, environment=2.0, collect=0.5, act=1.5, learn=7.0, checkpoint=0.75, snapshots=0.25)
    shares = TimeShares.of(root, compile_seconds=4.0)
    assert shares == TimeShares(environment=2.0, acting=2.0, learning=3.0, saving=1.0, compiling=4.0)
    assert shares.bound_by == "learning"
    assert shares.fractions() == {"environment": 0.25, "acting": 0.25, "learning": 0.375, "saving": 0.125}
    assert str(shares) == (
        "Bound by: learning (environment 25 %, acting 25 %, learning 38 %, saving 12 % of the time;"
        " compiling took 4.0 s besides)."
    )
    assert (shares - TimeShares(environment=1.5)).environment == 0.5


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({"environment": 2.0, "act": 1.0, "learn": 1.0}, "environment"),
        ({"environment": 2.0, "act": 1.5, "collect": 1.0, "learn": 2.0}, "acting"),
        ({"learn": 1.0}, "learning"),
        ({"checkpoint": 5.0}, None),
        ({}, None),
    ],
)
def test_the_longest_share_is_the_bound(seconds, expected):
    assert TimeShares.of(tree(**seconds)).bound_by == expected


def test_compilation_is_never_more_than_learning():
    assert TimeShares.of(tree(learn=1.0), compile_seconds=1.2) == TimeShares(compiling=1.0)


def test_the_first_verdict_comes_once_after_a_minute():
    now, said = [0.0], []
    verdict = FirstVerdict(lambda: TimeShares(environment=now[0]), said.append, lambda: now[0])
    for now[0] in (1.0, FIRST_VERDICT_S - 1.0, FIRST_VERDICT_S, FIRST_VERDICT_S + 5.0):
        verdict.observe()
    assert said == ["Bound by: environment (environment 100 %, acting 0 %, learning 0 %, saving 0 % of the time)."]
