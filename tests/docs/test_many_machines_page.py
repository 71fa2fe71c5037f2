"""The cluster of the page about many machines, as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PAGE = Path(__file__).parents[2] / "docs/many-machines.md"
CONFIG = """\
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 256}
    network_settings: {hidden_units: 20, num_layers: 1}
    max_steps: 100000000
    summary_freq: 1000
"""


def summaries(folder):
    log = folder / "log"
    return log.read_text().count("Step: ") if log.exists() else 0


def await_summaries(folder, count, process):
    until = time.monotonic() + 240
    while summaries(folder) < count:
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.mark.slow
def test_the_cluster_of_two_nodes_runs_as_it_stands_there(tmp_path):
    """Three samplers play on two nodes; the second is killed, and the run goes on with one."""
    pytest.importorskip("ray")
    (example,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "Cluster(" in block)
    (tmp_path / "run.yaml").write_text(CONFIG)
    command = [sys.executable, "-c", example]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as nodes:
        address = next(line.strip() for line in nodes.stdout if re.fullmatch(r"127\.0\.0\.1:\d+\n", line))
        of_ray = psutil.Process(nodes.pid).children(recursive=True)
        flags = ["--results-dir=results", "--run-id=r", f"--ray={address}", "--num-samplers=3"]
        learn = [sys.executable, "-m", "mlagents.cli.learn", "run.yaml", "--env=Basic", *flags]
        with (
            (tmp_path / "log").open("w") as log,
            subprocess.Popen(learn, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT) as run,
        ):
            await_summaries(tmp_path, 3, run)
            nodes.stdin.write("\n")
            nodes.stdin.flush()
            until = time.monotonic() + 60
            while "is lost, and another starts in its place" not in (tmp_path / "log").read_text():
                assert time.monotonic() < until
                time.sleep(0.2)
            await_summaries(tmp_path, summaries(tmp_path) + 3, run)
            run.terminate()
            assert run.wait(120) == 0
        nodes.stdin.write("\n")
        nodes.stdin.flush()
        assert nodes.wait(60) == 0
    assert not [process for process in of_ray if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
