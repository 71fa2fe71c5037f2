"""`.venv-official`: an environment for the official packages 1.1.0, made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FOLDER = ROOT / ".venv-official"
_TORCH = "torch==2.13.0"
_PACKAGES = ("mlagents-envs==1.1.0", "mlagents==1.1.0")
_TRAINER_NEEDS = ("h5py", "tensorboard<2.19", "six", "attrs", "cattrs<1.7", "huggingface-hub<1", "onnx==1.15.0")
_ENVIRONMENT_NEEDS = ROOT / "tests" / "interop" / "official.txt"


def program(name: str) -> Path:
    """Return a program of `.venv-official`, installing everything into it if that was not done yet."""
    binaries = _FOLDER / ("Scripts" if sys.platform == "win32" else "bin")
    stamp = _FOLDER / ".installed"
    if not stamp.exists():
        print(f"Installing {_TORCH} and {_PACKAGES[1]} into {_FOLDER.name} (once) ...", file=sys.stderr)
        venv.create(_FOLDER, with_pip=True, clear=True, symlinks=sys.platform != "win32")
        python = binaries / "python"
        # torch first and alone, then named again, so that nothing else decides which torch it is
        _pip(python, _TORCH)
        # their own pins have no wheels for this Python
        _pip(python, "--no-deps", "--ignore-requires-python", *_PACKAGES)
        _pip(python, "-r", str(_ENVIRONMENT_NEEDS), _TORCH, *_TRAINER_NEEDS)
        stamp.touch()
    return binaries / name


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)
