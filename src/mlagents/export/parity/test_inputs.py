"""What written models are tried on: random observations, masks and memories, and what the policy makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from numpy.typing import NDArray

from mlagents.nn.body import Memory
from mlagents.nn.distributions import CLIP
from mlagents.nn.observations import Observations
from mlagents.nn.policy import ActionDistribution, Policy
from mlagents_envs.base_env import BehaviorSpec

ROWS = 64
ROWS_WITH_IMAGES = 16
STEPS = 4
"""Of policies with memory, one after the other."""

DRAWS = 4
"""Of weights rounded otherwise: one alone says little where there are few numbers to compare."""

_IMPOSSIBLE = -1e7
"""Log-probabilities below are those of masked actions."""

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Trial:
    """One step of several agents.

    Attributes:
      observations: one float32 [rows, *shape] per observation spec.
      allowed: bool [rows, sum of branches], one or more per branch; None if there are no branches.
    """

    observations: tuple[FloatArray, ...]
    allowed: Mask | None


class Expected(NamedTuple):
    """What the policy would do.

    Attributes:
      action: float32 [rows, continuous], most likely continuous actions, as environments get them.
      log_probs: one float32 [rows, branch size] per branch.
      memory: float32 [rows, memory size], afterwards.
    """

    action: FloatArray
    log_probs: tuple[FloatArray, ...]
    memory: FloatArray


def random_trials(rng: np.random.Generator, policy: Policy, spec: BehaviorSpec) -> list[Trial]:
    """Return several steps for policies with memory, one for others."""
    rows = ROWS_WITH_IMAGES if policy.body.encoders else ROWS
    return [_random_trial(rng, policy, spec, rows) for _ in range(STEPS if policy.body.memory_size else 1)]


def random_memory(rng: np.random.Generator, policy: Policy, trial: Trial) -> FloatArray:
    """Return float32 [rows, memory size] from -1 to 1, which is where hidden states are."""
    return rng.uniform(-1, 1, (len(trial.observations[0]), policy.body.memory_size)).astype(np.float32)


class Rounding(NamedTuple):
    """By how much the policy itself differs, at most, when its weights are rounded otherwise, in `DRAWS` ways.

    Where it is much, because numbers inside are large, two right computations of it differ by as much.
    """

    action: float
    probability: float
    log_prob: float
    memory: float


def references(
    rng: np.random.Generator, policy: Policy, trials: list[Trial], memory: FloatArray
) -> Iterator[tuple[Expected, Rounding]]:
    """Yield what the policy would do in one trial after the other, beginning with this memory."""
    others = [_rounded_otherwise(rng, policy) for _ in range(DRAWS)]
    memories = [memory] * DRAWS
    for trial in trials:
        wanted = expected(policy, trial, memory)
        near = [expected(other, trial, own) for other, own in zip(others, memories, strict=True)]
        yield wanted, Rounding(*map(max, *(_rounding(wanted, each) for each in near)))
        memory, memories = wanted.memory, [each.memory for each in near]


def _rounded_otherwise(rng: np.random.Generator, policy: Policy) -> Policy:
    """Return the policy with every weight moved by up to one part in 2^23, the precision of float32."""

    def moved(leaf: FloatArray) -> FloatArray:
        return np.asarray(leaf * (1 + 2.0**-23 * rng.uniform(-1, 1, np.shape(leaf))), np.float32)

    found: Policy = jax.tree.map(moved, policy)
    return found


def _rounding(wanted: Expected, near: Expected) -> Rounding:
    pairs = list(zip(wanted.log_probs, near.log_probs, strict=True))
    likely = [(a[a > _IMPOSSIBLE], b[a > _IMPOSSIBLE]) for a, b in pairs]
    return Rounding(
        _greatest([(wanted.action, near.action)]),
        _greatest([(np.exp(a), np.exp(b)) for a, b in pairs]),
        _greatest(likely),
        _greatest([(wanted.memory, near.memory)]),
    )


def _greatest(pairs: list[tuple[FloatArray, FloatArray]]) -> float:
    return max((float(np.max(np.abs(a - b), initial=0.0)) for a, b in pairs), default=0.0)


def expected(policy: Policy, trial: Trial, memory: FloatArray) -> Expected:
    """Return what the policy would do, computed on the CPU: accelerators round products to fewer digits."""
    cpu = jax.devices("cpu")[0]
    remembered = memory if memory.shape[1] else None
    distribution, after = _evaluated(*jax.device_put((policy, trial.observations, trial.allowed, remembered), cpu))
    mean = np.asarray(distribution.mean)
    action = np.tanh(mean) if policy.head.squashed else np.clip(mean, -CLIP, CLIP) / CLIP
    log_probs = tuple(np.asarray(table) for table in distribution.log_probs)
    return Expected(action, log_probs, memory if after is None else np.asarray(after))


@eqx.filter_jit
def _evaluated(
    policy: Policy, observations: Observations, allowed: jax.Array | None, memory: Memory | None
) -> tuple[ActionDistribution, Memory | None]:
    return policy(observations, allowed, memory)


def _random_trial(rng: np.random.Generator, policy: Policy, spec: BehaviorSpec, rows: int) -> Trial:
    layout = policy.body.layout
    observations: list[FloatArray] = [rng.random((rows, *o.shape), np.float32) for o in spec.observation_specs]
    for index, vector in zip(layout.vectors, _random_vectors(rng, policy, rows), strict=True):
        observations[index] = vector
    for index in layout.entities:
        observations[index] = _random_entities(rng, *observations[index].shape)
    return Trial(tuple(observations), _random_masks(rng, spec.action_spec.discrete_branches, rows))


def _random_vectors(rng: np.random.Generator, policy: Policy, rows: int) -> list[FloatArray]:
    """Draw twice as wide as what the policy has seen, so that some numbers reach the normaliser's limits."""
    layout = policy.body.layout
    x = 2 * rng.standard_normal((rows, layout.width), np.float32)
    if policy.normalizer is not None:
        x = np.asarray(policy.normalizer.mean) + np.asarray(policy.normalizer.scale()) * x
    stops = np.cumsum(layout.widths, dtype=int)
    return [x[:, stop - width : stop] for width, stop in zip(layout.widths, stops, strict=True)]


def _random_entities(rng: np.random.Generator, rows: int, most: int, features: int) -> FloatArray:
    """Draw from none to the most entities in each row, in any place; missing ones are 0."""
    present = rng.random((rows, most, 1)) < rng.random((rows, 1, 1))
    present[0], present[-1] = False, True
    return np.where(present, rng.standard_normal((rows, most, features), np.float32), np.float32(0))


def _random_masks(rng: np.random.Generator, branches: tuple[int, ...], rows: int) -> Mask | None:
    if not branches:
        return None
    masks: list[NDArray[Any]] = [rng.random((rows, size)) < 0.6 for size in branches]
    for mask in masks:
        mask[np.arange(rows), rng.integers(mask.shape[1], size=rows)] = True
    return np.concatenate(masks, axis=1)
