"""Who is whose mate, and how a group's experience goes on, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.algorithms.poca.groups import join, padded_width, together
from mlagents.data.segments import FlatSegments
from mlagents.data.trajectories import Groups
from toys.segments import make_segment
from toys.specs import behavior

SPEC = behavior(1, branches=(2,))


def segment(ticks, group, size, *, worker=0, **ends):
    steps = len(ticks)
    return make_segment(
        (np.zeros((steps + 1, 1), np.float32),),
        np.zeros((steps, 0), np.float32),
        np.zeros((steps, 0), np.float32),
        np.zeros((steps, 1), np.int32),
        np.zeros((steps, 1), np.float32),
        np.ones((steps, 2), bool),
        np.zeros(steps, np.float32),
        worker=worker,
        group_id=group,
        group_size=np.array(size),
        tick=np.array(ticks),
        **ends,
    )


def joined(*segments, width=1):
    rows = FlatSegments(SPEC, 20)
    for one in segments:
        rows.extend(one)
    return join(rows, width), rows.used


def mates(links, row):
    return sorted(m for m in links.mates[row].tolist() if m >= 0)


def test_agents_of_one_worker_group_and_round_are_mates():
    links, _ = joined(
        segment([5, 6], 1, 2),  # rows 0, 1, closing 2
        segment([6, 7], 1, 2),  # rows 3, 4, closing 5: one round later
        segment([5, 6], 2, 1),  # rows 6, 7, closing 8: another group
        segment([5, 6], 1, 1, worker=1),  # rows 9, 10, closing 11: the same number elsewhere
        segment([5, 6], 0, 0),  # rows 12, 13, closing 14: no group
        segment([5, 6], 0, 0),
    )
    assert mates(links, 1) == [3]
    assert mates(links, 3) == [1]
    alone = [0, 4, 6, 7, 9, 10, 12, 13, 15, 16]
    assert all(mates(links, row) == [] for row in alone)
    assert links.complete[[1, 3, 6, 7, 9, 10, 12, 13]].all()
    assert not links.complete[[0, 4]].any()  # two decided, one is here
    assert not links.complete[[2, 5, 8, 11, 14]].any()  # closing rows are no decisions


def test_three_see_the_two_others_and_an_id_that_is_used_again_starts_anew():
    first = [segment([1, 2], 7, 3, terminated=True) for _ in range(3)]
    second = [segment([3, 4], 7, 3) for _ in range(3)]
    links, _ = joined(*first, *second)
    assert [mates(links, row) for row in (0, 3, 6)] == [[3, 6], [0, 6], [0, 3]]
    assert [mates(links, row) for row in (9, 12, 15)] == [[12, 15], [9, 15], [9, 12]]
    assert mates(links, 2) == []  # all ended together
    assert mates(links, 11) == [14, 17]  # cut together: closing rows see one another
    np.testing.assert_array_equal(links.stand_in, np.arange(len(links.stand_in)))


def test_a_closing_row_sees_the_mates_that_live_on_where_they_are_then():
    links, _ = joined(
        segment([1, 2], 1, 3),  # 0, 1, closing 2: cut
        segment([1, 2, 3], 1, 3),  # 3, 4, 5, closing 6: goes on with row 5
        segment([1, 2], 1, 3, terminated=True),  # 7, 8, closing 9: gone
    )
    assert mates(links, 2) == [5]
    assert mates(links, 4) == [1, 8]


def test_who_dies_early_is_stood_in_for_by_a_mate_that_lives_on():
    links, _ = joined(
        segment([1, 2], 1, [3, 3], terminated=True),  # 0, 1, closing 2
        segment([1, 2], 1, [3, 3], terminated=True),  # 3, 4, closing 5
        segment([1, 2, 4], 1, [3, 3, 1], terminated=True),  # 6, 7, 8, closing 9
    )
    assert links.stand_in[[0, 1, 3, 4, 6, 7, 8]].tolist() == [0, 7, 3, 7, 6, 7, 8]


def test_an_interrupted_mate_counts_as_going_on_and_an_interrupted_agent_needs_nobody():
    links, _ = joined(
        segment([1], 1, 2, terminated=True),  # 0, closing 1
        segment([1], 1, 2, truncated=True),  # 2, closing 3
    )
    assert links.stand_in[[0, 2]].tolist() == [2, 2]


def test_nobody_is_in_a_group():
    links, used = joined(segment([0, 0], 0, 0, terminated=True), width=4)
    assert used == 3
    assert links.mates.shape == (40, 4)
    assert (links.mates == -1).all()
    assert links.complete.tolist()[:3] == [True, True, False]


@pytest.mark.parametrize(("mates", "width"), [(0, 1), (1, 1), (2, 2), (4, 4), (5, 6), (7, 8), (9, 12), (13, 16)])
def test_widths_are_few(mates, width):
    assert padded_width(mates) == width


def test_mates_stand_side_by_side_in_a_random_order_of_all_decisions():
    links, _ = joined(*(segment([1, 2], group, 2) for group in (1, 2, 1, 2)), segment([1, 2], 0, 0))
    decisions = np.array([0, 1, 3, 4, 6, 7, 9, 10, 12, 13], np.int32)
    orders = [together(links, decisions, np.random.default_rng(seed)).tolist() for seed in range(5)]
    assert len({tuple(order) for order in orders}) > 1
    for order in orders:
        assert sorted(order) == decisions.tolist()
        for row in (0, 1, 3, 4):
            assert abs(order.index(row) - order.index(mates(links, row)[0])) == 1


def test_group_sizes_count_the_agents_of_a_round():
    groups = Groups(np.array([3, 0, 5, 3, 3, 0], np.int32), np.zeros(6, np.float32))
    assert groups.sizes().tolist() == [3, 0, 1, 3, 3, 0]
