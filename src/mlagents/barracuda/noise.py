"""Layers that draw numbers. Without a generator they give the mean, or the most likely choice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlagents.barracuda.file import FloatArray, Layer
from mlagents.barracuda.operation import Operation, single


def random_normal(layer: Layer) -> Operation:
    """Draw from N(beta, alpha^2), in the shape of the input."""
    mean, std = np.float32(layer.beta), np.float32(layer.alpha)

    def draw(inputs: Sequence[FloatArray], rng: np.random.Generator | None) -> FloatArray:
        shape = inputs[0].shape
        return np.full(shape, mean) if rng is None else mean + std * rng.standard_normal(shape, np.float32)

    return draw


def random_uniform(layer: Layer) -> Operation:
    """Draw from U(beta, beta + alpha), in the shape of the input."""
    start, width = np.float32(layer.beta), np.float32(layer.alpha)

    def draw(inputs: Sequence[FloatArray], rng: np.random.Generator | None) -> FloatArray:
        shape = inputs[0].shape
        return np.full(shape, start + width / 2) if rng is None else start + width * rng.random(shape, np.float32)

    return draw


def multinomial(layer: Layer) -> Operation:
    """Draw indices by log-probability, [batch, 1, 1, samples]: argmax(log_probs - log E) (the Gumbel-max trick)."""
    samples = single(layer, "the number of samples")

    def draw(inputs: Sequence[FloatArray], rng: np.random.Generator | None) -> FloatArray:
        log_probs = inputs[0].reshape(len(inputs[0]), 1, -1)
        shape = (len(log_probs), samples, log_probs.shape[2])
        noise = np.zeros(shape) if rng is None else np.log(rng.standard_exponential(shape))
        choices: FloatArray = (log_probs - noise).argmax(axis=2).astype(np.float32)
        return choices[:, np.newaxis, np.newaxis]

    return draw
