"""What agents perceive: a frame per decision becomes an observation."""

from mlagents_sim.sensors.body import BodySensor
from mlagents_sim.sensors.buffer import BufferSensor
from mlagents_sim.sensors.camera import CameraSensor
from mlagents_sim.sensors.grid import GridSensor
from mlagents_sim.sensors.image import ImageSensor
from mlagents_sim.sensors.rays import RaySensor, RaySensor2D, ray_fans
from mlagents_sim.sensors.sensor import Sensor, VectorSensor
from mlagents_sim.sensors.stacking import StackingSensor
from mlagents_sim.sensors.tagged_shapes import TaggedGeoms, TaggedShape

__all__ = [
    "BodySensor",
    "BufferSensor",
    "CameraSensor",
    "GridSensor",
    "ImageSensor",
    "RaySensor",
    "RaySensor2D",
    "Sensor",
    "StackingSensor",
    "TaggedGeoms",
    "TaggedShape",
    "VectorSensor",
    "ray_fans",
]
