"""Where upright boxes touch; see `boxes`. What that does to their velocities is in `box_impulses`."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.contacts import CONTACT_DISTANCE_M, DEPENETRATION_SPEED

TOLERANCE: Final = 1e-9  # m
SLACK_M: Final = 1e-6  # added where a rough look must not miss what a close one finds

Vector = NDArray[np.float64]


class Boxes(NamedTuple):
    """The boxes of all areas, one row per area, in the area's coordinates; those that move come first.

    Attributes:
      position: float64 [areas, boxes, 3], centres, m.
      yaw: float64 [areas, boxes], rad; positive turns to the right.
      velocity: float64 [areas, boxes, 3], m/s.
      spin: float64 [areas, boxes], change of the yaw, rad/s.
      half_size: float64 [areas, boxes, 3], m.
      inverse_mass: float64 [areas, boxes, 3], 1/kg; 0 along an axis on which the box is held.
      inverse_inertia: float64 [areas, boxes], 1/(kg m^2), about the vertical; 0 if contacts cannot turn the box.
      drag: float64 [areas, boxes], 1/s.
      angular_drag: float64 [areas, boxes], 1/s.
      friction: float64 [areas, boxes, 2], of the surface: static, dynamic. Two surfaces have their mean.
      touches: uint8 [areas, movers, boxes], whether a mover touched a box that comes after it in the last step.
    """

    position: NDArray[np.float64]
    yaw: NDArray[np.float64]
    velocity: NDArray[np.float64]
    spin: NDArray[np.float64]
    half_size: NDArray[np.float64]
    inverse_mass: NDArray[np.float64]
    inverse_inertia: NDArray[np.float64]
    drag: NDArray[np.float64]
    angular_drag: NDArray[np.float64]
    friction: NDArray[np.float64]
    touches: NDArray[np.uint8]


class Contacts(NamedTuple):
    """The contact points of one area: memory that is used again and again.

    Attributes:
      heading: float64 [boxes, 2], cosine and sine of the yaw.
      reach: float64 [boxes], from the middle to a corner as seen from above, m.
      speed: float64 [boxes], m/s.
      used: int64 [1], how many points there are.
      pair: int64 [points, 2], the mover and the box it touches.
      partner: int64 [points], the other point of the same face; the point itself if there is none.
      normal: float64 [points, 3], from the box to the mover.
      arm: float64 [points, 2, 2], x and z of the point from the centre of the mover and of the box.
      gap: float64 [points], m.
      limit: float64 [points, 2], friction of the two surfaces: what holds now, and what is left once they slip.
      mobility: float64 [points, 3], change of the relative velocity per impulse, 1/kg: along normal and two tangents.
      impulse: float64 [points, 3], along these.
      is_held: bool [points], whether the box that is touched stands still and cannot be moved.
    """

    heading: NDArray[np.float64]
    reach: NDArray[np.float64]
    speed: NDArray[np.float64]
    used: NDArray[np.int64]
    pair: NDArray[np.int64]
    partner: NDArray[np.int64]
    normal: NDArray[np.float64]
    arm: NDArray[np.float64]
    gap: NDArray[np.float64]
    limit: NDArray[np.float64]
    mobility: NDArray[np.float64]
    impulse: NDArray[np.float64]
    is_held: NDArray[np.bool_]


@allocating
def make_contacts(movers: int, count: int) -> Contacts:
    """Return memory for the contacts of an area with so many boxes, of which some move."""
    points = 2 * movers * count
    return Contacts(
        np.empty((count, 2)),
        np.empty(count),
        np.empty(count),
        np.zeros(1, np.int64),
        np.empty((points, 2), np.int64),
        np.empty(points, np.int64),
        np.empty((points, 3)),
        np.empty((points, 2, 2)),
        np.empty(points),
        np.empty((points, 2)),
        np.empty((points, 3)),
        np.empty((points, 3)),
        np.empty(points, np.bool_),
    )


# Where bodies touch


@compiled
def measure(area: Boxes, contacts: Contacts, count: int) -> None:
    """Bring up to date what is needed of the first boxes over and over: once for all, then for those that move."""
    for box in range(count):
        half, velocity = area.half_size[box], area.velocity[box]
        contacts.heading[box, 0], contacts.heading[box, 1] = math.cos(area.yaw[box]), math.sin(area.yaw[box])
        contacts.reach[box] = math.sqrt(half[0] ** 2 + half[2] ** 2)
        contacts.speed[box] = math.sqrt(velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2)


@compiled
def find_contacts(area: Boxes, contacts: Contacts, duration: float) -> None:
    """Fill in the points at which bodies touch, or might within `duration`; those that overlap are moved apart."""
    movers, count = area.touches.shape
    contacts.used[0] = 0
    measure(area, contacts, movers)
    for a in range(movers):
        for b in range(a + 1, count):
            if _are_far(area, contacts, a, b, duration):
                continue
            before = contacts.used[0]
            gap = _find_points(area, contacts, a, b, duration)
            if contacts.used[0] > before:
                if gap <= CONTACT_DISTANCE_M:
                    area.touches[a, b] = 1
                if gap < 0.0:
                    _move_apart(area, a, b, contacts.normal[before], min(-gap, DEPENETRATION_SPEED * duration))


@compiled
def _are_far(area: Boxes, contacts: Contacts, a: int, b: int, duration: float) -> bool:
    """Return whether two boxes surely do not touch within `duration`: true of most pairs, and soon seen.

    Looked at are spheres around both, heights, and the first as a cylinder before the faces of the other.
    """
    margin = CONTACT_DISTANCE_M + duration * (contacts.speed[a] + contacts.speed[b]) + SLACK_M
    pa, pb, half = area.position[a], area.position[b], area.half_size[b]
    if abs(pa[1] - pb[1]) - area.half_size[a, 1] - half[1] > margin:
        return True
    dx, dz, reach = pa[0] - pb[0], pa[2] - pb[2], contacts.reach[a] + margin
    if dx * dx + dz * dz > (reach + contacts.reach[b]) ** 2:
        return True
    c, s = contacts.heading[b, 0], contacts.heading[b, 1]
    return bool(abs(c * dx - s * dz) > half[0] + reach or abs(s * dx + c * dz) > half[2] + reach)


@compiled
def _find_points(area: Boxes, contacts: Contacts, a: int, b: int, duration: float) -> float:
    """Add the points of a mover and another box, if there are any; returns how far apart the two are."""
    pa, pb, ha, hb = area.position[a], area.position[b], area.half_size[a], area.half_size[b]
    dx, dy, dz = pa[0] - pb[0], pa[1] - pb[1], pa[2] - pb[2]
    va, vb = area.velocity[a], area.velocity[b]
    approach = math.sqrt((va[0] - vb[0]) ** 2 + (va[1] - vb[1]) ** 2 + (va[2] - vb[2]) ** 2)
    margin = CONTACT_DISTANCE_M + duration * approach
    above = abs(dy) - ha[1] - hb[1]
    reach = contacts.reach[a] + contacts.reach[b]
    if above > margin or dx * dx + dz * dz > (reach + margin) ** 2:
        return np.inf
    # The own X axis of a box is (cos, -sin), its Z axis (sin, cos), in x and z.
    ca, sa, cb, sb = contacts.heading[a, 0], contacts.heading[a, 1], contacts.heading[b, 0], contacts.heading[b, 1]
    same, across = abs(ca * cb + sa * sb), abs(sa * cb - ca * sb)
    # Separation along the axes of a and of b.
    axes = (ca * dx - sa * dz, sa * dx + ca * dz, cb * dx - sb * dz, sb * dx + cb * dz)
    gaps = (
        abs(axes[0]) - ha[0] - same * hb[0] - across * hb[2],
        abs(axes[1]) - ha[2] - across * hb[0] - same * hb[2],
        abs(axes[2]) - hb[0] - same * ha[0] - across * ha[2],
        abs(axes[3]) - hb[2] - across * ha[0] - same * ha[2],
    )
    best = _largest(gaps)
    gap = max(gaps[best], above)
    if gap > margin:
        return np.inf
    if above >= gaps[best]:
        _lie_on(area, contacts, a, b, 1.0 if dy >= 0.0 else -1.0, above)
    else:
        x, z = ((ca, -sa), (sa, ca), (cb, -sb), (sb, cb))[best]
        away = 1.0 if axes[best] >= 0.0 else -1.0
        _stand_against(area, contacts, a, b, away * x, away * z, best, margin)
    return float(gap)


@compiled
def _largest(gaps: tuple[float, float, float, float]) -> int:
    """Return which gap is the largest; of equal ones the first, however they were rounded."""
    best = 0
    for axis in range(1, 4):
        if gaps[axis] > gaps[best] + TOLERANCE:
            best = axis
    return best


@compiled
def _lie_on(area: Boxes, contacts: Contacts, a: int, b: int, up: float, gap: float) -> None:
    """Return two points for two level faces: opposite corners of the smaller one."""
    ha, hb = area.half_size[a], area.half_size[b]
    smaller = a if ha[0] * ha[2] <= hb[0] * hb[2] else b
    half, c, s = area.half_size[smaller], contacts.heading[smaller, 0], contacts.heading[smaller, 1]
    corner_x, corner_z = half[0] * c + half[2] * s, half[2] * c - half[0] * s
    first = contacts.used[0]
    for side in (1.0, -1.0):
        _add_point(area, contacts, a, b, gap, 0.0, up, 0.0, smaller, side * corner_x, side * corner_z)
    contacts.partner[first], contacts.partner[first + 1] = first + 1, first


@compiled
def _stand_against(
    area: Boxes, contacts: Contacts, a: int, b: int, x: float, z: float, axis: int, margin: float
) -> None:
    """Return up to two points for upright faces: the face of one box against the nearest edge of the other.

    Args:
      area: the boxes.
      contacts: where points are added.
      a: the mover.
      b: what it touches.
      x: of the normal, from b to a.
      z: of the normal.
      axis: to which the normal belongs: X of a, Z of a, X of b, Z of b.
      margin: greatest gap of a point.
    """
    face, edge = (a, b) if axis < 2 else (b, a)
    out = -1.0 if axis < 2 else 1.0  # from the face towards the edge, along the normal
    nx, nz = out * x, out * z
    half_face, half_edge = area.half_size[face], area.half_size[edge]
    depth, width = (half_face[0], half_face[2]) if axis % 2 == 0 else (half_face[2], half_face[0])
    # The end face of the other box that looks most against the normal.
    c, s = contacts.heading[edge, 0], contacts.heading[edge, 1]
    along_x, along_z = c * nx - s * nz, s * nx + c * nz
    if abs(along_x) > abs(along_z):
        sign = -1.0 if along_x > 0.0 else 1.0
        cx, cz = sign * half_edge[0] * c, -sign * half_edge[0] * s
        ex, ez = half_edge[2] * s, half_edge[2] * c
    else:
        sign = -1.0 if along_z > 0.0 else 1.0
        cx, cz = sign * half_edge[2] * s, sign * half_edge[2] * c
        ex, ez = half_edge[0] * c, -half_edge[0] * s
    # From the middle of the face's box; then cut to the width of the face.
    cx += area.position[edge, 0] - area.position[face, 0]
    cz += area.position[edge, 2] - area.position[face, 2]
    tx, tz = nz, -nx
    middle, half = cx * tx + cz * tz, ex * tx + ez * tz
    low, high = -1.0, 1.0
    if abs(half) > TOLERANCE:
        first, second = (-width - middle) / half, (width - middle) / half
        low, high = max(low, min(first, second)), min(high, max(first, second))
    elif abs(middle) > width:
        return
    if low > high:
        return
    first_point = contacts.used[0]
    for end in (low, high):
        px, pz = cx + end * ex, cz + end * ez
        gap = px * nx + pz * nz - depth
        if gap <= margin:
            _add_point(area, contacts, a, b, gap, x, 0.0, z, face, px, pz)
    if contacts.used[0] == first_point + 2:
        contacts.partner[first_point], contacts.partner[first_point + 1] = first_point + 1, first_point


@compiled
def _add_point(
    area: Boxes,
    contacts: Contacts,
    a: int,
    b: int,
    gap: float,
    nx: float,
    ny: float,
    nz: float,
    box: int,
    x: float,
    z: float,
) -> None:
    """Add one point, at (x, z) as seen from the middle of `box`."""
    point = contacts.used[0]
    contacts.used[0] = point + 1
    contacts.pair[point, 0], contacts.pair[point, 1] = a, b
    contacts.partner[point] = point
    contacts.normal[point, 0], contacts.normal[point, 1], contacts.normal[point, 2] = nx, ny, nz
    for side in range(2):
        index = contacts.pair[point, side]
        contacts.arm[point, side, 0] = x + area.position[box, 0] - area.position[index, 0]
        contacts.arm[point, side, 1] = z + area.position[box, 2] - area.position[index, 2]
    contacts.gap[point] = max(gap, 0.0)
    dynamic = 0.5 * (area.friction[a, 1] + area.friction[b, 1])
    contacts.limit[point, 0] = max(0.5 * (area.friction[a, 0] + area.friction[b, 0]), dynamic)
    contacts.limit[point, 1] = dynamic
    for direction in range(3):
        contacts.impulse[point, direction] = 0.0


@compiled
def _move_apart(area: Boxes, a: int, b: int, normal: Vector, depth: float) -> None:
    """Shift two boxes along the normal, the lighter one farther."""
    weight_a = weight_b = 0.0
    for axis in range(3):
        weight_a += area.inverse_mass[a, axis] * normal[axis] ** 2
        weight_b += area.inverse_mass[b, axis] * normal[axis] ** 2
    if weight_a + weight_b == 0.0:
        return
    for axis in range(3):
        area.position[a, axis] += normal[axis] * depth * weight_a / (weight_a + weight_b)
        area.position[b, axis] -= normal[axis] * depth * weight_b / (weight_a + weight_b)
