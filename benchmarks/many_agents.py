"""1,024 agents in a simulation that costs next to nothing, large minibatches: `mlagents-learn` against its peers.

3DBall with 1,024 areas: 32 decisions of each for an update, minibatches of 4,096, three epochs, networks as in the
official settings. Every system is a process of its own with one compute thread and the same simulation.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import official
import peer_install
from many_agents_settings import Settings
from measure import Figure, arguments, emit, ratio
from observe import Observation, observe

PEERS = {"SB3": "peer_sb3.py", "rsl_rl": "peer_rsl_rl.py"}
CPU_CAP_S = 300.0
TARGET_RATIO = 1.5


def train_ours(settings: Settings, folder: Path) -> Observation:
    """Train through the command line."""
    section = official.behavior(batch_size=settings.batch_size, buffer_size=settings.buffer_size)
    section |= {"max_steps": settings.max_steps, "summary_freq": settings.buffer_size}
    configuration = folder / "3DBall.yaml"
    configuration.write_text(json.dumps({"behaviors": {"3DBall": section}}))
    learn = Path(sys.executable).with_name("mlagents-learn")
    flags = ["--env=3DBall", f"--num-areas={settings.agents}", "--run-id=bench", f"--results-dir={folder}", "--seed=1"]
    return observe([str(learn), str(configuration), *flags], CPU_CAP_S, JAX_COMPILATION_CACHE_DIR=str(folder / "jax"))


def main() -> None:
    quick = arguments(__doc__).quick
    settings = Settings(max_steps=4 * Settings.buffer_size) if quick else Settings()
    interpreter = peer_install.python()
    with tempfile.TemporaryDirectory() as folder:
        ours = train_ours(settings, Path(folder))
    figures, ratios = _of("ours", ours), []
    for name, script in PEERS.items():
        path = Path(__file__).with_name(script)
        theirs = observe([str(interpreter), str(path), *settings.flags()], CPU_CAP_S)
        figures += _of(name, theirs)
        faster = ratio(ours.steady_steps_per_cpu_s, theirs.steady_steps_per_cpu_s)
        label = f"ours / {name}: agent steps per CPU-second, steady"
        ratios.append(Figure(label, faster, "x", at_least=TARGET_RATIO))
    emit("many_agents", ratios + figures)


def _of(name: str, seen: Observation) -> list[Figure]:
    return [
        Figure(f"{name}: agent steps per CPU-second, steady", seen.steady_steps_per_cpu_s, "1/s"),
        Figure(f"{name}: CPU seconds, whole process", seen.cpu_s, "s"),
        Figure(f"{name}: resident memory, most", seen.max_memory_mb, "MB"),
    ]


if __name__ == "__main__":
    main()
