"""A run whose environment processes keep dying learns as if nothing had happened."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]
SECONDS, EVERY = 180, 20


def worker_processes(run):
    """Return the environment processes: those of the trainer's children that use the most memory."""
    children = [c for c in psutil.Process(run.pid).children() if c.status() != psutil.STATUS_ZOMBIE]
    return sorted(children, key=lambda child: child.memory_info().rss)[-4:]


@pytest.mark.slow
def test_one_of_four_workers_killed_every_20_seconds(tmp_path):
    config = (ROOT / "config/ppo/3DBall.yaml").read_text()
    config = config.replace("max_steps: 500000", "max_steps: 100000000\n    checkpoint_interval: 200000")
    assert "100000000" in config
    (tmp_path / "ball.yaml").write_text(config)
    flags = ["--max-lifetime-restarts=-1", "--restarts-rate-limit-n=-1", "--num-envs=4", "--results-dir=out"]
    argv = [sys.executable, "-m", "mlagents.cli.learn", "ball.yaml", "--env=3DBall", "--run-id=r", "--seed=1", *flags]
    log = tmp_path / "log"
    with log.open("w") as file:
        run = subprocess.Popen(argv, cwd=tmp_path, stdout=file, stderr=subprocess.STDOUT)
    killed = []
    started = time.monotonic()
    while time.monotonic() - started < SECONDS:
        time.sleep(EVERY)
        assert run.poll() is None, log.read_text()[-2000:]
        victim = worker_processes(run)[len(killed) % 4]
        victim.kill()
        killed.append(victim.pid)
    time.sleep(5)  # for the last one to come back
    family = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=30) == 0
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    text = log.read_text()
    assert text.count("it is restarted") == len(killed) >= 8
    summaries = [line for line in text.splitlines() if "Mean Reward" in line]
    means = [float(line.split("Mean Reward: ")[1].split(". ")[0]) for line in summaries]
    assert sum(means[-20:]) / 20 >= 95, means[-20:]
    entries = json.loads((tmp_path / "out/r/run_logs/training_status.json").read_text())["3DBall"]["checkpoints"]
    for entry in entries:
        assert (tmp_path / "out/r/3DBall" / f"3DBall-{entry['steps']}.safetensors").is_file()
    assert len(entries) == min(5, entries[-1]["steps"] // 200_000 + 1)  # with the last one, when it was stopped
