"""TensorBoard event files."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlagents.stats.files import naming
from mlagents.stats.summary import Aggregation, Summary
from mlagents.stats.tags import CUMULATIVE_REWARD, GROUP_CUMULATIVE_REWARD, IS_TRAINING, STEP
from mlagents.stats.text import Text, as_text
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

_HIDDEN = {IS_TRAINING, STEP}
_WITH_HISTOGRAM = {CUMULATIVE_REWARD, GROUP_CUMULATIVE_REWARD}
_HISTOGRAM_BINS = 30  # as many as TensorBoard draws
_FLUSH_EVERY_S = 1.0  # a flush waits for the disk; a run with a write every few milliseconds should not


class TensorBoardWriter:
    """One folder per behavior, with a scalar for every tag but `Is Training` and `Step`.

    Rewards, group rewards and HISTOGRAM statistics get a histogram `<tag>_hist` besides. Values that are not
    finite are left out. Texts appear as `<name>/text_summary`. A resumed run begins a new session behind its
    checkpoint, for which TensorBoard leaves out what earlier files have from there on.
    """

    def __init__(self, folder: Callable[[str], Path], resumed_at: Mapping[str, int] | None = None) -> None:
        """Write nothing yet.

        Args:
          folder: behavior -> its folder.
          resumed_at: behavior -> step of the checkpoint with which it goes on (without: 0), to keep the event files
            that are there; None to delete them when the behavior first comes.
        """
        self._folder = folder
        self._resumed_at = resumed_at
        self._files: dict[str, _EventFile] = {}

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Write one event with all tags.

        Raises:
          OSError: the folder or the file cannot be written.
        """
        from tensorboardX.proto.summary_pb2 import Summary as SummaryProto

        # Not add_scalar: it replaces the blanks in tags by underscores.
        proto = SummaryProto()
        for tag, summary in summaries.items():
            if tag not in _HIDDEN and np.isfinite(summary.value):
                proto.value.add(tag=tag, simple_value=summary.value)
            if tag in _WITH_HISTOGRAM or summary.aggregation is Aggregation.HISTOGRAM:
                finite = summary.values[np.isfinite(summary.values)]
                if finite.size:
                    proto.value.add(tag=f"{tag}_hist", histo=_histogram(finite))
        self._file(behavior).write(step, proto)

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Write a text at step 0.

        Raises:
          OSError: the folder or the file cannot be written.
        """
        from tensorboardX.summary import text

        self._file(behavior).write(0, text(name, as_text(value)))

    def close(self) -> None:
        """Bring all events to the disk and close the files.

        Raises:
          OSError: the disk is full; all files are closed nevertheless.
        """
        with ExitStack() as stack:
            for file in self._files.values():
                stack.callback(file.close)

    def _file(self, behavior: str) -> _EventFile:
        if behavior not in self._files:
            folder = self._folder(behavior)
            if self._resumed_at is None:
                _delete_events(folder)
            file = self._files[behavior] = _EventFile(folder)
            if self._resumed_at is not None:
                file.start_session(self._resumed_at.get(behavior, 0) + 1)
        return self._files[behavior]


class _EventFile:
    """One event file, written in this thread.

    tensorboardX's own SummaryWriter writes in a thread that dies of a full disk; then its queue fills and the
    next `add_scalar` waits for ever.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboardX import RecordWriter
        from tensorboardX.proto.event_pb2 import Event

        self._event = Event
        # TensorBoard reads the files of a folder in the order of their names.
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._path = folder / name
        with naming(self._path):
            folder.mkdir(parents=True, exist_ok=True)
            self._records = RecordWriter(str(self._path))
        self._next_flush = 0.0
        self._append(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def start_session(self, step: int) -> None:
        """Let TensorBoard leave out what files before this one have from a step on."""
        from tensorboardX.proto.event_pb2 import SessionLog

        log = SessionLog(status=SessionLog.START)
        self._append(self._event(wall_time=time.time(), step=step, session_log=log))

    def write(self, step: int, summary: Any) -> None:
        self._append(self._event(wall_time=time.time(), step=step, summary=summary))
        now = time.monotonic()
        if now >= self._next_flush:
            self._next_flush = now + _FLUSH_EVERY_S
            with naming(self._path):
                self._records.flush()

    def close(self) -> None:
        with naming(self._path):
            self._records.close()

    def _append(self, event: Any) -> None:
        with naming(self._path):
            self._records.write(event.SerializeToString())


def _histogram(values: npt.NDArray[np.float64]) -> Any:
    """Return equal bins over the range of `values`, float64 [n >= 1]; a HistogramProto."""
    from tensorboardX.summary import make_histogram

    low, high = float(values.min()), float(values.max())
    # Bins must not get narrower than the distance of neighbouring floats.
    width = max(high - low, 1e-9 * max(abs(low), abs(high)), 1e-9)
    edges = np.linspace(low, low + width, _HISTOGRAM_BINS + 1)
    edges[-1] = max(edges[-1], high)  # rounding must not put the largest value outside
    return make_histogram(values, bins=edges)


def _delete_events(folder: Path) -> None:
    deleted = 0
    for path in folder.glob("events.out*"):
        try:
            path.unlink()
            deleted += 1
        except OSError as error:
            _log.warning("TensorBoard will show an earlier run, too: its file cannot be deleted: %s", error)
    if deleted:
        _log.warning(
            "Deleted %d TensorBoard event file(s) of an earlier run in %s; --resume keeps them.",
            deleted,
            folder,
        )
