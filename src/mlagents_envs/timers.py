"""Where the time goes: nested timers, one tree per thread, and gauges beside them.

```
@timed
def step(): ...

with hierarchical_timer("exchange"):
    ...
set_gauge("3DBall.Environment.CumulativeReward.mean", 12.5)
json.dump(get_timer_tree(), file)
```

An enter and exit costs about a microsecond. Trees and gauges can be pickled, so that a worker process sends
its tree to the trainer, which merges it into its own.
"""

from __future__ import annotations

import copy
import functools
import math
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

TIMER_FORMAT_VERSION = "0.1.0"

_P = ParamSpec("_P")
_R = TypeVar("_R")


class TimerNode:
    """One timer in its place in the tree.

    Attributes:
      children: name -> timers that ran inside this one.
      total: seconds, summed over the runs.
      count: the number of runs.
      is_parallel: some of the time passed in other processes or threads, so children may exceed the total.
    """

    __slots__ = ("children", "count", "is_parallel", "total")

    def __init__(self) -> None:
        self.children: dict[str, TimerNode] = {}
        self.total = 0.0
        self.count = 0
        self.is_parallel = False

    def get_child(self, name: str) -> TimerNode:
        """Return the child of that name, made if it is not there."""
        child = self.children.get(name)
        if child is None:
            child = self.children[name] = TimerNode()
        return child

    def add_time(self, elapsed: float) -> None:
        """Count one more run, of that many seconds."""
        self.total += elapsed
        self.count += 1

    def merge(self, other: TimerNode, root_name: str | None = None, is_parallel: bool = True) -> None:
        """Add another tree to this one.

        Args:
          other: the tree; it stays as it is.
          root_name: add it to the child of this name instead.
          is_parallel: the other's time passed beside ours.
        """
        node = self if root_name is None else self.get_child(root_name)
        node.total += other.total
        node.count += other.count
        node.is_parallel |= is_parallel
        for name, child in other.children.items():
            node.merge(child, name, is_parallel)


class GaugeNode:
    """The latest, least and greatest value of a quantity, and how often it was set."""

    __slots__ = ("count", "max_value", "min_value", "value")

    def __init__(self, value: float) -> None:
        self.value = self.min_value = self.max_value = value
        self.count = 1

    def update(self, new_value: float) -> None:
        """Set the quantity."""
        self.value = new_value
        self.min_value = min(self.min_value, new_value)
        self.max_value = max(self.max_value, new_value)
        self.count += 1

    def merge(self, other: GaugeNode) -> None:
        """Take in another gauge of the quantity, whose value is the later one."""
        self.value = other.value
        self.min_value = min(self.min_value, other.min_value)
        self.max_value = max(self.max_value, other.max_value)
        self.count += other.count

    def as_dict(self) -> dict[str, float]:
        """Return the gauge as in the timers file: `value`, `min`, `max`, `count`."""
        return {"value": self.value, "min": self.min_value, "max": self.max_value, "count": self.count}


class TimerStack:
    """The tree of one thread, and the path from its root to the timer that runs now.

    Attributes:
      root: the tree.
      stack: the running timers, outermost first; begins with the root.
      start_time: when the tree was begun, in seconds of `time.perf_counter()`.
      gauges: name -> gauge.
      metadata: name -> text about the run.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew. Timers that run now no longer count."""
        self.root = TimerNode()
        self.stack = [self.root]
        self.start_time = time.perf_counter()
        self.gauges: dict[str, GaugeNode] = {}
        self.metadata = {
            "timer_format_version": TIMER_FORMAT_VERSION,
            "start_time_seconds": str(int(time.time())),
            "python_version": sys.version,
            "command_line_arguments": " ".join(sys.argv),
        }

    def push(self, name: str) -> TimerNode:
        """Enter the timer of that name below the running one."""
        node = self.stack[-1].get_child(name)
        self.stack.append(node)
        return node

    def pop(self) -> None:
        """Leave the running timer."""
        self.stack.pop()

    def get_root(self) -> TimerNode:
        """Return the tree; the root's total is the time since it was begun."""
        self.root.total = time.perf_counter() - self.start_time
        self.root.count = 1
        return self.root

    def get_timing_tree(self) -> dict[str, Any]:
        """Return the tree as the timers file holds it, with gauges and metadata."""
        tree: dict[str, Any] = {"name": "root"}
        if self.gauges:
            tree["gauges"] = {name: gauge.as_dict() for name, gauge in self.gauges.items()}
        tree["metadata"] = {**self.metadata, "end_time_seconds": str(int(time.time()))}
        return tree | _node_as_dict(self.get_root())

    def set_gauge(self, name: str, value: float) -> None:
        """Set a quantity; NaN is no value and changes nothing."""
        if math.isnan(value):
            return
        gauge = self.gauges.get(name)
        if gauge is None:
            self.gauges[name] = GaugeNode(value)
        else:
            gauge.update(value)

    def add_metadata(self, key: str, value: str) -> None:
        """Note a text about the run."""
        self.metadata[key] = value


