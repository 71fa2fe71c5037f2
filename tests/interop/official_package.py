"""`.venv-interop`: an environment for the official Python package, made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

PACKAGE = "mlagents-envs==1.1.0"
TRAINER = "mlagents==1.1.0"
REQUIREMENTS = Path(__file__).with_name("official.txt")
FOLDER = Path(__file__).resolve().parents[2] / ".venv-interop"
_STAMP = FOLDER / ".installed"
_TRAINER_STAMP = FOLDER / ".trainer"


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


def has_trainer() -> bool:
    return _TRAINER_STAMP.exists()


def install_trainer() -> None:
    """Install the original trainer's code, without torch, and what its settings need.

    Raises:
      NotInstallable: no network.
    """
    if not has_trainer():
        interpreter = python()
        _pip(interpreter, "--no-deps", "--ignore-requires-python", TRAINER)
        _pip(interpreter, "--only-binary=:all:", "attrs", "cattrs<1.7")
        _TRAINER_STAMP.touch()


def _pip(interpreter: Path, *arguments: str) -> None:
    options = ("--quiet", "--disable-pip-version-check", "--retries=1", "--timeout=20")
    command = [str(interpreter), "-m", "pip", "install", *options, *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        errors = [line for line in finished.stderr.splitlines() if line.startswith("ERROR")]
        raise NotInstallable(f"{' '.join(arguments)}: {errors[-1] if errors else finished.stderr[-300:]}")
