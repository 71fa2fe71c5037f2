"""One owner of a run's folder at a time: a file in it says which process that is.

The lock of a process that is gone is taken over: on this machine as soon as its process is, of another machine when it
was not renewed for `STALE_AFTER_S`.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

RENEW_EVERY_S = 30.0
STALE_AFTER_S = 600.0
"""Seconds without renewal after which the owner on another machine counts as gone; clocks may differ by minutes."""

_WRITTEN_AFTER_S = 10.0
"""Seconds that making a lock may take at most; one that is not readable and older is what a crash left."""

_SAME_START_S = 2.0
"""How exactly the time at which a process started is known."""


class RunInUse(RuntimeError):
    """Another process writes into the run; the message names it."""


@dataclass(frozen=True)
class _Owner:
    pid: int
    host: str
    started: float
    """Of the process, in seconds since 1970."""

    @staticmethod
    def this_process() -> _Owner:
        return _Owner(os.getpid(), socket.gethostname(), psutil.Process().create_time())

    @staticmethod
    def read(path: Path) -> _Owner | None:
        """Return who holds a lock, None if the file does not say.

        Raises:
          FileNotFoundError: nobody does.
        """
        try:
            content = json.loads(path.read_text())
            return _Owner(int(content["pid"]), str(content["host"]), float(content["started"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    def is_running(self, renewed_lately: bool) -> bool:
        """Return whether the process runs on this machine; a later one of the same number does not count.

        Starting times shift when the clock is set, so a lock that was renewed lately is believed without.
        """
        try:
            started = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True
        is_same = abs(started - self.started) < _SAME_START_S
        return is_same or (renewed_lately and self.pid != os.getpid())

    def __str__(self) -> str:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.started))
        return f"process {self.pid} on {self.host}, started {started}"


class RunLock:
    """The right to write into a run's folder.

    Args:
      path: the lock's file; its folder is made.

    Attributes:
      path: of that file.
    """

    def __init__(self, path: Path) -> None:
        self.path = self._path = path
        self._released = threading.Event()
        self._held = False

    def acquire(self) -> None:
        """Become the owner, and renew the lock until `release`.

        Raises:
          RunInUse: another process is.
          OSError: the folder is not writable.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._create(self._path):
            self._take_over()
        self._held = True
        threading.Thread(target=self._renew, name="run lock", daemon=True).start()

    def refuse_if_held(self) -> None:
        """Raise an error if another process, or another run of this one, is the owner.

        Raises:
          RunInUse: so it is.
        """
        with suppress(FileNotFoundError):
            self._refuse_if_held()

    def release(self) -> None:
        """Let others in. Harmless when called again, or when another process has taken the lock over."""
        self._released.set()
        if self._held:
            self._held = False
            with suppress(OSError):
                if _Owner.read(self._path) == _Owner.this_process():
                    self._path.unlink()

    def _take_over(self) -> None:
        """Replace a stale lock; a file of its own sees to it that one process at a time tries.

        Raises:
          RunInUse: the lock is not stale, or another process was quicker.
        """
        turn = self._path.with_name(f"{self._path.name}.turn")
        with suppress(FileNotFoundError):
            if time.time() - turn.stat().st_mtime > _WRITTEN_AFTER_S:
                turn.unlink()
        if not self._create(turn):
            raise RunInUse(f"The run in {self._path.parent} is just being started by another process.")
        try:
            with suppress(FileNotFoundError):
                self._refuse_if_held()
                _log.warning("%s: left by %s, which is gone.", self._path, _Owner.read(self._path) or "nobody known")
                self._path.unlink()
            if not self._create(self._path):
                raise RunInUse(f"The run in {self._path.parent} has just been started by another process.")
        finally:
            turn.unlink(missing_ok=True)

    def _refuse_if_held(self) -> None:
        owner = _Owner.read(self._path)
        age_s = time.time() - self._path.stat().st_mtime
        if owner is None:
            if age_s < _WRITTEN_AFTER_S:
                raise RunInUse(f"The run in {self._path.parent} is just being started by another process.")
            return
        if owner.host != socket.gethostname():
            self._refuse_elsewhere(owner, age_s)
        elif owner.is_running(renewed_lately=age_s < 3 * RENEW_EVERY_S):
            raise RunInUse(
                f"The run in {self._path.parent} is in use by {owner}. Stop it (kill {owner.pid}) or wait for its end,"
                " or take another run id."
            )

    def _refuse_elsewhere(self, owner: _Owner, age_s: float) -> None:
        if age_s < STALE_AFTER_S:
            raise RunInUse(
                f"The run in {self._path.parent} is in use by {owner}, which gave a sign of life {max(age_s, 0):.0f} s"
                f" ago. Stop it there; if it is gone, wait {(STALE_AFTER_S - age_s) / 60:.0f} minutes, or delete"
                f" {self._path}. Or take another run id."
            )

    def _create(self, path: Path) -> bool:
        """Create a file that names this process; return False if it exists."""
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(_Owner.this_process()), file)
        return True

    def _renew(self) -> None:
        while not self._released.wait(RENEW_EVERY_S):
            with suppress(OSError):
                os.utime(self._path)
