"""What a run has cost so far, beside its summaries; and reading event files back."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from mlagents.stats import ClockWriter, TensorBoardWriter
from mlagents.stats.clock import CpuSeconds, read_clock
from mlagents.stats.event_files import read_scalars
from mlagents.stats.summary import Aggregation, summarize


class Hands:
    """A clock that is set by hand."""

    def __init__(self, at):
        self.at = at

    def __call__(self):
        return self.at


def test_a_row_per_write_and_a_resumed_run_goes_on_counting(tmp_path):
    path, wall, cpu = tmp_path / "deep" / "clock.csv", Hands(100.0), Hands(7.0)
    writer = ClockWriter(path, None, wall, cpu)
    for at, used, name, step in ((102.5, 8.0, "A", 100), (104.0, 9.5, 'B, "x"', 50), (110.0, 15.0, "A", 200)):
        wall.at, cpu.at = at, used
        writer.write(name, step, {})
    assert read_clock(path) == [("A", 100, 2.5, 1.0), ('B, "x"', 50, 4.0, 2.5), ("A", 200, 10.0, 8.0)]
    wall, cpu = Hands(0.0), Hands(1.0)
    writer = ClockWriter(path, {"A": 100, 'B, "x"': 50}, wall, cpu)  # step 200 is behind its checkpoint
    wall.at, cpu.at = 3.0, 1.5
    writer.write("A", 200, {})
    assert read_clock(path)[-1] == ("A", 200, 7.0, 3.0)
    assert len(read_clock(path)) == 3
    ClockWriter(path, None, wall, cpu).write("A", 100, {})
    assert read_clock(path) == [("A", 100, 0.0, 0.0)]


def test_cpu_seconds_count_what_children_use():
    cpu = CpuSeconds()
    before = cpu()
    code = "import time\nwhile time.process_time() < 0.3: pass\nprint('used', flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        cpu._next_look = 0.0
        assert child.stdout.readline() == "used\n"
        assert cpu() - before >= 0.25  # while it lives
        child.stdin.write("\n")
    assert cpu() - before >= 0.25  # and when it has been waited for


def test_scalars_are_read_back_and_a_later_session_replaces_an_earlier_one(tmp_path):
    def write(resumed_at, points):
        writer = TensorBoardWriter(lambda behavior: tmp_path, resumed_at)
        for step, value in points:
            writer.write("A", step, {"Reward": summarize([value], Aggregation.AVERAGE)})
        writer.close()
        time.sleep(0.01)

    begin = time.time()
    write(None, [(10, 1.0), (20, 2.0), (30, 3.0)])
    write({"A": 20}, [(30, 5.0), (40, 6.0)])
    points = read_scalars(tmp_path)["Reward"]
    assert [(p.step, p.value) for p in points] == [(10, 1.0), (20, 2.0), (30, 5.0), (40, 6.0)]
    assert all(begin - 1 <= p.wall_time <= time.time() + 1 for p in points)


@pytest.mark.parametrize("missing", [1, 5, 30])
def test_an_event_file_that_was_cut_short_is_read_as_far_as_it_goes(tmp_path, missing):
    writer = TensorBoardWriter(lambda behavior: tmp_path)
    for step in (10, 20):
        writer.write("A", step, {"Reward": summarize([float(step)], Aggregation.AVERAGE)})
    writer.close()
    (file,) = tmp_path.glob("events*")
    file.write_bytes(file.read_bytes()[:-missing])
    assert [p.step for p in read_scalars(tmp_path)["Reward"]] == [10]
