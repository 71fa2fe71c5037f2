"""SAC and PPO on Pendulum-v1: `mlagents-learn` against RLtools (compiled C++) and Stable-Baselines3.

SAC with one environment and an update of 128 rows a step; PPO with 64 environments, 2,048 decisions an update, 10
epochs of 128 rows. Every system is a process of its own with one compute thread, steps Gymnasium's own Pendulum and is
watched from outside, as in `training`. What counts is the CPU time of a step from the second summary on: starting,
compiling and the first update are over. All systems take turns. RLtools needs a C++ compiler and OpenBLAS; where they
are missing, that is said and its figures are left out.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import classic_control
import measure
import peer_install
from classic_control import Task
from measure import Figure, ratio
from observe import Observation, observe

RLTOOLS, SB3 = "RLtools", "SB3"
PEERS = {RLTOOLS: "peer_control_rltools.py", SB3: "peer_control_sb3.py"}
CASES = {"sac": "SAC, Pendulum, 1 copy", "ppo": "PPO, Pendulum, 64 copies"}
TARGETS = {("sac", RLTOOLS): 1.2, ("ppo", RLTOOLS): 1.5, ("sac", SB3): 10.0}
"""Of RLtools' time at most; of Stable-Baselines3's time as a multiple of ours at least."""

CPU_CAP_S = 600.0


class Length(NamedTuple):
    """How far a run goes, and how often it says where it is, in steps."""

    max_steps: int
    summary_freq: int


LENGTHS = {"sac": Length(12_000, 1_000), "ppo": Length(131_072, 16_384)}
QUICK = {"sac": Length(3_000, 500), "ppo": Length(32_768, 8_192)}
SB3_LENGTHS = {"sac": Length(2_000, 500), "ppo": Length(20_480, 4_096)}
"""What a step costs there is known sooner; the second summary comes after the first updates, as with the others."""


def our_command(task: Task, length: Length, seed: int, folder: Path) -> list[str]:
    """Return the command that trains, after writing its configuration into the folder."""
    name, section = task.behavior()
    section |= length._asdict() | {"checkpoint_interval": 10 * length.max_steps}
    configuration = folder / "control.yaml"
    configuration.write_text(json.dumps({"behaviors": {name: section}}))
    learn = Path(sys.executable).with_name("mlagents-learn")
    flags = [f"--env=gym:{task.env_id}", f"--num-areas={task.copies}", "--run-id=bench", f"--seed={seed}"]
    return [str(learn), str(configuration), f"--results-dir={folder}", "--force", *flags]


def train(name: str, key: str, length: Length, seed: int, folder: Path) -> Observation:
    """Let a system learn a task: "ours" or one of `PEERS`; compiled code of ours is kept in the folder."""
    if name == "ours":
        command = our_command(classic_control.TASKS[key], length, seed, folder)
        return observe(command, CPU_CAP_S, JAX_COMPILATION_CACHE_DIR=str(folder / "jax"))
    script = Path(__file__).with_name(PEERS[name])
    flags = [f"--max-steps={length.max_steps}", f"--summary-freq={length.summary_freq}", f"--seed={seed}"]
    return observe([str(peer_install.python()), str(script), key, *flags], CPU_CAP_S)


def usable_peers() -> list[str]:
    """Return the peers that can run here; what is lacking for RLtools is said on the screen."""
    script = Path(__file__).with_name(PEERS[RLTOOLS])
    found = subprocess.run([str(peer_install.python()), str(script), "--check"], capture_output=True, text=True)
    if found.returncode == 0:
        return list(PEERS)
    print((found.stderr.strip().splitlines() or ["RLtools cannot be used here."])[-1], file=sys.stderr)
    return [SB3]


def measured(key: str, peers: list[str], rounds: int, quick: bool, folder: Path) -> dict[str, float]:
    """Return the median CPU microseconds of a step by system, all taking turns."""
    found: dict[str, list[float]] = {name: [] for name in (*peers, "ours")}
    for turn in range(rounds):
        for name, times in found.items():
            lengths = SB3_LENGTHS if name == SB3 else QUICK if quick else LENGTHS
            us = ratio(1e6, train(name, key, lengths[key], turn + 1, folder).steady_steps_per_cpu_s)
            if us is None:
                raise RuntimeError(f"{name} said less than three times where it was in {lengths[key].max_steps} steps")
            times.append(us)
    return {name: statistics.median(times) for name, times in found.items()}


def figures(key: str, us: dict[str, float]) -> list[Figure]:
    """Return the ratios, then what a step costs with every system."""
    what = f"CPU of a step, {CASES[key]}"
    ratios = []
    if RLTOOLS in us:
        most = TARGETS[key, RLTOOLS]
        ratios.append(Figure(f"ours / {RLTOOLS}: {what}", us["ours"] / us[RLTOOLS], "x", at_most=most))
    least = TARGETS.get((key, SB3))
    ratios.append(Figure(f"{SB3} / ours: {what}", us[SB3] / us["ours"], "x", at_least=least))
    return ratios + [Figure(f"{name}: {what}", value, "us") for name, value in us.items()]


def main() -> None:
    quick = measure.arguments(__doc__).quick
    peers, found = usable_peers(), []
    with tempfile.TemporaryDirectory() as folder:
        for key in CASES:
            found += figures(key, measured(key, peers, 1 if quick else 3, quick, Path(folder)))
    measure.emit("control", sorted(found, key=lambda figure: figure.unit != "x"))


if __name__ == "__main__":
    main()
