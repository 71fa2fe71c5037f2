"""3DBall at the official settings: `mlagents-learn` against Stable-Baselines3 and a CleanRL-style loop.

Every system is a process of its own with one compute thread and the same simulation, watched from outside.
CPU seconds are user + system of the whole process tree, imports, compilation and saving included; "steady"
leaves out what comes before the second summary. A peer is ended when its CPU seconds are used up, and what
it reached is reported.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import official
import peer_install
from measure import Figure, arguments, emit, ratio
from observe import Observation, observe
from simulation import ball_cost

PEERS = {"SB3": "peer_sb3.py", "CleanRL-style": "peer_cleanrl.py"}
PARTS = ("reset", "environment", "collect", "act", "learn", "checkpoint")
CPU_CAP_S = 300.0


def train_ours(folder: Path, max_steps: int) -> tuple[Observation, dict[str, Any]]:
    """Train through the command line; return what was seen and the run's timers."""
    configuration = folder / "3DBall.yaml"
    official.write_configuration(configuration, max_steps)
    learn = Path(sys.executable).with_name("mlagents-learn")
    flags = ["--env=3DBall", "--run-id=bench", f"--results-dir={folder}", "--seed=1"]
    command = [str(learn), str(configuration), *flags]
    seen = observe(command, cpu_cap_s=10 * CPU_CAP_S, JAX_COMPILATION_CACHE_DIR=str(folder / "jax"))
    return seen, json.loads((folder / "bench/run_logs/timers.json").read_text())


def split(timers: Mapping[str, Any], steps: int) -> list[Figure]:
    """Return where our wall time went, per agent step, compilation included."""
    children = timers.get("children", {})
    figures = [
        Figure(f"ours: {part}, wall", 1e6 * children[part]["total"] / steps, "us/step")
        for part in PARTS
        if part in children
    ]
    rest = timers["total"] - sum(child["total"] for child in children.values())
    return [*figures, Figure("ours: everything else, start included, wall", 1e6 * rest / steps, "us/step")]


def beside_physics(ours: Observation, physics: float) -> Figure:
    """Return how much CPU there is beside the physics, which takes `physics` us per agent step."""
    steady = ours.steady_steps_per_cpu_s
    beside = ratio(1e6 / steady - physics, physics) if steady else None
    return Figure("ours: everything but physics / physics, steady", beside, "x")


def system_figures(name: str, seen: Observation) -> list[Figure]:
    """Return what there is to say of one system."""
    reached = seen.point_at(official.REWARD_REACHED)
    end = f"after {seen.points[-1].steps} steps" if seen.points else "before the first summary"
    return [
        Figure(f"{name}: agent steps per CPU-second, whole process", seen.steps_per_cpu_s, "1/s"),
        Figure(f"{name}: agent steps per CPU-second, steady", seen.steady_steps_per_cpu_s, "1/s"),
        Figure(f"{name}: CPU seconds to mean reward 90", reached and reached.cpu_s, "s"),
        Figure(f"{name}: agent steps to mean reward 90", reached and reached.steps, "steps"),
        Figure(f"{name}: mean reward {end}", seen.last_reward, ""),
        Figure(f"{name}: CPU seconds{', ended there' if seen.capped else ''}", seen.cpu_s, "s"),
        Figure(f"{name}: wall seconds", seen.wall_s, "s"),
        Figure(f"{name}: resident memory, most", seen.max_memory_mb, "MB"),
        Figure(f"{name}: resident memory, growth over the last half", seen.memory_growth_mb_per_min, "MB/min"),
    ]


def comparison(ours: Observation, peer: str, theirs: Observation) -> list[Figure]:
    """Return ours over theirs; a peer that never reached the reward counts with all its CPU seconds."""
    mine, other = ours.point_at(official.REWARD_REACHED), theirs.point_at(official.REWARD_REACHED)
    bound = "" if other else " (at least: the peer never got there)"
    sooner = ratio(other.cpu_s if other else theirs.cpu_s, mine.cpu_s) if mine else None
    whole = ratio(ours.steps_per_cpu_s, theirs.steps_per_cpu_s)
    steady = ratio(ours.steady_steps_per_cpu_s, theirs.steady_steps_per_cpu_s)
    return [
        Figure(f"ours / {peer}: agent steps per CPU-second, whole process", whole, "x", at_least=6.0),
        Figure(f"ours / {peer}: agent steps per CPU-second, steady", steady, "x", at_least=6.0),
        Figure(f"{peer} / ours: CPU seconds to mean reward 90{bound}", sooner, "x", at_least=6.0),
    ]


def main() -> None:
    quick = arguments(__doc__).quick
    interpreter = peer_install.python()
    max_steps, cap_s = (4 * official.SUMMARY_STEPS, 12.0) if quick else (official.MAX_STEPS, CPU_CAP_S)
    # First, because it also makes sure that the simulation is compiled, for everybody.
    physics = ball_cost(official.AGENTS, 0.5 if quick else 5.0).physics
    with tempfile.TemporaryDirectory() as folder:
        ours, timers = train_ours(Path(folder), max_steps)
    figures = system_figures("ours", ours) + split(timers, max_steps)
    ratios = [beside_physics(ours, physics)]
    for name, script in PEERS.items():
        path = Path(__file__).with_name(script)
        theirs = observe([str(interpreter), str(path), f"--max-steps={max_steps}"], cap_s)
        figures += system_figures(name, theirs)
        ratios += comparison(ours, name, theirs)
    emit("training", ratios + figures)


if __name__ == "__main__":
    main()
