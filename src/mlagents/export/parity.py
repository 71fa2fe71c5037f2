"""Proof that a written model does what the policy does, by running both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np
from numpy.typing import NDArray

from mlagents.export.errors import ExportError
from mlagents.export.onnx import OPSET
from mlagents.inference.session import open_session
from mlagents.nn.distributions import CLIP
from mlagents.nn.observations import Observations
from mlagents.nn.policy import ActionDistribution, Policy
from mlagents_envs.base_env import BehaviorSpec

TOLERANCE = 1e-5
SQUASHED_TOLERANCE = CLIP * TOLERANCE
"""The same error of the mean: clipping divides it by `CLIP`, tanh passes small means on as they are."""
ROWS = 64
FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]
Results = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class ParityReport:
    """How closely a model file agrees with its policy.

    Attributes:
      max_error: deterministic output -> greatest error. For continuous actions it is the difference of the
        actions; for discrete ones, how much less log-probability the file's choice has than the best action.
      rows: agents compared.
      opset: operator set of the file.
    """

    max_error: Mapping[str, float]
    rows: int
    opset: int


def check_parity(model: bytes, policy: Policy, spec: BehaviorSpec, seed: int) -> ParityReport:
    """Compare a serialised ONNX model with its policy on random observations and masks.

    Raises:
      ExportError: an output differs by more than 1e-5 (a squashed action by more than 3e-5), or a sampled action is
        outside its range or masked.
    """
    rng = np.random.default_rng(seed)
    observations = _random_observations(rng, policy, spec)
    allowed = _random_masks(rng, spec.action_spec.discrete_branches)
    results = _run(model, observations, allowed)
    expected = _distribution_on_cpu(policy, observations, allowed)
    max_error: dict[str, float] = {}
    if spec.action_spec.continuous_size:
        error = _continuous_error(results, expected, policy.head.squashed)
        tolerance = SQUASHED_TOLERANCE if policy.head.squashed else TOLERANCE
        max_error |= _checked("deterministic_continuous_actions", error, seed, tolerance)
        _check_in_range(results["continuous_actions"])
    if allowed is not None:
        error = _discrete_error(results, expected)
        max_error |= _checked("deterministic_discrete_actions", error, seed, TOLERANCE)
        _check_allowed(results["discrete_actions"], allowed, spec.action_spec.discrete_branches)
    return ParityReport(max_error, ROWS, OPSET)


def _random_observations(rng: np.random.Generator, policy: Policy, spec: BehaviorSpec) -> list[FloatArray]:
    """Observations twice as wide as what the policy has seen, so that some reach the normaliser's limits."""
    widths = [sensor.shape[0] for sensor in spec.observation_specs]
    x = 2.0 * rng.standard_normal((ROWS, sum(widths)))
    if policy.normalizer is not None:
        x = np.asarray(policy.normalizer.mean) + np.asarray(policy.normalizer.scale()) * x
    return np.split(x.astype(np.float32), np.cumsum(widths)[:-1], axis=1)


def _random_masks(rng: np.random.Generator, branches: tuple[int, ...]) -> Mask | None:
    """Bool [rows, sum of branches], True = allowed, one or more per branch; None if there are no branches."""
    if not branches:
        return None
    masks = [rng.random((ROWS, size)) < 0.6 for size in branches]
    for mask in masks:
        mask[np.arange(ROWS), rng.integers(mask.shape[1], size=ROWS)] = True
    return np.concatenate(masks, axis=1)


def _run(model: bytes, observations: list[FloatArray], allowed: Mask | None) -> Results:
    session = open_session(model)
    feeds: dict[str, FloatArray] = {f"obs_{i}": column for i, column in enumerate(observations)}
    if allowed is not None:
        feeds["action_masks"] = allowed.astype(np.float32)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def _distribution_on_cpu(policy: Policy, observations: list[FloatArray], allowed: Mask | None) -> ActionDistribution:
    """What the policy would do, computed on the CPU: accelerators round matrix products to fewer digits."""
    cpu = jax.devices("cpu")[0]
    result: ActionDistribution = _distribution(*jax.device_put((policy, tuple(observations), allowed), cpu))
    return result


@eqx.filter_jit
def _distribution(policy: Policy, observations: Observations, allowed: jax.Array | None) -> ActionDistribution:
    return policy(observations, allowed)[0]


def _continuous_error(results: Results, expected: ActionDistribution, squashed: bool) -> FloatArray:
    mean = np.asarray(expected.mean)
    bounded = np.tanh(mean) if squashed else np.clip(mean, -CLIP, CLIP) / CLIP
    error: FloatArray = np.abs(results["deterministic_continuous_actions"] - bounded)
    return error


def _discrete_error(results: Results, expected: ActionDistribution) -> FloatArray:
    """By log-probability: where two actions are equally likely, either choice is right."""
    choices = results["deterministic_discrete_actions"]
    columns = []
    for branch, log_probs in enumerate(expected.log_probs):
        table = np.asarray(log_probs)
        chosen = np.take_along_axis(table, choices[:, branch : branch + 1], axis=1)
        columns.append(table.max(axis=1, keepdims=True) - chosen)
    return np.concatenate(columns, axis=1)


def _checked(output: str, error: FloatArray, seed: int, tolerance: float) -> dict[str, float]:
    """Return the output's greatest error if that is small enough."""
    wrong = ~(error <= tolerance)  # so that NaN is wrong too
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ExportError(
            f"output {output} of the written model differs from the policy by {error[row, column]:.3g}"
            f" (allowed: {tolerance:g}) in row {row}, column {column}; {wrong.sum()} of {wrong.size}"
            f" values differ, with observations drawn with seed {seed}"
        )
    return {output: float(error.max())}


def _check_in_range(actions: NDArray[Any]) -> None:
    wrong = ~(np.abs(actions) <= 1.0)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ExportError(
            f"output continuous_actions of the written model is {actions[row, column]} in row {row},"
            f" column {column}; expected values in [-1, 1]"
        )


def _check_allowed(actions: NDArray[Any], allowed: Mask, branches: tuple[int, ...]) -> None:
    starts = np.cumsum((0, *branches[:-1]))
    for branch, (start, size) in enumerate(zip(starts, branches, strict=True)):
        column = actions[:, branch]
        wrong = (column < 0) | (column >= size)
        wrong |= ~allowed[np.arange(len(column)), start + np.clip(column, 0, size - 1)]
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ExportError(
                f"output discrete_actions of the written model is {column[row]} in row {row},"
                f" branch {branch}; expected an action that is not masked, of {size}"
            )
