"""The cost of imitation: PPO's update with GAIL and cloning, against the same without and against eager PyTorch.

All learners take turns on the same noise in place of experience; sizes and settings are those of
`config/imitation/PushBlock.yaml`, the demonstrations those that ship. Ours are whole updates: rewards, values,
advantages and statistics are in it. PyTorch does only as many gradient steps, on minibatches that are already gathered.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import os
import statistics
import time
from pathlib import Path

import numpy as np
import peer_install
from measure import Figure

from mlagents.algorithms.cloning import DEFAULT_EPOCHS
from mlagents.data.columns import Columns
from mlagents.data.segments import Segment, WeightsId
from mlagents.learning.protocols import Learner
from mlagents.settings import BehaviorSettings, GAILSettings, load_run_settings
from mlagents.training.build import make_learner
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.demonstrations import load_demonstration

ROOT = Path(__file__).resolve().parents[1]
NAME = "PushBlock"
DEMONSTRATION = ROOT / "demos" / "ExpertPush.demo"
MOST_RATIO, LEAST_RATIO = 1.6, 4.0


def forms(halves: bool = True) -> dict[str, BehaviorSettings]:
    """Return the settings without imitation, with it, and with either half of it."""
    imitating = load_run_settings(ROOT / "config" / "imitation" / f"{NAME}.yaml").behavior(NAME)
    extrinsic = {"reward_signals": {"extrinsic": imitating.reward_signals["extrinsic"]}}
    without = imitating.model_copy(update=extrinsic | {"behavioral_cloning": None})
    either = {
        "cloning": imitating.model_copy(update=extrinsic),
        "GAIL": imitating.model_copy(update={"behavioral_cloning": None}),
    }
    return {"without": without, "GAIL and cloning": imitating} | (either if halves else {})


def update_ms(learner: Learner, spec: BehaviorSpec, steps: int) -> float:
    """Return the CPU milliseconds of one update on fresh noise."""
    rng, length = np.random.default_rng(0), 64
    choices = spec.action_spec.discrete_branches
    learner.reserve(32)
    for _ in range(steps // length + 1):
        columns = Columns.empty(spec, 0, length)
        seen = [rng.random((length + 1, *o.shape), np.float32) for o in spec.observation_specs]
        columns.discrete[:] = np.stack([rng.integers(0, n, length) for n in choices], axis=1)
        columns.log_prob[:] = -np.log(choices)
        columns.reward[:] = rng.random(length, np.float32)
        segment = Segment(columns._replace(observations=seen), BehaviorId(NAME), 0, WeightsId(NAME), truncated=True)
        learner.extend([segment])
    if not learner.ready():
        raise RuntimeError(f"{steps} decisions were to fill the buffer")
    begin = time.process_time()
    learner.update()
    return 1e3 * (time.process_time() - begin)


def eager_ms(seconds: float) -> float:
    """Return the CPU milliseconds of the gradient steps of an update in eager PyTorch."""
    settings, demonstration = forms(halves=False)["GAIL and cloning"], load_demonstration(DEMONSTRATION)
    hp, gail = settings.hyperparameters, settings.reward_signals["gail"]
    if not isinstance(gail, GAILSettings):
        raise TypeError("the signal gail has other settings")
    spec = demonstration.spec
    sizes = (
        sum(int(np.prod(o.shape)) for o in spec.observation_specs),
        *spec.action_spec.discrete_branches,
        settings.network_settings.hidden_units,
        gail.network_settings.hidden_units,
        hp.batch_size,
    )
    us = peer_install.run("peer_torch_imitation.py", *map(str, sizes), str(seconds))
    steps = hp.num_epoch * (hp.buffer_size // hp.batch_size)
    demonstrated = sum(len(episode) for episode in demonstration.episodes)
    cloning = DEFAULT_EPOCHS * (demonstrated // hp.batch_size)
    return float(steps * (us["PPO"] + us["GAIL"]) + cloning * us["cloning"]) / 1e3


def main() -> None:
    quick = measure.arguments(__doc__).quick
    rounds, turns, seconds = (4, 1, 0.5) if quick else (15, 3, 3.0)
    os.chdir(ROOT)  # the configuration names demonstrations from there
    spec, compared = load_demonstration(DEMONSTRATION).spec, forms(halves=not quick)
    learners = {form: make_learner(NAME, spec, settings, 0) for form, settings in compared.items()}
    steps = compared["without"].hyperparameters.buffer_size
    times: dict[str, list[float]] = {form: [] for form in learners}
    for number in range(rounds + 2):
        for form, learner in learners.items():
            found = update_ms(learner, spec, steps)
            if number >= 2:  # the first compiles, the second rewards by a model that has learned
                times[form].append(found)
    eager = statistics.median(eager_ms(seconds) for _ in range(turns))
    medians = {form: statistics.median(found) for form, found in times.items()}
    ratio = medians["GAIL and cloning"] / medians["without"]
    figures = [Figure("PPO with GAIL and cloning / without", ratio, "x", at_most=MOST_RATIO)]
    theirs = measure.ratio(eager, medians["GAIL and cloning"])
    figures.append(Figure("eager PyTorch / ours, with GAIL and cloning", theirs, "x", at_least=LEAST_RATIO))
    figures.append(Figure("gradient steps of the same in eager PyTorch", eager, "ms"))
    figures += [Figure(f"PPO's update, {form}", ms, "ms") for form, ms in medians.items()]
    measure.emit("imitation", figures)


if __name__ == "__main__":
    main()
