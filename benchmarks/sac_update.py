"""The cost of one SAC update of 128 rows (policy, V, target, twins): our compiled call against eager PyTorch.

Ours is the learner's public `update()`, sampling from the replay buffer included, over some hundred updates that are
due at once. PyTorch repeats a minibatch that is already gathered. Both take turns, `ROUNDS` times.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import statistics
import time

import numpy as np
import peer_install
from experience import noise_segment
from measure import Figure

from mlagents.algorithms.sac.learner import SACLearner
from mlagents.reward_signals.stack import RewardSignals
from mlagents.settings import BehaviorSettings
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType

ROWS, HIDDEN_UNITS, UPDATES = 128, (64, 128, 256), 320
TARGET_RATIO = 5.0
SPEC = BehaviorSpec(
    [ObservationSpec((8,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "state")],
    ActionSpec.create_continuous(2),
)


def make_learner(hidden_units: int) -> SACLearner:
    """Return a learner that has compiled its updates."""
    sections = {
        "trainer_type": "sac",
        "hyperparameters": {"batch_size": ROWS, "buffer_size": 50_000, "steps_per_update": 1},
        "network_settings": {"normalize": True, "hidden_units": hidden_units, "num_layers": 2},
    }
    settings = BehaviorSettings.model_validate(sections)
    learner = SACLearner("bench", SPEC, settings, RewardSignals("bench", SPEC, settings.reward_signals, 0), 0)
    update_s(learner)
    return learner


def update_s(learner: SACLearner) -> float:
    """Return the CPU seconds of an update that has come due by fresh noise."""
    rng = np.random.default_rng(0)
    learner.extend([noise_segment(rng, SPEC, UPDATES)])
    begin = time.process_time()
    learner.update()
    return time.process_time() - begin


def main() -> None:
    quick = measure.arguments(__doc__).quick
    rounds, repeats, seconds = (2, 2, 0.5) if quick else (5, 4, 2.0)
    figures, ratios = [], []
    for hidden_units in HIDDEN_UNITS:
        learner, times, eager = make_learner(hidden_units), [], {}
        for _ in range(rounds):
            arguments = (str(ROWS), str(hidden_units), str(seconds))
            for form, us in peer_install.run("peer_torch_sac_update.py", *arguments).items():
                eager.setdefault(form, []).append(us)
            times += [update_s(learner) for _ in range(repeats)]
        ours = 1e6 * statistics.median(times) / UPDATES
        size = f"2x{hidden_units}, {ROWS} rows"
        figures.append(Figure(f"ours: SAC update, {size}", ours, "us"))
        for form, samples in eager.items():
            theirs = statistics.median(samples)
            figures.append(Figure(f"PyTorch, {form}: SAC update, {size}", theirs, "us"))
            goal = TARGET_RATIO if form == "usual" else None
            ratios.append(Figure(f"PyTorch, {form} / ours: SAC update, {size}", theirs / ours, "x", at_least=goal))
    measure.emit("sac_update", ratios + figures)


if __name__ == "__main__":
    main()
