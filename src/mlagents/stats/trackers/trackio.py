"""trackio: `--track trackio`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from mlagents.stats.plugins import RunInfo
from mlagents.stats.reporter import Writer
from mlagents.stats.trackers.writer import PROJECT, TrackerWriter, is_asked_for, library


def writers(run: RunInfo) -> list[Writer]:
    """Return the writer, if the run asks for it; the entry point `trackio`.

    Raises:
      StatsWriterPluginError: the library is not installed.
    """
    return [TrackerWriter("trackio", TrackioTracker(library("trackio")), run)] if is_asked_for("trackio", run) else []


class TrackioTracker:
    """A run of trackio, which keeps its numbers in a file on this machine (TRACKIO_DIR says where)."""

    def __init__(self, trackio: ModuleType) -> None:
        self._trackio = trackio
        self._run: Any = None

    def start(self, run: RunInfo, known: str | None) -> str:
        """Begin a run, or continue the one of this name."""
        self._run = self._trackio.init(
            project=os.environ.get("TRACKIO_PROJECT", PROJECT),
            name=known or run.run_id,
            config=dict(run.settings),
            resume="allow" if known else "never",
            embed=False,
            auto_log_cpu=False,  # the run's cores are its own
            auto_log_gpu=False,
        )
        return str(self._run.name)

    def settings(self, behavior: str, values: Mapping[str, object]) -> None:
        """Do nothing: trackio takes the configuration when a run begins, and has it all by then."""

    def log(self, behavior: str, step: int, values: Mapping[str, float]) -> None:
        """Log at the behavior's step."""
        self._run.log(dict(values), step=step)

    def finish(self) -> None:
        """Wait until all is written; by the library's own function, which otherwise does it again at exit."""
        self._trackio.finish()
