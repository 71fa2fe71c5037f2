"""Proof that a .nn model does what its policy does, by running both."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
from numpy.typing import NDArray

from mlagents.barracuda import Evaluator, parse
from mlagents.export.barracuda import ACTION
from mlagents.export.errors import ExportError
from mlagents.nn.body import Memory
from mlagents.nn.distributions import CLIP
from mlagents.nn.observations import Observations
from mlagents.nn.policy import ActionDistribution, Policy
from mlagents_envs.base_env import BehaviorSpec

TOLERANCE = 1e-5
SQUASHED_TOLERANCE = CLIP * TOLERANCE
"""The same error of the mean: clipping divides it by `CLIP`, tanh passes small means on as they are."""
ROWS = 16

FloatArray = NDArray[np.float32]


def check_barracuda_parity(model: bytes, policy: Policy, spec: BehaviorSpec, seed: int) -> dict[str, float]:
    """Compare a serialised .nn model with its policy on random observations, masks and memories, without noise.

    Returns: output -> greatest error. Discrete actions are compared by their probabilities.

    Raises:
      ExportError: an output differs by more than 1e-5 (a squashed action by more than 3e-5).
    """
    rng = np.random.default_rng(seed)
    observations = _random_observations(rng, policy, spec)
    allowed = _random_masks(rng, spec.action_spec.discrete_branches)
    memory = rng.uniform(-1, 1, (ROWS, policy.body.memory_size)).astype(np.float32)
    file = parse(model)
    evaluator = Evaluator(file, [ACTION, *(item.output for item in file.memories)])
    feeds = _feeds(policy, observations, allowed, memory)
    results = {name: values.reshape(ROWS, -1) for name, values in evaluator(feeds).items()}
    expected, after = _on_cpu(policy, observations, allowed, memory)
    errors = {ACTION: _action_error(results[ACTION], expected, policy.head.squashed)}
    for name, values in _memory_parts(after, "recurrent_out").items():
        errors[name] = np.abs(results[name] - values)
    return {name: _checked(name, error, policy, seed) for name, error in errors.items()}


def _random_observations(rng: np.random.Generator, policy: Policy, spec: BehaviorSpec) -> tuple[FloatArray, ...]:
    """Images from 0 to 1; vectors twice as wide as seen, so that some reach the normaliser's limits."""
    shapes = [sensor.shape for sensor in spec.observation_specs]
    observations = [rng.random((ROWS, *shape), np.float32) for shape in shapes]
    layout = policy.body.layout
    x = 2 * rng.standard_normal((ROWS, layout.width), np.float32)
    if policy.normalizer is not None:
        x = np.asarray(policy.normalizer.mean) + np.asarray(policy.normalizer.scale()) * x
    parts = np.split(x, np.cumsum(layout.widths, dtype=int)[:-1], axis=1) if layout.vectors else []
    for index, part in zip(layout.vectors, parts, strict=True):
        observations[index] = part
    return tuple(observations)


def _random_masks(rng: np.random.Generator, branches: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Bool [rows, sum of branches], True = allowed, one or more per branch; None if there are no branches."""
    if not branches:
        return None
    masks = [rng.random((ROWS, size)) < 0.6 for size in branches]
    for mask in masks:
        mask[np.arange(ROWS), rng.integers(mask.shape[1], size=ROWS)] = True
    return np.concatenate(masks, axis=1)


def _feeds(
    policy: Policy, observations: tuple[FloatArray, ...], allowed: NDArray[np.bool_] | None, memory: FloatArray
) -> dict[str, FloatArray]:
    layout = policy.body.layout
    feeds = _memory_parts(memory, "recurrent_in")
    if layout.vectors:
        feeds["vector_observation"] = np.concatenate([observations[i] for i in layout.vectors], axis=1)
    if allowed is not None:
        feeds["action_masks"] = allowed.astype(np.float32)
    feeds = {name: values[:, np.newaxis, np.newaxis] for name, values in feeds.items()}
    images = {f"visual_observation_{k}": observations[i] for k, i in enumerate(layout.images)}
    return feeds | {name: image.transpose(0, 2, 3, 1) for name, image in images.items()}


def _memory_parts(memory: FloatArray, name: str) -> dict[str, FloatArray]:
    """Return the cell and the hidden state by their names in the file; a policy's memory is [h, c]."""
    if memory.shape[1] == 0:
        return {}
    hidden, cell = np.split(memory, 2, axis=1)
    return {f"{name}_c": cell, f"{name}_h": hidden}


def _on_cpu(
    policy: Policy, observations: Observations, allowed: NDArray[np.bool_] | None, memory: FloatArray
) -> tuple[ActionDistribution, FloatArray]:
    """What the policy would do, computed on the CPU: accelerators round matrix products to fewer digits."""
    cpu = jax.devices("cpu")[0]
    remembered = memory if memory.shape[1] else None
    distribution, after = _evaluated(*jax.device_put((policy, observations, allowed, remembered), cpu))
    return distribution, memory if after is None else np.asarray(after)


@eqx.filter_jit
def _evaluated(
    policy: Policy, observations: Observations, allowed: jax.Array | None, memory: Memory | None
) -> tuple[ActionDistribution, Memory | None]:
    return policy(observations, allowed, memory)


def _action_error(action: FloatArray, expected: ActionDistribution, squashed: bool) -> FloatArray:
    if expected.log_probs:
        probabilities = np.exp(np.concatenate([np.asarray(x) for x in expected.log_probs], axis=1))
        error: FloatArray = np.abs(np.exp(action) - probabilities)
        return error
    mean = np.asarray(expected.mean)
    error = np.abs(action - (np.tanh(mean) if squashed else np.clip(mean, -CLIP, CLIP) / CLIP))
    return error


def _checked(output: str, error: FloatArray, policy: Policy, seed: int) -> float:
    """Return the greatest error if that is small enough."""
    tolerance = SQUASHED_TOLERANCE if policy.head.squashed and output == ACTION else TOLERANCE
    wrong = ~(error <= tolerance)  # so that NaN is wrong too
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ExportError(
            f"output {output} of the written .nn model differs from the policy by {error[row, column]:.3g}"
            f" (allowed: {tolerance:g}) in row {row}, column {column}; {wrong.sum()} of {wrong.size} values differ,"
            f" with observations drawn with seed {seed}"
        )
    return float(error.max())
