"""Watching a training process from outside: progress by its output, CPU and memory by the system."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import psutil

PROGRESS = re.compile(r"Step: (\d+)\.(?:.*Mean Reward: (-?[\d.]+\d))?")
"""What a line of progress looks like."""


class Point(NamedTuple):
    """A summary: agent steps, mean return of the episodes since the last summary, CPU seconds."""

    steps: int
    reward: float
    cpu_s: float


@dataclass
class Observation:
    """What was seen of a training process.

    Attributes:
      points: its summaries.
      memory: (seconds since the start, resident MB), once a second.
      cpu_s: user + system of the process and its children, over its whole life.
      wall_s: likewise.
      capped: it was ended because its CPU seconds were used up.
    """

    points: list[Point] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    cpu_s: float = 0.0
    wall_s: float = 0.0
    capped: bool = False

    @property
    def steps_per_cpu_s(self) -> float | None:
        """Agent steps per CPU second from the start of the process to its last summary."""
        return self.points[-1].steps / self.points[-1].cpu_s if self.points else None

    @property
    def steady_steps_per_cpu_s(self) -> float | None:
        """The same from the second summary on: imports, compilation and the first update are over."""
        if len(self.points) < 3:
            return None
        first, last = self.points[1], self.points[-1]
        return (last.steps - first.steps) / (last.cpu_s - first.cpu_s)

    @property
    def last_reward(self) -> float | None:
        """The mean return at the end."""
        known = [p.reward for p in self.points if not np.isnan(p.reward)]
        return known[-1] if known else None

    def point_at(self, reward: float) -> Point | None:
        """Return the first summary with at least this mean return."""
        return next((p for p in self.points if p.reward >= reward), None)

    def reward_after(self, cpu_s: float) -> float | None:
        """Return the mean return that was reached after so many CPU seconds."""
        known = [p.reward for p in self.points if p.cpu_s <= cpu_s and not np.isnan(p.reward)]
        return known[-1] if known else None

    @property
    def max_memory_mb(self) -> float:
        """Most resident memory seen."""
        return max((mb for _, mb in self.memory), default=0.0)

    @property
    def memory_growth_mb_per_min(self) -> float | None:
        """Slope of the resident memory over the last half of the run; None of a run of seconds."""
        half = self.memory[len(self.memory) // 2 :]
        if len(half) < 10:
            return None
        seconds, mb = np.array(half).T
        return float(60.0 * np.polyfit(seconds, mb, 1)[0])


def observe(command: Sequence[str], cpu_cap_s: float, **variables: str) -> Observation:
    """Run a command that prints `Step: N. ... Mean Reward: r` and return what was seen.

    Args:
      command: program and arguments.
      cpu_cap_s: it is ended when it has used so many CPU seconds.
      variables: added to its environment.

    Raises:
      RuntimeError: it failed; the message has the end of its output.
    """
    seen = Observation()
    start = time.monotonic()
    environment = os.environ | {"PYTHONUNBUFFERED": "1"} | variables
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        ended = threading.Event()
        sampler = threading.Thread(target=_sample, args=(process, seen, cpu_cap_s, ended, start))
        sampler.start()
        tail: deque[str] = deque(maxlen=30)
        for line in process.stdout or ():
            tail.append(line)
            if found := PROGRESS.search(line):
                cpu_s, _ = _usage(process.pid)
                seen.points.append(Point(int(found[1]), float(found[2] or "nan"), cpu_s))
        ended.set()
        sampler.join()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seen.cpu_s, seen.wall_s = usage.ru_utime + usage.ru_stime, time.monotonic() - start
    if process.returncode and not seen.capped:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{''.join(tail)}")
    seen.points = [
        p for p, following in pairwise([*seen.points, None]) if following is None or following.steps > p.steps
    ]
    return seen


def _sample(
    process: subprocess.Popen[str], seen: Observation, cpu_cap_s: float, ended: threading.Event, start: float
) -> None:
    while not ended.wait(1.0):
        cpu_s, memory_mb = _usage(process.pid)
        if memory_mb:
            seen.memory.append((time.monotonic() - start, memory_mb))
        if cpu_s > cpu_cap_s:
            seen.capped = True
            process.terminate()
            return


def _usage(pid: int) -> tuple[float, float]:
    """Return CPU seconds and resident MB of a process and its children."""
    cpu_s = memory = 0.0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            times = process.cpu_times()
            cpu_s += times.user + times.system + times.children_user + times.children_system
            memory += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return cpu_s, memory / 2**20
