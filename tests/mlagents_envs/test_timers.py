from __future__ import annotations

import json
import math
import pickle
import sys
import threading
import time

import pytest

from mlagents_envs import timers
from mlagents_envs.timers import GaugeNode, TimerNode, TimerStack, hierarchical_timer, timed


@pytest.fixture(autouse=True)
def _fresh():
    timers.reset_timers()


def test_the_tree_has_the_form_of_the_timers_file():
    for _ in range(2):
        with hierarchical_timer("outer"):
            for _ in range(3):
                with hierarchical_timer("inner"):
                    time.sleep(0.001)
    timers.set_gauge("reward", 2.0)
    timers.add_metadata("mlagents_version", "2.0")
    tree = json.loads(json.dumps(timers.get_timer_tree()))
    assert list(tree) == ["name", "gauges", "metadata", "total", "count", "self", "children"]
    assert tree["name"] == "root"
    assert tree["count"] == 1
    assert tree["gauges"] == {"reward": {"value": 2.0, "min": 2.0, "max": 2.0, "count": 1}}
    metadata = tree["metadata"]
    assert metadata["timer_format_version"] == "0.1.0"
    assert metadata["mlagents_version"] == "2.0"
    assert metadata["python_version"] == sys.version
    assert metadata["command_line_arguments"] == " ".join(sys.argv)
    assert int(metadata["start_time_seconds"]) <= int(metadata["end_time_seconds"])
    outer = tree["children"]["outer"]
    inner = outer["children"]["inner"]
    assert (outer["count"], inner["count"]) == (2, 6)
    assert "is_parallel" not in outer
    assert "children" not in inner
    assert 0.006 <= inner["total"] == inner["self"] <= outer["total"] <= tree["total"]
    assert outer["self"] == pytest.approx(outer["total"] - inner["total"])


def test_a_block_that_raises_is_timed_and_left():
    with pytest.raises(ValueError, match="x"), hierarchical_timer("a") as node:
        raise ValueError("x")
    assert node.count == 1
    with hierarchical_timer("b"):
        pass
    assert set(timers.get_timer_root().children) == {"a", "b"}


def test_a_reset_inside_a_block_begins_a_tree_that_the_block_is_not_in():
    with hierarchical_timer("a"):
        timers.reset_timers()
        with hierarchical_timer("b"):
            pass
    with hierarchical_timer("c"):
        pass
    assert set(timers.get_timer_root().children) == {"b", "c"}


def test_timed_keeps_the_functions_face():
    class Trainer:
        @timed
        def advance(self, amount: int = 1) -> int:
            """Move on."""
            return amount + 1

    assert Trainer().advance(amount=2) == 3
    assert Trainer.advance.__name__ == "advance"
    assert Trainer.advance.__doc__ == "Move on."
    (name,) = timers.get_timer_root().children
    assert name == Trainer.advance.__qualname__
    assert name.endswith("Trainer.advance")


def test_gauges_keep_extremes_and_ignore_nan():
    for value in (3.0, -1.0, math.nan, 2.0):
        timers.set_gauge("g", value)
    timers.set_gauge("only nan", math.nan)
    assert timers.get_timer_tree()["gauges"] == {"g": {"value": 2.0, "min": -1.0, "max": 3.0, "count": 3}}
    worker = GaugeNode(10.0)
    worker.update(5.0)
    timers.merge_gauges({"g": worker, "new": worker})
    worker.update(99.0)  # what was merged is not touched by it
    assert timers.get_timer_tree()["gauges"] == {
        "g": {"value": 5.0, "min": -1.0, "max": 10.0, "count": 5},
        "new": {"value": 5.0, "min": 5.0, "max": 10.0, "count": 2},
    }


def test_each_thread_has_its_own_tree():
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with hierarchical_timer("of the thread"):
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=work)
    assert timers.get_timer_stack_for_thread(thread) is None
    thread.start()
    inside.wait(5)
    with hierarchical_timer("of the test"):
        pass
    stack = timers.get_timer_stack_for_thread(thread)
    leave.set()
    thread.join()
    assert set(timers.get_timer_root(stack).children) == {"of the thread"}
    assert set(timers.get_timer_root().children) == {"of the test"}


def test_a_given_stack_is_used():
    stack = TimerStack()
    with hierarchical_timer("a", stack):
        timers.set_gauge("g", 1, stack)
        timers.add_metadata("k", "v", stack)
    assert timers.get_timer_tree(stack)["metadata"]["k"] == "v"
    assert set(stack.gauges) == {"g"}
    assert set(stack.get_root().children) == {"a"}
    assert not timers.get_timer_root().children
    timers.reset_timers(stack)
    assert not stack.gauges
    assert not stack.get_root().children


def test_a_workers_tree_is_pickled_and_merged():
    """Worker: root 4 s once, child step 3 s in 2 runs. Merged twice below `worker_root`."""
    worker = TimerNode()
    worker.add_time(4.0)
    worker.get_child("step").add_time(1.0)
    worker.get_child("step").add_time(2.0)
    worker = pickle.loads(pickle.dumps(worker))
    with hierarchical_timer("workers") as node:
        node.merge(worker, root_name="worker_root")
        node.merge(worker, root_name="worker_root")
    root = timers.get_timer_tree()["children"]["workers"]["children"]["worker_root"]
    assert (root["total"], root["count"], root["is_parallel"], root["self"]) == (8.0, 2, True, 2.0)
    assert root["children"]["step"] == {"total": 6.0, "count": 4, "is_parallel": True, "self": 6.0}
    assert worker.children["step"].total == 3.0
    other = TimerNode()
    other.merge(worker, is_parallel=False)
    assert (other.total, other.count, other.is_parallel) == (4.0, 1, False)


def test_self_is_never_negative():
    """Children that ran beside each other may add up to more than their parent."""
    with hierarchical_timer("parent") as node:
        node.get_child("child").add_time(100.0)
    assert timers.get_timer_tree()["children"]["parent"]["self"] == 0.0


def test_a_timer_costs_a_few_microseconds_at_most():
    runs = 2000
    best = math.inf
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(runs):
            with hierarchical_timer("a"):
                pass
        best = min(best, time.perf_counter() - begin)
    assert best / runs < 10e-6  # 0.6 us on an idle core; the bound leaves room for a busy one
