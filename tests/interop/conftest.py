"""The sessions that the official package plays with environments of ours."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from interop import official_package
from interop.player import recorded_messages

FOLDER = Path(__file__).parent
PARAMETERS = {
    "3DBall": ("gravity", "mass", "scale"),
    "GridWorld": ("gridSize", "numObstacles", "numGoals"),
    "scene": ("size", "color", "speed"),
}
STEPS = {"3DBall": 100, "GridWorld": 4, "scene": 12}
AREAS = {"GridWorld": 3}  # few: the protobuf of the official package is written in Python, and reads pictures slowly


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Slow while there is no `.venv-interop` yet: making it takes a network and a minute."""
    if not official_package.is_installed():
        for item in items:
            if FOLDER in item.path.parents:
                item.add_marker(pytest.mark.slow)


@dataclass
class Session:
    """What the official package sent to an environment and saw of it, and the messages between them."""

    environment: str
    num_areas: int | None
    parameters: tuple[str, str, str]
    steps: int
    seen: dict[str, np.ndarray]
    exit_code: int
    messages: list[tuple[bytes, bytes]]


@pytest.fixture(scope="session")
def official_python():
    if os.name != "posix":
        pytest.skip("the players are started by a shell script")
    try:
        return official_package.python()
    except official_package.NotInstallable as error:
        pytest.skip(f"the official package cannot be installed: {error}")


@pytest.fixture(scope="session", params=sorted(PARAMETERS))
def session(request, official_python, tmp_path_factory):
    environment = request.param
    parameters, steps = PARAMETERS[environment], STEPS[environment]
    folder = tmp_path_factory.mktemp(environment)
    recording, output = folder / "messages", folder / "seen.npz"
    executable = folder / "player.sh"
    player = [sys.executable, str(FOLDER / "player.py"), str(recording), environment]
    if environment in AREAS:
        player.append(f"--num-areas={AREAS[environment]}")
    executable.write_text(f'#!/bin/sh\nexec {shlex.join(player)} "$@"\n')
    executable.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [official_python, FOLDER / "session.py", executable, port, steps, output, *parameters]
    finished = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=200, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    seen = dict(np.load(output))
    exit_code = int(seen.pop("exit_code"))
    return Session(
        environment, AREAS.get(environment), parameters, steps, seen, exit_code, recorded_messages(recording)
    )
