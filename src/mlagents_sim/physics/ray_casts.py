"""Sphere casts against the solid shapes of training areas, compiled.

A shape is a box with rounded edges: half sizes, and how far it reaches beyond them. Half sizes of zero make a
sphere, one half size that is not zero makes a capsule, a reach of zero makes a box. The centre of a cast sphere
touches a shape where its distance from the box is the sum of both radii.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_sim.physics.boxes import Boxes
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.rules import write_yaw

UNTAGGED: Final = -1  # a shape that is hit, and has no tag of the sensor's list
ABSENT: Final = -2  # a shape that is not there

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


class Shapes(NamedTuple):
    """What rays of all areas can hit, one row per area, in the area's coordinates.

    Attributes:
      center: float64 [areas, shapes, 3], m.
      rotation: float64 [areas, shapes, 3, 3], from the shape's frame to the area's.
      half_size: float64 [areas, shapes, 3], of the box, m.
      rounding: float64 [areas, shapes], reach beyond the box, m: the radius of a sphere or capsule.
      tag: int64 [areas, shapes], place in the sensor's list of tags; UNTAGGED or ABSENT.
    """

    center: NDArray[np.float64]
    rotation: NDArray[np.float64]
    half_size: NDArray[np.float64]
    rounding: NDArray[np.float64]
    tag: NDArray[np.int64]


class RayOrigins(NamedTuple):
    """From where agents cast rays, one row per agent, in the coordinates of its area.

    Attributes:
      area: int64 [agents].
      shape: int64 [agents], the agent's own shape, which its rays do not hit; -1 if it has none.
      position: float64 [agents, 3], m.
      rotation: float64 [agents, 3, 3], from the agent's frame to the area's.
    """

    area: NDArray[np.int64]
    shape: NDArray[np.int64]
    position: NDArray[np.float64]
    rotation: NDArray[np.float64]


def shapes_of(boxes: Boxes, tag: ArrayLike) -> Shapes:
    """Return the boxes of all areas: rays see them move, but turn only if somebody writes `rotation`.

    Args:
      boxes: one row per area.
      tag: int [boxes], the same in all areas.
    """
    return shapes_at(boxes.position, boxes.half_size, tag)._replace(half_size=boxes.half_size)


def shapes_at(position: NDArray[np.float64], half_size: ArrayLike, tag: ArrayLike, radius: ArrayLike = 0.0) -> Shapes:
    """Return shapes of any kind: rays see them move with `position`, but turn only if somebody writes `rotation`.

    Args:
      position: float64 [areas, shapes, 3], m; not copied.
      half_size: [shapes, 3], or one row of these per area, m; zeros for spheres.
      tag: int [shapes], the same in all areas.
      radius: [shapes], or one row of these per area, m; zero for boxes.
    """
    count = position.shape[:2]
    return Shapes(
        center=position,
        rotation=np.tile(np.eye(3), (*count, 1, 1)),
        half_size=np.broadcast_to(np.asarray(half_size, np.float64), position.shape).copy(),
        rounding=np.broadcast_to(np.asarray(radius, np.float64), count).copy(),
        tag=np.tile(np.array(tag), (len(position), 1)),
    )


def ray_origins_of(boxes: Boxes, box: int, shape: int = -1) -> RayOrigins:
    """Return eyes in the middle of one box of each area, which `turn_ray_origins` turns.

    Args:
      boxes: one row per area.
      box: where the origins are.
      shape: which of the shapes it is; -1 if it is none of them.
    """
    return ray_origins_at(boxes.position[:, box], shape)


def ray_origins_at(position: NDArray[np.float64], shape: int = -1) -> RayOrigins:
    """Return the `RayOrigins` of one agent of each area; they look nowhere until somebody writes `rotation`.

    Args:
      position: float64 [areas, 3], m; not copied.
      shape: which of the shapes the agent is; -1 if it is none of them.
    """
    areas = len(position)
    return RayOrigins(np.arange(areas), np.full(areas, shape), position, np.zeros((areas, 3, 3)))


def rotations_2d(angle_rad: ArrayLike) -> NDArray[np.float64]:
    """Return turns in the x-y plane, [...] -> float64 [..., 3, 3]; positive ones are counter-clockwise (+x to +y)."""
    angle = np.asarray(angle_rad, np.float64)
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack((cos, -sin, zero, sin, cos, zero, zero, zero, one), axis=-1).reshape(*angle.shape, 3, 3)


class Rays(NamedTuple):
    """The rays of one sensor, in the agent's frame.

    Attributes:
      start_height: of all rays above the agent's origin, m.
      path: float64 [rays, 3], from start to end, m; equally long.
      radius: of the cast sphere, m; 0 for a point.
      tags: how many there are.
    """

    start_height: float
    path: NDArray[np.float64]
    radius: float
    tags: int


@allocating
def cast(rays: Rays, shapes: Shapes, origins: RayOrigins, agents: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what the rays of the agents hit first.

    Per ray: the tag one-hot, 1 if nothing was hit, and the fraction of its length that the sphere travelled,
    1 if nothing was hit. Shapes that the sphere overlaps at its start are not hit.

    Args:
      rays: of one sensor.
      shapes: in all areas.
      origins: of the whole batch.
      agents: int64 [n], rows of `origins`.

    Returns: float32 [n, rays * (tags + 2)].
    """
    result = np.zeros((len(agents), len(rays.path) * (rays.tags + 2)), np.float32)
    shapes_of_area = shapes.center.shape[1]
    near, reaches = np.empty(shapes_of_area, np.int64), np.empty(shapes_of_area)
    start, path = np.empty(3), np.empty(3)
    for row in range(len(agents)):
        _cast_from(rays, shapes, origins, agents[row], near, reaches, start, path, result[row])
    return result


