"""What a cluster costs where none is needed: `--ray local` with 2 samplers against `--num-envs 2`, on the same cores.

- 3DBall, and 3DBall behind a pause of 8 ms a step, official settings: agent steps per second of wall time of
  `mlagents-learn`, from the second summary on, when start and compilation are over. The sides take turns.
- Weights of 1 MB and 50 MB to 64 samplers: one put into Ray's store, and 64 reads of it by 4 processes in turn.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import official
from measure import Figure, ratio

PROGRESS = re.compile(r"Step: (\d+)\. Time Elapsed: ([\d.]+) s")
SLEEPING = str(Path(__file__).with_name("sleeping_environment.py"))
SIDES = {"--num-envs 2": ("--num-envs=2",), "--ray local, 2 samplers": ("--ray=local", "--num-samplers=2")}
SAMPLERS, READERS = 64, 4


def steps_per_second(env: str, flags: tuple[str, ...], max_steps: int) -> float:
    """Return the agent steps per second of wall time of a run, from its second summary to its last."""
    with tempfile.TemporaryDirectory() as folder:
        official.write_configuration(Path(folder) / "run.yaml", max_steps)
        command = [sys.executable, "-m", "mlagents.cli.learn", "run.yaml", f"--env={env}", "--seed=1", *flags]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seen = [(int(step), float(seconds)) for step, seconds in PROGRESS.findall(result.stdout)]
    if len(seen) < 3:
        raise RuntimeError(f"{' '.join(command)}: expected three summaries, got\n{result.stdout}{result.stderr}")
    (first, begin), (last, end) = seen[1], seen[-1]
    return (last - first) / (end - begin)


def overhead(name: str, env: str, max_steps: int, rounds: int) -> list[Figure]:
    """Return the rates of both sides on an environment, and their ratio."""
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side, flags in SIDES.items():
            rates[side].append(steps_per_second(env, flags, max_steps))
    medians = {side: statistics.median(found) for side, found in rates.items()}
    local, cluster = medians.values()
    figures = [Figure(f"{name}: {side}", value, "steps/s") for side, value in medians.items()]
    return [Figure(f"{name}: --ray local / --num-envs", ratio(cluster, local), "x", at_least=0.9), *figures]


def broadcast(megabytes: int) -> list[Figure]:
    """Return how long one put, and a read by every sampler, take."""
    import ray

    @ray.remote(num_cpus=0)
    class Reader:
        def read(self, weights: list[np.ndarray]) -> float:
            return float(weights[0][0])

    readers = [Reader.remote() for _ in range(READERS)]
    weights = [np.ones(megabytes * 2**20 // 4 // 8, np.float32) for _ in range(8)]
    ray.get([reader.read.remote(ray.put(weights)) for reader in readers])
    puts, reads = [], []
    for _ in range(5):
        begin = time.perf_counter()
        reference = ray.put(weights)
        put = time.perf_counter()
        ray.get([readers[sampler % READERS].read.remote(reference) for sampler in range(SAMPLERS)])
        puts.append(put - begin)
        reads.append(time.perf_counter() - put)
    return [
        Figure(f"weights of {megabytes} MB: one put", 1e3 * statistics.median(puts), "ms"),
        Figure(f"weights of {megabytes} MB: until {SAMPLERS} samplers have them", 1e3 * statistics.median(reads), "ms"),
    ]


def main() -> None:
    quick = measure.arguments(__doc__).quick
    steps, rounds = (60_000, 1) if quick else (120_000, 3)
    figures = overhead("3DBall", "3DBall", steps, rounds)
    figures += overhead("3DBall, 8 ms a step", SLEEPING, 60_000, rounds)
    import ray

    ray.init(
        num_cpus=1,
        include_dashboard=False,
        object_store_memory=2**29,
        _node_ip_address="127.0.0.1",
        log_to_driver=False,
    )
    try:
        for megabytes in (1, 50):
            figures += broadcast(megabytes)
    finally:
        ray.shutdown()
    measure.emit("ray_samplers", figures)


if __name__ == "__main__":
    main()
