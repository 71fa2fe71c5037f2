"""The notebooks run from the first cell to the last, and their numbers are those of agents that have learned."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = ("getting-started", "self-play", "your-own-environment")


def test_these_are_all_notebooks_and_none_has_outputs():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)
    for path in FOLDER.glob("*.ipynb"):
        assert '"output_type"' not in path.read_text(), f"{path.name}: clear its outputs"


@pytest.fixture
def printed(opengl, tmp_path, monkeypatch):
    """Execute a notebook in an empty folder and return what its cells print."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")

    def execute(name):
        notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
        nbclient.NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": str(tmp_path)}}).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        assert not [output for output in outputs if output["output_type"] == "error"]
        text = "".join(output.get("text", "") for output in outputs)
        assert "Traceback" not in text
        assert "error:" not in text
        return re.sub(r"\x1b\[[0-9;]*m", "", text)

    return execute


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_getting_started(printed):
    text = printed("getting-started")
    random, expert, mine = map(int, re.findall(r"(\d+) (?:episodes, |balls fell)", text))
    assert expert == 0
    assert mine < random / 3


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_your_own_environment(printed):
    text = printed("your-own-environment")
    assert re.search(r"-0.8 left\n-0.1 left\n0.1 right\n0.8 right", text)
    chance, learned = (float(found) for found in re.findall(r"Seeker\?team=0\t(-?\d+\.\d+)", text))
    assert learned > 0.8 > chance


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_self_play(printed):
    text = printed("self-play")
    assert "Tug:4" in text
    assert "matrix.png" in text
    wins, draws, losses = map(int, re.findall(r"together\t(\d+)\t(\d+)\t(\d+)\t", text)[0])
    assert wins + draws + losses >= 200
    assert wins > 3 * losses
