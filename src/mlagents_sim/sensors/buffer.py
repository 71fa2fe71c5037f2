"""A list of things whose number varies: as many rows as there are now, and zeros for the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_sim.sensors.sensor import PassingSensor


class BufferSensor(PassingSensor):
    """Passes on what describes the things that an agent perceives now, a row each.

    Networks attend to the rows in any order, and leave out those that are zero. A row whose squared numbers sum to
    less than 0.01 counts as zero, so something of each thing, such as a one-hot kind, should be far from 0.

    Args:
      most: things that are perceived at once.
      features: numbers that describe one thing.
      name: of the observation; several lists of one agent need different ones.

    Attributes:
      spec: float32 [most, features], of which the first axis is of variable size.
    """

    def __init__(self, most: int, features: int, name: str = "BufferSensor") -> None:
        properties = (DimensionProperty.VARIABLE_SIZE, DimensionProperty.NONE)
        self.spec = ObservationSpec((most, features), properties, ObservationType.DEFAULT, name)

    def pad(self, things: ArrayLike) -> NDArray[np.float32]:
        """Return the things of one agent with zeros after them: the frame of an `authoring.FrameSensor`.

        Args:
          things: [n, features], n at most `most`; an empty list for none.

        Returns: float32 [most, features].

        Raises:
          ValueError: too many things, or another number of features.
        """
        most, features = self.spec.shape
        rows = np.asarray(things, np.float32)
        if rows.size == 0:
            rows = rows.reshape(0, features)
        if rows.ndim != 2 or rows.shape[1] != features or len(rows) > most:
            raise ValueError(
                f"Sensor {self.spec.name!r}: expected at most {most} things of {features} numbers each; got an array"
                f" of shape {list(rows.shape)}."
            )
        frame = np.zeros(self.spec.shape, np.float32)
        frame[: len(rows)] = rows
        return frame
