"""Rays that see what is around an agent: its kind and its distance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_envs.spectating import RayFan
from mlagents_sim.physics.ray_casts import Rays, cast, rotations_2d
from mlagents_sim.sensors.sensor import PassingSensor, Sensor
from mlagents_sim.sensors.stacking import StackingSensor
from mlagents_sim.sensors.tagged_shapes import NOBODY, TaggedShape, as_shapes, ray_origins_of_one
from mlagents_sim.visual_geoms import yaw_rotations


def ray_fans(sensors: Sequence[Sensor]) -> dict[int, RayFan]:
    """Return for spectators the rays behind observations, by the sensor's place in the list."""
    fans = {}
    for place, sensor in enumerate(sensors):
        inner = sensor.sensor if isinstance(sensor, StackingSensor) else sensor
        if isinstance(inner, RaySensor | RaySensor2D):
            fans[place] = RayFan(inner.rays.start_height, inner.rays.path, inner.tags)
    return fans


class RaySensor(PassingSensor):
    """Passes on what `physics.ray_casts.cast` finds along the sensor's rays.

    The rays: straight ahead first, then one to the right and one to the left at a time, outwards. Per ray the
    tag of what was hit, one-hot; 1 if nothing was hit; and the fraction of the length to where it was hit.

    Args:
      name: sensors are reported in the order of their names.
      tags: what can be told apart; a shape's tag is its place in this list.
      rays_per_direction: on each side of the one straight ahead.
      max_degrees: from straight ahead to the outermost.
      length: on the ground, m.
      radius: of the sphere that is cast, m; 0 for a point.
      start_height: where rays begin above the agent's origin, m.
      end_height: where they end above the agent's origin, m.

    Attributes:
      spec: shape (rays * (tags + 2),).
      rays: for `physics.ray_casts.cast`.
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
        self.tags = tuple(tags)
        self.rays = Rays(float(start_height), path, float(grown), len(tags))
        self.spec = _spec(name, self.rays)

    def look(self, things: Iterable[TaggedShape], position: ArrayLike, yaw_rad: float = 0.0) -> NDArray[np.float32]:
        """Return what one agent sees: the frame of an `authoring.FrameSensor`.

        Args:
          things: all that there is besides the agent itself.
          position: [3], of the agent, m.
          yaw_rad: how far the agent is turned to the right.

        Returns: float32 [rays * (tags + 2)].
        """
        origins = ray_origins_of_one(position, yaw_rotations(np.array(yaw_rad)))
        seen: NDArray[np.float32] = cast(self.rays, as_shapes(things, self.tags), origins, NOBODY)[0]
        return seen


class RaySensor2D(PassingSensor):
    """The rays of a flat world, whose agents move in the x-y plane: a `RaySensor` on its side.

    Who is not turned has +y ahead and +x to the right. Circles are spheres and capsules, rectangles are boxes, all of
    them with their middles in the plane of the agents; how far they reach along z makes no difference. A circle is
    cast, and what it overlaps at its start is not hit, as in Unity when "Queries Start In Colliders" is off.

    Args:
      name: sensors are reported in the order of their names.
      tags: what can be told apart; a shape's tag is its place in this list.
      rays_per_direction: on each side of the one straight ahead.
      max_degrees: from straight ahead to the outermost.
      length: of the rays, m.
      radius: of the circle that is cast, m; 0 for a point.

    Attributes:
      spec: shape (rays * (tags + 2),), as that of a `RaySensor`.
      rays: for `physics.ray_casts.cast`; `rotations_2d` turns eyes and shapes.
    """

    def __init__(
        self,
        name: str,
        tags: Sequence[str],
        rays_per_direction: int,
        max_degrees: float,
        length: float,
        radius: float = 0.5,
    ) -> None:
        angle = np.radians(ray_degrees(rays_per_direction, max_degrees))
        path = np.stack((length * np.cos(angle), length * np.sin(angle), np.zeros_like(angle)), axis=1)
        self.tags = tuple(tags)
        self.rays = Rays(0.0, path, float(radius), len(tags))
        self.spec = _spec(name, self.rays)

    def look(self, things: Iterable[TaggedShape], position: ArrayLike, angle_rad: float = 0.0) -> NDArray[np.float32]:
        """Return what one agent sees: the frame of an `authoring.FrameSensor`.

        Args:
          things: all that there is besides the agent itself; their z does not count.
          position: [2], of the agent, m.
          angle_rad: how far the agent is turned counter-clockwise.

        Returns: float32 [rays * (tags + 2)].
        """
        x, y = np.asarray(position, np.float64)
        shapes = as_shapes(things, self.tags)
        shapes.center[..., 2] = 0.0
        origins = ray_origins_of_one((x, y, 0.0), rotations_2d(angle_rad))
        seen: NDArray[np.float32] = cast(self.rays, shapes, origins, NOBODY)[0]
        return seen


def _spec(name: str, rays: Rays) -> ObservationSpec:
    size = len(rays.path) * (rays.tags + 2)
    return ObservationSpec((size,), (DimensionProperty.NONE,), ObservationType.DEFAULT, name)


def ray_degrees(rays_per_direction: int, max_degrees: float) -> NDArray[np.float64]:
    """Return float64 [2 * rays_per_direction + 1]: 90, 90 - d, 90 + d, 90 - 2 d, ...; 0 is right, 90 straight ahead."""
    outwards = np.repeat(np.arange(1, rays_per_direction + 1), 2)
    side = np.tile((-1.0, 1.0), rays_per_direction)
    return 90.0 + np.append(0.0, side * outwards * max_degrees / max(rays_per_direction, 1))
