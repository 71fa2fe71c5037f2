"""Where cubes touch each other, a floor and upright walls.

Two cubes are apart along one of 15 axes, if they are apart at all (S. Gottschalk, "Separating axis theorem", 1996). The
axis along which they are farthest apart, or overlap least, is the normal of their contact; where it belongs to a face,
the other cube's nearest face is cut to its outline, and every corner left is a point.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.contacts import CONTACT_DISTANCE_M

MAX_POINTS: Final = 1500
EDGE_BIAS_M: Final = 1e-3  # two edges make a contact only if they are so much farther apart than all faces
NOBODY: Final = -1

Vector = NDArray[np.float64]
Vector3 = tuple[float, float, float]


class Points(NamedTuple):
    """Where cubes touch: memory that is used again and again.

    Attributes:
      used: int64 [1], how many points there are.
      pair: int64 [points, 2], the cubes; the second may be NOBODY, what does not move.
      normal: float64 [points, 3], from the second to the first.
      arm: float64 [points, 2, 3], from the middles of the cubes, m.
      gap: float64 [points], m.
      share: float64 [points], how often the friction of the whole contact counts here.
    """

    used: NDArray[np.int64]
    pair: NDArray[np.int64]
    normal: NDArray[np.float64]
    arm: NDArray[np.float64]
    gap: NDArray[np.float64]
    share: NDArray[np.float64]


@allocating
def make_points() -> Points:
    """Return memory for `MAX_POINTS` points."""
    return Points(
        np.zeros(1, np.int64),
        np.empty((MAX_POINTS, 2), np.int64),
        np.empty((MAX_POINTS, 3)),
        np.empty((MAX_POINTS, 2, 3)),
        np.empty(MAX_POINTS),
        np.empty(MAX_POINTS),
    )


@compiled
def add_point(
    points: Points, a: int, b: int, place: Vector3, pa: Vector, pb: Vector, normal: Vector3, gap: float
) -> None:
    """Add one point at a place; more than there is memory for are left out."""
    point = points.used[0]
    if point == MAX_POINTS:
        return
    points.used[0] = point + 1
    points.pair[point, 0], points.pair[point, 1] = a, b
    points.gap[point] = gap
    for axis in range(3):
        points.normal[point, axis] = normal[axis]
        points.arm[point, 0, axis] = place[axis] - pa[axis]
        points.arm[point, 1, axis] = place[axis] - pb[axis]


@compiled
def share_friction(points: Points, first: int) -> None:
    """Let a contact of two points or more, from `first` on, have twice the friction of one point, as in Unity."""
    for point in range(first, points.used[0]):
        points.share[point] = 1.0 if points.used[0] == first + 1 else 2.0


@compiled
def touch_floor(points: Points, cube: int, position: Vector, rotation: NDArray[np.float64], half: float) -> None:
    """Add the corners of a cube that touch the floor, which is at y = 0."""
    first = points.used[0]
    for corner in range(8):
        place = _corner(position, rotation, half, corner)
        if place[1] < CONTACT_DISTANCE_M:
            add_point(points, cube, NOBODY, place, position, position, (0.0, 1.0, 0.0), place[1])
    share_friction(points, first)


@compiled
def touch_wall(
    points: Points, cube: int, position: Vector, rotation: NDArray[np.float64], half: float, wall: Vector, size: Vector
) -> None:
    """Add the corners of a cube that touch an upright wall, with half sizes `size`, from the side."""
    reach = 1.8 * half + CONTACT_DISTANCE_M
    if abs(position[0] - wall[0]) > size[0] + reach or abs(position[2] - wall[2]) > size[2] + reach:
        return
    first = points.used[0]
    for corner in range(8):
        place = _corner(position, rotation, half, corner)
        dx, dz = place[0] - wall[0], place[2] - wall[2]
        gap_x, gap_z = abs(dx) - size[0], abs(dz) - size[2]
        if place[1] > wall[1] + size[1] or max(gap_x, gap_z) >= CONTACT_DISTANCE_M:
            continue
        if gap_x > gap_z:
            add_point(points, cube, NOBODY, place, position, position, (1.0 if dx > 0.0 else -1.0, 0.0, 0.0), gap_x)
        else:
            add_point(points, cube, NOBODY, place, position, position, (0.0, 0.0, 1.0 if dz > 0.0 else -1.0), gap_z)
    share_friction(points, first)


@compiled
def _corner(position: Vector, rotation: NDArray[np.float64], half: float, corner: int) -> Vector3:
    sx = half if corner & 1 else -half
    sy = half if corner & 2 else -half
    sz = half if corner & 4 else -half
    return (
        position[0] + rotation[0, 0] * sx + rotation[0, 1] * sy + rotation[0, 2] * sz,
        position[1] + rotation[1, 0] * sx + rotation[1, 1] * sy + rotation[1, 2] * sz,
        position[2] + rotation[2, 0] * sx + rotation[2, 1] * sy + rotation[2, 2] * sz,
    )


@compiled
def touch_cube(
    points: Points,
    a: int,
    b: int,
    pa: Vector,
    pb: Vector,
    ra: NDArray[np.float64],
    rb: NDArray[np.float64],
    ha: float,
    hb: float,
    polygon: NDArray[np.float64],
) -> float:
    """Add the points of two cubes; returns how far apart they are, m, or infinity if nowhere near.

    Args:
      points: added to.
      a: first cube.
      b: second cube.
      pa: middle of the first, m.
      pb: of the second.
      ra: rotation [3, 3] of the first.
      rb: of the second.
      ha: half the edge of the first, m.
      hb: of the second.
      polygon: float64 [2, 16, 3], memory.
    """
    dx, dy, dz = pb[0] - pa[0], pb[1] - pa[1], pb[2] - pa[2]
    reach = math.sqrt(3.0) * (ha + hb) + CONTACT_DISTANCE_M
    if dx * dx + dy * dy + dz * dz > reach * reach:
        return np.inf
    best, kind = -np.inf, -1
    nx, ny, nz = 0.0, 0.0, 0.0
    for axis in range(6):
        rotation, column = (ra, axis) if axis < 3 else (rb, axis - 3)
        x, y, z = rotation[0, column], rotation[1, column], rotation[2, column]
        other = rb if axis < 3 else ra
        spread = 0.0
        for i in range(3):
            spread += abs(x * other[0, i] + y * other[1, i] + z * other[2, i])
        along = x * dx + y * dy + z * dz
        own, others = (ha, hb) if axis < 3 else (hb, ha)
        gap = abs(along) - own - others * spread
        if gap > CONTACT_DISTANCE_M:
            return np.inf
        if gap > best + 1e-9:
            best, kind = gap, axis
            away = -1.0 if along > 0.0 else 1.0  # from b to a
            nx, ny, nz = away * x, away * y, away * z
    edge_gap, edge_a, edge_b, ex, ey, ez = _farthest_edges(ra, rb, ha, hb, dx, dy, dz)
    if edge_gap > CONTACT_DISTANCE_M:
        return np.inf
    first = points.used[0]
    if edge_gap > best + EDGE_BIAS_M:
        place = _between_edges(pa, pb, ra, rb, ha, hb, edge_a, edge_b, ex, ey, ez)
        add_point(points, a, b, place, pa, pb, (ex, ey, ez), edge_gap)
        best = edge_gap
    elif kind < 3:
        _cut(points, a, b, pa, pb, ra, rb, ha, hb, kind, (-nx, -ny, -nz), 1.0, polygon)
    else:
        _cut(points, a, b, pb, pa, rb, ra, hb, ha, kind - 3, (nx, ny, nz), -1.0, polygon)
    share_friction(points, first)
    return best


@compiled
def _farthest_edges(
    ra: NDArray[np.float64], rb: NDArray[np.float64], ha: float, hb: float, dx: float, dy: float, dz: float
) -> tuple[float, int, int, float, float, float]:
    """Return along which product of edges two cubes are farthest apart: by how much, which edges, and from b to a."""
    best, best_a, best_b, bx, by, bz = -np.inf, 0, 0, 0.0, 0.0, 0.0
    for i in range(3):
        for j in range(3):
            x = ra[1, i] * rb[2, j] - ra[2, i] * rb[1, j]
            y = ra[2, i] * rb[0, j] - ra[0, i] * rb[2, j]
            z = ra[0, i] * rb[1, j] - ra[1, i] * rb[0, j]
            length = math.sqrt(x * x + y * y + z * z)
            if length < 1e-3:
                continue
            x, y, z = x / length, y / length, z / length
            spread = 0.0
            for k in range(3):
                spread += ha * abs(x * ra[0, k] + y * ra[1, k] + z * ra[2, k])
                spread += hb * abs(x * rb[0, k] + y * rb[1, k] + z * rb[2, k])
            along = x * dx + y * dy + z * dz
            gap = abs(along) - spread
            if gap > best:
                away = -1.0 if along > 0.0 else 1.0
                best, best_a, best_b, bx, by, bz = gap, i, j, away * x, away * y, away * z
    return best, best_a, best_b, bx, by, bz


@compiled
def _between_edges(
    pa: Vector,
    pb: Vector,
    ra: NDArray[np.float64],
    rb: NDArray[np.float64],
    ha: float,
    hb: float,
    edge_a: int,
    edge_b: int,
    nx: float,
    ny: float,
    nz: float,
) -> Vector3:
    """Return the middle of the shortest way between an edge of a, against the normal, and one of b, along it."""
    ax, ay, az = pa[0], pa[1], pa[2]
    bx, by, bz = pb[0], pb[1], pb[2]
    for k in range(3):
        if k != edge_a:
            s = -ha if ra[0, k] * nx + ra[1, k] * ny + ra[2, k] * nz > 0.0 else ha
            ax, ay, az = ax + s * ra[0, k], ay + s * ra[1, k], az + s * ra[2, k]
        if k != edge_b:
            s = hb if rb[0, k] * nx + rb[1, k] * ny + rb[2, k] * nz > 0.0 else -hb
            bx, by, bz = bx + s * rb[0, k], by + s * rb[1, k], bz + s * rb[2, k]
    ux, uy, uz = ra[0, edge_a], ra[1, edge_a], ra[2, edge_a]
    vx, vy, vz = rb[0, edge_b], rb[1, edge_b], rb[2, edge_b]
    wx, wy, wz = ax - bx, ay - by, az - bz
    uv, uw, vw = ux * vx + uy * vy + uz * vz, ux * wx + uy * wy + uz * wz, vx * wx + vy * wy + vz * wz
    below = max(1.0 - uv * uv, 1e-9)
    s, t = (uv * vw - uw) / below, (vw - uv * uw) / below
    return (
        0.5 * (ax + s * ux + bx + t * vx),
        0.5 * (ay + s * uy + by + t * vy),
        0.5 * (az + s * uz + bz + t * vz),
    )


@compiled
def _cut(
    points: Points,
    a: int,
    b: int,
    pf: Vector,
    po: Vector,
    rf: NDArray[np.float64],
    ro: NDArray[np.float64],
    hf: float,
    ho: float,
    axis: int,
    out: Vector3,
    sign: float,
    polygon: NDArray[np.float64],
) -> None:
    """Cut the nearest face of one cube (o) to the outline of a face of the other (f), and add its corners.

    Args:
      points: added to.
      a: first cube of the pair.
      b: second cube.
      pf: middle of the cube with the face, m.
      po: of the other.
      rf: rotation [3, 3] of the cube with the face.
      ro: of the other.
      hf: half the edge of the cube with the face, m.
      ho: of the other.
      axis: of the cube with the face.
      out: the face's normal, out of its cube.
      sign: 1 if the cube with the face is the first of the pair, else -1.
      polygon: float64 [2, 16, 3], memory.
    """
    side, most = 0, -1.0
    for k in range(3):
        along = ro[0, k] * out[0] + ro[1, k] * out[1] + ro[2, k] * out[2]
        if abs(along) > most:
            side, most = k, abs(along)
    toward = -1.0 if ro[0, side] * out[0] + ro[1, side] * out[1] + ro[2, side] * out[2] > 0.0 else 1.0
    u, v, m, n = (axis + 1) % 3, (axis + 2) % 3, (side + 1) % 3, (side + 2) % 3
    # Corners of the other's face: along u and v of the face, and above it.
    for corner in range(4):
        s, t = (ho if corner in (0, 3) else -ho), (ho if corner < 2 else -ho)
        x = po[0] - pf[0] + toward * ho * ro[0, side] + s * ro[0, m] + t * ro[0, n]
        y = po[1] - pf[1] + toward * ho * ro[1, side] + s * ro[1, m] + t * ro[1, n]
        z = po[2] - pf[2] + toward * ho * ro[2, side] + s * ro[2, m] + t * ro[2, n]
        polygon[0, corner, 0] = x * rf[0, u] + y * rf[1, u] + z * rf[2, u]
        polygon[0, corner, 1] = x * rf[0, v] + y * rf[1, v] + z * rf[2, v]
        polygon[0, corner, 2] = x * out[0] + y * out[1] + z * out[2] - hf
    count, now = 4, 0
    for edge in range(4):
        count = _cut_by(polygon[now], count, polygon[1 - now], edge // 2, 1.0 if edge % 2 == 0 else -1.0, hf)
        now = 1 - now
    normal = (-sign * out[0], -sign * out[1], -sign * out[2])
    first, second = (pf, po) if sign > 0.0 else (po, pf)
    for corner in range(count):
        x, y, gap = polygon[now, corner, 0], polygon[now, corner, 1], polygon[now, corner, 2]
        if gap < CONTACT_DISTANCE_M:
            place = (
                pf[0] + x * rf[0, u] + y * rf[0, v] + (gap + hf) * out[0],
                pf[1] + x * rf[1, u] + y * rf[1, v] + (gap + hf) * out[1],
                pf[2] + x * rf[2, u] + y * rf[2, v] + (gap + hf) * out[2],
            )
            add_point(points, a, b, place, first, second, normal, gap)


@compiled
def _cut_by(
    corners: NDArray[np.float64], count: int, result: NDArray[np.float64], axis: int, sign: float, limit: float
) -> int:
    """Keep of a polygon what is not beyond a limit along an axis; returns how many corners are left."""
    kept = 0
    for i in range(count):
        j = (i + 1) % count
        here, there = sign * corners[i, axis] - limit, sign * corners[j, axis] - limit
        if here <= 0.0:
            for k in range(3):
                result[kept, k] = corners[i, k]
            kept += 1
        if (here < 0.0 < there) or (there < 0.0 < here):
            part = here / (here - there)
            for k in range(3):
                result[kept, k] = corners[i, k] + part * (corners[j, k] - corners[i, k])
            kept += 1
    return kept
