"""The rows of contacts: ends of capsules and corners of boxes on planes, spheres and capsules on each other."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.articulated.ragdolls import Bodies, Floats, Points, Scratch, Segments
from mlagents_sim.physics.articulated.rows import FRICTION, make_one_sided, make_rigid, write_linear
from mlagents_sim.physics.articulated.vectors import (
    Vector,
    cross,
    dot,
    matrix_of,
    minus,
    norm,
    plus,
    quaternion_at,
    scaled,
    turned,
    vector_at,
)
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.physics.contacts import CONTACT_DISTANCE_M, CORRECTION, DEPENETRATION_SPEED

SLIDING_SPEED: Final = 1e-4  # m/s; below it friction has no direction of its own
WORLD: Final = -1

Touches = NDArray[np.uint8]


@compiled
def write_pairs(segments: Segments, bodies: Bodies, scratch: Scratch, friction: float, duration: float) -> None:
    """Write three rows for all spheres and capsules that touch each other, or are about to: a normal, two tangents."""
    for k in range(len(segments.pair)):
        one, other = segments.pair[k, 0], segments.pair[k, 1]
        child, parent = segments.body[one], segments.body[other]
        reach = segments.radius[one] + segments.radius[other] + CONTACT_DISTANCE_M
        between = minus(vector_at(bodies.position, child), vector_at(bodies.position, parent))
        farthest = reach + _extent(segments.end[one]) + _extent(segments.end[other])
        if dot(between, between) >= farthest * farthest:
            continue
        a, along_a = _segment(bodies, child, segments.end[one])
        b, along_b = _segment(bodies, parent, segments.end[other])
        s, t = nearest_points(a, along_a, b, along_b)
        on_b = plus(b, scaled(t, along_b))
        apart = minus(plus(a, scaled(s, along_a)), on_b)
        distance = norm(apart)
        if distance >= reach or distance < 1e-9:
            continue
        gap = distance - reach + CONTACT_DISTANCE_M
        normal = scaled(1.0 / distance, apart)
        place = plus(on_b, scaled(segments.radius[other] + 0.5 * gap, normal))
        _write_contact(bodies, scratch, child, parent, normal, place, gap, friction, duration)


@compiled
def _extent(segment: Floats) -> float:
    """Return how far a segment reaches from its body's centre of mass."""
    return max(norm(vector_at(segment, 0)), norm(vector_at(segment, 1)))


@compiled
def _segment(bodies: Bodies, body: int, ends: Floats) -> tuple[Vector, Vector]:
    """Return where the middle line of a capsule begins, and from there to its end, in the world."""
    rotation = matrix_of(quaternion_at(bodies.rotation, body))
    begin, end = turned(rotation, vector_at(ends, 0)), turned(rotation, vector_at(ends, 1))
    return plus(vector_at(bodies.position, body), begin), minus(end, begin)


@compiled
def nearest_points(a: Vector, along_a: Vector, b: Vector, along_b: Vector) -> tuple[float, float]:
    """Return where two segments are nearest to each other, 0 to 1 along each (C. Ericson, 2005, section 5.1.9)."""
    between = minus(a, b)
    aa, bb, bf = dot(along_a, along_a), dot(along_b, along_b), dot(along_b, between)
    if aa < 1e-12:
        return 0.0, (min(max(bf / bb, 0.0), 1.0) if bb >= 1e-12 else 0.0)
    af = dot(along_a, between)
    if bb < 1e-12:
        return min(max(-af / aa, 0.0), 1.0), 0.0
    ab = dot(along_a, along_b)
    independent = aa * bb - ab * ab
    s = min(max((ab * bf - af * bb) / independent, 0.0), 1.0) if independent > 1e-12 else 0.0
    t = (ab * s + bf) / bb
    if t < 0.0:
        return min(max(-af / aa, 0.0), 1.0), 0.0
    if t > 1.0:
        return min(max((ab - af) / aa, 0.0), 1.0), 1.0
    return s, t


@compiled
def write_planes(
    points: Points, bodies: Bodies, scratch: Scratch, touches: Touches, friction: float, duration: float
) -> None:
    """Write the contacts with planes. Corners of boxes rub twice: a face has two anchors, each with all pressure."""
    touches[:] = 0
    for plane in range(len(points.plane)):
        normal, level = vector_at(points.plane, plane), points.plane[plane, 3]
        for point in range(len(points.body)):
            place, body = _place(points, bodies, point), points.body[point]
            above = dot(normal, place) - level
            gap = above - points.radius[point]
            if gap < CONTACT_DISTANCE_M:
                touches[body, plane] = 1
                on_plane = minus(place, scaled(above, normal))
                rubs = friction * points.anchors[point]
                _write_contact(bodies, scratch, body, WORLD, normal, on_plane, gap, rubs, duration)


@compiled
def _place(points: Points, bodies: Bodies, point: int) -> Vector:
    """Return where a point is in the world."""
    body = points.body[point]
    rotation = matrix_of(quaternion_at(bodies.rotation, body))
    return plus(vector_at(bodies.position, body), turned(rotation, vector_at(points.place, point)))


@compiled
def _write_contact(
    bodies: Bodies,
    scratch: Scratch,
    child: int,
    parent: int,
    normal: Vector,
    place: Vector,
    gap: float,
    friction: float,
    duration: float,
) -> None:
    """Write a normal and two tangents, the first along the present sliding."""
    row, first, contact = scratch.row, scratch.used[0], scratch.used[1]
    lever = minus(place, vector_at(bodies.position, child))
    sliding = plus(vector_at(bodies.velocity, child), cross(vector_at(bodies.angular_velocity, child), lever))
    other = (0.0, 0.0, 0.0)
    if parent >= 0:
        other = minus(place, vector_at(bodies.position, parent))
        turning = cross(vector_at(bodies.angular_velocity, parent), other)
        sliding = minus(sliding, plus(vector_at(bodies.velocity, parent), turning))
    mobility = write_linear(row, first, bodies, child, parent, normal, lever, other)
    make_one_sided(row, first, mobility, min(-CORRECTION * gap / duration, DEPENETRATION_SPEED))
    tangent = _tangent(normal, sliding)
    for index in (first + 1, first + 2):
        mobility = write_linear(row, index, bodies, child, parent, tangent, lever, other)
        make_rigid(row, index, mobility, 0.0, 0.0)
        row[index, FRICTION] = friction
        tangent = cross(normal, tangent)
    scratch.contact[contact, 0], scratch.contact[contact, 1], scratch.contact[contact, 2] = child, parent, first
    scratch.used[0] += 3
    scratch.used[1] += 1


@compiled
def _tangent(normal: Vector, sliding: Vector) -> Vector:
    """Return the direction of sliding, or any along the surface."""
    along = minus(sliding, scaled(dot(normal, sliding), normal))
    speed = math.sqrt(dot(along, along))
    if speed > SLIDING_SPEED:
        return scaled(1.0 / speed, along)
    along = cross(normal, (1.0, 0.0, 0.0) if abs(normal[0]) < 0.7 else (0.0, 0.0, 1.0))
    return scaled(1.0 / norm(along), along)
