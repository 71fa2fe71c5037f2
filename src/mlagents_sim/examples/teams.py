"""Three cubes that play as a group in a walled area 25 m wide: what their games share."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from mlagents_sim.physics.boxes import Boxes
from mlagents_sim.physics.ray_casts import RayOrigins, Shapes, shapes_at

TEAM: Final = 3  # the first boxes of an area are its cubes, row after row of the batch
DECISION_PERIOD: Final = 5

# Motion, per physics step
GRAVITY: Final = 14.715
RUN_SPEED: Final = 3.0  # m/s
SIDE_SPEED: Final = 2.25  # m/s
TURN_RAD: Final = math.radians(4.0)
CUBE_MASS_KG: Final = 10.0
CUBE_DRAG: Final = 4.0

# The area, m
START_SPREAD_M: Final = 6.25
START_HEIGHT_M: Final = 1.0
FLOOR_CENTER: Final = (0.0, -0.5, 0.0)
FLOOR_SIZE: Final = (25.0, 1.0, 25.0)
WALL_CENTERS: Final = [(12.75, 0.5, 0.0), (-12.75, 0.5, 0.0), (0.0, 0.5, 12.75), (0.0, 0.5, -12.75)]
WALL_SIZES: Final = [(0.5, 2.0, 26.0), (0.5, 2.0, 26.0), (25.0, 2.0, 0.5), (25.0, 2.0, 0.5)]
AREAS_APART_M: Final = 40.0


def make_shapes(
    boxes: Boxes, tags: list[int], tag: int, half_size: tuple[float, float, float], radius: float = 0.0
) -> Shapes:
    """Return what can be seen in all areas, for `look` to bring up to date: the boxes, then one more thing.

    Args:
      boxes: one row per area.
      tags: of the boxes.
      tag: of the other thing, which no box stands for.
      half_size: of it, m; zeros for a sphere.
      radius: of it, m; zero for a box.
    """
    places = np.concatenate((boxes.position, np.zeros((len(boxes.yaw), 1, 3))), axis=1)
    sizes = np.concatenate((boxes.half_size[0], [half_size]))
    return shapes_at(places, sizes, [*tags, tag], [*[0.0] * len(tags), radius])


def make_origins(areas: int) -> RayOrigins:
    """Return from where the cubes of all areas look, for `look` to bring up to date."""
    agents = np.arange(TEAM * areas)
    return RayOrigins(agents // TEAM, agents % TEAM, np.zeros((len(agents), 3)), np.zeros((len(agents), 3, 3)))
