"""The folder of a run from its claim to its release: who may write, what was there, what is cleared away."""

from __future__ import annotations

import glob
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mlagents.artifacts.checkpoints import CheckpointError, Checkpoints
from mlagents.artifacts.layout import MODEL_SUFFIXES, Layout, run_id_problem
from mlagents.artifacts.run_lock import RunLock
from mlagents.artifacts.status import Status, StatusError
from mlagents.settings import CheckpointSettings
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

_TEMPORARY = re.compile(r"\..+\.\d+\.tmp", re.DOTALL)


class RunFolder:
    """The files of a run that starts: claimed, begun once the run has started, released at its end.

    Inference writes nothing and needs no lock.

    Attributes:
      checkpoints: what was saved so far by the run that is resumed.
      has_begun: the run has written something.

    Args:
      layout: where the files are.
      settings: how the run is to start.
    """

    def __init__(self, layout: Layout, settings: CheckpointSettings) -> None:
        self.checkpoints = Checkpoints(layout)
        self.has_begun = False
        self._layout = layout
        self._settings = settings
        self._lock = RunLock(layout.lock)
        self._claimed = time.time()
        self._new_folders: list[Path] = []

    def claim(self) -> None:
        """Become the only one who writes into the folder, and find what is in it.

        Nothing is left behind by a claim that fails.

        Raises:
          CheckpointError: the run id is no name or taken, what is to be continued is not there, or outputs cannot be
            written.
          RunInUse: another process writes into the run.
        """
        problem = run_id_problem(self._settings.run_id)
        if problem is not None:
            raise CheckpointError(f"--run-id={self._settings.run_id}: {problem}.")
        if self._settings.inference:
            self._check_rules()
            self._open()
            return
        self._check_outputs()
        self._lock.refuse_if_held()
        self._check_rules()
        self._new_folders = list(_missing(self._layout.run))
        try:
            self._lock.acquire()
            self._check_rules()  # another run may have come and gone
            self._open()
        except BaseException:
            self.release()
            raise

    def begin(self) -> None:
        """Clear away what is not this run's; to be called once it is certain that the run starts, and before it writes.

        Without `resume` that is all of an earlier run of the name: its checkpoints, models and statistics. With it, it
        is what a killed run left unfinished. Calls after the first do nothing.

        Raises:
          OSError: the disk is full or not writable.
        """
        if self.has_begun or self._settings.inference:
            return
        self.has_begun = True
        earlier = _behaviors(self._layout)
        self.checkpoints.begin()  # from here on, what is not listed belongs to no run
        if self._settings.resume:
            self.checkpoints.sweep()
        else:
            _remove(self._layout, earlier, self._claimed)
        _remove_unfinished(self._layout, earlier)

    def release(self) -> None:
        """Let others in; a run that has not begun leaves no empty folder. Harmless when called again."""
        self._lock.release()
        if not self.has_begun:
            folders = [self._layout.player_logs, *self._new_folders] if self._new_folders else []
            for folder in folders:
                with suppress(OSError):
                    folder.rmdir()

    def _check_rules(self) -> None:
        """Apply the rules for an existing, or missing, run of the same id.

        Raises:
          CheckpointError: they forbid the start.
        """
        wanted, layout = self._settings, self._layout
        if wanted.resume and not layout.run.exists():
            raise CheckpointError(
                f"--resume: there is no run {wanted.run_id!r} ({layout.run} does not exist). Check --run-id and"
                " --results-dir, or leave out --resume to start it."
            )
        ignored = (layout.player_logs, layout.lock)  # of a run whose player could not be started
        if not (wanted.resume or wanted.force) and any(entry not in ignored for entry in layout.run.glob("*")):
            raise CheckpointError(
                f"The run id {wanted.run_id!r} is taken: {layout.run} exists. Choose --resume to continue it, --force"
                " to overwrite it, or another --run-id."
            )

    def _open(self) -> None:
        """Read the list of checkpoints of a run that is resumed.

        Raises:
          CheckpointError: it cannot be read, or there is none and it is needed.
        """
        if not self._settings.resume:
            return
        layout = self._layout
        if self._settings.inference or layout.status.exists() or next(layout.states(), None):
            self.checkpoints = Checkpoints.open(layout)
        if not self.checkpoints.behaviors:
            _log.warning("The run %r was stopped before its first checkpoint: it starts from step 0.", layout.run_id)

    def _check_outputs(self) -> None:
        """Test whether all folders that the run writes to can be written.

        Raises:
          CheckpointError: one cannot.
        """
        problems = (_why_not_writable(folder) for folder in (self._layout.run, self._layout.timers.parent))
        found = list(dict.fromkeys(problem for problem in problems if problem))
        if found:
            way_out = "Choose another --results-dir" if self._layout.results_dir else "Start the run in another folder"
            raise CheckpointError(
                f"The run cannot be written: {'; '.join(found)}. {way_out}, or make this one writable."
            )


def _missing(folder: Path) -> Iterator[Path]:
    """Yield a folder and those above it that do not exist, innermost first."""
    while not folder.exists():
        yield folder
        folder = folder.parent


def _why_not_writable(folder: Path) -> str | None:
    """Return why a folder, which may have to be made, cannot be written; None if it can."""
    try:
        there = next((f for f in (folder, *folder.parents) if f.exists()), folder)
        if not there.is_dir():
            return f"{there} is not a folder"
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror}"


def _behaviors(layout: Layout) -> set[str]:
    """Return the names of the behaviors of an earlier run, as far as it says."""
    names = {Layout.behavior_of(folder) for folder, _, _ in layout.states()}
    with suppress(OSError, StatusError):
        names.update(Status.read(layout.status).behaviors())
    return names


def _remove(layout: Layout, behaviors: set[str], before: float) -> None:
    """Delete the files of an earlier run but for its list of checkpoints; what others put there stays.

    Args:
      layout: where they are.
      behaviors: of the earlier run.
      before: time in seconds since 1970; logs of players that are newer belong to the run that starts.
    """
    paths = [layout.begun, layout.exports, layout.manifest, layout.configuration, layout.timers]
    paths += [layout.jsonl, layout.clock, layout.trackers]
    for name in behaviors:
        folder = layout.checkpoint(name, 0, "").parent
        paths += [path for _, path in layout.checkpoint_files(folder)]
        paths += [layout.model(name, suffix) for suffix in MODEL_SUFFIXES]
        paths += [layout.csv(name), *layout.events(name).glob("events.out*")]
    paths += [log for log in layout.player_logs.glob("Player-*.log") if log.stat().st_mtime < before]
    for path in paths:
        path.unlink(missing_ok=True)
    for name in behaviors:
        for folder in (layout.checkpoint(name, 0, "").parent, layout.events(name)):
            with suppress(OSError):
                folder.rmdir()  # unless there is something else in it


def _remove_unfinished(layout: Layout, behaviors: Iterable[str]) -> None:
    """Delete the temporary files that a killed process left; see `write_atomically`."""
    folders = [layout.run, *(folder for folder in layout.run.iterdir() if folder.is_dir())]
    found = [path for folder in folders for path in folder.glob(".*.tmp") if _TEMPORARY.fullmatch(path.name)]
    for path in (layout.timers, layout.clock, layout.jsonl, *map(layout.csv, behaviors)):
        found += path.parent.glob(f".{glob.escape(path.name)}.*.tmp")
    for path in found:
        path.unlink(missing_ok=True)
