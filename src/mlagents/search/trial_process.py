"""One trial: a run of `mlagents-learn` in a process of its own, which never outlives this one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mlagents.artifacts.layout import Layout
from mlagents.files import write_atomically
from mlagents.settings import RunSettings, dump
from mlagents_envs.diagnosis import read_end
from mlagents_envs.player_process import describe_exit, start_guard

STOP_S = 60.0  # to save after SIGTERM: seconds, but not on a busy machine
_KILL_S = 10.0


class Trial(Protocol):
    """A run that is tried."""

    @property
    def statistics(self) -> Path:
        """The file with its statistics, as JSON lines."""

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""

    def ask_to_stop(self) -> None:
        """Let it save and end."""

    def finish(self) -> None:
        """Wait until it has ended."""

    def last_words(self) -> str:
        """Return how it ended, in words."""


class TrialProcess:
    """A run with these settings; one of the same name that was stopped goes on.

    Args:
      folder: where runs of the search are.
      name: of the run.
      settings: of the trial.
      working_dir: in which relative paths of the settings are; None: this process's.
    """

    def __init__(self, folder: Path, name: str, settings: RunSettings, working_dir: Path | None = None) -> None:
        self._layout = Layout(name, folder)
        goes_on = self._layout.status.is_file()
        configuration = folder / f"{name}.yaml"
        write_atomically(configuration, dump(_as_run(settings, name, folder, goes_on)).encode())
        self._log = folder / f"{name}.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlagents.cli.learn", str(configuration)],
                cwd=working_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=os.name == "posix",  # Ctrl+C is for the search, which stops its trials itself
            )
        self._guard = start_guard(self._process.pid)

    @property
    def statistics(self) -> Path:
        """The file with its statistics, as JSON lines."""
        return self._layout.jsonl

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Let it save and end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def finish(self) -> None:
        """Wait until it has ended after `ask_to_stop`, or by itself; one that does not is killed."""
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_KILL_S)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.communicate(b"\n", timeout=_KILL_S)

    def last_words(self) -> str:
        """Return how it ended and the last line that it printed."""
        lines = read_end(self._log).strip().splitlines()
        return (
            f"{describe_exit(self._process.returncode)}; {lines[-1] if lines else 'it printed nothing'} ({self._log})"
        )


def _as_run(settings: RunSettings, name: str, folder: Path, goes_on: bool) -> RunSettings:
    """Return the settings of a trial as those of a run with a name and folder."""
    checkpoint = settings.checkpoint_settings.model_copy(
        update={"run_id": name, "results_dir": str(folder), "jsonl": True, "resume": goes_on, "force": not goes_on}
    )
    return settings.model_copy(update={"checkpoint_settings": checkpoint})


def stop_all(processes: Sequence[Trial]) -> None:
    """End several trials, which save at the same time."""
    for process in processes:
        process.ask_to_stop()
    until = time.monotonic() + STOP_S
    for process in processes:
        while process.exit_code is None and time.monotonic() < until:
            time.sleep(0.05)
        process.finish()
