"""A list of numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_sim.rows import Rows


class VectorSensor:
    """Passes `size` numbers on as they are.

    Args:
      size: Numbers per agent.
    """

    def __init__(self, size: int) -> None:
        self.spec = ObservationSpec(
            (size,), (DimensionProperty.NONE,), ObservationType.DEFAULT, f"VectorSensor_size{size}"
        )

    def observe(self, rows: Rows, frame: ArrayLike) -> NDArray[np.float32]:
        """`frame` [rows, size] as float32, a copy."""
        return np.array(frame, np.float32)

    def clear(self, rows: Rows) -> None:
        """Nothing is remembered."""
