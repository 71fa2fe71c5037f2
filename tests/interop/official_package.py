"""`.venv-interop`: an environment for the official Python package, made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

PACKAGE = "mlagents-envs==1.1.0"
REQUIREMENTS = Path(__file__).with_name("official.txt")
FOLDER = Path(__file__).resolve().parents[2] / ".venv-interop"
_STAMP = FOLDER / ".installed"


class NotInstallable(Exception):
    """The packages cannot be had here; the message is pip's."""


def is_installed() -> bool:
    return _STAMP.exists()


def python() -> Path:
    """Return the interpreter of `.venv-interop`, installing everything into it if that was not done yet.

    Raises:
      NotInstallable: no network, or no wheels for this Python.
    """
    interpreter = FOLDER / ("Scripts" if sys.platform == "win32" else "bin") / Path(sys.executable).name
    if not is_installed():
        venv.create(FOLDER, with_pip=True, clear=True, symlinks=sys.platform != "win32")
        _pip(interpreter, "--no-deps", "--ignore-requires-python", PACKAGE)
        _pip(interpreter, "--only-binary=:all:", "-r", str(REQUIREMENTS))
        _STAMP.touch()
    return interpreter


def _pip(interpreter: Path, *arguments: str) -> None:
    options = ("--quiet", "--disable-pip-version-check", "--retries=1", "--timeout=20")
    command = [str(interpreter), "-m", "pip", "install", *options, *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        errors = [line for line in finished.stderr.splitlines() if line.startswith("ERROR")]
        raise NotInstallable(f"{' '.join(arguments)}: {errors[-1] if errors else finished.stderr[-300:]}")