def _node_as_dict(node: TimerNode) -> dict[str, Any]:
    inside = sum(child.total for child in node.children.values())
    result: dict[str, Any] = {"total": node.total, "count": node.count}
    if node.is_parallel:
        result["is_parallel"] = True
    result["self"] = max(0.0, node.total - inside)
    if node.children:
        result["children"] = {name: _node_as_dict(child) for name, child in node.children.items()}
    return result


_stacks: dict[int, TimerStack] = {}


def _own_stack() -> TimerStack:
    thread = threading.get_ident()
    stack = _stacks.get(thread)
    if stack is None:
        stack = _stacks[thread] = TimerStack()
    return stack


def get_timer_stack_for_thread(thread: threading.Thread) -> TimerStack | None:
    """Return the timers of another thread; None if it has not been started."""
    if thread.ident is None:
        return None
    return _stacks.setdefault(thread.ident, TimerStack())


class _Timing:
    """The context manager of `hierarchical_timer`; a class, since a generator costs twice the time."""

    __slots__ = ("_name", "_node", "_stack", "_start")

    def __init__(self, name: str, stack: TimerStack) -> None:
        self._name = name
        self._stack = stack

    def __enter__(self) -> TimerNode:
        self._node = self._stack.push(self._name)
        self._start = time.perf_counter()
        return self._node

    def __exit__(self, *_: object) -> None:
        elapsed = time.perf_counter() - self._start
        if self._stack.stack[-1] is self._node:  # unless the stack was reset meanwhile
            self._node.add_time(elapsed)
            self._stack.pop()


def hierarchical_timer(name: str, timer_stack: TimerStack | None = None) -> _Timing:
    """Time a `with` block as a child of the running timer; yields its `TimerNode`.

    Args:
      name: the timer's; the same name below the same parent is the same timer.
      timer_stack: of the calling thread if None, as in all functions of this module.
    """
    return _Timing(name, _own_stack() if timer_stack is None else timer_stack)


def timed(func: Callable[_P, _R]) -> Callable[_P, _R]:
    """Time each call under the function's qualified name; a decorator."""
    name = func.__qualname__

    @functools.wraps(func)
    def timed_func(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with _Timing(name, _own_stack()):
            return func(*args, **kwargs)

    return timed_func


def set_gauge(name: str, value: float, timer_stack: TimerStack | None = None) -> None:
    """Set a quantity; NaN is no value and changes nothing."""
    (timer_stack or _own_stack()).set_gauge(name, value)


def merge_gauges(gauges: dict[str, GaugeNode], timer_stack: TimerStack | None = None) -> None:
    """Take in the gauges of another process."""
    own = (timer_stack or _own_stack()).gauges
    for name, gauge in gauges.items():
        if name in own:
            own[name].merge(gauge)
        else:
            own[name] = copy.copy(gauge)


def add_metadata(key: str, value: str, timer_stack: TimerStack | None = None) -> None:
    """Note a text about the run."""
    (timer_stack or _own_stack()).add_metadata(key, value)


def get_timer_tree(timer_stack: TimerStack | None = None) -> dict[str, Any]:
    """Return the tree as the timers file holds it, with gauges and metadata."""
    return (timer_stack or _own_stack()).get_timing_tree()


def get_timer_root(timer_stack: TimerStack | None = None) -> TimerNode:
    """Return the tree; the root's total is the time since it was begun."""
    return (timer_stack or _own_stack()).get_root()


def reset_timers(timer_stack: TimerStack | None = None) -> None:
    """Begin anew."""
    (timer_stack or _own_stack()).reset()
