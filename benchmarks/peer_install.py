"""`.venv-bench`: an environment for the systems we compare with, made when it is first needed."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_FOLDER = ROOT / ".venv-bench"
_TORCH = "torch==2.13.0"
_PEERS = ("stable-baselines3==2.9.2", "gymnasium", "rltools==2.2.1", "rsl-rl-lib==5.5.1")
_ENVIRONMENT_NEEDS = ("numpy", "mujoco", "numba", "protobuf", "grpcio", "Pillow", "ruamel.yaml")


def python() -> Path:
    """Return the interpreter of `.venv-bench`, installing everything into it if that was not done yet."""
    binaries = _FOLDER / ("Scripts" if sys.platform == "win32" else "bin")
    interpreter = binaries / Path(sys.executable).name
    stamp = _FOLDER / ".installed"
    if not stamp.exists():
        print(f"Installing {_TORCH} and {_PEERS[0]} into {_FOLDER.name} (once) ...", file=sys.stderr)
        venv.create(_FOLDER, with_pip=True, symlinks=sys.platform != "win32")
        # torch first and alone, then named again, so that nothing else decides which torch it is
        _pip(interpreter, _TORCH)
        _pip(interpreter, "-c", str(ROOT / "constraints.txt"), _TORCH, *_PEERS, *_ENVIRONMENT_NEEDS)
        stamp.touch()
    registered = _FOLDER / ".registered"
    project = ROOT / "pyproject.toml"
    if not registered.exists() or registered.stat().st_mtime < project.stat().st_mtime:
        _pip(interpreter, "--no-deps", "-e", str(ROOT))  # its entry points are the environments that can be named
        registered.touch()
    return interpreter


def run(script: str, *arguments: str) -> Any:
    """Run a script of this folder with the peers' interpreter and return the JSON on its last line."""
    command = [str(python()), str(Path(__file__).with_name(script)), *arguments]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(finished.stdout.splitlines()[-1])


def _pip(interpreter: Path, *arguments: str) -> None:
    command = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    print(python())
