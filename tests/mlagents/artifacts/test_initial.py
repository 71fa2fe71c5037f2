"""Which file an `init_path` means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlagents.artifacts.checkpoints import CheckpointError, Checkpoints
from mlagents.artifacts.initial import find_state, read_initial
from mlagents.artifacts.layout import Layout
from mlagents.artifacts.state_file import write_state


@pytest.fixture
def run(tmp_path):
    layout = Layout("other", tmp_path)
    for step in (9, 10, 2):
        write_state(
            layout.checkpoint("Ball/1", step, ".safetensors"), {"tensors": {"w": np.full(2, step)}, "steps": step}
        )
    return Checkpoints(layout)


def test_a_file(run):
    path = run.folder("Ball/1") / sorted(p.name for p in run.folder("Ball/1").iterdir())[0]
    assert find_state(path, "Ball/1", None) == path
    assert read_initial(path).state["steps"] == 10
    assert read_initial(path).origin == str(path)


def test_the_newest_in_a_folder_by_number(run):
    assert read_initial(find_state(run.folder("Ball/1"), "Ball/1", None)).state["steps"] == 10


def test_a_name_in_the_run_of_initialize_from(run):
    name = next(p.name for p in run.folder("Ball/1").iterdir() if "-9." in p.name)
    assert read_initial(find_state(Path(name), "Ball/1", run)).state["steps"] == 9
    with pytest.raises(CheckpointError, match="does not exist"):
        find_state(Path(name), "Ball/1", None)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a checkpoint of PyTorch", b"\x00" * 64])
def test_another_kind_of_file(tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt cannot be read.*\.safetensors"):
        read_initial(find_state(path, "B", None))
