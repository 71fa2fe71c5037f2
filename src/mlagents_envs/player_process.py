"""The process of a player: guarded, so that it never outlives us, and with its last words kept."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO

from mlagents_envs import env_utils

_TAIL_BYTES = 8192
_KILL_S = 10.0
_DRAIN_S = 0.5

# Waits for a line or the end of its input, which comes when we are gone, however that happened. A parent-
# death signal exists on Linux alone, and fires when the thread that started the player ends. Of the ways to
# write a process group, dash does not take `kill -KILL -- -1`.
_POSIX_GUARD = 'read -r line || kill -s KILL -- "-$1" || kill -s KILL "-$1"'
_OTHER_GUARD = "import os, sys; sys.stdin.buffer.read(1) or os.kill(int(sys.argv[1]), 9)"


class PlayerProcess:
    """Starts an environment.

    Args:
      file_name: as `validate_environment_path` takes it.
      args: command line arguments.

    Attributes:
      process: of the player.
      program: the file that was started.

    Raises:
      UnityEnvironmentException: it cannot be started.
    """

    def __init__(self, file_name: str, args: list[str]) -> None:
        self.program = Path(env_utils.validate_environment_path(file_name) or file_name)
        self._captured: deque[bytes] = deque()
        # By the module's attribute, for programs replace that to have no process; then nothing is read or guarded.
        self.process = env_utils.launch_executable(
            file_name, args, subprocess.PIPE if env_utils.hides_output() else None
        )
        is_real = isinstance(self.process, subprocess.Popen)
        self._reader = threading.Thread(
            target=self._capture, args=(self.process.stdout if is_real else None,), daemon=True
        )
        self._reader.start()
        self._guard = start_guard(self.process.pid) if is_real else None

    def output_tail(self) -> str:
        """Return the end of what the player printed; empty if that was shown."""
        if self.wait(0) is not None:
            self._reader.join(_DRAIN_S)
        return b"".join(self._captured).decode(errors="replace")[-_TAIL_BYTES:]

    def describe_exit(self) -> str:
        """Return how the player ended: its return code, with the name of the signal that it stands for."""
        return describe_exit(self.process.returncode) if self._guard is not None else "no return code"

    def wait(self, timeout_s: float) -> int | None:
        """Return the exit code; None if the player still runs after `timeout_s` seconds."""
        if self._guard is None:
            return None
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, timeout_s: float) -> bool:
        """Wait for the player to end by itself, and kill it if it does not: True if it had to be killed."""
        if self._guard is None:
            return False
        killed = self.wait(timeout_s) is None
        if killed:
            self._kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.communicate(b"\n", timeout=_KILL_S)
        return killed

    def _kill(self) -> None:
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)  # its children too
        self.process.kill()
        self.process.wait(_KILL_S)

    def _capture(self, pipe: IO[bytes] | None) -> None:
        """Read what the player prints and keep the end of it."""
        if pipe is None:
            return
        size = 0
        with pipe:
            while chunk := os.read(pipe.fileno(), _TAIL_BYTES):
                self._captured.append(chunk)
                size += len(chunk)
                while size - len(self._captured[0]) >= _TAIL_BYTES:
                    size -= len(self._captured.popleft())


def start_guard(pid: int) -> subprocess.Popen[bytes]:
    """Return a process that kills another, and its group, as soon as this one is gone; a line on its input ends it."""
    if os.name == "posix":
        command = ["/bin/sh", "-c", _POSIX_GUARD, "guard", str(pid)]
    else:
        command = [sys.executable, "-I", "-S", "-c", _OTHER_GUARD, str(pid)]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=os.path.abspath(os.sep),
    )


def describe_exit(code: int) -> str:
    """Return a process's return code, with the name of the signal that it stands for."""
    if code < 0:
        try:
            return f"return code {code} ({signal.Signals(-code).name})"
        except ValueError:
            return f"return code {code}"
    # Windows reports crashes as large codes that are known by their hexadecimal form.
    return f"return code {code}" if code < 0x8000_0000 else f"return code {code:#x}"
