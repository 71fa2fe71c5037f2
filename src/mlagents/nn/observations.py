"""What a behavior observes, sorted by kind: vectors, images, and entities of variable number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

from mlagents.arrays import Array
from mlagents.nn.errors import NetworkError
from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType

Observations = Sequence[Num[Array, "rows ..."]]
"""One array per observation spec, float32; images may be uint8, 255 times their value."""


class Inputs(NamedTuple):
    """Observations ready for a network.

    Attributes:
      vector: all vector observations in sensor order, float32, normalised if the policy normalises.
      images: one [rows, channels, height, width] per image sensor, float32 in [0, 1] or uint8.
      entities: one float32 [rows, most entities, features] per sensor of variable length; padding is zero.
    """

    vector: Float[Array, "rows n"]
    images: tuple[Num[Array, "rows c h w"], ...]
    entities: tuple[Float[Array, "rows e f"], ...]


@dataclass(frozen=True)
class ObservationLayout:
    """Which observation is of which kind.

    Attributes:
      vectors: indices of the observations that are vectors; images, entities: likewise.
      widths: of the vectors.
      goal_columns: (start, stop) of the vectors that are goal signals, in `Inputs.vector`.
      goal_images: goal signals among `Inputs.images`.
      goal_entities: whether a goal signal is among the entities.
    """

    vectors: tuple[int, ...]
    images: tuple[int, ...]
    entities: tuple[int, ...]
    widths: tuple[int, ...]
    goal_columns: tuple[tuple[int, int], ...]
    goal_images: tuple[int, ...]
    goal_entities: bool = False

    @property
    def width(self) -> int:
        """Numbers in all vectors together."""
        return sum(self.widths)

    @property
    def has_goals(self) -> bool:
        """Whether an observation is a goal signal."""
        return bool(self.goal_columns or self.goal_images or self.goal_entities)

    def vector(self, observations: Observations) -> Float[Array, "rows n"]:
        """Return all vector observations side by side; numpy for numpy."""
        parts = [observations[i] for i in self.vectors]
        xp = jnp if isinstance(observations[0], jax.Array) else np
        if not parts:
            parts = [xp.zeros((len(observations[0]), 0), np.float32)]
        joined: Array = parts[0] if len(parts) == 1 else xp.concatenate(parts, axis=1)
        return joined

    def sorted(self, observations: Observations) -> Inputs:
        """Return observations by kind; nothing is normalised."""
        return Inputs(
            self.vector(observations),
            tuple(observations[i] for i in self.images),
            tuple(observations[i] for i in self.entities),
        )


def layout_of(specs: Sequence[ObservationSpec]) -> ObservationLayout:
    """Return how the observations of a behavior are sorted.

    Raises:
      NetworkError: there are none, or one is of a kind that no network here reads.
    """
    if not specs:
        raise NetworkError("the behavior has no observations; add at least one sensor to the agent")
    kinds = [_kind(index, spec) for index, spec in enumerate(specs)]
    vectors, images, entities = (
        tuple(i for i, kind in enumerate(kinds) if kind == name) for name in ("vector", "image", "entities")
    )
    widths = tuple(specs[i].shape[0] for i in vectors)
    stops = np.cumsum(widths, dtype=int).tolist()
    goals = {i for i, spec in enumerate(specs) if spec.observation_type is ObservationType.GOAL_SIGNAL}
    return ObservationLayout(
        vectors,
        images,
        entities,
        widths,
        tuple((stop - width, stop) for i, width, stop in zip(vectors, widths, stops, strict=True) if i in goals),
        tuple(position for position, i in enumerate(images) if i in goals),
        bool(goals & set(entities)),
    )


def _kind(index: int, spec: ObservationSpec) -> str:
    if len(spec.shape) == 1:
        return "vector"
    if len(spec.shape) == 3:
        return "image"
    if len(spec.shape) == 2 and spec.dimension_property[0] & DimensionProperty.VARIABLE_SIZE:
        return "entities"
    raise NetworkError(
        f"observation {index} ({spec.name or 'unnamed'}) has shape {list(spec.shape)}; networks read vectors [n],"
        " images [channels, height, width] and, if the first axis is of variable size, entities [most, features]"
    )