@compiled
def _cast_from(
    rays: Rays,
    shapes: Shapes,
    origins: RayOrigins,
    agent: int,
    near: NDArray[np.int64],
    reaches: Vector,
    start: Vector,
    path: Vector,
    seen: NDArray[np.float32],
) -> None:
    """Write what the rays of one agent hit first; `near` to `path` are memory, the first two for all shapes."""
    width = rays.tags + 2
    length = math.sqrt(rays.path[0, 0] ** 2 + rays.path[0, 1] ** 2 + rays.path[0, 2] ** 2)
    area, rotation = origins.area[agent], origins.rotation[agent]
    for axis in range(3):
        start[axis] = origins.position[agent, axis] + rotation[axis, 1] * rays.start_height
    near_count = _find_near(shapes, area, origins.shape[agent], start, length, rays.radius, near, reaches)
    for ray in range(len(rays.path)):
        for axis in range(3):
            path[axis] = (
                rotation[axis, 0] * rays.path[ray, 0]
                + rotation[axis, 1] * rays.path[ray, 1]
                + rotation[axis, 2] * rays.path[ray, 2]
            )
        first, tag = 2.0, UNTAGGED
        for i in range(near_count):
            shape = near[i]
            if _passes_by(start, path, length, shapes.center[area, shape], reaches[i]):
                continue
            fraction = sphere_cast(
                start,
                path,
                rays.radius + shapes.rounding[area, shape],
                shapes.center[area, shape],
                shapes.rotation[area, shape],
                shapes.half_size[area, shape],
                min(first, 1.0),
            )
            if fraction < first:
                first, tag = fraction, shapes.tag[area, shape]
        column = ray * width
        if first > 1.0:
            seen[column + rays.tags] = seen[column + rays.tags + 1] = 1.0
        else:
            if tag >= 0:
                seen[column + tag] = 1.0
            seen[column + rays.tags + 1] = first


@compiled
def turn_ray_origins(origins: RayOrigins, yaw_rad: NDArray[np.float64]) -> None:
    """Let agents that stay upright look where they are turned to; float64 [agents], positive to the right."""
    for agent in range(len(yaw_rad)):
        write_yaw(origins.rotation[agent], yaw_rad[agent])


@compiled
def _find_near(
    shapes: Shapes,
    area: int,
    own: int,
    start: Vector,
    length: float,
    radius: float,
    near: NDArray[np.int64],
    reaches: Vector,
) -> int:
    """List the shapes that paths from `start` may touch, and how far each reaches; returns how many there are."""
    count = 0
    for shape in range(shapes.center.shape[1]):
        if shapes.tag[area, shape] == ABSENT or shape == own:
            continue
        reach = shapes.rounding[area, shape] + radius + _half_diagonal(shapes.half_size[area, shape])
        if _is_near(start, length, shapes.center[area, shape], reach):
            near[count], reaches[count] = shape, reach
            count += 1
    return count


@compiled
def _half_diagonal(half_size: Vector) -> float:
    return math.sqrt(half_size[0] ** 2 + half_size[1] ** 2 + half_size[2] ** 2)


@compiled
def _is_near(start: Vector, length: float, center: Vector, reach: float) -> bool:
    """Return whether a path of that length may come within reach of a centre."""
    dx, dy, dz = center[0] - start[0], center[1] - start[1], center[2] - start[2]
    return bool(dx * dx + dy * dy + dz * dz <= (length + reach) ** 2)


