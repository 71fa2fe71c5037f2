"""Proof that a written model does what the policy does, by running both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper
from onnxruntime import InferenceSession

from mlagents.export.onnx.body_graph import MEMORY, MEMORY_AFTER
from mlagents.export.onnx.policy_graph import log_probs_of
from mlagents.export.onnx.profiles import Profile
from mlagents.export.parity.report import (
    SQUASHED_TOLERANCE,
    TOLERANCE,
    Comparison,
    ExportError,
    ParityReport,
    tolerance,
)
from mlagents.export.parity.test_inputs import Expected, Rounding, Trial, random_memory, random_trials, references
from mlagents.inference.noise import NoiseSource, noise_as_inputs
from mlagents.inference.session import open_session
from mlagents.nn.policy import Policy
from mlagents_envs.base_env import BehaviorSpec

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]
Results = Mapping[str, NDArray[Any]]


def check_parity(model: bytes, policy: Policy, spec: BehaviorSpec, profile: Profile, seed: int) -> ParityReport:
    """Compare a serialised ONNX model with its policy on random observations, masks and memories.

    Policies with memory take several steps; the model and the policy each go on with their own memory.

    Raises:
      ExportError: an output differs by more than `tolerance`, or a sampled action is outside its range or masked.
    """
    rng = np.random.default_rng(seed)
    trials = random_trials(rng, policy, spec)
    branches = tuple(spec.action_spec.discrete_branches)
    models = _Models(model, profile, len(branches))
    memory = random_memory(rng, policy, trials[0])
    comparison = Comparison(seed)
    for trial, (wanted, rounding) in zip(trials, references(rng, policy, trials, memory), strict=True):
        results = models.run(_feeds(policy, trial, memory, profile))
        tolerances = _tolerances(policy, rounding)
        for output, error in _errors(results, wanted, profile).items():
            comparison.add(output, error, tolerances[output])
        comparison.steps += 1
        _check_samples(results, trial, branches, profile)
        memory = results.get(MEMORY_AFTER, memory).reshape(memory.shape)
    return comparison.report(len(memory), "onnx", profile.api_version, profile.opset)


class _Models:
    """The file, and the same model with what else is compared.

    Version 2 has no deterministic outputs: there it is the model without noise. Version 3 shows choices only: there it
    is the model with the log-probabilities behind them as outputs.
    """

    def __init__(self, model: bytes, profile: Profile, branches: int) -> None:
        self._session = open_session(model)
        proto = ModelProto.FromString(model)
        if profile.api_version == 2:
            self._noise = NoiseSource(noise_as_inputs(proto))
        else:
            self._noise = NoiseSource([])
            names = [log_probs_of(branch) for branch in range(branches)]
            proto.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
        self._open = open_session(proto.SerializeToString())

    def run(self, feeds: Mapping[str, FloatArray]) -> Results:
        """Return all outputs; those of the second model by the names `open.<output>`."""
        rows = len(next(iter(feeds.values())))
        others = _outputs(self._open, {**feeds, **self._noise.draw(rows, None)})
        return {**_outputs(self._session, feeds), **{f"open.{name}": value for name, value in others.items()}}


def _outputs(session: InferenceSession, feeds: Mapping[str, FloatArray]) -> dict[str, NDArray[Any]]:
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def _feeds(policy: Policy, trial: Trial, memory: FloatArray, profile: Profile) -> dict[str, FloatArray]:
    layout, observations = policy.body.layout, trial.observations
    feeds = {f"obs_{i}": x for i, x in enumerate(observations)}
    if profile.api_version == 2:
        feeds = {f"obs_{i}": observations[i] for i in layout.entities}
        feeds |= {f"visual_observation_{k}": observations[i] for k, i in enumerate(layout.images)}
        if layout.vectors:
            feeds["vector_observation"] = np.concatenate([observations[i] for i in layout.vectors], axis=1)
    if trial.allowed is not None:
        feeds["action_masks"] = trial.allowed.astype(np.float32)
    if memory.shape[1]:
        feeds[MEMORY] = memory[:, None]
    return feeds


def _errors(results: Results, wanted: Expected, profile: Profile) -> dict[str, FloatArray]:
    """Return output -> error of every number in it."""
    errors: dict[str, FloatArray] = {}
    if wanted.action.shape[1]:
        name = "deterministic_continuous_actions" if profile.api_version == 3 else "continuous_actions"
        found = results[name if profile.api_version == 3 else f"open.{name}"]
        errors[name] = np.abs(found - wanted.action)
    if wanted.log_probs:
        log_probs = [results["discrete_actions"]]
        if profile.api_version == 3:
            errors["deterministic_discrete_actions"] = _choice_error(results, wanted)
            log_probs = [results[f"open.{log_probs_of(branch)}"] for branch in range(len(wanted.log_probs))]
        probabilities = np.exp(np.concatenate(log_probs, axis=1))
        errors["discrete_actions"] = np.abs(probabilities - np.exp(np.concatenate(wanted.log_probs, axis=1)))
    if MEMORY_AFTER in results:
        errors[MEMORY_AFTER] = np.abs(results[MEMORY_AFTER][:, 0] - wanted.memory)
    return errors


def _choice_error(results: Results, wanted: Expected) -> FloatArray:
    """Compare by log-probability: where two actions are equally likely, either choice is right."""
    choices = results["deterministic_discrete_actions"]
    columns = []
    for branch, table in enumerate(wanted.log_probs):
        chosen = np.take_along_axis(table, choices[:, branch : branch + 1], axis=1)
        columns.append(table.max(axis=1, keepdims=True) - chosen)
    return np.concatenate(columns, axis=1)


def _tolerances(policy: Policy, rounding: Rounding) -> dict[str, float]:
    action = tolerance(SQUASHED_TOLERANCE if policy.head.squashed else TOLERANCE, rounding.action)
    return {
        "continuous_actions": action,
        "deterministic_continuous_actions": action,
        "discrete_actions": tolerance(TOLERANCE, rounding.probability),
        "deterministic_discrete_actions": tolerance(TOLERANCE, rounding.log_prob),
        MEMORY_AFTER: tolerance(TOLERANCE, rounding.memory),
    }


def _check_samples(results: Results, trial: Trial, branches: tuple[int, ...], profile: Profile) -> None:
    if "continuous_actions" in results:
        _check_in_range(results["continuous_actions"])
    if trial.allowed is not None and profile.api_version == 3:
        _check_allowed(results["discrete_actions"], trial.allowed, branches)


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
