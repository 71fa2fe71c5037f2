"""Lanes: who owns which column."""

from __future__ import annotations

import numpy as np

from mlagents.data.lanes import Lanes


def ids(*values):
    return np.array(values, np.int32)


def test_agents_keep_their_lane():
    lanes = Lanes()
    assert lanes.of(0, ids(5, 9)).tolist() == [0, 1]
    assert lanes.of(0, ids(9)).tolist() == [1]
    assert lanes.of(0, ids(5, 9)).tolist() == [0, 1]


def test_workers_do_not_share_lanes():
    lanes = Lanes()
    assert lanes.of(0, ids(1)).tolist() == [0]
    assert lanes.of(1, ids(1)).tolist() == [1]
    assert lanes.of_worker(1).tolist() == [1]


def test_an_agent_that_ends_and_goes_on_keeps_its_lane():
    lanes = Lanes()
    lanes.of(0, ids(1, 2))
    assert lanes.ended(0, ids(2)).tolist() == [1]
    assert lanes.of(0, ids(1, 2)).tolist() == [0, 1]
    assert lanes.of(0, ids(3)).tolist() == [2]


def test_the_same_agents_get_another_lane_when_theirs_was_taken_meanwhile():
    lanes = Lanes()
    lanes.of(0, ids(1, 2))
    lanes.ended(0, ids(2))
    assert lanes.of(1, ids(7)).tolist() == [1]
    assert lanes.of(0, ids(1, 2)).tolist() == [0, 2]


def test_whoever_goes_on_leaves_the_idle_lanes_of_others_to_newcomers():
    lanes = Lanes()
    lanes.of(0, ids(1, 2))
    lanes.of(1, ids(1, 2))
    lanes.ended(1, ids(1))
    lanes.ended(0, ids(1))
    assert lanes.of(0, ids(1, 2)).tolist() == [0, 1]
    assert lanes.of(0, ids(1, 2, 3)).tolist() == [0, 1, 2]


def test_lanes_of_ended_agents_are_reused_longest_idle_first():
    lanes = Lanes()
    lanes.of(0, ids(1, 2, 3))
    lanes.ended(0, ids(2))
    lanes.ended(0, ids(1))
    assert lanes.of(0, ids(3, 4, 5, 6)).tolist() == [2, 1, 0, 3]
    assert lanes.count == 4
    assert lanes.ended(0, ids(1)).tolist() == [-1]


def test_many_short_lived_agents_do_not_grow_the_grid():
    lanes = Lanes()
    for i in range(100):
        lanes.of(0, ids(i))
        lanes.ended(0, ids(i))
    assert lanes.count == 1
