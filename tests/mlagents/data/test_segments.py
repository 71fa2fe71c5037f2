"""The store of segments: what clearing forgets, what growing keeps, where sequences are."""

from __future__ import annotations

import numpy as np

from mlagents.data.replay import Replay
from mlagents.data.segments import FlatSegments
from toys.segments import make_segment
from toys.specs import behavior, observation

SPEC = behavior(observation(1, 2, 2), continuous=1)


def segment(steps, pixel=0.2, **how):
    """So many decisions; every pixel of every image is the same."""
    column = np.zeros((steps, 1), np.float32)
    images = np.full((steps + 1, 1, 2, 2), pixel, np.float32)
    nothing = np.zeros((steps, 0), np.float32)
    forbidden = np.zeros((steps, 0), np.bool_)
    discrete = np.zeros((steps, 0), np.int32)
    return make_segment([images], nothing, column, discrete, column, forbidden, np.zeros(steps, np.float32), **how)


def test_what_is_cleared_leaves_no_end_behind():
    """The second time, the ends of before lie in the middle of a segment."""
    store = FlatSegments(SPEC, 8)
    store.extend(segment(2, terminated=True))
    store.extend(segment(2, truncated=True))
    store.clear()
    assert (store.used, store.steps) == (0, 0)
    assert store.closing.all()
    store.extend(segment(7))
    assert not store.terminated.any()
    assert not store.truncated.any()


def test_sequences_are_segments_cut_into_pieces_the_last_of_which_may_be_short():
    """Rows 0 to 4 and closing row 5; rows 6 and 7 and closing row 8."""
    store = FlatSegments(SPEC, 8)
    store.extend(segment(5))
    store.extend(segment(2))
    for steps, pieces in {2: [(0, 2), (2, 2), (4, 1), (6, 2)], 4: [(0, 4), (4, 1), (6, 2)]}.items():
        starts, lengths = store.sequences(steps)
        assert list(zip(starts.tolist(), lengths.tolist(), strict=True)) == pieces


def test_images_that_bytes_cannot_hold_stay_what_they_are_as_the_store_grows():
    store = FlatSegments(SPEC, 2)
    store.extend(segment(2, pixel=0.123))
    assert store.columns.observations[0].dtype == np.float32
    store.extend(segment(3, pixel=0.2))
    assert store.capacity >= 5
    assert (store.columns.observations[0][:3] == np.float32(0.123)).all()
    np.testing.assert_array_equal(store.columns.observations[0][3:7], np.float32(0.2))


def test_rows_beyond_a_sampled_sequence_allow_everything():
    """Else they, which nothing is known of, could have no distribution; here they hold other sequences' masks."""
    spec = behavior(1, branches=(2,))
    replay, out = Replay(spec, 8, steps=3), FlatSegments(spec, 16)
    for _ in range(3):
        one = np.zeros((1, 1), np.float32)
        nothing, choice = np.zeros((1, 0), np.float32), np.zeros((1, 1), np.int32)
        replay.extend(
            make_segment(
                [np.zeros((2, 1), np.float32)], nothing, nothing, choice, one, np.array([[True, False]]), one[:, 0]
            )
        )
    assert replay.sample(np.random.default_rng(0), 4, out).tolist() == [1] * 4
    decides = ~out.closing[: out.used]
    assert np.flatnonzero(decides).tolist() == [0, 4, 8, 12]
    assert (out.columns.allowed[: out.used][decides] == [True, False]).all()
    assert out.columns.allowed[: out.used][~decides].all()


def capacities(most, arriving):
    """The capacities of a store for 10 decisions, of which at most so many more are expected, as segments arrive."""
    store, found = FlatSegments(SPEC, 10), []
    store.expect(most)
    for steps in arriving:
        found.append(store.capacity)
        store.extend(segment(steps))
    return [*found, store.capacity], store


def test_room_for_what_may_come_is_made_at_once_if_it_is_not_far_more():
    found, _ = capacities(80, [11, 60])
    assert found == [80, 80, 80]


def test_room_for_far_more_is_made_in_few_steps_when_it_comes():
    """Eight times as much, then all that may come, since that is less than twice the next step."""
    found, store = capacities(1000, [10, 1, 69, 1, 900, 20])
    assert found == [10, 10, 80, 80, 1000, 1000, 2000]
    assert store.steps == 1001
    assert (np.diff(np.flatnonzero(store.closing[: store.used])) == [2, 70, 2, 901, 21]).all()
