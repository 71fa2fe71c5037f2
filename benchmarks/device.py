"""When a GPU pays: PPO updates and acting on the CPU and on the GPU, for growing networks, batches and images.

Wall time of what `--device cpu` and `--device gpu` do, each in a process of its own, transfers included. Policies that
see numbers only act in numpy on either device. Without a GPU the CPU alone is measured, and that is said.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from measure import Figure

PROBE = Path(__file__).with_name("device_probe.py")
HIDDEN_UNITS, BATCHES, AGENTS = (64, 256, 1024), (64, 1024, 4096), (16, 128, 1024)
SIDE, IMAGE_BATCHES, IMAGE_AGENTS = 84, (16, 64, 256), (4, 16, 64)
ENCODERS = ("simple", "nature_cnn")


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Attributes:
      series: what it belongs to; along a series, `size` grows.
      size: what grows.
      what: "update" (of a minibatch) or "act" (for all agents).
      rows: of the minibatch, or agents.
      network: `network_settings`.
      image_side: pixels of the image that is seen; None for 32 numbers.
    """

    series: str
    size: int
    what: str
    rows: int
    network: dict[str, Any]
    image_side: int | None = None


def cases() -> list[Case]:
    """Return all cases, series after series."""
    found = []
    for rows in BATCHES:
        series = f"update of {rows} rows, 2 layers of that many units"
        found += [Case(series, units, "update", rows, {"hidden_units": units}) for units in HIDDEN_UNITS]
    for agents in AGENTS:
        series = f"acting for {agents} agents, 2 layers of that many units"
        found += [Case(series, units, "act", agents, {"hidden_units": units}) for units in HIDDEN_UNITS]
    for encoder in ENCODERS:
        network = {"vis_encode_type": encoder}
        for what, sizes, name in (("update", IMAGE_BATCHES, "update"), ("act", IMAGE_AGENTS, "acting")):
            series = (
                f"{name} with {SIDE}x{SIDE} images ({encoder}), that many {'rows' if what == 'update' else 'agents'}"
            )
            found += [Case(series, rows, what, rows, network, SIDE) for rows in sizes]
    return found


def measured(device: str, chosen: list[Case], rounds: int) -> list[float] | None:
    """Return the seconds of each case on a device; None if there is no such device, which is said.

    Raises:
      subprocess.CalledProcessError: the measurement failed; its messages are on the screen.
    """
    environment = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    command = [sys.executable, str(PROBE), device, str(rounds), json.dumps([asdict(case) for case in chosen])]
    finished = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    answer = json.loads(finished.stdout.splitlines()[-1])
    if "missing" in answer:
        print(f"device: NO GPU, so only the CPU is measured. {answer['missing']}", file=sys.stderr, flush=True)
        return None
    return answer["seconds"]


def crossing(sizes: list[int], cpu: list[float], gpu: list[float]) -> int | None:
    """Return the size from which on the GPU is faster; None if it is not even at the largest."""
    faster = [g < c for c, g in zip(cpu, gpu, strict=True)]
    tail = next((i for i in reversed(range(len(faster))) if not faster[i]), -1) + 1
    return sizes[tail] if tail < len(sizes) else None


def main() -> None:
    quick = measure.arguments(__doc__).quick
    chosen, rounds = cases(), 5
    if quick:
        chosen, rounds = [case for case in chosen if case.rows <= 128 and case.size <= 256], 1
    cpu = measured("cpu", chosen, rounds)
    assert cpu is not None
    gpu = measured("gpu", chosen, rounds)
    figures = []
    if gpu is None:
        figures.append(Figure("no GPU here: only the CPU was measured", 0, "GPUs"))
    for series in dict.fromkeys(case.series for case in chosen):
        at = [i for i, case in enumerate(chosen) if case.series == series]
        sizes = [chosen[i].size for i in at]
        if gpu is not None:
            from_size = crossing(sizes, [cpu[i] for i in at], [gpu[i] for i in at])
            figures.append(Figure(f"{series}: the GPU is faster from", from_size, "size"))
        for i in at:
            figures.append(Figure(f"{series}, {chosen[i].size}: CPU", 1e3 * cpu[i], "ms"))
            if gpu is not None:
                figures.append(Figure(f"{series}, {chosen[i].size}: GPU", 1e3 * gpu[i], "ms"))
    measure.emit("device", figures)


if __name__ == "__main__":
    main()
