"""Rays that see what is around an agent: its kind and its distance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_sim.physics.ray_casts import Rays
from mlagents_sim.rows import Rows


class RaySensor:
    """Passes on what `physics.ray_casts.cast` finds along the sensor's rays.

    The rays: straight ahead first, then one to the right and one to the left at a time, outwards. Per ray the
    tag of what was hit, one-hot; 1 if nothing was hit; and the fraction of the length to where it was hit.

    Args:
      name: Sensors are reported in the order of their names.
      tags: What can be told apart; a shape's tag is its place in this list.
      rays_per_direction: On each side of the one straight ahead.
      max_degrees: From straight ahead to the outermost.
      length: On the ground, m.
      radius: Of the sphere that is cast, m.
      start_height: Where rays begin above the agent's origin, m.
      end_height: Where they end above the agent's origin, m.

    Attributes:
      spec: Shape (rays * (tags + 2),).
      rays: For `physics.ray_casts.cast`.
    """

    def __init__(
        self,
        name: str,
        tags: Sequence[str],
        rays_per_direction: int,
        max_degrees: float,
        length: float,
        radius: float = 0.5,
        start_height: float = 0.0,
        end_height: float = 0.0,
    ) -> None:
        angle = np.radians(ray_degrees(rays_per_direction, max_degrees))
        height = np.full_like(angle, end_height - start_height)
        path = np.stack((length * np.cos(angle), height, length * np.sin(angle)), axis=1)
        # The sphere grows with the length of a slanting path.
        grown = radius * np.hypot(length, end_height - start_height) / length
        self.rays = Rays(float(start_height), path, float(grown), len(tags))
        size = len(angle) * (len(tags) + 2)
        self.spec = ObservationSpec((size,), (DimensionProperty.NONE,), ObservationType.DEFAULT, name)

    def observe(self, rows: Rows, frame: ArrayLike) -> NDArray[np.float32]:
        """`frame` [rows, size] as float32, a copy."""
        return np.array(frame, np.float32)

    def clear(self, rows: Rows) -> None:
        """Nothing is remembered."""


def ray_degrees(rays_per_direction: int, max_degrees: float) -> NDArray[np.float64]:
    """float64 [2 * rays_per_direction + 1]: 90, 90 - d, 90 + d, 90 - 2 d, ...; 0 is right and 90 straight ahead."""
    outwards = np.repeat(np.arange(1, rays_per_direction + 1), 2)
    side = np.tile((-1.0, 1.0), rays_per_direction)
    return 90.0 + np.append(0.0, side * outwards * max_degrees / max(rays_per_direction, 1))
