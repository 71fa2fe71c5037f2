from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mlagents.stats import Aggregation, Statistics, TensorBoardWriter, safe_name
from mlagents.stats.tensorboard import _histogram

REWARD, GROUP = "Environment/Cumulative Reward", "Environment/Group Cumulative Reward"


def statistics_in(folder, resumed_at=None):
    return Statistics([TensorBoardWriter(lambda behavior: folder / safe_name(behavior), resumed_at)])


def read(folder):
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return accumulator


def points(accumulator, tag):
    return [(event.step, event.value) for event in accumulator.Scalars(tag)]


def test_scalars_come_back_by_their_tags(tmp_path):
    statistics = statistics_in(tmp_path)
    for step in (1000, 2000):
        statistics.add("a/B", REWARD, step / 1000)
        statistics.add("a/B", REWARD, step / 1000 + 1)
        statistics.add("a/B", "hits", 2.0, Aggregation.SUM)
        statistics.add("a/B", "hits", 3.0, Aggregation.SUM)
        statistics.set("a/B", "Is Training", 1.0)
        statistics.set("a/B", "Step", step)
        statistics.write("a/B", step)
    statistics.add("C", "Policy/Entropy", 0.5)
    statistics.write("C", 500)
    statistics.close()
    events = read(tmp_path / "a%2FB")
    assert set(events.Tags()["scalars"]) == {REWARD, "hits"}
    assert points(events, REWARD) == [(1000, 1.5), (2000, 2.5)]
    assert points(events, "hits") == [(1000, 5.0), (2000, 5.0)]
    assert points(read(tmp_path / "C"), "Policy/Entropy") == [(500, 0.5)]


def test_what_is_written_can_be_seen_before_closing(tmp_path):
    statistics = statistics_in(tmp_path)
    statistics.add("B", "tag", 1.0)
    statistics.write("B", 1)
    assert points(read(tmp_path / "B"), "tag") == [(1, 1.0)]
    statistics.close()


def test_rewards_and_histogram_statistics_have_a_histogram(tmp_path):
    statistics = statistics_in(tmp_path)
    statistics.add_many("B", REWARD, [0.0, 1.0, 1.0, 3.0])
    statistics.add("B", GROUP, 2.0)
    statistics.add_many("B", "distance", [1.0, 2.0, math.inf], Aggregation.HISTOGRAM)
    statistics.add("B", "Policy/Entropy", 1.0)
    statistics.write("B", 1000)
    statistics.close()
    events = read(tmp_path / "B")
    assert set(events.Tags()["histograms"]) == {f"{REWARD}_hist", f"{GROUP}_hist", "distance_hist"}
    (event,) = events.Histograms(f"{REWARD}_hist")
    histogram = event.histogram_value
    assert event.step == 1000
    assert (histogram.min, histogram.max, histogram.num, histogram.sum, histogram.sum_squares) == (
        0,
        3,
        4,
        5,
        11,
    )
    filled = [(limit, n) for limit, n in zip(histogram.bucket_limit, histogram.bucket, strict=True) if n]
    # thirty bins of width 0.1; a value on an edge belongs to the bin above, the largest to the last bin
    assert [n for _, n in filled] == [1, 2, 1]
    assert [limit for limit, _ in filled] == pytest.approx([0.1, 1.1, 3.0])
    assert events.Histograms("distance_hist")[0].histogram_value.num == 2


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
@settings(deadline=None)
def test_a_histogram_counts_every_value(values):
    histogram = _histogram(np.array(values, dtype=np.float64))
    assert sum(histogram.bucket) == histogram.num == len(values)


def test_values_that_are_not_finite_are_left_out(tmp_path):
    statistics = statistics_in(tmp_path)
    for step, value in enumerate([1.0, math.nan, math.inf, 4.0]):
        statistics.add("B", REWARD, value)
        statistics.write("B", step)
    statistics.close()
    assert points(read(tmp_path / "B"), REWARD) == [(0, 1.0), (3, 4.0)]


def test_hyperparameters_come_back_as_text(tmp_path):
    statistics = statistics_in(tmp_path)
    statistics.text("B", "Hyperparameters", {"trainer_type": "ppo", "hyperparameters": {"batch_size": 64}})
    statistics.close()
    events = read(tmp_path / "B")
    (event,) = events.Tensors("Hyperparameters/text_summary")
    assert event.step == 0
    assert event.tensor_proto.string_val[0].decode() == (
        "\ttrainer_type:\tppo\n\thyperparameters:\t\n\t  batch_size:\t64"
    )


@pytest.mark.parametrize(("resumed_at", "steps"), [({"B": 1}, [1, 2]), (None, [2])])
def test_old_events_stay_only_when_resumed(tmp_path, caplog, resumed_at, steps):
    for step in (1, 2):
        statistics = statistics_in(tmp_path, resumed_at)
        statistics.add("B", "tag", 0.0)
        statistics.write("B", step)
        statistics.close()
    assert [step for step, _ in points(read(tmp_path / "B"), "tag")] == steps
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == (0 if resumed_at else 1)
    assert all(str(tmp_path / "B") in message for message in messages)


FULL_DISK = """
import logging, resource, sys
from pathlib import Path
from mlagents.stats import JsonlWriter, Statistics, TensorBoardWriter

logging.basicConfig(format="%(levelname)s %(message)s")
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
events = TensorBoardWriter(lambda behavior: folder / behavior)
statistics = Statistics([events, JsonlWriter(folder / "rest.jsonl")])
for step in range(80):
    for behavior in ("A", "B"):
        statistics.add_many(behavior, "Environment/Cumulative Reward", range(1000))
    statistics.write("A", step)
statistics.write("B", step)
statistics.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_full_disk_is_reported_once_and_the_rest_goes_on(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL_DISK, tmp_path], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("ERROR TensorBoardWriter can no longer write: [Errno 27] File too large: ")
    assert str(tmp_path / "A" / "events.out.tfevents") in lines[0]
    assert len((tmp_path / "rest.jsonl").read_text().splitlines()) == 81
    assert points(read(tmp_path / "A"), REWARD)[:2] == [(0, 499.5), (1, 499.5)]  # what fitted can be read


def test_tensorboard_leaves_out_what_is_behind_the_checkpoint_with_which_a_run_goes_on(tmp_path):
    """Written up to 2000, killed, resumed with checkpoint 1000, and stopped again after 1500."""
    for resumed_at, steps in ((None, (500, 1000, 1500, 2000)), ({"B": 1000}, (1500,))):
        statistics = statistics_in(tmp_path, resumed_at)
        for step in steps:
            statistics.add("B", "tag", step if resumed_at is None else -step)
            statistics.write("B", step)
        statistics.close()
    assert points(read(tmp_path / "B"), "tag") == [(500, 500.0), (1000, 1000.0), (1500, -1500.0)]
