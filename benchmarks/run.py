"""Run the benchmarks one after another, each in a process of its own; print one table.

The figures are kept as JSON in `results/`. `make bench` runs them all.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).resolve().parent
BENCHMARKS = (
    "startup",
    "acting",
    "bookkeeping",
    "simulation",
    "fidelity",
    "update",
    "sac_update",
    "control",
    "imitation",
    "poca",
    "self_play",
    "encoders",
    "lstm",
    "device",
    "exchange",
    "training",
    "many_agents",
)
VERSIONS = ("mlagents-jax", "jax", "numpy", "mujoco", "numba")


def run(name: str, quick: bool) -> dict[str, Any]:
    """Run one benchmark and return what it printed on its last line.

    Raises:
      subprocess.CalledProcessError: it failed; its messages are on the screen.
    """
    command = [sys.executable, str(FOLDER / f"{name}.py"), *(["--quick"] if quick else [])]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(finished.stdout.splitlines()[-1])


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    revision = subprocess.run(["git", "-C", str(FOLDER), "rev-parse", "HEAD"], capture_output=True, text=True)
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": os.cpu_count(),
        "load": psutil.getloadavg(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in VERSIONS},
        "revision": revision.stdout.strip(),
    }


def verdict(figure: dict[str, Any]) -> tuple[str, str]:
    """Return a figure's target and whether it was met, as the table has them."""
    value, least, most = figure["value"], figure["at_least"], figure["at_most"]
    target = f">= {least:g}" if least is not None else f"<= {most:g}" if most is not None else ""
    if not target or value is None:
        return target, ""
    met = value >= least if least is not None else value <= most
    return target, "[green]yes[/]" if met else "[red]no[/]"


def table(results: list[dict[str, Any]]) -> Table:
    """Return all figures as one table."""
    columns = Table("benchmark", "figure", title="Benchmarks")
    columns.add_column("value", justify="right")
    for title in ("unit", "target", "met"):
        columns.add_column(title)
    for result in results:
        for row, figure in enumerate(result["figures"]):
            value = "-" if figure["value"] is None else f"{figure['value']:,.4g}"
            if figure["value"] is not None and abs(figure["value"]) >= 1000:
                value = f"{figure['value']:,.0f}"
            name = "" if row else result["benchmark"]
            columns.add_row(name, figure["name"], value, figure["unit"], *verdict(figure))
        columns.add_section()
    return columns


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures mean little")
    arguments = parser.parse_args()
    now = datetime.datetime.now().astimezone()
    record: dict[str, Any] = {
        "date": now.isoformat(),
        "quick": arguments.quick,
        "machine": machine(),
        "results": [],
    }
    failed = []
    for name in arguments.only or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            record["results"].append(run(name, arguments.quick))
        except subprocess.CalledProcessError:
            failed.append(name)
    Console(width=None if sys.stdout.isatty() else 140).print(table(record["results"]))
    path = FOLDER / "results" / f"{now:%Y-%m-%d-%H%M%S}.json"
    path.write_text(json.dumps(record, indent=2) + "\n")
    print(f"Written to {path.relative_to(FOLDER.parent)}")
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
