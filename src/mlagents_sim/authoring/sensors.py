"""What one agent perceives besides the numbers of `collect_observations`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ObservationSpec
from mlagents_sim.row_index import ALL
from mlagents_sim.sensors import Sensor


class AgentSensor(Protocol):
    """A sensor of one agent: rays, a camera, a list of things nearby."""

    @property
    def spec(self) -> ObservationSpec:
        """Name and shape of the observation, the same for all agents of a behavior."""

    def observe(self) -> ArrayLike:
        """Return what the agent perceives now, of the spec's shape."""

    def reset(self) -> None:
        """Begin an episode: forget what was perceived before."""


class FrameSensor:
    """A sensor of `mlagents_sim.sensors` for one agent.

    Args:
      sensor: for a batch of one agent.
      frame: returns what the sensor is to turn into an observation, without the batch axis.
    """

    def __init__(self, sensor: Sensor, frame: Callable[[], ArrayLike]) -> None:
        self._sensor = sensor
        self._frame = frame

    @property
    def spec(self) -> ObservationSpec:
        """Name and shape of the observation."""
        return self._sensor.spec

    def observe(self) -> NDArray[np.float32]:
        """Return the sensor's observation of the present frame."""
        observation: NDArray[np.float32] = self._sensor.observe(ALL, np.asarray(self._frame())[np.newaxis])[0]
        return observation

    def reset(self) -> None:
        """Forget earlier frames."""
        self._sensor.clear(ALL)
