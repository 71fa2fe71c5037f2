"""The one table: what is declared there is stored, copied and replayed everywhere, field by field."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.data.columns import FIELDS, Columns, Per
from mlagents.data.replay import Replay
from mlagents.data.segments import FlatSegments
from toys.segments import make_segment
from toys.specs import behavior, observation

SPEC = behavior(observation(2), observation(1, 3, 3), continuous=2, branches=(3, 2))
STEPS = 4


def filled(rng):
    """A segment in which no two numbers of a column are the same."""
    image = rng.permutation(256)[: (STEPS + 1) * 9].reshape(STEPS + 1, 1, 3, 3).astype(np.uint8)
    segment = make_segment(
        (rng.normal(size=(STEPS + 1, 2)).astype(np.float32), image),
        rng.normal(size=(STEPS, 6)).astype(np.float32),
        rng.normal(size=(STEPS, 2)).astype(np.float32),
        rng.integers(0, 2, (STEPS, 2), np.int32),
        rng.normal(size=(STEPS, 4)).astype(np.float32),
        rng.random((STEPS, 5)) < 0.5,
        rng.normal(size=STEPS).astype(np.float32),
        terminated=True,
        worker=3,
        group_reward=rng.normal(size=STEPS).astype(np.float32),
        group_id=5,
    )
    segment.columns.tick[:] = 10 + np.arange(STEPS)
    return segment


def test_empty_columns_have_the_declared_shapes_dtypes_and_values():
    columns = Columns.empty(SPEC, 6, 7, 5)
    shapes = {
        "memory": (6,),
        "continuous": (2,),
        "discrete": (2,),
        "log_prob": (4,),
        "allowed": (5,),
        "reward": (),
        "group_reward": (),
        "group_id": (),
        "group_size": (),
        "tick": (),
    }
    assert shapes.keys() == FIELDS.keys()
    for name, shape in shapes.items():
        column = getattr(columns, name)
        assert column.shape == (7, 5, *shape)
        assert column.dtype == FIELDS[name].dtype
        assert (column == FIELDS[name].initial).all()
    assert [o.dtype for o in columns.observations] == [np.float32, np.uint8]
    assert columns.allowed.all()  # whoever says nothing of choices forbids none
    assert {columns.reward.dtype, columns.group_reward.dtype, columns.log_prob.dtype} == {np.dtype(np.float32)}


def test_flat_rows_keep_every_field():
    rows, segment = FlatSegments(SPEC, 20, memory_size=6), filled(np.random.default_rng(0))
    rows.extend(segment)
    rows.extend(segment)
    for start in (0, STEPS + 1):
        for name in FIELDS:
            stored = getattr(rows.columns, name)[start : start + STEPS]
            np.testing.assert_array_equal(stored, getattr(segment.columns, name), err_msg=name)
        for stored, given in zip(rows.columns.observations, segment.columns.observations, strict=True):
            np.testing.assert_array_equal(stored[start : start + STEPS + 1], given)
    assert rows.worker[:STEPS].tolist() == [3] * STEPS
    assert np.flatnonzero(rows.terminated).tolist() == [STEPS - 1, 2 * STEPS]
    assert not rows.truncated.any()


@pytest.mark.parametrize("flag", ["terminated", "truncated"])
def test_flat_rows_keep_how_an_episode_ended(flag):
    rows, segment = FlatSegments(SPEC, 20, memory_size=6), filled(np.random.default_rng(0))
    ending = make_segment(*_arrays(segment), **{flag: True})
    rows.extend(ending)
    assert np.flatnonzero(getattr(rows, flag)).tolist() == [STEPS - 1]
    other = {"terminated": rows.truncated, "truncated": rows.terminated}[flag]
    assert not other.any()
    again = FlatSegments(SPEC, 20, memory_size=6)
    again.load_state_dict(rows.state_dict())
    assert np.flatnonzero(getattr(again, flag)).tolist() == [STEPS - 1]


def _arrays(segment):
    c = segment.columns
    return c.observations, c.memory, c.continuous, c.discrete, c.log_prob, c.allowed, c.reward


def test_rows_survive_with_every_field():
    rows, again = FlatSegments(SPEC, 20, memory_size=6), FlatSegments(SPEC, 20, memory_size=6)
    rows.extend(filled(np.random.default_rng(0)))
    again.load_state_dict(rows.state_dict())
    for (name, one), (_, other) in zip(rows.columns.named(), again.columns.named(), strict=True):
        np.testing.assert_array_equal(one[: rows.used], other[: rows.used], err_msg=name)
        assert one.dtype == other.dtype
    assert (again.used, again.steps) == (rows.used, rows.steps)


def test_a_replay_gives_back_every_field_that_is_not_on_policy():
    replay, out, segment = Replay(SPEC, 20, 1, 6), FlatSegments(SPEC, 40, 6), filled(np.random.default_rng(0))
    replay.extend(segment)
    replay.sample(np.random.default_rng(1), 12, out)
    decisions = np.arange(0, out.used, 2)
    for row in decisions:
        (at,) = np.flatnonzero(segment.columns.tick == out.columns.tick[row])
        for name, field in FIELDS.items():
            if not field.on_policy:
                given = getattr(segment.columns, name)[at]
                np.testing.assert_array_equal(getattr(out.columns, name)[row], given, err_msg=name)
        for stored, given in zip(out.columns.observations, segment.columns.observations, strict=True):
            np.testing.assert_array_equal(stored[row : row + 2], given[at : at + 2])
        assert bool(out.terminated[row]) == (at == STEPS - 1)
        assert out.worker[row] == 3
    assert len(np.unique(out.columns.tick[decisions])) == STEPS


def test_memory_is_kept_for_the_first_decision_of_sequences():
    assert [name for name, field in FIELDS.items() if field.per is Per.SEQUENCE] == ["memory"]
    replay, out, segment = Replay(SPEC, 20, 2, 6), FlatSegments(SPEC, 40, 6), filled(np.random.default_rng(0))
    replay.extend(segment)
    replay.sample(np.random.default_rng(1), 8, out)
    for row in range(0, out.used, 3):
        (at,) = np.flatnonzero(segment.columns.tick == out.columns.tick[row])
        np.testing.assert_array_equal(out.columns.memory[row], segment.columns.memory[at])


@pytest.mark.parametrize("stored", [0, 1, 128, 254, 255])
def test_images_are_stored_as_the_nearest_byte_and_no_worse(stored):
    """A 255th and a little: the byte is exact to what floats of a byte's picture can differ by."""
    columns = Columns.empty(SPEC, 0, 2)
    columns.write(0, 1, np.full((1, 3, 3), np.float32(stored) / np.float32(255.0)))
    assert columns.observations[1].dtype == np.uint8
    assert (columns.observations[1][0] == stored).all()


