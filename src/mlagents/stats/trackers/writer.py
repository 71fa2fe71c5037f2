"""What all trackers have in common: when they are wanted, what they are called when missing, which run goes on."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol

from mlagents.files import write_atomically
from mlagents.stats.plugins import RunInfo, StatsWriterPluginError
from mlagents.stats.reporter import WriterError
from mlagents.stats.summary import Summary
from mlagents.stats.tags import IS_TRAINING, STEP
from mlagents.stats.text import Text

IDS_FILE: Final = "trackers.json"
"""In a run's folder: tracker -> its own id of the run, with which a resumed run goes on there."""

PROJECT: Final = "mlagents"
"""Name of the project, or experiment, where the tracker's own variable names no other."""

_NOT_SENT = {IS_TRAINING, STEP}


class Tracker(Protocol):
    """A service, or a library with files of its own, that keeps the numbers of runs."""

    def start(self, run: RunInfo, known: str | None) -> str:
        """Begin a run, or go on with the one that has this id, and return its id."""

    def settings(self, behavior: str, values: Mapping[str, object]) -> None:
        """Take the hyperparameters of a behavior, as plain nested values."""

    def log(self, behavior: str, step: int, values: Mapping[str, float]) -> None:
        """Take finite numbers by name, `<behavior>/<tag>`."""

    def finish(self) -> None:
        """Bring everything to its place."""


class TrackerWriter:
    """A writer of statistics that hands them to a tracker.

    The tracker is started with the first text or number: the run has begun by then, and its folder is its own.

    Args:
      name: of the tracker, as `--track` has it.
      tracker: that is told.
      run: what is tracked.
    """

    def __init__(self, name: str, tracker: Tracker, run: RunInfo) -> None:
        self._name = name
        self._tracker = tracker
        self._run = run
        self._is_started = False

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Send the value of each statistic that is finite.

        Raises:
          StatsWriterPluginError: the tracker cannot be started.
          WriterError: it fails.
        """
        values = {tag: each.value for tag, each in summaries.items() if tag not in _NOT_SENT}
        finite = {f"{behavior}/{tag}": value for tag, value in values.items() if math.isfinite(value)}
        self._start()
        try:
            self._tracker.log(behavior, step, finite)
        except Exception as error:  # of any library, and its network
            raise self._failed(error) from error

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Send hyperparameters; other texts have no place there.

        Raises:
          StatsWriterPluginError: the tracker cannot be started.
          WriterError: it fails.
        """
        if isinstance(value, str):
            return
        self._start()
        try:
            self._tracker.settings(behavior, value)
        except Exception as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Let the tracker finish, if it was started.

        Raises:
          WriterError: it fails.
        """
        if not self._is_started:
            return
        self._is_started = False
        try:
            self._tracker.finish()
        except Exception as error:
            raise self._failed(error) from error

    def _start(self) -> None:
        if self._is_started:
            return
        path = self._run.folder / IDS_FILE
        ids = _read(path)
        try:
            found = self._tracker.start(self._run, ids.get(self._name) if self._run.resume else None)
        except Exception as error:
            raise StatsWriterPluginError(
                f"--track={self._name}: it cannot be started: {type(error).__name__}: {error}. Put its account or"
                " address right, or leave --track out."
            ) from error
        self._is_started = True
        write_atomically(path, json.dumps({**ids, self._name: found}, indent=2).encode())

    def _failed(self, error: Exception) -> WriterError:
        message = f"--track={self._name}: {type(error).__name__}: {error}"
        return WriterError(message, f"see that {self._name} is reachable and takes what it is told")


def is_asked_for(name: str, run: RunInfo) -> bool:
    """Return whether a run that trains is to be tracked there; inference leaves everything as it is."""
    checkpoint: Any = run.settings.get("checkpoint_settings", {})
    return name in checkpoint.get("track", ()) and not checkpoint.get("inference", False)


def library(name: str) -> ModuleType:
    """Return the imported library of a tracker.

    Raises:
      StatsWriterPluginError: it is not installed, or broken.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise StatsWriterPluginError(
            f"--track={name} needs the package {name}, which is not installed here ({error}):"
            f" pip install 'mlagents-jax[{name}]'."
        ) from error


def flat(tree: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Return the leaves of nested mappings by their dotted keys."""
    found: dict[str, object] = {}
    for key, value in tree.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
