"""Proof that a .nn model does what its policy does, by running both."""

from __future__ import annotations

import numpy as np

from mlagents.barracuda import Evaluator, parse
from mlagents.export.barracuda.writer import ACTION, API_VERSION
from mlagents.export.parity.report import SQUASHED_TOLERANCE, TOLERANCE, Comparison, ParityReport, tolerance
from mlagents.export.parity.test_inputs import (
    Expected,
    FloatArray,
    Rounding,
    Trial,
    random_memory,
    random_trials,
    references,
)
from mlagents.nn.policy import Policy
from mlagents_envs.base_env import BehaviorSpec

_MEMORY, _MEMORY_AFTER = "recurrent_in", "recurrent_out"


def check_barracuda_parity(model: bytes, policy: Policy, spec: BehaviorSpec, seed: int) -> ParityReport:
    """Compare a serialised .nn model with its policy on random observations, masks and memories, without noise.

    Policies with memory take several steps; the model and the policy each go on with their own memory.

    Raises:
      ExportError: an output differs by more than `mlagents.export.parity.report.tolerance`.
    """
    rng = np.random.default_rng(seed)
    trials = random_trials(rng, policy, spec)
    file = parse(model)
    evaluator = Evaluator(file, [ACTION, *(item.output for item in file.memories)])
    memory = random_memory(rng, policy, trials[0])
    theirs = _memory_parts(memory, _MEMORY)
    comparison, rows = Comparison(seed), len(memory)
    for trial, (wanted, rounding) in zip(trials, references(rng, policy, trials, memory), strict=True):
        found = evaluator(_feeds(policy, trial, theirs))
        results = {name: values.reshape(rows, -1) for name, values in found.items()}
        for output, error in _errors(results, wanted).items():
            comparison.add(output, error, _tolerance_of(policy, output, rounding))
        comparison.steps += 1
        theirs = {name.replace(_MEMORY_AFTER, _MEMORY): x for name, x in results.items() if name != ACTION}
    return comparison.report(rows, "nn", API_VERSION, None)


def _tolerance_of(policy: Policy, output: str, rounding: Rounding) -> float:
    if output != ACTION:
        return tolerance(TOLERANCE, rounding.memory)
    if policy.head.logits:
        return tolerance(TOLERANCE, rounding.probability)
    return tolerance(SQUASHED_TOLERANCE if policy.head.squashed else TOLERANCE, rounding.action)


def _feeds(policy: Policy, trial: Trial, memory: dict[str, FloatArray]) -> dict[str, FloatArray]:
    layout, observations = policy.body.layout, trial.observations
    feeds = dict(memory)
    if layout.width:
        feeds["vector_observation"] = np.concatenate([observations[i] for i in layout.vectors], axis=1)
    if trial.allowed is not None:
        feeds["action_masks"] = trial.allowed.astype(np.float32)
    feeds = {name: values[:, np.newaxis, np.newaxis] for name, values in feeds.items()}
    images = {f"visual_observation_{k}": observations[i] for k, i in enumerate(layout.images)}
    return feeds | {name: image.transpose(0, 2, 3, 1) for name, image in images.items()}


def _memory_parts(memory: FloatArray, name: str) -> dict[str, FloatArray]:
    """Return the cell and the hidden state by their names in the file; a policy's memory is [h, c]."""
    if memory.shape[1] == 0:
        return {}
    hidden, cell = np.split(memory, 2, axis=1)
    return {f"{name}_c": cell, f"{name}_h": hidden}


def _errors(results: dict[str, FloatArray], wanted: Expected) -> dict[str, FloatArray]:
    """Return output -> error of every number in it; discrete actions are compared by their probabilities."""
    if wanted.log_probs:
        probabilities = np.exp(np.concatenate(wanted.log_probs, axis=1))
        errors = {ACTION: np.abs(np.exp(results[ACTION]) - probabilities)}
    else:
        errors = {ACTION: np.abs(results[ACTION] - wanted.action)}
    for name, values in _memory_parts(wanted.memory, _MEMORY_AFTER).items():
        errors[name] = np.abs(results[name] - values)
    return errors
