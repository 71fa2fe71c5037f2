"""What players on a pitch see along level rays, compiled: the sphere casts of `ray_casts`, flat.

Rays of a pitch run at one height, above the middles of ball and players, so that a cast sphere meets discs whose radius
is smaller than the sum of both. Walls are upright, and higher than that.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.compiled import allocating, compiled
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


class _Nearby(NamedTuple):
    """Walls that the rays of a viewer may meet, the nearest first.

    Attributes:
      wall: int64 [walls].
      gap: float64 [walls], between the sphere at its start and the wall, m.
      along: float64 [walls], where the viewer is in the wall's own frame, m.
      across: float64 [walls], likewise.
      reach: float64 [walls], from the wall's middle, beyond which no sphere touches it, m.
    """

    wall: NDArray[np.int64]
    gap: NDArray[np.float64]
    along: NDArray[np.float64]
    across: NDArray[np.float64]
    reach: NDArray[np.float64]


@allocating
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
    width, count = rays.tags + 2, len(rays.path)
    length = math.sqrt(rays.path[0, 0] ** 2 + rays.path[0, 1] ** 2)
    result = np.zeros((len(pitch), count * width), np.float32)
    n = len(walls.look)
    nearby = _Nearby(np.empty(n, np.int64), np.empty(n), np.empty(n), np.empty(n), np.empty(n))
    for row in range(len(pitch)):
        x, z = pitches.position[pitch[row], player[row], 0], pitches.position[pitch[row], player[row], 1]
        yaw = pitches.yaw[pitch[row], player[row]]
        c, s = math.cos(yaw), math.sin(yaw)
        near = _find_nearby(walls, x, z, rays.radius, length, nearby)
        for ray in range(count):
            right, ahead = rays.path[ray, 0], rays.path[ray, 1]
            dx, dz = c * right + s * ahead, c * ahead - s * right
            first, tag = _first_body(rays, pitches, pitch[row], player[row], dx, dz)
            first, tag = _first_wall(rays, walls, nearby, near, x, z, dx, dz, length, first, tag)
            column = ray * width
            if first > 1.0:
                result[row, column + rays.tags] = result[row, column + rays.tags + 1] = 1.0
                continue
            if tag >= 0:
                result[row, column + tag] = 1.0
            result[row, column + rays.tags + 1] = first
    return result


@compiled
def _find_nearby(walls: Walls, x: float, z: float, radius: float, length: float, nearby: _Nearby) -> int:
    """List the walls that rays from a point may meet; return how many there are."""
    count = 0
    for wall in range(len(walls.look)):
        half_x, half_z = walls.half_size[wall, 0], walls.half_size[wall, 1]
        dx, dz = x - walls.center[wall, 0], z - walls.center[wall, 1]
        along = walls.axis[wall, 0] * dx + walls.axis[wall, 1] * dz
        across = walls.axis[wall, 0] * dz - walls.axis[wall, 1] * dx
        distance, _, _ = separation(along, across, half_x, half_z)
        if distance <= radius + TOUCHING_M or distance - radius > length * (1.0 + TOUCHING_M):
            continue
        place, gap = count, distance - radius
        while place > 0 and nearby.gap[place - 1] > gap:
            nearby.wall[place], nearby.gap[place] = nearby.wall[place - 1], nearby.gap[place - 1]
            nearby.along[place], nearby.across[place] = nearby.along[place - 1], nearby.across[place - 1]
            nearby.reach[place] = nearby.reach[place - 1]
            place -= 1
        nearby.wall[place], nearby.gap[place] = wall, gap
        nearby.along[place], nearby.across[place] = along, across
        nearby.reach[place] = half_x + half_z + radius
        count += 1
    return count


@compiled
def _first_body(rays: PitchRays, pitches: Pitches, pitch: int, player: int, dx: float, dz: float) -> tuple[float, int]:
    """Return which fraction of its path a ray goes until it meets a body, and that body's tag."""
    first, tag = 2.0, 0
    bodies = pitches.position.shape[1]
    for body in range(bodies):
        if body == player:
            continue
        reach = rays.radius + (pitches.ball_radius[pitch] if body == bodies - 1 else PLAYER_RADIUS_M)
        if reach <= rays.height:
            continue
        x = pitches.position[pitch, player, 0] - pitches.position[pitch, body, 0]
        z = pitches.position[pitch, player, 1] - pitches.position[pitch, body, 1]
        if x * dx + z * dz >= 0.0:
            continue  # it is behind
        fraction = sweep(x, z, dx, dz, 0.0, 0.0, math.sqrt(reach * reach - rays.height * rays.height))
        if fraction < first:
            first, tag = fraction, rays.body_tag[body]
    return first, tag


@compiled
def _first_wall(
    rays: PitchRays,
    walls: Walls,
    nearby: _Nearby,
    near: int,
    x: float,
    z: float,
    dx: float,
    dz: float,
    length: float,
    first: float,
    tag: int,
) -> tuple[float, int]:
    """Return the same as `_first_body` if no wall is met before that, else where it is and its tag.

    Of walls that are met at once it is the one with the lowest number.
    """
    hit = -1
    for place in range(near):
        if nearby.gap[place] > first * length * (1.0 + TOUCHING_M):
            break  # this wall and all that follow are farther away
        wall, reach = nearby.wall[place], nearby.reach[place] * length
        from_x, from_z = x - walls.center[wall, 0], z - walls.center[wall, 1]
        if from_x * dx + from_z * dz > reach or abs(from_x * dz - from_z * dx) > reach:
            continue  # it is behind, or the ray passes by
        axis_x, axis_z = walls.axis[wall, 0], walls.axis[wall, 1]
        fraction = sweep(
            nearby.along[place],
            nearby.across[place],
            axis_x * dx + axis_z * dz,
            axis_x * dz - axis_z * dx,
            walls.half_size[wall, 0],
            walls.half_size[wall, 1],
            rays.radius,
        )
        if fraction < first or (fraction == first and fraction <= 1.0 and wall < hit):
            first, tag, hit = fraction, rays.wall_tag[walls.look[wall]], wall
    return first, tag
