"""How long a run takes to begin, and what compiling costs the first time and from the caches.

The first run finds both caches of compiled code (JAX and numba) empty, the second finds them full. Times
count from the moment the process is started; compilation is what JAX reports of tracing, lowering,
compiling and cache reads.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import Figure, arguments, emit


def help_s() -> float:
    """Return the wall seconds of `mlagents-learn --help`."""
    start = time.perf_counter()
    learn = Path(sys.executable).with_name("mlagents-learn")
    subprocess.run([str(learn), "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def probe(caches: Path) -> dict[str, Any]:
    """Run 3DBall for one update in a fresh process and return what it saw."""
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(caches / "jax"),
        "NUMBA_CACHE_DIR": str(caches / "numba"),
    }
    command = [sys.executable, str(Path(__file__).with_name("startup_probe.py"))]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(finished.stdout.splitlines()[-1])


def main() -> None:
    quick = arguments(__doc__).quick
    helps = [help_s() for _ in range(2 if quick else 7)]
    figures = [Figure("mlagents-learn --help, wall", statistics.median(helps[1:]), "s")]
    with tempfile.TemporaryDirectory() as folder:
        for label in ("first run", "second run"):
            seen = probe(Path(folder))
            figures += [
                Figure(f"{label}: to the first environment step, wall", seen["first_step_wall_s"], "s"),
                Figure(f"{label}: to the first environment step, CPU", seen["first_step_cpu_s"], "s"),
                Figure(f"{label}: 13,000 steps with one update, CPU", seen["whole_cpu_s"], "s"),
                Figure(f"{label}: JAX compilation", seen["compile_s"], "s"),
                Figure(f"{label}: JAX compilations", seen["compilations"], ""),
            ]
    emit("startup", figures)


if __name__ == "__main__":
    main()
