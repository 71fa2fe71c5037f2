"""What every sensor can do, and the sensors that only pass on what they are given."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_sim.row_index import RowIndex


class Sensor(Protocol):
    """Turns what a batch of agents perceives at one decision into an observation."""

    @property
    def spec(self) -> ObservationSpec:
        """Name and shape of the observation."""

    def observe(self, rows: RowIndex, frame: ArrayLike) -> NDArray[np.float32]:
        """Return the observation of the agents `rows` after they perceived `frame`.

        Args:
          rows: of the batch.
          frame: [rows, ...], one entry per agent in `rows`.

        Returns: float32 [rows, *spec.shape], a new array.
        """

    def clear(self, rows: RowIndex) -> None:
        """Forget earlier frames: the agents `rows` begin an episode."""


class PassingSensor:
    """Passes frames on as they are: what is seen is made elsewhere, all at once for many agents.

    Attributes:
      spec: name and shape of the observation.
    """

    spec: ObservationSpec

    def observe(self, rows: RowIndex, frame: ArrayLike) -> NDArray[np.float32]:
        """Return `frame` [rows, *spec.shape] as float32, a copy."""
        return np.array(frame, np.float32)

    def clear(self, rows: RowIndex) -> None:
        """Do nothing: nothing is remembered."""


class VectorSensor(PassingSensor):
    """Passes `size` numbers on as they are.

    Args:
      size: numbers per agent.
      name: of the observation; an empty one stands for that of the numbers which an agent adds itself.
    """

    def __init__(self, size: int, name: str = "") -> None:
        called = name or f"VectorSensor_size{size}"
        self.spec = ObservationSpec((size,), (DimensionProperty.NONE,), ObservationType.DEFAULT, called)
