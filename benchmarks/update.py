"""The cost of one PPO minibatch (actor and critic, 8-128-128-2): our compiled update against eager PyTorch.

Ours is the learner's public `update()`. The difference between three epochs and one, divided by the
minibatches of two epochs, is one minibatch with its share of shuffling, without preparation (normaliser,
values, advantages). PyTorch repeats minibatches that are already gathered. Both take turns, `ROUNDS`
times.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import statistics
import time

import numpy as np
import official
import peer_install
from experience import noise_segment
from measure import Figure

from mlagents.settings import BehaviorSettings
from mlagents.training.behavior import Learner
from mlagents.training.build import LEARNERS
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.registry import default_registry

DECISIONS = 12 * 1024
TARGETS_US = {64: 500.0, 1024: 7200.0}
"""The second: 1.5 times the same in C, on the machine of the targets."""


def make_learner(spec: BehaviorSpec, batch_size: int, epochs: int) -> Learner:
    """Return a learner that has compiled its update."""
    changes = {"batch_size": batch_size, "buffer_size": DECISIONS - 1, "num_epoch": epochs}
    settings = BehaviorSettings.model_validate(official.behavior(**changes))
    learner = LEARNERS["ppo"]("3DBall", spec, settings, 0)
    learner.reserve(official.AGENTS)
    update_s(learner, spec)
    return learner


def update_s(learner: Learner, spec: BehaviorSpec) -> float:
    """Return the CPU seconds of one update on fresh noise."""
    rng = np.random.default_rng(0)
    length = official.HORIZON
    for start in range(0, DECISIONS, length):
        steps = min(length, DECISIONS - start)
        learner.extend([noise_segment(rng, spec, steps)])
    if not learner.ready():
        raise RuntimeError(f"{DECISIONS} decisions were to fill the buffer")
    begin = time.process_time()
    learner.update()
    return time.process_time() - begin


def main() -> None:
    quick = measure.arguments(__doc__).quick
    rounds, updates, seconds = (2, 2, 0.5) if quick else (5, 6, 2.0)
    env = default_registry["3DBall"].make()
    spec = next(iter(env.behavior_specs.values()))
    env.close()
    figures, ratios = [], []
    for rows, target in TARGETS_US.items():
        learners = {epochs: make_learner(spec, rows, epochs) for epochs in (1, 3)}
        times: dict[int, list[float]] = {1: [], 3: []}
        eager: dict[str, list[float]] = {}
        for _ in range(rounds):
            for form, us in peer_install.run("peer_torch_update.py", str(rows), str(seconds)).items():
                eager.setdefault(form, []).append(us)
            for _ in range(updates):
                for epochs, learner in learners.items():
                    times[epochs].append(update_s(learner, spec))
        one, three = (statistics.median(times[epochs]) for epochs in (1, 3))
        per_epoch = DECISIONS // rows
        ours = 1e6 * (three - one) / (2 * per_epoch)
        preparation = 1e6 * (three - 3 * (three - one) / 2) / DECISIONS
        figures.append(Figure(f"ours: minibatch of {rows}", ours, "us", at_most=target))
        figures.append(Figure(f"ours: preparation of an update (batch {rows})", preparation, "us/step"))
        for form, samples in eager.items():
            theirs = statistics.median(samples)
            figures.append(Figure(f"PyTorch, {form}: minibatch of {rows}", theirs, "us"))
            ratios.append(Figure(f"PyTorch, {form} / ours: minibatch of {rows}", theirs / ours, "x"))
    measure.emit("update", ratios + figures)


if __name__ == "__main__":
    main()
