"""The grid: segments from interleaved agents, compared with a plain per-agent book-keeper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlagents.data.segments import FlatSegments, Segment
from mlagents.data.trajectories import Arrivals, Ending, Trajectories
from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)
from mlagents_envs.behavior_id import BehaviorId
from toys.segments import make_segment

SPEC = BehaviorSpec(
    [ObservationSpec((1,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "v")],
    ActionSpec.create_hybrid(1, (2, 3)),
)


def copied(segment: Segment):
    columns = segment.columns
    return (
        columns.observations[0][:, 0].tolist(),
        columns.continuous[:, 0].tolist(),
        columns.discrete.tolist(),
        columns.log_prob[:, 2].tolist(),
        columns.reward.tolist(),
        segment.terminated,
        segment.truncated,
    )


class Sink(list):
    """Keeps copies, and reuses memory only now and then, as a sampler does."""

    def take(self, segments):
        self.extend(copied(segment) for segment in segments)


def make_grid(horizon, lanes):
    grid = Trajectories(BehaviorId("B"), SPEC, horizon)
    grid.grow(lanes)
    return grid


def observe(grid, lanes, values, rewards, sink):
    rewards = np.array(rewards, np.float32)
    arrivals = Arrivals(np.array(lanes), 0, 0, [np.array(values, np.float32)[:, None]], rewards)
    sink.take(grid.observe(arrivals))


def end(grid, lane, value, reward, interrupted, sink):
    found = grid.end(Ending(lane, 0, 0, [np.array([value], np.float32)], reward, 0.0, interrupted))
    if found is None:
        return None
    segment, episode = found
    sink.take([segment])
    return episode.reward, episode.length


def decide(grid, lanes, values):
    grid.decide(
        np.array(lanes),
        np.array(values, np.float32)[:, None],
        np.array([[v % 2, v % 3] for v in values], np.int32),
        -np.repeat(np.array(values, np.float32)[:, None], 3, axis=1),
    )


def test_two_agents_by_hand():
    # Horizon 2. Agent 0 sees 1, 2, 3 (cut at the horizon after two decisions), agent 1 sees 10 and ends at 11.
    grid, sink = make_grid(2, 2), Sink()
    observe(grid, [0, 1], [1, 10], [99, 99], sink)  # rewards before any decision are dropped
    decide(grid, [0, 1], [5, 6])
    episode = end(grid, 1, 11, 0.5, True, sink)
    observe(grid, [0], [2], [1.0], sink)
    decide(grid, [0], [7])
    observe(grid, [0], [3], [2.0], sink)
    assert sink == [
        ([10, 11], [6], [[0, 0]], [-6], [0.5], False, True),
        ([1, 2, 3], [5, 7], [[1, 2], [1, 1]], [-5, -7], [1.0, 2.0], False, False),
    ]
    assert episode == (0.5, 1)
    decide(grid, [0], [8])
    assert end(grid, 0, 4, 3.0, False, sink) == (6.0, 3)
    assert sink[-1] == ([3, 4], [8], [[0, 2]], [-8], [3.0], True, False)


def test_an_end_without_a_decision_is_no_episode():
    grid, sink = make_grid(2, 1), Sink()
    assert end(grid, 0, 0.0, 1.0, False, sink) is None
    assert sink == []


class Book:
    """One agent's open segment as plain lists."""

    def __init__(self):
        self.seen, self.actions, self.rewards, self.waiting = [], [], [], False

    def pop(self, terminated, truncated):
        segment = (
            self.seen,
            [float(a) for a in self.actions],
            [[a % 2, a % 3] for a in self.actions],
            [-float(a) for a in self.actions],
            self.rewards,
            terminated,
            truncated,
        )
        self.seen, self.actions, self.rewards = self.seen[-1:], [], []
        return segment


@settings(max_examples=60, deadline=None)
@given(
    horizon=st.integers(1, 4),
    script=st.lists(
        st.lists(st.sampled_from(["decide", "end", "interrupt", "idle"]), min_size=3, max_size=3), max_size=25
    ),
)
def test_equals_plain_bookkeeping(horizon, script):
    grid, sink, expected = make_grid(horizon, 3), Sink(), []
    books, clock = [Book() for _ in range(3)], 0
    for step in script:
        grid.recycle()
        for lane, what in enumerate(step):
            if what in ("end", "interrupt"):
                clock += 1
                book = books[lane]
                end(grid, lane, clock, float(clock), what == "interrupt", sink)
                if book.waiting:
                    book.seen.append(clock)
                    book.rewards.append(float(clock))
                    expected.append(book.pop(what == "end", what == "interrupt"))
                books[lane] = Book()
        lanes = [lane for lane, what in enumerate(step) if what == "decide"]
        if not lanes:
            continue
        clock += 1
        observe(grid, lanes, [clock] * len(lanes), [clock] * len(lanes), sink)
        decide(grid, lanes, [clock] * len(lanes))
        for lane in lanes:
            book = books[lane]
            if book.waiting:
                book.rewards.append(float(clock))
            book.seen.append(clock)
            if len(book.rewards) == horizon:
                expected.append(book.pop(False, False))
            book.actions.append(clock)
            book.waiting = True
    assert sorted(sink) == sorted(expected)


def test_rows_place_a_closing_row_after_each_segment():
    rows = FlatSegments(SPEC, 2)
    for start, steps, ended in ((0, 2, True), (10, 1, False)):
        rows.extend(
            make_segment(
                (np.arange(start, start + steps + 1, dtype=np.float32)[:, None],),
                np.zeros((steps, 0), np.float32),
                np.ones((steps, 1), np.float32),
                np.ones((steps, 2), np.int32),
                np.full((steps, 3), -1.0, np.float32),
                np.zeros((steps, 5), bool),
                np.full(steps, 4.0, np.float32),
                ended,
                False,
            )
        )
    assert (rows.used, rows.steps) == (5, 3)
    assert rows.columns.observations[0][:5, 0].tolist() == [0, 1, 2, 10, 11]
    assert rows.closing[:5].tolist() == [False, False, True, False, True]
    assert rows.terminated[:5].tolist() == [False, True, False, False, False]
    assert rows.closing[5:].all()
    rows.clear()
    assert rows.closing.all()
    assert not rows.terminated.any()
    assert rows.steps == 0


@pytest.mark.parametrize("agents", [1, 7])
def test_growing_keeps_what_is_open(agents):
    grid, sink = make_grid(3, 1), Sink()
    observe(grid, [0], [1], [0], sink)
    decide(grid, [0], [2])
    grid.grow(agents)
    end(grid, 0, 9, 1.0, False, sink)
    assert sink == [([1, 9], [2], [[0, 2]], [-2], [1.0], True, False)]
