"""What one learner can take: samplers that hand in recorded segments as fast as they are asked for.

Each round is what an update costs the driver, in CPU time of its one compute thread, so that a busy machine does not
count: parcels as they come over Ray's store are unpickled and unpacked, the learner gathers them, updates, and its
weights are pickled for the samplers. PPO at official settings; segments are noise. From the decisions per second
follows how many 12-agent Unity builds at time scale 20 one learner feeds from: such a build makes 12 x 20 x 50 / 5
decisions a second if it reaches its time scale (fixed steps of 20 ms, a decision every 5), and how much of a network of
1 Gbit/s they take.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import pickle
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from experience import BEHAVIOR, noise_segment
from measure import Figure
from numpy.typing import NDArray

from mlagents.rollout.collected import Collected, Weights
from mlagents.rollout.parcels import pack, unpack
from mlagents.settings import BehaviorSettings
from mlagents.training.build import make_learner
from mlagents_envs.base_env import ActionSpec, BehaviorSpec
from mlagents_envs.registry import default_registry

BUILD_PER_S = 12 * 20 * 50 / 5
GIGABIT_PER_S = 125e6
HANDED_IN = 600
"""Decisions in one parcel: a quarter of a second of such a build."""


class Case(NamedTuple):
    """One policy at its official settings: what it observes, and the sizes of its update."""

    name: str
    spec: BehaviorSpec
    hyperparameters: dict[str, float]
    hidden_units: int
    num_layers: int
    horizon: int


def cases() -> list[Case]:
    """Return 3DBall, Crawler and Visual3DBall as in `config/ppo`."""
    ball, crawler, visual = (_spec(name) for name in ("3DBall", "CrawlerDynamic", "Visual3DBall"))
    return [
        Case("2x128", ball, {"batch_size": 64, "buffer_size": 12000}, 128, 2, 1000),
        Case("3x512", crawler, {"batch_size": 2024, "buffer_size": 20240}, 512, 3, 1000),
        Case("images", visual, {"batch_size": 256, "buffer_size": 2560}, 128, 2, 64),
    ]


def _spec(name: str) -> BehaviorSpec:
    with default_registry[name].make() as env:
        if not env.behavior_specs:
            env.reset()
        spec = next(iter(env.behavior_specs.values()))
    return BehaviorSpec(spec.observation_specs, ActionSpec.create_continuous(spec.action_spec.continuous_size))


def parcels(case: Case) -> list[bytes]:
    """Return what samplers hand in for one update, pickled."""
    rng = np.random.default_rng(0)
    handed_in, left = [], int(case.hyperparameters["buffer_size"]) + 1
    while left > 0:
        lengths = [min(case.horizon, HANDED_IN)] * max(1, HANDED_IN // case.horizon)
        segments = [noise_segment(rng, case.spec, length, _seen(rng, case.spec, length)) for length in lengths]
        collected = Collected([s.owned() for s in segments], [], [], sum(lengths), {BEHAVIOR.name: 12})
        handed_in.append(pickle.dumps(pack([collected]), protocol=5))
        left -= sum(lengths)
    return handed_in


def _seen(rng: np.random.Generator, spec: BehaviorSpec, steps: int) -> list[NDArray[np.generic]]:
    """Return noise as observations are stored: images as bytes."""
    shapes = [(steps + 1, *observation.shape) for observation in spec.observation_specs]
    return [
        rng.integers(0, 256, shape, np.uint8) if len(shape) == 4 else rng.standard_normal(shape, np.float32)
        for shape in shapes
    ]


def figures_of(case: Case, updates: int) -> list[Figure]:
    """Return the rate of a learner, where its time goes, and what follows."""
    sections = {
        "trainer_type": "ppo",
        "hyperparameters": case.hyperparameters,
        "network_settings": {"hidden_units": case.hidden_units, "num_layers": case.num_layers, "normalize": True},
        "time_horizon": case.horizon,
        "max_steps": 10**9,
    }
    learner = make_learner(BEHAVIOR.name, case.spec, BehaviorSettings.model_validate(sections), 0)
    learner.reserve(64)
    handed_in = parcels(case)
    times: dict[str, list[float]] = {"unpacking": [], "gathering": [], "update": [], "weights": []}
    for repeat in range(updates + 1):
        moments = [time.process_time()]
        rounds = [unpack(pickle.loads(parcel)) for parcel in handed_in]
        moments.append(time.process_time())
        for collected in (each for found in rounds for each in found):
            learner.extend(collected.segments)
        moments.append(time.process_time())
        if not learner.ready():
            raise RuntimeError(f"{case.name}: the parcels were to fill the buffer")
        learner.update()
        moments.append(time.process_time())
        weights = pickle.dumps(Weights(learner.snapshot(), learner.version), protocol=5)
        moments.append(time.process_time())
        if repeat:  # the first compiles
            for name, begin, end in zip(times, moments[:-1], moments[1:], strict=True):
                times[name].append(end - begin)
    return _summed_up(case, times, decisions=_decisions(handed_in), sizes=(sum(map(len, handed_in)), len(weights)))


def _decisions(handed_in: Sequence[bytes]) -> int:
    return sum(len(s) for parcel in handed_in for collected in unpack(pickle.loads(parcel)) for s in collected.segments)


def _summed_up(case: Case, times: dict[str, list[float]], decisions: int, sizes: tuple[int, int]) -> list[Figure]:
    medians = {name: statistics.median(found) for name, found in times.items()}
    rate = decisions / sum(medians.values())
    received, sent = sizes
    network = GIGABIT_PER_S / (received / decisions)
    return [
        Figure(f"{case.name}: decisions that a learner takes", rate, "1/s"),
        Figure(f"{case.name}: builds of 12 agents at time scale 20", rate / BUILD_PER_S, "builds"),
        *(Figure(f"{case.name}: {name}", 1e6 * spent / decisions, "us/decision") for name, spent in medians.items()),
        Figure(f"{case.name}: size of a decision", received / decisions, "bytes"),
        Figure(f"{case.name}: decisions through 1 Gbit/s", network, "1/s"),
        Figure(f"{case.name}: size of the weights", sent / 2**20, "MB"),
    ]


def main() -> None:
    updates = 1 if measure.arguments(__doc__).quick else 3
    measure.emit("learner_limit", [figure for case in cases() for figure in figures_of(case, updates)])


if __name__ == "__main__":
    main()
