"""A list of numbers."""

from __future__ import annotations

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_sim.sensors.sensor import PassingSensor


class VectorSensor(PassingSensor):
    """Passes `size` numbers on as they are.

    Args:
      size: numbers per agent.
    """

    def __init__(self, size: int) -> None:
        self.spec = ObservationSpec(
            (size,), (DimensionProperty.NONE,), ObservationType.DEFAULT, f"VectorSensor_size{size}"
        )