@compiled
def _passes_by(start: Vector, path: Vector, length: float, center: Vector, reach: float) -> bool:
    """Return whether a path stays out of reach of a centre; some that do are not told apart."""
    dx, dy, dz = center[0] - start[0], center[1] - start[1], center[2] - start[2]
    ahead = (dx * path[0] + dy * path[1] + dz * path[2]) / length
    aside_squared = dx * dx + dy * dy + dz * dz - ahead * ahead
    return bool(ahead < -reach or aside_squared > reach * reach + 1e-6)


@compiled
def sphere_cast(
    start: Vector, path: Vector, radius: float, center: Vector, rotation: Matrix, half_size: Vector, limit: float
) -> float:
    """Return how far a sphere travels along `path` before it meets a box.

    The squared distance from the box is convex along the path and quadratic between the points where the path
    crosses a plane of a face; the pieces are searched in order.

    Args:
      start: centre of the sphere.
      path: to its farthest point.
      radius: of the sphere; 0 for a point.
      center: of the box.
      rotation: [3, 3] of the box.
      half_size: of the box.
      limit: fraction beyond which nothing is looked for.

    Returns: The fraction of the path; 2.0 if the sphere does not meet the box up to the limit, overlaps it at
      the start, or only grazes it.
    """
    dx, dy, dz = start[0] - center[0], start[1] - center[1], start[2] - center[2]
    # Offset and speed along the box's own axes.
    p0, v0 = _mirrored(_along(rotation, 0, dx, dy, dz), _along(rotation, 0, path[0], path[1], path[2]))
    p1, v1 = _mirrored(_along(rotation, 1, dx, dy, dz), _along(rotation, 1, path[0], path[1], path[2]))
    p2, v2 = _mirrored(_along(rotation, 2, dx, dy, dz), _along(rotation, 2, path[0], path[1], path[2]))
    h0, h1, h2 = half_size[0], half_size[1], half_size[2]
    if _squared_distance(p0, p1, p2, h0, h1, h2) < radius * radius:
        return 2.0
    # The part of the path inside the box enlarged by the radius.
    begin, end = -np.inf, limit
    for p, v, h in ((p0, v0, h0), (p1, v1, h1), (p2, v2, h2)):
        if v > 0.0:
            begin, end = max(begin, (-h - radius - p) / v), min(end, (h + radius - p) / v)
        elif abs(p) > h + radius or abs(p) == h + radius > 0.0:
            return 2.0
    if radius == 0.0:
        return begin if 0.0 <= begin <= end else 2.0
    begin = max(begin, 0.0)
    while begin < end:
        o0, s0, n0 = _piece(p0, v0, h0, begin)
        o1, s1, n1 = _piece(p1, v1, h1, begin)
        o2, s2, n2 = _piece(p2, v2, h2, begin)
        # Squared distance - radius^2 = a t^2 + 2 b t + c, up to the next plane.
        a, b = s0 * s0 + s1 * s1 + s2 * s2, o0 * s0 + o1 * s1 + o2 * s2
        c = o0 * o0 + o1 * o1 + o2 * o2 - radius * radius
        if a * begin + b >= 0.0:
            return 2.0  # it does not come closer, and being convex never will
        after = min(end, min(n0, min(n1, n2)))
        discriminant = b * b - a * c
        if discriminant > 0.0:
            root = c / (math.sqrt(discriminant) - b)
            if root <= after:
                return max(root, begin)
        begin = after
    return 2.0


@compiled
def _along(rotation: Matrix, axis: int, x: float, y: float, z: float) -> float:
    """Return a vector's component along an axis of the rotated frame."""
    return float(rotation[0, axis] * x + rotation[1, axis] * y + rotation[2, axis] * z)


@compiled
def _mirrored(offset: float, speed: float) -> tuple[float, float]:
    """Return the same, looked at so that the speed is not negative."""
    return (-offset, -speed) if speed < 0.0 else (offset, speed)


@compiled
def _squared_distance(p0: float, p1: float, p2: float, h0: float, h1: float, h2: float) -> float:
    """Return the squared distance from a point to a box, in the box's frame."""
    d0, d1, d2 = max(abs(p0) - h0, 0.0), max(abs(p1) - h1, 0.0), max(abs(p2) - h2, 0.0)
    return d0 * d0 + d1 * d1 + d2 * d2


@compiled
def _piece(p: float, v: float, h: float, begin: float) -> tuple[float, float, float]:
    """Return how far p + v t lies outside [-h, h] from t = `begin` on: offset, slope, and until which t that holds."""
    if v == 0.0:
        return (p + h if p < -h else max(p - h, 0.0)), 0.0, np.inf
    low, high = (-h - p) / v, (h - p) / v
    if begin < low:
        return p + h, v, low
    if begin < high:
        return 0.0, 0.0, high
    return p - h, v, np.inf
