"""The replay ring against a plain list of transitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlagents.data.replay import Replay
from mlagents.data.segments import FlatSegments, Segment
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType
from toys import segments as toys

NONE = (DimensionProperty.NONE,)
SPEC = BehaviorSpec(
    [
        ObservationSpec((1,), NONE, ObservationType.DEFAULT, "serial number"),
        ObservationSpec((2,), NONE, ObservationType.DEFAULT, "its negative, twice"),
    ],
    ActionSpec.create_hybrid(1, (3, 2)),
)


def make_segment(first: int, steps: int, ended: bool = False, interrupted: bool = False) -> Segment:
    """Everything about the decision with serial number n follows from n, the closing observation included."""
    serial = np.arange(first, first + steps + 1, dtype=np.float32)[:, None]
    n = np.arange(first, first + steps)
    return toys.make_segment(
        (serial, -np.repeat(serial, 2, axis=1)),
        10.0 * serial[:-1],
        serial[:-1] / 2,
        np.stack([n % 3, n % 2], axis=1).astype(np.int32),
        -np.stack([n, n, n], axis=1).astype(np.float32),
        np.stack([n % p == 0 for p in (2, 3, 4, 5, 6)], axis=1),
        serial[:-1, 0] / 4,
        ended and not interrupted,
        interrupted,
    )


def transition(rows: FlatSegments, i: int) -> tuple[object, ...]:
    """Return the decision of row 2i: what was seen, done and seen after it."""
    d = 2 * i
    return (
        *(float(rows.columns.observations[k][d + o, 0]) for o in (0, 1) for k in (0, 1)),
        float(rows.columns.continuous[d, 0]),
        *rows.columns.discrete[d].tolist(),
        *rows.columns.allowed[d].tolist(),
        float(rows.columns.reward[d]),
        bool(rows.terminated[d]),
        bool(rows.truncated[d]),
    )


def expected(segment: Segment) -> list[tuple[object, ...]]:
    found = []
    for t in range(len(segment)):
        last = t == len(segment) - 1
        found.append(
            (
                *(float(segment.columns.observations[k][t + o, 0]) for o in (0, 1) for k in (0, 1)),
                float(segment.columns.continuous[t, 0]),
                *segment.columns.discrete[t].tolist(),
                *segment.columns.allowed[t].tolist(),
                float(segment.columns.reward[t]),
                segment.terminated and last,
                segment.truncated and last,
            )
        )
    return found


def everything(replay: Replay, rng: np.random.Generator) -> set[tuple[object, ...]]:
    """Return all transitions that can be sampled: so many draws that each of n is missed with (1 - 1/n)^(40 n)."""
    count = 40 * len(replay)
    rows = FlatSegments(SPEC, count)
    assert (replay.sample(rng, count, rows) == 1).all()
    assert (rows.steps, rows.used) == (count, 2 * count)
    assert not rows.closing[::2].any()
    assert rows.closing[1::2].all()
    return {transition(rows, i) for i in range(count)}


segments = st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.booleans()), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(segments, st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_what_can_be_sampled_is_the_newest_decisions_of_a_list(segments, capacity, seed):
    """Serial numbers jump by 100 between segments: a successor from another segment would be seen."""
    rng = np.random.default_rng(seed)
    replay, plain = Replay(SPEC, capacity), []
    for number, (steps, ended, interrupted) in enumerate(segments):
        segment = make_segment(100 * number, steps, ended, ended and interrupted)
        replay.extend(segment)
        plain = (plain + expected(segment))[-capacity:]
        assert len(replay) == len(plain)
    assert everything(replay, rng) == set(plain)


@settings(max_examples=30, deadline=None)
@given(segments, st.integers(1, 12), st.integers(1, 12), st.integers(1, 9))
def test_saved_and_restored_it_is_the_same_and_goes_on(segments, capacity, other, more):
    replay, restored = Replay(SPEC, capacity), Replay(SPEC, other)
    restored.extend(make_segment(9000, 5))
    plain = []
    for number, (steps, ended, interrupted) in enumerate(segments):
        segment = make_segment(100 * number, steps, ended, ended and interrupted)
        replay.extend(segment)
        plain += expected(segment)
    restored.load_state_dict(replay.state_dict())
    rng = np.random.default_rng(0)
    kept = plain[-min(capacity, other) :]
    assert everything(restored, rng) == set(kept)
    segment = make_segment(5000, more)
    restored.extend(segment)
    assert everything(restored, rng) == set((kept + expected(segment))[-other:])


def test_sampling_is_uniform():
    replay = Replay(SPEC, 10)
    for first in range(0, 300, 30):
        replay.extend(make_segment(first, 3))
    rows = FlatSegments(SPEC, 100_000)
    replay.sample(np.random.default_rng(0), 100_000, rows)
    _, counts = np.unique(rows.columns.observations[0][::2], return_counts=True)
    assert len(counts) == 10
    np.testing.assert_allclose(counts, 10_000, atol=5 * 95)  # five standard deviations of a binomial


def test_rows_can_be_filled_again_with_fewer():
    replay, out = Replay(SPEC, 10), FlatSegments(SPEC, 8)
    replay.extend(make_segment(0, 5, ended=True))
    rng = np.random.default_rng(0)
    replay.sample(rng, 8, out)
    replay.sample(rng, 3, out)
    assert (out.used, out.steps, out.closing.sum()) == (6, 3, 13)


def test_nothing_is_allocated_as_it_fills():
    replay = Replay(SPEC, 50)
    columns = [c.ctypes.data for c in replay._arrays().values()]
    for first in range(0, 5000, 50):
        replay.extend(make_segment(first, 1 + first % 70))
    assert columns == [c.ctypes.data for c in replay._arrays().values()]


def test_an_empty_one_says_so_and_survives_saving():
    replay = Replay(SPEC, 5)
    with pytest.raises(ValueError, match="nothing is stored"):
        replay.sample(np.random.default_rng(0), 1, FlatSegments(SPEC, 1))
    other = Replay(SPEC, 5)
    other.extend(make_segment(0, 3))
    other.load_state_dict(replay.state_dict())
    assert len(other) == 0


def test_another_behaviors_buffer_is_refused():
    replay = Replay(SPEC, 5)
    replay.extend(make_segment(0, 3))
    narrow = BehaviorSpec([SPEC.observation_specs[0], SPEC.observation_specs[0]], SPEC.action_spec)
    with pytest.raises(ValueError, match=r"\[2\] numbers in observations.1 for each row, this behavior has \[1\]"):
        Replay(narrow, 5).load_state_dict(replay.state_dict())


@settings(max_examples=60, deadline=None)
@given(segments, st.integers(4, 12), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_sequences_are_pieces_of_segments_with_the_memory_of_their_first_decision(segments, capacity, steps, seed):
    replay, plain = Replay(SPEC, capacity, steps, memory_size=1), []
    for number, (length, ended, interrupted) in enumerate(segments):
        segment = make_segment(100 * number, length, ended, ended and interrupted)
        replay.extend(segment)
        plain += [(100 * number + i, min(steps, length - i)) for i in range(0, length, steps)]
    while sum(n for _, n in plain) > capacity:
        plain.pop(0)
    count = 40 * len(plain)
    rows = FlatSegments(SPEC, count * (steps + 1), memory_size=1)
    lengths = replay.sample(np.random.default_rng(seed), count, rows)
    serial = rows.columns.observations[0][: rows.used, 0].reshape(count, steps + 1)
    for seen, length in zip(serial, lengths.tolist(), strict=True):
        assert seen[: length + 1].tolist() == [seen[0] + i for i in range(length + 1)]
    assert set(zip(serial[:, 0].tolist(), lengths.tolist(), strict=True)) == set(plain)
    np.testing.assert_array_equal(rows.columns.memory[: rows.used : steps + 1, 0], 10 * serial[:, 0])
    decision = np.arange(steps + 1) < lengths[:, None]
    np.testing.assert_array_equal(rows.closing[: rows.used].reshape(count, -1), ~decision)
    assert not rows.terminated[: rows.used].reshape(count, -1)[~decision].any()
