"""How soon Pendulum-v1 and CartPole-v1 are learned with `mlagents-learn`, RLtools and Stable-Baselines3.

    .venv/bin/python -m pip install -e '.[bench]'
    .venv/bin/python benchmarks/control_curves.py --into docs/images

No benchmark of `run.py`: it takes some 20 minutes. Everybody has the settings of `config/gym` and three seeds, is
watched from outside, and pays for starting; ours and RLtools' have compiled before. It prints a table of steps and
CPU-seconds to a mean reward, and draws a picture per task: mean rewards over steps, and over CPU-seconds.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from pathlib import Path

import classic_control
import measure  # noqa: F401  # settles the number of threads
from control import RLTOOLS, SB3, Length, train, usable_peers
from observe import Observation

SEEDS = (1, 2, 3)
LENGTHS = {
    "sac": Length(12_000, 1_000),
    "ppo": Length(163_840, 8_192),
    "cartpole": Length(100_352, 4_096),
}
SB3_SAC = Length(8_000, 1_000)
"""Twelve times as slow a step; it has learned by then."""

TITLES = {"sac": "SAC, Pendulum-v1", "ppo": "PPO, Pendulum-v1, 64 copies", "cartpole": "PPO, CartPole-v1, 8 copies"}
COLORS = {"ours": "tab:blue", RLTOOLS: "tab:green", SB3: "tab:orange"}

Runs = dict[str, list[Observation]]


def learn(key: str, peers: list[str], quick: bool, folder: Path) -> Runs:
    """Return the runs of all systems on a task, seeds taking turns; a first one of ours and RLtools' only compiles."""
    names = [name for name in ("ours", *peers) if not (name == RLTOOLS and key == "cartpole")]  # it knows no branches
    for name in names:
        if name != SB3:
            train(name, key, Length(LENGTHS[key].summary_freq, LENGTHS[key].summary_freq), 1, folder)
    runs: Runs = {name: [] for name in names}
    for seed in SEEDS[:1] if quick else SEEDS:
        for name in names:
            length = SB3_SAC if (name, key) == (SB3, "sac") else LENGTHS[key]
            runs[name].append(train(name, key, length, seed, folder))
    return runs


def row(title: str, name: str, runs: list[Observation], reward: float) -> str:
    """Return a row of the table: median steps and CPU-seconds to the reward, and the least and the most of both."""
    points = [point for seen in runs if (point := seen.point_at(reward)) is not None]
    reached = f"{len(points)} of {len(runs)}"
    if not points:
        return f"| {title} | {reward:g} | {name} | {reached} | - | - |"
    steps, seconds = [point.steps for point in points], [point.cpu_s for point in points]
    steps_text = f"{statistics.median(steps):,.0f} ({min(steps):,} to {max(steps):,})"
    seconds_text = f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
    return f"| {title} | {reward:g} | {name} | {reached} | {steps_text} | {seconds_text} |"


def draw(title: str, runs: Runs, reward: float, path: Path) -> None:
    """Draw all mean rewards of a task, over steps and over CPU-seconds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (by_steps, by_seconds) = pyplot.subplots(1, 2, figsize=(8.0, 3.0), sharey=True, layout="constrained")
    for name, seen in runs.items():
        for number, run in enumerate(seen):
            points = [point for point in run.points if not math.isnan(point.reward)]  # no episode ended in between
            rewards, label = [point.reward for point in points], name if number == 0 else None
            steps = [point.steps / 1000.0 for point in points]
            by_steps.plot(steps, rewards, color=COLORS[name], linewidth=1.0, label=label)
            by_seconds.plot([point.cpu_s for point in points], rewards, color=COLORS[name], linewidth=1.0)
    for axes in (by_steps, by_seconds):
        axes.axhline(reward, color="grey", linewidth=0.8, linestyle="--")
    by_steps.set(title=title, xlabel="steps, thousands", ylabel="mean episode reward")
    by_seconds.set(xlabel="CPU-seconds, start included", xscale="log")
    by_steps.legend(fontsize="small")
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=Path("docs/images"), metavar="FOLDER", help="default: docs/images")
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument("--only", action="append", choices=LENGTHS, metavar="TASK", help=", ".join(LENGTHS))
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    peers = usable_peers()
    print("| task | mean reward | system | seeds that reached it | steps | CPU-seconds |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for key in arguments.only or LENGTHS:
            runs, reward = learn(key, peers, arguments.quick, Path(folder)), classic_control.TASKS[key].reward
            for name, seen in runs.items():
                print(row(TITLES[key], name, seen, reward), flush=True)
            draw(TITLES[key], runs, reward, arguments.into / f"control-{key}.png")


if __name__ == "__main__":
    main()
