"""Trials on the machines of a Ray cluster, all of which see the folder of the search under the same path.

Ray places trials, and says when one is lost with its machine: it then goes on elsewhere, from its last checkpoint.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mlagents.artifacts.layout import Layout
from mlagents.rollout.cluster import Cluster, Places, loss, refuse_other_versions, versions
from mlagents.search.study import SearchError
from mlagents.search.trial_process import STOP_S, TrialProcess
from mlagents.settings import RunSettings
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

_LOOK_S = 0.2
_ANSWER_S = 15.0  # of Ray, when a trial has ended
_MOST_LOSSES = 3
"""Machines that a trial may lose in a row without having written statistics: then it may be what takes them down."""


@dataclass(frozen=True)
class Order:
    """What is to run, on whichever machine.

    Attributes:
      folder: where runs of the search are. name: of the run. settings: of the trial.
      working_dir: in which relative paths of the settings are.
      mark: file that every machine sees. content: what is in it, unless a machine sees another folder.
    """

    folder: Path
    name: str
    settings: RunSettings
    working_dir: Path
    mark: Path
    content: bytes

    def fault(self) -> str | None:
        """Return what this machine lacks, None if nothing."""
        try:
            is_same = self.mark.read_bytes() == self.content
        except OSError:
            is_same = False
        if not is_same:
            return (
                f"does not see {self.mark.parent}. All machines must see it under this path: choose a --results-dir on"
                " a file system that they share"
            )
        if not self.working_dir.is_dir():
            return f"has no folder {self.working_dir}, in which paths of the trainer file begin"
        return None


class Begun(NamedTuple):
    """A trial runs: on this node, with these versions; or the node's fault, None for none."""

    node: str
    versions: Mapping[str, str]
    fault: str | None


class Ended(NamedTuple):
    """A trial is over."""

    exit_code: int
    last_words: str


class TrialHost:
    """What runs inside a Ray actor, which answers two calls at a time: one trial, as a process of that machine."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._process: TrialProcess | None = None

    def start(self, order: Order) -> Begun:
        """Start the trial; its lock, if a machine that is lost has left one, is taken over.

        The search owns its trials, and Ray has said that this one's former machine is gone.
        """
        import ray

        fault = order.fault()
        if fault is None:
            Layout(order.name, order.folder).lock.unlink(missing_ok=True)
            self._process = TrialProcess(order.folder, order.name, order.settings, order.working_dir)
        return Begun(ray.util.get_node_ip_address(), versions(), fault)

    def wait(self) -> Ended:
        """Return when the trial is over, by itself or by `stop`."""
        assert self._process is not None
        while self._process.exit_code is None:
            if self._stop.wait(_LOOK_S):
                self._process.ask_to_stop()
                break
        self._process.finish()
        exit_code = self._process.exit_code
        assert exit_code is not None
        return Ended(exit_code, self._process.last_words())

    def stop(self) -> None:
        """Let the trial save and end."""
        self._stop.set()


class RemoteTrial:
    """A trial on a cluster, wherever it is.

    Args:
      ray: the library. host_class: `TrialHost` as an actor.
      order: what to run.
    """

    def __init__(self, ray: Any, host_class: Any, order: Order) -> None:
        self._ray, self._host_class, self._order = ray, host_class, order
        self._losses = 0
        self._is_stopping = False
        self._ended: Ended | None = None
        self._place()

    def _place(self) -> None:
        self._host = self._host_class.remote()
        self._pending, self._has_begun = self._host.start.remote(self._order), False
        self._written = self._size()

    def _size(self) -> int:
        try:
            return self.statistics.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def statistics(self) -> Path:
        """The file with its statistics, as JSON lines."""
        return Layout(self._order.name, self._order.folder).jsonl

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs, or waits for a place.

        Raises:
          SearchError: its machine cannot run trials of this search.
          ClusterError: its machine has other versions.
        """
        if self._ended is None:
            self._look(0)
        return None if self._ended is None else self._ended.exit_code

    def ask_to_stop(self) -> None:
        """Let it save and end."""
        self._is_stopping = True
        if self._ended is not None:
            return
        if self._has_begun or self._ray.wait([self._pending], timeout=0)[0]:
            self._host.stop.remote()
        else:  # it has no place yet, or is just about to start
            self._ray.kill(self._host)
            self._ended = Ended(0, "it was not begun")

    def finish(self) -> None:
        """Wait until it has ended after `ask_to_stop`, or by itself; one that does not is killed."""
        until = time.monotonic() + STOP_S + _ANSWER_S
        while self._ended is None and time.monotonic() < until:
            self._look(_LOOK_S)
        self._ended = self._ended or Ended(1, "its machine does not answer")
        with suppress(Exception):  # the cluster may be gone
            self._ray.kill(self._host)

    def last_words(self) -> str:
        """Return how it ended, in words."""
        return "" if self._ended is None else self._ended.last_words

    def _look(self, timeout_s: float) -> None:
        """Take in an answer, if there is one within this time."""
        if not self._ray.wait([self._pending], timeout=timeout_s)[0]:
            return
        try:
            found = self._ray.get(self._pending)
        except self._ray.exceptions.RayTaskError as error:  # a defect of ours, whose traceback is of use
            raise error.cause from error
        except self._ray.exceptions.RayError as error:
            self._lose(loss(error))
            return
        if isinstance(found, Ended):
            self._ended = found
            return
        refuse_other_versions(self._order.name, found.node, found.versions)
        if found.fault is not None:
            raise SearchError(f"{self._order.name}: the node {found.node} {found.fault}.")
        _log.debug("%s runs on %s.", self._order.name, found.node)
        self._has_begun = True
        self._pending = self._host.wait.remote()

    def _lose(self, reason: str) -> None:
        """Let it go on elsewhere."""
        self._losses = 1 if self._size() > self._written else self._losses + 1
        if self._is_stopping or self._losses >= _MOST_LOSSES:
            self._ended = Ended(1, f"it was lost with its machine {self._losses} times in a row: {reason}")
            return
        _log.warning("%s is lost with its machine, and goes on elsewhere: %s", self._order.name, reason)
        self._place()


class ClusterTrials:
    """Starts trials on a cluster.

    Args:
      address: of the cluster, as `--ray` has it. jobs: trials at a time. cpus: of each.
      mark: file in the folder of the search, by which machines are asked whether they see it.

    Raises:
      ClusterError: the cluster cannot be used, or is too small.
    """

    def __init__(self, address: str, jobs: int, cpus: float, mark: Path) -> None:
        self._mark = mark.resolve()
        self._cluster = Cluster(address, Places("--jobs", jobs, cpus, adjustable="--cpus-per-trial"))
        options = self._cluster.options() | {"max_concurrency": 2}
        self._host_class = self._cluster.ray.remote(**options)(TrialHost)

    def __call__(self, folder: Path, name: str, settings: RunSettings) -> RemoteTrial:
        """Start a run in a folder, under a name, with its settings; on the first machine that has a place."""
        order = Order(folder.resolve(), name, settings, Path(os.getcwd()), self._mark, self._mark.read_bytes())
        return RemoteTrial(self._cluster.ray, self._host_class, order)

    def close(self) -> None:
        """Disconnect; trials that still run end."""
        self._cluster.close()
