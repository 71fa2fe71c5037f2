"""What a body knows of itself."""

from __future__ import annotations

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_sim.sensors.sensor import PassingSensor


class BodySensor(PassingSensor):
    """Where a body is, how it is turned and how it moves, as Unity's rigid body sensors tell of a single body.

    Args:
      name: sensors are reported in the order of their names.

    Attributes:
      spec: shape (10,): position (3), m; quaternion (x, y, z, w); velocity (3), m/s; in the frame of the area.
    """

    def __init__(self, name: str = "PhysicsBodySensor") -> None:
        self.spec = ObservationSpec((10,), (DimensionProperty.NONE,), ObservationType.DEFAULT, name)
