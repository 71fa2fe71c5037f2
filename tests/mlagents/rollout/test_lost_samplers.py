"""When lost samplers end a run."""

from __future__ import annotations

import pytest

from mlagents.rollout.cluster import ClusterError
from mlagents.rollout.lost_samplers import LostSamplers

KILLED = "the worker died unexpectedly"
WITH_ITS_NODE = "the actor died because its node has died"


class Clock:
    seconds = 5.0

    def __call__(self) -> float:
        return self.seconds


def make(clock=None):
    return LostSamplers(2, clock or Clock())


def test_three_for_each_sampler_end_a_run_in_which_nobody_has_handed_anything_in():
    lost = make()
    for number in range(5):
        lost.add(number % 2, KILLED)
    with pytest.raises(ClusterError, match=r"lost 6 times in a row before any of them .* one, 1, with: the wo"):
        lost.add(1, KILLED)


def test_where_somebody_has_they_end_it_only_after_ten_silent_minutes():
    clock = Clock()
    lost = make(clock)
    lost.forget()
    clock.seconds += 600.0
    for _ in range(20):
        lost.add(0, KILLED)
    clock.seconds += 1.0
    with pytest.raises(ClusterError, match=r"lost 21 times in a row since the last one of them .* in, 601 s ago"):
        lost.add(0, KILLED)


def test_who_hands_something_in_begins_both_anew():
    clock = Clock()
    lost = make(clock)
    lost.forget()
    clock.seconds += 601.0
    for _ in range(5):
        lost.add(0, KILLED)
    lost.forget()
    for _ in range(20):
        lost.add(0, KILLED)


def test_samplers_that_die_with_their_nodes_are_not_to_blame():
    lost = make()
    for _ in range(20):
        lost.add(0, WITH_ITS_NODE)
