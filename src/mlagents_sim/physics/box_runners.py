"""Boxes that run about on a floor, several in each area, compiled: how they move, stand and see.

They are the first boxes of an area. Agent i is box i % per_area of area i // per_area.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.boxes import Boxes
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.ray_casts import RayOrigins, Shapes
from mlagents_sim.physics.rules import run_turn_or_step, write_yaw

OUT_OF_PLAY_M: Final = -1000.0
"""Height of what is out of play."""


@compiled
def run(
    boxes: Boxes, choices: NDArray[np.int32], per_area: int, speed: float, side_speed: float, turn_rad: float
) -> None:
    """Let everybody do one physics step of `rules.run_turn_or_step`.

    Args:
      boxes: one row per area.
      choices: int32 [agents, 1]; 0 of who is out of play.
      per_area: agents.
      speed: that a step ahead or back adds, m/s.
      side_speed: that a step aside adds, m/s.
      turn_rad: of a turn.
    """
    for i in range(len(choices)):
        area, box = i // per_area, i % per_area
        velocity, yaw = boxes.velocity[area, box], boxes.yaw[area, box]
        boxes.yaw[area, box] = run_turn_or_step(choices[i, 0], velocity, yaw, speed, side_speed, turn_rad)


@compiled
def take_out(boxes: Boxes, area: int, box: int) -> None:
    """Put a box that moves far below the floor, where it stays, and touches no other that was put there."""
    boxes.position[area, box] = 0.0
    boxes.position[area, box, 1] = OUT_OF_PLAY_M - 10.0 * box
    boxes.velocity[area, box] = 0.0
    boxes.spin[area, box] = 0.0
    boxes.inverse_mass[area, box] = 0.0


@allocating
def perceive_body(boxes: Boxes, agents: NDArray[np.intp], per_area: int) -> NDArray[np.float32]:
    """Return what a `sensors.BodySensor` tells of boxes that turn about the vertical only.

    Returns: float32 [n, 10]: position, m; quaternion (x, y, z, w); velocity, m/s; in the frame of the area.
    """
    result = np.zeros((len(agents), 10), np.float32)
    for row in range(len(agents)):
        area, box = agents[row] // per_area, agents[row] % per_area
        half_yaw = 0.5 * boxes.yaw[area, box]
        result[row, 4], result[row, 6] = math.sin(half_yaw), math.cos(half_yaw)
        for axis in range(3):
            result[row, axis] = boxes.position[area, box, axis]
            result[row, 7 + axis] = boxes.velocity[area, box, axis]
    return result


@allocating
def look(boxes: Boxes, shapes: Shapes, origins: RayOrigins) -> None:
    """Bring what is seen of the boxes that move, the first shapes, and from where agents look, up to date."""
    areas, movers = boxes.touches.shape[:2]
    for area in range(areas):
        for box in range(movers):
            shapes.center[area, box] = boxes.position[area, box]
            write_yaw(shapes.rotation[area, box], boxes.yaw[area, box])
    for agent in range(len(origins.area)):
        area, box = origins.area[agent], origins.shape[agent]
        origins.position[agent] = shapes.center[area, box]
        origins.rotation[agent] = shapes.rotation[area, box]
