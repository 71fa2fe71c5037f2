"""Draw the mean episode rewards of runs over their steps: one picture per environment.

    .venv/bin/python -m pip install -e '.[bench]'
    .venv/bin/python benchmarks/curves.py results --into docs/images

Runs are told apart by their ids, ENV-SEED. Their tables are looked for in the folders of `--results-dir`
(`<run id>/<behavior>/statistics.csv`) and of the 2020 layout (`<run id>_<behavior>.csv`).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mlagents_envs.registry import default_registry

STEPS, REWARD, OF_GROUP = "Steps", "Environment/Cumulative Reward", "Environment/Group Cumulative Reward"


class Curve(NamedTuple):
    """The mean rewards of one behavior in one run.

    Attributes:
      environment: its name.
      label: behavior and seed.
      steps: agent steps, one per row of the table.
      rewards: mean rewards, own and of the group, of the episodes that ended since the row before.
    """

    environment: str
    label: str
    steps: list[int]
    rewards: list[float]


def find_tables(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Give run id, behavior and file of all tables in a folder."""
    for path in sorted(folder.glob("*/*/statistics.csv")):
        yield path.parents[1].name, path.parent.name, path
    for path in sorted(folder.glob("*_*.csv")):
        run_id, _, behavior = path.stem.partition("_")
        yield run_id, behavior, path


def read(run_id: str, behavior: str, path: Path) -> Curve:
    """Read a table; rows without an episode are left out."""
    environment, _, seed = run_id.partition("-")
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[REWARD] != "None"]
    label = f"{behavior}, seed {seed}" if seed else behavior
    return Curve(environment, label, [int(row[STEPS]) for row in rows], [_reward(row) for row in rows])


def _reward(row: dict[str, str]) -> float:
    of_group = row.get(OF_GROUP, "None")
    return float(row[REWARD]) + (0.0 if of_group == "None" else float(of_group))


def draw(environment: str, curves: list[Curve], path: Path) -> None:
    """Draw the curves of one environment and a line for its benchmark."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.0, 3.0), layout="constrained")
    for curve in curves:
        axes.plot([step / 1000.0 for step in curve.steps], curve.rewards, linewidth=1.0, label=curve.label)
    benchmark = default_registry[environment].expected_reward
    axes.axhline(benchmark, color="grey", linewidth=0.8, linestyle="--", label=f"benchmark {benchmark:g}")
    axes.set(title=environment, xlabel="agent steps, thousands", ylabel="mean episode reward")
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of results, or of summaries")
    parser.add_argument("--into", type=Path, default=Path("docs/images"), metavar="FOLDER", help="default: docs/images")
    arguments = parser.parse_args()
    curves: dict[str, list[Curve]] = {}
    for folder in arguments.folders:
        for table in find_tables(folder):
            curve = read(*table)
            if curve.environment in default_registry:
                curves.setdefault(curve.environment, []).append(curve)
    arguments.into.mkdir(parents=True, exist_ok=True)
    for environment, found in curves.items():
        path = arguments.into / f"curve-{environment}.png"
        draw(environment, found, path)
        print(path)


if __name__ == "__main__":
    main()
