"""POCA: the cost of an update beside PPO's, for groups of several sizes; training beside the official trainer.

- Updates at the same rows and widths, in one run: the learners' public `update()`, the join of mates included, on fresh
  noise. They take turns, `rounds` times.
- Training on `team_game`, groups of three, with the official trainer 1.1.0 and with `mlagents-learn`: each in one
  process with its environment, agent steps per CPU-second from the third update on.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import official_install
import team_game
from measure import Figure, ratio

from mlagents.data.columns import Columns
from mlagents.data.segments import Segment, WeightsId
from mlagents.learning.protocols import Learner
from mlagents.settings import BehaviorSettings
from mlagents.training.build import LEARNERS
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType
from mlagents_envs.behavior_id import BehaviorId

DECISIONS, BATCH, HORIZON, WIDTH, OBSERVED = 10_240, 1024, 64, 256, 120
SIZES = (3, 6, 12, 24)
SPEC = BehaviorSpec(
    [ObservationSpec((OBSERVED,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "rays")],
    ActionSpec.create_discrete((7,)),
)


def make_learner(trainer_type: str) -> Learner:
    """Return a learner with settings like those of PushBlockCollab."""
    sections = {
        "trainer_type": trainer_type,
        "hyperparameters": {"batch_size": BATCH, "buffer_size": DECISIONS - 1},
        "network_settings": {"hidden_units": WIDTH, "num_layers": 2},
    }
    learner = LEARNERS[trainer_type]("bench", SPEC, BehaviorSettings.model_validate(sections), 0)
    learner.reserve(HORIZON)
    return learner


def segment(rng: np.random.Generator, group: int, size: int, first_tick: int) -> Segment:
    """Return a horizon of noise of a member of a group."""
    columns = Columns.empty(SPEC, 0, HORIZON)
    columns.observations[0] = rng.standard_normal((HORIZON + 1, OBSERVED), np.float32)
    columns.log_prob[:] = -1.9
    columns.discrete[:] = rng.integers(0, 7, (HORIZON, 1), np.int32)
    columns.reward[:] = 0.1
    columns.group_id[:], columns.group_size[:] = group, size
    columns.tick[:] = first_tick + np.arange(HORIZON)
    return Segment(columns, BehaviorId("bench"), 0, WeightsId("bench"))


def update_s(learner: Learner, size: int) -> float:
    """Return the CPU seconds of one update on fresh noise of groups of this size."""
    rng, tick = np.random.default_rng(0), 0
    while not learner.ready():
        learner.extend([segment(rng, 1, size, tick) for _ in range(size)])
        tick += HORIZON
    begin = time.process_time()
    learner.update()
    return time.process_time() - begin


def update_figures(rounds: int, sizes: tuple[int, ...]) -> list[Figure]:
    """Return the costs of updates."""
    learners = {"PPO": (make_learner("ppo"), 3)}
    learners |= {f"POCA, groups of {size}": (make_learner("poca"), size) for size in sizes}
    times: dict[str, list[float]] = {name: [] for name in learners}
    for learner, size in learners.values():
        update_s(learner, size)  # compiles
    for _ in range(rounds):
        for name, (learner, size) in learners.items():
            times[name].append(update_s(learner, size))
    median = {name: statistics.median(found) for name, found in times.items()}
    cost = {size: median[f"POCA, groups of {size}"] / median["PPO"] for size in sizes}
    figures = [
        Figure(f"POCA / PPO: update, groups of {size}", found, "x", at_most=2.0 if size == 3 else None)
        for size, found in cost.items()
    ]
    slope = (cost[sizes[1]] - cost[sizes[0]]) / (sizes[1] - sizes[0])
    for size in sizes[2:]:
        straight = cost[sizes[0]] + slope * (size - sizes[0])
        figures.append(Figure(f"groups of {size}: cost / a straight line through 3 and 6", cost[size] / straight, "x"))
    rows = f"{DECISIONS} decisions, 2x{WIDTH}"
    return figures + [Figure(f"{name}: update of {rows}", 1e3 * s, "ms") for name, s in median.items()]


def steps_per_cpu_s(command: list[str], folder: Path) -> float:
    """Return the agent steps per CPU-second of a trainer of `team_game`, which ends it.

    Raises:
      RuntimeError: the trainer ended by itself.
    """
    result = folder / "result.json"
    environment = os.environ | {"TEAM_GAME_RESULT": str(result)}
    finished = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if not result.exists():
        raise RuntimeError(
            f"{command[0]} ended before the game did:\n{finished.stdout[-2000:]}{finished.stderr[-2000:]}"
        )
    took = json.loads(result.read_text())
    result.unlink()
    return float(took["steps"] / took["cpu_s"])


def training_figures() -> list[Figure]:
    """Return what training costs, ours and the official one."""
    here, learn = Path(__file__).resolve().parent, Path(sys.executable).with_name("mlagents-learn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = folder / "team.yaml"
        settings.write_text(json.dumps(team_game.configuration()))
        flags = [f"--env={here / 'team_game_entry.py'}", "--run-id=bench", f"--results-dir={folder}", "--seed=1"]
        ours = steps_per_cpu_s([str(learn), str(settings), *flags], folder)
        python = official_install.program("python")
        theirs = steps_per_cpu_s([str(python), str(here / "peer_official_poca.py"), str(folder / "theirs")], folder)
    return [
        Figure("ours / official: POCA, agent steps per CPU-second", ratio(ours, theirs), "x", at_least=10.0),
        Figure("ours: POCA, agent steps per CPU-second", ours, "1/s"),
        Figure("official: POCA, agent steps per CPU-second", theirs, "1/s"),
    ]


def main() -> None:
    arguments = measure.arguments(__doc__, update="only the updates: the official trainer is not installed")
    rounds, sizes = (3, SIZES[:2]) if arguments.quick else (9, SIZES)
    training = [] if arguments.update else training_figures()
    measure.emit("poca", [*update_figures(rounds, sizes), *training])


if __name__ == "__main__":
    main()
