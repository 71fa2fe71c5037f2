"""One device's part of `device.py`: wall seconds of PPO updates and of acting, as one line of JSON.

Usage: device_probe.py cpu|gpu ROUNDS CASES; the cases are a JSON list of `device.Case`.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from experience import noise_segment

from mlagents import process

# The device has to be chosen before jax computes anything.
try:
    process.configure(sys.argv[1])
except process.DeviceError as error:
    print(json.dumps({"missing": str(error)}))
    sys.exit()

import numpy as np

from mlagents.nn.build import make_policy
from mlagents.rollout.actor import Actor
from mlagents.settings import BehaviorSettings, NetworkSettings
from mlagents.training.build import LEARNERS
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType

MINIBATCHES, HORIZON, NUMBERS, ACTIONS = 4, 64, 32, 4


def make_spec(image_side: int | None) -> BehaviorSpec:
    """Return a behavior that sees 32 numbers or one RGB image."""
    shape = (NUMBERS,) if image_side is None else (3, image_side, image_side)
    sensor = ObservationSpec(shape, (DimensionProperty.NONE,) * len(shape), ObservationType.DEFAULT, "seen")
    return BehaviorSpec([sensor], ActionSpec.create_continuous(ACTIONS))


def observations(rng: np.random.Generator, spec: BehaviorSpec, rows: int) -> list[np.ndarray]:
    """Return noise as environments report it."""
    return [rng.random((rows, *o.shape), np.float32) for o in spec.observation_specs]


def update_s(spec: BehaviorSpec, network: dict[str, Any], batch_size: int, rounds: int) -> float:
    """Return the seconds of a minibatch: those of `update()`, transfers included, by their number; one epoch."""
    rows = MINIBATCHES * batch_size
    sections = {
        "trainer_type": "ppo",
        "hyperparameters": {"batch_size": batch_size, "buffer_size": rows - 1, "num_epoch": 1},
        "network_settings": network,
        "time_horizon": HORIZON,
    }
    learner = LEARNERS["ppo"]("bench", spec, BehaviorSettings.model_validate(sections), 0)
    learner.reserve(1)
    rng = np.random.default_rng(0)
    seen = [(255 * o).astype(np.uint8) if o.ndim == 4 else o for o in observations(rng, spec, HORIZON + 1)]
    segment = noise_segment(rng, spec, HORIZON, seen)

    def fill() -> None:
        while not learner.ready():
            learner.extend([segment])

    return median_s(learner.update, rounds, fill) / MINIBATCHES


def act_s(spec: BehaviorSpec, network: dict[str, Any], agents: int, rounds: int) -> float:
    """Return the seconds of one decision for all agents, as training makes it."""
    rng = np.random.default_rng(0)
    actor = Actor(make_policy(rng, spec, NetworkSettings.model_validate(network)), rng)
    seen = observations(rng, spec, agents)
    return median_s(lambda: actor.act(seen, None), 4 * rounds)


def median_s(call: Callable[[], object], rounds: int, prepare: Callable[[], None] = lambda: None) -> float:
    """Return the median seconds of a call that is prepared each time; the first, which compiles, does not count."""
    times = []
    for _ in range(1 + rounds):
        prepare()
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main() -> None:
    rounds, cases = int(sys.argv[2]), json.loads(sys.argv[3])
    seconds = []
    for case in cases:
        measured = update_s if case["what"] == "update" else act_s
        seconds.append(measured(make_spec(case["image_side"]), case["network"], case["rows"], rounds))
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
