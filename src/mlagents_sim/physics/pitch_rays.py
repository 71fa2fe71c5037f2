"""What players on a pitch see along level rays, compiled: the sphere casts of `ray_casts`, flat.

Rays of a pitch run at one height, above the middles of ball and players, so that a cast sphere meets discs whose radius
is smaller than the sum of both. Walls are upright, and higher than that.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.compiled import compiled
from mlagents_sim.physics.pitch import PLAYER_RADIUS_M, Pitches, Walls
from mlagents_sim.physics.planar import separation, sweep

TOUCHING_M: Final = 1e-6
"""Walls so near to the sphere at its start are not hit."""


class PitchRays(NamedTuple):
    """Rays of one sensor, as one team sees.

    Attributes:
      path: float64 [rays, 2], to the right and ahead, m; equally long.
      radius: of the cast sphere, m.
      height: of the rays above the middles of players and ball, m.
      tags: how many there are.
      body_tag: int64 [bodies], place in the list of tags; negative if it is not there. The ball is the last.
      wall_tag: int64 [looks], the same of walls, by `Walls.look`.
    """

    path: NDArray[np.float64]
    radius: float
    height: float
    tags: int
    body_tag: NDArray[np.int64]
    wall_tag: NDArray[np.int64]


@compiled
def cast_on_pitch(
    rays: PitchRays, pitches: Pitches, walls: Walls, pitch: NDArray[np.intp], player: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return what rays hit first, as `ray_casts.cast` tells it.

    Args:
      rays: of the sensor.
      pitches: all of them.
      walls: of every pitch.
      pitch: int64 [n], where each viewer is.
      player: int64 [n], who it is there.

    Returns: float32 [n, rays * (tags + 2)].
    """
    width = rays.tags + 2
    result = np.zeros((len(pitch), len(rays.path) * width), np.float32)
    for row in range(len(pitch)):
        yaw = pitches.yaw[pitch[row], player[row]]
        c, s = math.cos(yaw), math.sin(yaw)
        for ray in range(len(rays.path)):
            right, ahead = rays.path[ray, 0], rays.path[ray, 1]
            dx, dz = c * right + s * ahead, c * ahead - s * right
            seen = result[row, ray * width : (ray + 1) * width]
            first, tag = _first_body(rays, pitches, pitch[row], player[row], dx, dz)
            first, tag = _first_wall(rays, walls, pitches.position[pitch[row], player[row]], dx, dz, first, tag)
            if first > 1.0:
                seen[rays.tags] = seen[rays.tags + 1] = 1.0
                continue
            if tag >= 0:
                seen[tag] = 1.0
            seen[rays.tags + 1] = first
    return result


@compiled
def _first_body(rays: PitchRays, pitches: Pitches, pitch: int, player: int, dx: float, dz: float) -> tuple[float, int]:
    """Return which fraction of its path a ray goes until it meets a body, and that body's tag."""
    first, tag = 2.0, 0
    position = pitches.position[pitch]
    bodies = len(position)
    for body in range(bodies):
        if body == player:
            continue
        reach = rays.radius + (pitches.ball_radius[pitch] if body == bodies - 1 else PLAYER_RADIUS_M)
        if reach <= rays.height:
            continue
        x, z = position[player, 0] - position[body, 0], position[player, 1] - position[body, 1]
        fraction = sweep(x, z, dx, dz, 0.0, 0.0, math.sqrt(reach * reach - rays.height * rays.height))
        if fraction < first:
            first, tag = fraction, rays.body_tag[body]
    return first, tag


@compiled
def _first_wall(
    rays: PitchRays, walls: Walls, position: NDArray[np.float64], dx: float, dz: float, first: float, tag: int
) -> tuple[float, int]:
    """Return the same as `_first_body` if no wall is met before that, else where it is and its tag."""
    length = math.sqrt(dx * dx + dz * dz)
    for wall in range(len(walls.look)):
        half, axis = walls.half_size[wall], walls.axis[wall]
        x, z = position[0] - walls.center[wall, 0], position[1] - walls.center[wall, 1]
        reach = (half[0] + half[1] + rays.radius) * length
        if x * dx + z * dz > reach or abs(x * dz - z * dx) > reach:
            continue  # it is behind, or the ray passes by
        along, across = axis[0] * x + axis[1] * z, axis[0] * z - axis[1] * x
        fraction = sweep(
            along, across, axis[0] * dx + axis[1] * dz, axis[0] * dz - axis[1] * dx, half[0], half[1], rays.radius
        )
        if fraction < first and separation(along, across, half[0], half[1])[0] > rays.radius + TOUCHING_M:
            first, tag = fraction, rays.wall_tag[walls.look[wall]]
    return first, tag
