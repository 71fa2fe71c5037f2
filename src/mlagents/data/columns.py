"""Columns of experience, the same in the grid, in flat rows and in the replay buffer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec

Stored = NDArray[np.float32] | NDArray[np.uint8]
"""An observation as it is stored: images as uint8, 255 times their value, as long as that loses nothing."""


class Columns:
    """Arrays [*shape, ...] of what one decision is made of; all zero at first.

    Attributes:
      observations: one per observation spec, float32 [*shape, *spec.shape]; images (rank 3) as uint8 (see `Stored`).
      memory: float32 [*shape, memory size], of the networks before the decision.
      continuous: float32 [*shape, continuous size], as sampled.
      discrete: int32 [*shape, branches].
      log_prob: float32 [*shape, continuous size + branches].
      allowed: bool [*shape, sum of branch sizes], True = could be chosen; all True at first.
      reward: float32 [*shape].
    """

    def __init__(self, spec: BehaviorSpec, memory_size: int, *shape: int):
        action = spec.action_spec
        self.observations: list[Stored] = [_zeros(shape, o.shape) for o in spec.observation_specs]
        self.memory = np.zeros((*shape, memory_size), np.float32)
        self.continuous = np.zeros((*shape, action.continuous_size), np.float32)
        self.discrete = np.zeros((*shape, action.discrete_size), np.int32)
        self.log_prob = np.zeros((*shape, action.continuous_size + action.discrete_size), np.float32)
        self.allowed = np.ones((*shape, sum(action.discrete_branches)), np.bool_)
        self.reward = np.zeros(shape, np.float32)

    def items(self) -> Iterator[tuple[str, NDArray[np.generic]]]:
        """Yield every array and its name."""
        for i, observation in enumerate(self.observations):
            yield f"observations.{i}", observation
        for name in ("memory", "continuous", "discrete", "log_prob", "allowed", "reward"):
            yield name, getattr(self, name)

    def write(self, index: object, position: int, observation: Stored) -> None:
        """Write an observation, as floats or as stored elsewhere, at an index of the leading axes.

        An image that bytes cannot hold without loss turns the whole column into floats.
        """
        column = self.observations[position]
        if column.dtype == observation.dtype:
            column[index] = observation  # type: ignore[call-overload]
        elif column.dtype == np.float32:
            column[index] = observation / np.float32(255.0)  # type: ignore[call-overload]
        else:
            scaled = observation * np.float32(255.0)
            whole = np.rint(scaled)
            if np.all(np.abs(scaled - whole) < 1e-3) and whole.min(initial=0) >= 0 and whole.max(initial=0) <= 255:
                column[index] = whole  # type: ignore[call-overload]
            else:
                self.observations[position] = _as_floats(column)
                self.observations[position][index] = observation  # type: ignore[call-overload]

    def match(self, observations: Sequence[NDArray[np.generic]]) -> None:
        """Turn image columns into floats where these, of another `Columns`, are floats."""
        for i, other in enumerate(observations):
            if other.dtype != self.observations[i].dtype:
                self.observations[i] = _as_floats(self.observations[i])


def _zeros(leading: tuple[int, ...], shape: tuple[int, ...]) -> Stored:
    """Return an empty column of observations: bytes for images."""
    if len(shape) == 3:
        return np.zeros((*leading, *shape), np.uint8)
    return np.zeros((*leading, *shape), np.float32)


def _as_floats(column: Stored) -> NDArray[np.float32]:
    return column.astype(np.float32) / np.float32(255.0)
