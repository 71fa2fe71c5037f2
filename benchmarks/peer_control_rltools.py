"""Pendulum-v1 trained by RLtools' SAC or PPO at the settings of `config/gym`; its C++ is compiled first.

Prints `Step: N. Mean Reward: r.` lines. Exits with 3 and one sentence if there is no C++ compiler or no OpenBLAS; with
`--check` it does no more than that. What is compiled is kept in the folder for temporary files.
"""

from __future__ import annotations

import measure  # noqa: F401  # settles the number of threads

# isort: split
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["RL_TOOLS_DISABLE_MKL"] = "1"

import classic_control
import gymnasium
import rltools

MISSING = 3
"""Exit status when the machine lacks what RLtools is compiled with."""

MOST_STEPS = 100_000_000
"""Compiled in; runs are ended sooner, and nothing is compiled again for another length."""


def lacking() -> str | None:
    """Return what the machine lacks to compile RLtools with OpenBLAS; None if nothing."""
    compiler = os.environ.get("RL_TOOLS_COMPILER") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return "a C++ compiler (Debian: apt-get install g++)"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.cpp")
        source.write_text("#include <cblas.h>\nint main() { openblas_get_config(); return 0; }\n")
        command = [compiler, str(source), "-lblas", "-lopenblas", "-o", str(source.with_suffix(""))]
        found = subprocess.run(command, capture_output=True, text=True)
    return None if found.returncode == 0 else "OpenBLAS with its headers (Debian: apt-get install libopenblas-dev)"


def common(section: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the parameters that both algorithms share; their layers count the head, too."""
    hp, network = section["hyperparameters"], section["network_settings"]
    layers = {f"{part}_NUM_LAYERS": network["num_layers"] + 1 for part in ("ACTOR", "CRITIC")}
    widths = {f"{part}_HIDDEN_DIM": network["hidden_units"] for part in ("ACTOR", "CRITIC")}
    return {
        "interface_name": name,
        "enable_evaluation": False,
        "GAMMA": section["reward_signals"]["extrinsic"]["gamma"],
        "OPTIMIZER_ALPHA": hp["learning_rate"],
        **layers,
        **widths,
    }


def sac(section: dict[str, Any], make: Any) -> Any:
    """Return the compiled module of SAC."""
    hp = section["hyperparameters"]
    return rltools.SAC(
        make,
        ACTOR_BATCH_SIZE=hp["batch_size"],
        CRITIC_BATCH_SIZE=hp["batch_size"],
        ACTOR_POLYAK=1.0 - hp["tau"],
        CRITIC_POLYAK=1.0 - hp["tau"],
        N_WARMUP_STEPS=hp["buffer_init_steps"],
        STEP_LIMIT=MOST_STEPS,
        REPLAY_BUFFER_CAP=hp["buffer_size"],
        ALPHA=hp["init_entcoef"],
        **common(section, "pendulum_sac"),
    )


def ppo(section: dict[str, Any], make: Any, copies: int) -> Any:
    """Return the compiled module of PPO; exploration begins as ours does, with a deviation of 1."""
    hp = section["hyperparameters"]
    return rltools.PPO(
        make,
        LAMBDA=hp["lambd"],
        EPSILON_CLIP=hp["epsilon"],
        ACTION_ENTROPY_COEFFICIENT=hp["beta"],
        N_EPOCHS=hp["num_epoch"],
        BATCH_SIZE=hp["batch_size"],
        N_ENVIRONMENTS=copies,
        ON_POLICY_RUNNER_STEPS_PER_ENV=hp["buffer_size"] // copies,
        TOTAL_STEP_LIMIT=MOST_STEPS,
        INITIAL_ACTION_STD=1.0,
        **common(section, "pendulum_ppo"),
    )


def main() -> None:
    if (missing := lacking()) is not None:
        print(f"RLtools cannot be compiled here: this machine lacks {missing}.", file=sys.stderr)
        sys.exit(MISSING)
    if sys.argv[1:] == ["--check"]:
        return
    arguments = classic_control.arguments(__doc__)
    task = classic_control.TASKS[arguments.task]
    progress = classic_control.Progress(arguments.summary_freq)
    watched = classic_control.maker(task, progress)

    def make() -> gymnasium.Env[Any, Any]:
        return gymnasium.wrappers.RescaleAction(watched(), -1.0, 1.0)

    section = task.behavior()[1]
    module = sac(section, make) if section["trainer_type"] == "sac" else ppo(section, make, task.copies)
    state = module.State(arguments.seed)
    while progress.steps < arguments.max_steps:
        state.step()


if __name__ == "__main__":
    main()
