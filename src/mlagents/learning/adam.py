"""Adam's moments for a vector of weights: at rest, in checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optax
from numpy.typing import NDArray

from mlagents.nn.flat import flattened

ADAM = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8)
"""Works element by element: with one learning rate it is the same for several networks as an optimiser for each."""


def at_rest(parameters: NDArray[np.float32]) -> optax.ScaleByAdamState:
    """Return the moments before the first step."""
    return optax.ScaleByAdamState(np.zeros((), np.int32), np.zeros_like(parameters), np.zeros_like(parameters))


def named(adam: optax.ScaleByAdamState, networks_of: Callable[[Any], Any]) -> dict[str, Any]:
    """Return count and moments as trees like the networks, for checkpoints."""
    return {"count": adam.count, "mu": networks_of(adam.mu), "nu": networks_of(adam.nu)}


def restored(saved: dict[str, Any]) -> optax.ScaleByAdamState:
    """Return the moments of what `named` returned."""
    return optax.ScaleByAdamState(saved["count"], flattened(saved["mu"])[0], flattened(saved["nu"])[0])
