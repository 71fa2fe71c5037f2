"""A 3DBall run of one update that prints when things happened; started by `startup.py`."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import official
import psutil

from mlagents import process


def main() -> None:
    found: dict[str, Any] = {"compile_s": 0.0, "compilations": 0}
    process.configure()
    logging.disable(logging.INFO)
    import jax

    from mlagents.settings import load_run_settings
    from mlagents.training.build import build
    from mlagents_sim.environment import SimEnvironment

    def compiled(event: str, seconds: float, **_: Any) -> None:
        if event.startswith(("/jax/core/compile/", "/jax/compilation_cache/cache_retrieval_time")):
            found["compile_s"] += seconds
            found["compilations"] += event.endswith("backend_compile_duration")

    step = SimEnvironment.step

    def first_step(env: SimEnvironment) -> None:
        step(env)
        SimEnvironment.step = step
        found["first_step_wall_s"] = time.time() - psutil.Process().create_time()
        found["first_step_cpu_s"] = time.process_time()

    jax.monitoring.register_event_duration_secs_listener(compiled)
    SimEnvironment.step = first_step
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "3DBall.yaml"
        official.write_configuration(configuration, official.BUFFER_SIZE + official.HORIZON)
        flags = {"env_path": "3DBall", "run_id": "probe", "seed": 1}
        build(load_run_settings(configuration, flags), Path(folder)).execute()
    found["whole_cpu_s"] = time.process_time()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
