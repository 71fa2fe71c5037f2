"""How much memory a behavior needs once it trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mlagents.data.columns import Columns
from mlagents.learning.protocols import Learner
from mlagents.settings import BehaviorSettings
from mlagents_envs.base_env import BehaviorSpec

_GRIDS = 2
"""Slots per lane: the segment that grows, and the one before it, which waits to be handed on."""
_GRADIENTS = 4 / 3
"""Weights, gradients and both moments of Adam, of which a state has all but the gradients."""
_OFF_POLICY = ("sac",)


def footprint(settings: BehaviorSettings, spec: BehaviorSpec, learner: Learner, agents: int) -> dict[str, float]:
    """Return bytes by purpose: open trajectories, experience (buffer or replay), networks.

    Args:
      settings: of the behavior.
      spec: its observations and actions.
      learner: fresh, without experience.
      agents: that act at once, in all environments.
    """
    row = row_bytes(spec, learner.snapshot().memory_size)
    buffer = settings.hyperparameters.buffer_size
    arriving = 0 if settings.trainer_type in _OFF_POLICY else agents * (settings.time_horizon + 1)
    return {
        "trajectories": float(_GRIDS * agents * (settings.time_horizon + 1) * row),
        "replay" if settings.trainer_type in _OFF_POLICY else "buffer": float((buffer + arriving) * row),
        "networks": _GRADIENTS * sum(_tensor_bytes(learner.state_dict()["tensors"])),
    }


def row_bytes(spec: BehaviorSpec, memory_size: int) -> int:
    """Return the bytes of one decision in the table of experience."""
    columns = Columns.empty(spec, memory_size, 1)
    return sum(array.nbytes for _, array in columns.named())


def _tensor_bytes(tree: Any, path: str = "") -> Iterator[int]:
    """Yield the bytes of all arrays of a tree that are no experience."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _tensor_bytes(value, f"{path}/{key}")
    elif "replay" not in path and hasattr(tree, "nbytes"):
        yield int(np.asarray(tree).nbytes)
