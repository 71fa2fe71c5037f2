"""What survives on a cluster where something is killed all the time: 3DBall, two samplers.

- A sampler's process is killed every 10 s, for 3 minutes.
- A node is killed every 30 s, for 3 minutes, and another one added.

Each step sleeps 8 ms, as if it was played by a Unity build on another core. An undisturbed run of as many agent steps
is put beside it: the mean reward of the last five summaries must be as good. Settings are the official ones, but for a
constant learning rate. Nothing may be left running. The cluster is one of this machine: a head and two nodes, on
127.0.0.1.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import official
import psutil
from measure import Figure

SLEEPING = str(Path(__file__).with_name("sleeping_environment.py"))
STORE = {"object_store_memory": 100 * 2**20}
MARK = "MLAGENTS_RAY_KILLS"
RAYS_OWN = ("/site-packages/ray/", "ray::IDLE")
MOST_STEPS = 10_000_000
LAST = 5

Curve = list[tuple[int, float]]
"""Steps and mean rewards."""


@contextmanager
def nodes() -> Iterator[Any]:
    """Yield a cluster of a head, which has no room for samplers, and two nodes with room for both each."""
    from ray._private import ray_constants
    from ray.cluster_utils import Cluster

    ray_constants.ENABLE_RAY_CLUSTER = False  # which makes Ray listen on 127.0.0.1 only
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **STORE})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=2, **STORE)
        yield cluster
    finally:
        cluster.shutdown()


def programs() -> list[psutil.Process]:
    """Return all processes on the nodes but Ray's own."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = " ".join(process.cmdline())
            is_ours = process.environ().get(MARK) == os.environ[MARK] and process.pid != os.getpid()
            if is_ours and words and not any(part in words for part in RAYS_OWN):
                found.append(process)
    return found


def kill_a_sampler(_: Any) -> None:
    """Kill the process of one of the samplers."""
    samplers = [process for process in programs() if "ray::RemoteSampler" in " ".join(process.cmdline())]
    if samplers:
        random.choice(samplers).kill()


def kill_a_node(cluster: Any) -> None:
    """Kill a node, and add another."""
    victim = random.choice([node for node in cluster.list_all_nodes() if node is not cluster.head_node])
    cluster.remove_node(victim, allow_graceful=False)
    cluster.add_node(num_cpus=2, **STORE)


def curve(folder: Path) -> Curve:
    """Return steps and mean rewards of a run so far."""
    try:
        lines = (folder / "results/r/statistics.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        record = json.loads(line)
        value = record.get("stats", {}).get("Environment/Cumulative Reward", {}).get("value")
        if value is not None:
            found.append((record["step"], value))
    return found


def played(folder: Path, cluster: Any, max_steps: int, disturb: Callable[[float], bool]) -> int:
    """Run `mlagents-learn` to its end, or until `disturb`, told the seconds since its first summary, returns True."""
    behavior = official.behavior(learning_rate_schedule="constant") | {"max_steps": max_steps}
    (folder / "run.yaml").write_text(json.dumps({"behaviors": {"3DBall": behavior}}))
    flags = ["--results-dir=results", "--run-id=r", "--jsonl", "--seed=1", "--num-samplers=2", "--timeout-wait=120"]
    command = [sys.executable, "-m", "mlagents.cli.learn", "run.yaml", f"--env={SLEEPING}", *flags]
    with (folder / "log").open("w") as log:
        driver = subprocess.Popen([*command, f"--ray={cluster.address}"], cwd=folder, stdout=log, stderr=log)
    begin = None
    while driver.poll() is None:
        time.sleep(0.1)
        if begin is None and curve(folder):
            begin = time.monotonic()
        if begin is not None and disturb(time.monotonic() - begin):
            driver.send_signal(signal.SIGINT)
            driver.wait(120)
    print((folder / "log").read_text()[-2000:], file=sys.stderr)
    return driver.returncode


class Disturbed(NamedTuple):
    """What became of a run where something is killed all the time."""

    name: str
    curve: Curve
    kills: int
    exit_code: int
    orphans: int


def disturbed(name: str, kill: Callable[[Any], None], every_s: float, seconds: float) -> Disturbed:
    """Run, and kill something every few seconds."""
    kills = 0

    def disturb(elapsed_s: float) -> bool:
        nonlocal kills
        if elapsed_s > every_s * (kills + 1):
            kill(cluster)
            kills += 1
        return elapsed_s > seconds

    with tempfile.TemporaryDirectory() as folder, nodes() as cluster:
        exit_code = played(Path(folder), cluster, MOST_STEPS, disturb)
        time.sleep(2)
        return Disturbed(name, curve(Path(folder)), kills, exit_code, len(programs()))


def undisturbed(max_steps: int) -> Curve:
    """Run as long, without any disturbance."""
    with tempfile.TemporaryDirectory() as folder, nodes() as cluster:
        played(Path(folder), cluster, max_steps, lambda _: False)
        return curve(Path(folder))


def last_reward(found: Curve, steps: int) -> float:
    """Return the mean of the last summaries up to a step."""
    return statistics.fmean([value for step, value in found if step <= steps][-LAST:])


def figures_of(run: Disturbed, beside: Curve) -> list[Figure]:
    """Return the figures of a disturbed run, with an undisturbed one beside it."""
    steps = run.curve[-1][0]
    reward, expected = last_reward(run.curve, steps), last_reward(beside, steps)
    return [
        Figure(f"{run.name}: reward / undisturbed", reward / expected, "x", at_least=0.95),
        Figure(f"{run.name}: mean reward at {steps} steps", reward, "reward"),
        Figure(f"{run.name}: undisturbed", expected, "reward"),
        Figure(f"{run.name}: kills", run.kills, "kills"),
        Figure(f"{run.name}: exit code", run.exit_code, "", at_most=0),
        Figure(f"{run.name}: processes left", run.orphans, "processes", at_most=0),
    ]


def main() -> None:
    quick = measure.arguments(__doc__).quick
    seconds = 40 if quick else 180
    os.environ[MARK] = uuid.uuid4().hex
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    runs = [
        disturbed("a sampler every 10 s", kill_a_sampler, 10, seconds),
        disturbed("a node every 30 s", kill_a_node, 30, seconds),
    ]
    print(runs, file=sys.stderr)
    beside = undisturbed(max(run.curve[-1][0] for run in runs))
    figures = [figure for run in runs for figure in figures_of(run, beside)]
    left = len(programs())
    measure.emit("ray_kills", [*figures, Figure("processes left at the end", left, "processes", at_most=0)])


if __name__ == "__main__":
    main()