@pytest.mark.parametrize("value", [0.1, 0.5 / 255, 1.01, -0.01, 1.0 + 2e-5])
def test_an_image_that_bytes_would_change_is_kept_as_floats(value):
    """Also what was stored before, in floats of the same values."""
    columns = Columns.empty(SPEC, 0, 2)
    columns.write(0, 1, np.full((1, 3, 3), np.float32(51 / 255)))
    columns.write(1, 1, np.full((1, 3, 3), np.float32(value)))
    assert columns.observations[1].dtype == np.float32
    assert (columns.observations[1][1] == np.float32(value)).all()
    assert (columns.observations[1][0] == np.float32(51) / np.float32(255)).all()


def test_bytes_go_into_a_column_of_floats_as_what_they_mean():
    columns = Columns.empty(SPEC, 0, 1)
    columns.match([np.zeros(0, np.float32)] * 2)
    columns.write(0, 1, np.full((1, 3, 3), 51, np.uint8))
    assert (columns.observations[1][0] == np.float32(0.2)).all()


def test_a_buffer_of_the_version_before_is_read():
    """`ended` meant by the task or by `interrupted`, a limit; groups were not known."""
    replay = Replay(SPEC, 20, 1, 6)
    replay.extend(filled(np.random.default_rng(0)))
    state = dict(replay.state_dict())
    for name in ("terminated", "truncated", "worker", "group_reward", "group_id", "tick"):
        del state[name]
    rows = len(state["reward"])
    state |= {"ended": np.arange(rows) == STEPS - 1, "interrupted": np.arange(rows) == STEPS - 1}
    again, out = Replay(SPEC, 20, 1, 6), FlatSegments(SPEC, 80, 6)
    again.load_state_dict(state)
    again.sample(np.random.default_rng(0), 40, out)
    assert out.truncated.any()
    assert not out.terminated.any()
    assert not out.columns.group_reward.any()
