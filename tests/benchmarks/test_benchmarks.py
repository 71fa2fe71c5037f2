"""Benchmarks still run: each that needs no other trainer's packages, as a smoke run."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
NEEDS_PEERS = {path.stem for path in FOLDER.glob("*.py") if "_install" in path.read_text()}
sys.path.insert(0, str(FOLDER))
from run import BENCHMARKS  # noqa: E402

OWN = sorted(set(BENCHMARKS) - NEEDS_PEERS)


def test_the_list_is_not_empty():
    assert {"acting", "bookkeeping", "simulation", "self_play", "startup"} <= set(OWN)


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_a_smoke_run_gives_figures(name):
    command = [sys.executable, str(FOLDER / f"{name}.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["benchmark"] == name
    values = [figure["value"] for figure in found["figures"] if figure["value"] is not None]
    assert values
    assert all(math.isfinite(value) for value in values)
