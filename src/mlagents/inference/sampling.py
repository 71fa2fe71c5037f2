"""From the log-probabilities that models of version 2 put out to actions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlagents.inference.noise import log_exponential


def choices(
    log_probs: NDArray[np.floating],
    branches: Sequence[int],
    masks: Sequence[NDArray[np.bool_]] | None,
    rng: np.random.Generator | None,
) -> NDArray[np.intp]:
    """Return one index per agent and branch, int [n, branches].

    A masked action is never chosen: these models leave it a probability of about 1e-7.

    Args:
      log_probs: [n, sum of branches], all branches side by side.
      branches: their sizes.
      masks: one bool [n, size] per branch, True = forbidden.
      rng: of the samples; without it, the most likely actions.
    """
    if rng is not None:
        log_probs = log_probs - log_exponential(rng, log_probs.size).reshape(log_probs.shape)
    parts = np.split(log_probs, np.cumsum(branches)[:-1], axis=1)
    if masks is not None:
        parts = [np.where(mask, -np.inf, part) for mask, part in zip(masks, parts, strict=True)]
    return np.stack([part.argmax(axis=1) for part in parts], axis=1)
