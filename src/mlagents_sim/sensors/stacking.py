"""The last few frames of another sensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors.sensor import Sensor


class StackingSensor:
    """Joins the last frames along the first axis, oldest first; zeros where an episode has no frame yet.

    Args:
      sensor: where the frames come from.
      frames: how many.
      agents: agents in the batch.

    Attributes:
      sensor: as given.
      stack: float32 [agents, *shape], what each agent perceived last.
    """

    def __init__(self, sensor: Sensor, frames: int, agents: int) -> None:
        self.sensor = sensor
        self._size = sensor.spec.shape[0]
        shape = (frames * self._size, *sensor.spec.shape[1:])
        self.spec = sensor.spec._replace(shape=shape, name=f"StackingSensor_size{frames}_{sensor.spec.name}")
        self.stack = np.zeros((agents, *shape), np.float32)

    def observe(self, rows: RowIndex, frame: ArrayLike) -> NDArray[np.float32]:
        """Return the stack of the agents `rows` with `frame` [rows, ...] as its newest entry."""
        newest = self.sensor.observe(rows, frame)
        stack = np.concatenate((self.stack[rows, self._size :], newest), axis=1)
        self.stack[rows] = stack
        return stack

    def clear(self, rows: RowIndex) -> None:
        """Zero the stacks of the agents `rows`."""
        self.sensor.clear(rows)
        self.stack[rows] = 0.0
