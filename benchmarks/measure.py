"""What all benchmarks share: one compute thread, CPU time, fair turns, and the line of JSON they print.

Import this before numpy, jax or torch: they read the number of threads when they are loaded.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"):
    os.environ[_name] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

_BLOCK_S = 0.01


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
      name: what was measured.
      value: the number; None where there is none, for example because a peer never got there.
      unit: of the value; "x" for a ratio of two figures of the same run.
      at_least: smallest value that meets the target, or None.
      at_most: largest value that meets the target, or None.
    """

    name: str
    value: float | None
    unit: str
    at_least: float | None = None
    at_most: float | None = None


def arguments(description: str | None, **flags: str) -> argparse.Namespace:
    """Parse what every benchmark takes, `--quick`, and flags of its own, which are given with their help."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a smoke run of seconds; its figures mean little")
    for name, meaning in flags.items():
        parser.add_argument(f"--{name}", action="store_true", help=meaning)
    return parser.parse_args()


def emit(benchmark: str, figures: Sequence[Figure]) -> None:
    """Print the benchmark's line of JSON."""
    print(json.dumps({"benchmark": benchmark, "figures": [asdict(f) for f in figures]}), flush=True)


def ratio(above: float | None, below: float | None) -> float | None:
    """Return above / below, None where one of them is missing."""
    return None if above is None or not below else above / below


def cpu_us(functions: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Return the median CPU microseconds (user + system, all threads) of one call of each function.

    The functions take turns in blocks of some 10 ms, so that what else the machine does meets all of them.

    Args:
      functions: by name; each is called once beforehand.
      seconds: wall time for all of them together.
    """
    calls = {name: _calls_per_block(function) for name, function in functions.items()}
    samples: dict[str, list[float]] = {name: [] for name in functions}
    stop, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < stop or rounds < 3:
        rounds += 1
        for name, function in functions.items():
            start = time.process_time()
            for _ in range(calls[name]):
                function()
            samples[name].append((time.process_time() - start) / calls[name])
    return {name: 1e6 * statistics.median(times) for name, times in samples.items()}


def _calls_per_block(function: Callable[[], object]) -> int:
    function()
    start = time.perf_counter()
    function()
    return max(1, int(_BLOCK_S / (time.perf_counter() - start)))
