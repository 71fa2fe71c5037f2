from __future__ import annotations

import logging
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlagents.stats import Aggregation, Statistics, StatsPropertyType, Writer


class Recorder:
    """A writer that keeps what it gets, and fails as often as it is told to."""

    def __init__(self, error: Exception | None = None):
        self.written, self.texts, self.closed, self.error = [], [], 0, error

    def write(self, behavior, step, summaries):
        if self.error:
            raise self.error
        self.written.append((behavior, step, dict(summaries)))

    def text(self, behavior, name, value):
        self.texts.append((behavior, name, value))

    def close(self):
        self.closed += 1


def test_a_summary_holds_the_moments_of_all_values():
    statistics = Statistics()
    for value in (1.0, 2.0, 6.0):
        statistics.add("3DBall", "Reward", value)
    statistics.add_many("3DBall", "Reward", np.array([[3.0], [3.0]], dtype=np.float32))
    summary = statistics.write("3DBall", 1000)["Reward"]
    # 1, 2, 6, 3, 3: sum 15, mean 3, squared distances 4 + 1 + 9 + 0 + 0 = 14
    assert (summary.sum, summary.mean, summary.min, summary.max, summary.count) == (15.0, 3.0, 1.0, 6.0, 5)
    assert summary.std == pytest.approx(math.sqrt(14 / 5))
    assert summary.values.tolist() == [1.0, 2.0, 6.0, 3.0, 3.0]
    assert summary.values.dtype == np.float64


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [
        (Aggregation.AVERAGE, 2.0),
        (Aggregation.HISTOGRAM, 2.0),
        (Aggregation.SUM, 6.0),
        (Aggregation.MOST_RECENT, 3.0),
    ],
)
def test_the_aggregation_decides_on_the_value(aggregation, value):
    statistics = Statistics()
    for number in (1.0, 2.0, 3.0):
        statistics.add("B", "tag", number, aggregation)
    assert statistics.write("B", 1)["tag"].value == value


def test_set_keeps_the_latest_value_only():
    statistics = Statistics()
    statistics.set("B", "Lesson", 1.0)
    statistics.set("B", "Lesson", 2.0)
    summary = statistics.write("B", 1)["Lesson"]
    assert (summary.value, summary.mean, summary.count) == (2.0, 2.0, 1)


def test_a_write_empties_the_lists_of_its_behavior_only():
    recorder = Recorder()
    statistics = Statistics([recorder])
    statistics.add("A", "tag", 1.0)
    statistics.add("B", "tag", 2.0)
    assert statistics.write("A", 10)["tag"].value == 1.0
    assert statistics.write("A", 20) == {}
    statistics.add("B", "tag", 4.0)
    assert statistics.write("B", 20)["tag"].value == 3.0
    # A write without values reaches the writers, too: the console says that no episode ended.
    assert [(behavior, step, list(got)) for behavior, step, got in recorder.written] == [
        ("A", 10, ["tag"]),
        ("A", 20, []),
        ("B", 20, ["tag"]),
    ]


def test_empty_arrays_are_no_values():
    statistics = Statistics()
    statistics.add_many("B", "tag", np.empty((0, 3)))
    assert statistics.write("B", 1) == {}


def test_tags_keep_their_order():
    statistics = Statistics()
    for tag in ("c", "a", "b", "a"):
        statistics.add("B", tag, 0.0)
    assert list(statistics.write("B", 1)) == ["c", "a", "b"]


@given(st.lists(hnp.arrays(np.float64, hnp.array_shapes(min_side=0), elements=st.floats(-1e6, 1e6)), max_size=5))
def test_chunks_make_no_difference(chunks):
    statistics = Statistics()
    for chunk in chunks:
        statistics.add_many("B", "tag", chunk)
    values = [float(value) for chunk in chunks for value in chunk.flat]
    summaries = statistics.write("B", 1)
    assert ("tag" in summaries) == bool(values)
    if values:
        assert summaries["tag"].values.tolist() == values
        assert summaries["tag"].mean == pytest.approx(math.fsum(values) / len(values), abs=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_reported_once(caplog, value):
    statistics = Statistics()
    for step in (1000, 2000):
        statistics.add("3DBall", "Losses/Value Loss", value)
        statistics.add("3DBall", "Losses/Value Loss", 1.0)
        assert not math.isfinite(statistics.write("3DBall", step)["Losses/Value Loss"].value)
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert "'Losses/Value Loss' of behavior '3DBall'" in message
    assert "at step 1000 (1 of 2 values" in message
    statistics.add("Other", "Losses/Value Loss", value)
    statistics.write("Other", 1000)
    assert len(caplog.records) == 2


def test_a_writer_that_cannot_write_is_reported_once_and_left_out(caplog):
    failing, healthy = Recorder(OSError(28, "No space left on device", "/data/x.csv")), Recorder()
    statistics = Statistics([failing, healthy])
    for step in (1, 2, 3):
        statistics.write("B", step)
    assert failing.closed == 1
    assert [step for _, step, _ in healthy.written] == [1, 2, 3]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    message = caplog.records[0].getMessage()
    assert "Recorder can no longer write: [Errno 28] No space left on device: '/data/x.csv'" in message
    assert "make room on the disk" in message


def test_an_error_in_a_writer_s_code_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        Statistics([Recorder(ZeroDivisionError())]).write("B", 1)


def test_texts_and_closing_reach_all_writers():
    recorders = [Recorder(), Recorder()]
    statistics = Statistics(recorders)
    statistics.text("B", "Hyperparameters", {"batch_size": 64})
    statistics.close()
    statistics.write("B", 1)
    for recorder in recorders:
        assert recorder.texts == [("B", "Hyperparameters", {"batch_size": 64})]
        assert recorder.closed == 1
        assert recorder.written == []
        assert isinstance(recorder, Writer)


def test_properties_go_to_the_writers_that_want_them():
    class Curious(Recorder):
        def __init__(self):
            super().__init__()
            self.properties = []

        def add_property(self, behavior, property_type, value):
            self.properties.append((behavior, property_type, value))

    curious, plain = Curious(), Recorder()
    statistics = Statistics([plain, curious])
    statistics.add_property("B", StatsPropertyType.SELF_PLAY, True)
    statistics.add_property("B", StatsPropertyType.SELF_PLAY_TEAM, 1)
    assert curious.properties == [
        ("B", StatsPropertyType.SELF_PLAY, True),
        ("B", StatsPropertyType.SELF_PLAY_TEAM, 1),
    ]
    assert not plain.written
