"""The tutorial's environment is learned with the tutorial's settings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "roller_ball"


def run(program: str, *arguments: str, folder: Path) -> str:
    command = [sys.executable, "-c", f"import sys; from {program} import main; sys.exit(main())", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=1500).stdout


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_ball_reaches_the_cube(tmp_path):
    environment = str(FOLDER / "roller_ball.py")
    arguments = [str(FOLDER / "roller_ball.yaml"), f"--env={environment}", "--run-id=roller", "--seed=1"]
    run("mlagents.cli.learn", *arguments, folder=tmp_path)
    played = run(
        "mlagents.cli.main", "play", environment, "--model", "roller", "--episodes", "300", "--json", folder=tmp_path
    )
    (behavior,) = json.loads(played)["behaviors"].values()
    assert behavior["mean"] >= 0.95
