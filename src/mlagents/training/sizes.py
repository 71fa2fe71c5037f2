"""How much memory a behavior takes at least, once it is known what its agents observe and do."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mlagents.data.columns import Columns
from mlagents.settings import BehaviorSettings
from mlagents.settings.sizes import COPIES
from mlagents.settings.source.faults import KeyPath
from mlagents_envs.base_env import BehaviorSpec

_FLOAT = 4
_ROWS_PER_DECISION = {"ppo": 1, "poca": 1, "sac": 2}
"""Of the buffers of those trainers that have one: SAC writes a ring with room for segments of a single decision."""
_GATHERING = ("ppo", "poca")
"""Trainers whose buffer has room for a whole time_horizon of every agent besides buffer_size."""


def needs_with(behavior: BehaviorSettings, spec: BehaviorSpec, workers: int) -> Iterator[tuple[KeyPath, int, str]]:
    """Yield a key of a behavior's settings, the bytes that its value takes at least, and what makes it so much.

    Args:
      behavior: settings.
      spec: observations and actions.
      workers: environments on this machine; each is taken to have one agent.
    """
    memory, hyperparameters = behavior.network_settings.memory, behavior.hyperparameters
    row = row_bytes(spec, 0 if memory is None else memory.memory_size)
    each = f"{row:,} bytes for each experience of this behavior"
    if rows := _ROWS_PER_DECISION.get(behavior.trainer_type):
        yield ("hyperparameters", "buffer_size"), rows * hyperparameters.buffer_size * row, each
    held = workers * (behavior.time_horizon + 1)
    gathered = workers * behavior.time_horizon if behavior.trainer_type in _GATHERING else 0
    yield ("time_horizon",), (held + gathered) * row, each
    inputs, outputs = _network_ends(behavior, spec)
    width = inputs + outputs
    why = f"{inputs:,} numbers go in and {outputs:,} come out"
    yield ("network_settings", "hidden_units"), COPIES * _FLOAT * width * behavior.network_settings.hidden_units, why


def row_bytes(spec: BehaviorSpec, memory_size: int) -> int:
    """Return the bytes of one experience as it is stored, images as bytes."""
    columns = Columns.empty(spec, memory_size, 0)
    return sum(column.itemsize * math.prod(column.shape[1:]) for _, column in columns.named())


def _network_ends(behavior: BehaviorSettings, spec: BehaviorSpec) -> tuple[int, int]:
    """Return how many numbers dense layers of the policy read from observations at least, and how many they give.

    Convolutions may make an image as small as `hidden_units`; entities are embedded one by one.
    """
    flat = behavior.network_settings.vis_encode_type == "fully_connected"
    read = [o.shape for o in spec.observation_specs if len(o.shape) == 1 or (flat and len(o.shape) == 3)]
    action = spec.action_spec
    return sum(map(math.prod, read)), action.continuous_size + sum(action.discrete_branches)
