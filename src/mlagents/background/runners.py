"""Where a run in the background is carried out: in a thread, or in a process of its own."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, Protocol

from mlagents.background.history import History
from mlagents.settings import RunSettings, dump
from mlagents.training.stop import StopRequest

_AT_EXIT_S = 60.0
"""How long the end of the program waits for a run to save."""


class TrainingError(RuntimeError):
    """A run in a process of its own failed; the message is that of its error."""


class Runner(Protocol):
    """Carries out one run. Signals of this process are left alone.

    Attributes:
      started: set once the run trains, or has failed.
      error: what ended it, None as long as nothing has.
    """

    started: threading.Event
    error: BaseException | None

    def start(self) -> None:
        """Begin."""

    def ask_to_stop(self) -> None:
        """Let it stop after what is in progress, and save."""

    def join(self, timeout_s: float | None) -> bool:
        """Wait for its end, and return whether it has come."""

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""


class _Watched:
    """What both runners share: a thread that lives as long as the run."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run_to_the_end, name="training", daemon=True)

    def start(self) -> None:
        """Begin."""
        atexit.register(self._at_exit)
        self._thread.start()

    def join(self, timeout_s: float | None) -> bool:
        """Wait for the end, and return whether it has come."""
        self._thread.join(timeout_s)
        return not self.running

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._thread.is_alive()

    def ask_to_stop(self) -> None:
        """Let it stop after what is in progress, and save."""
        raise NotImplementedError

    def _carry_out(self) -> None:
        raise NotImplementedError

    def _run_to_the_end(self) -> None:
        try:
            self._carry_out()
        except BaseException as error:
            self.error = error
        finally:
            self.started.set()
            atexit.unregister(self._at_exit)

    def _at_exit(self) -> None:
        self.ask_to_stop()
        self._thread.join(_AT_EXIT_S)


class ThreadRunner(_Watched):
    """Carries out a run in a thread of this process: it may use environments that only this program knows."""

    def __init__(self, settings: RunSettings, history: History) -> None:
        super().__init__()
        self._settings = settings
        self._history = history
        self._stop = StopRequest()

    def ask_to_stop(self) -> None:
        """Let it stop after what is in progress, and save."""
        self._stop.ask()

    def _carry_out(self) -> None:
        from mlagents import process
        from mlagents_envs.timers import reset_timers

        process.configure(self._settings.device)
        from mlagents.training.build import build

        reset_timers()
        run = build(self._settings, _results_dir(self._settings), self._stop, self._history)
        self.started.set()
        run.execute()


class ProcessRunner(_Watched):
    """Carries out a run in a process of its own, which stops and saves when this one ends."""

    def __init__(self, settings: RunSettings, history: History) -> None:
        super().__init__()
        self._settings = settings
        self._history = history
        self._process: subprocess.Popen[str] | None = None
        self._asked = threading.Event()

    def ask_to_stop(self) -> None:
        """Let it stop after what is in progress, and save."""
        self._asked.set()
        if self._process is not None and self._process.stdin is not None:
            _close(self._process.stdin)

    def _carry_out(self) -> None:
        command = [sys.executable, "-m", "mlagents.background.child"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, encoding="utf-8", **_own_group()) as process:
            self._process = process
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(dump(self._settings)) + "\n")
            process.stdin.flush()
            if self._asked.is_set():
                _close(process.stdin)
            failure = self._listen(process.stdout)
            _close(process.stdin)
            code = process.wait()
        if failure is not None:
            raise TrainingError(failure)
        if code != 0:
            raise TrainingError(f"The process of the run ended with exit code {code}; its output says more.")

    def _listen(self, lines: IO[str]) -> str | None:
        """Take in what the process tells until it closes its pipe; return the error that ended it, if one did."""
        failure = None
        for line in lines:
            match json.loads(line):
                case {"started": True}:
                    self.started.set()
                case {"behavior": name, "step": step, "values": values}:
                    self._history.add(name, step, {t: float("nan") if v is None else v for t, v in values.items()})
                case {"behavior": name, "max_steps": limit}:
                    self._history.limit(name, limit)
                case {"progress": steps}:
                    for name, step in steps.items():
                        self._history.progress(name, step)
                case {"error": text}:
                    failure = str(text)
        return failure


def _own_group() -> dict[str, Any]:
    """Return the options of a process that Ctrl+C in this terminal does not reach."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _close(file: IO[str]) -> None:
    try:
        file.close()
    except OSError:
        return  # the process has ended already


def _results_dir(settings: RunSettings) -> Path | None:
    found = settings.checkpoint_settings.results_dir
    return Path(found) if found else None
