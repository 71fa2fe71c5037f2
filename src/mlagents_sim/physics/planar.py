"""Circles that move in a plane among rectangles, compiled.

A rectangle without width is a segment, one without length a point: circles against walls and circles against
circles are the same. All functions look from the rectangle's own frame, whose axes are along its sides.
"""

from __future__ import annotations

import math
from typing import Final

from mlagents_sim.physics.compiled import compiled

MISSED: Final = 2.0
"""In place of a fraction of a path, when a circle does not meet a rectangle on it."""


@compiled
def sweep(x: float, y: float, dx: float, dy: float, half_x: float, half_y: float, radius: float) -> float:
    """Return how far a circle travels along (dx, dy) before it meets a rectangle around the origin.

    Args:
      x: of the circle's centre at the start of the path, m.
      y: likewise.
      dx: along the path, m.
      dy: likewise.
      half_x: half the rectangle's side along x, m.
      half_y: half the rectangle's side along y, m.
      radius: of the circle, m.

    Returns: The fraction of the path, 0 to 1; MISSED if the circle does not come that near, or is so at the start.
    """
    if dx < 0.0:
        x, dx = -x, -dx
    if dy < 0.0:
        y, dy = -y, -dy
    reach_x, reach_y = half_x + radius, half_y + radius
    # Where the centre enters and leaves the rectangle enlarged by the radius on all sides.
    if x > reach_x or y > reach_y or x + dx < -reach_x or y + dy < -reach_y:
        return MISSED
    begin, end = 0.0, 1.0
    if dx > 0.0:
        begin, end = max(begin, (-reach_x - x) / dx), min(end, (reach_x - x) / dx)
    if dy > 0.0:
        begin, end = max(begin, (-reach_y - y) / dy), min(end, (reach_y - y) / dy)
    if begin > end:
        return MISSED
    at_x, at_y = x + begin * dx, y + begin * dy
    if abs(at_x) > half_x and abs(at_y) > half_y:
        corner_x, corner_y = math.copysign(half_x, at_x), math.copysign(half_y, at_y)
        return _meet_point(x - corner_x, y - corner_y, dx, dy, radius)
    return begin if begin > 0.0 else MISSED


@compiled
def _meet_point(x: float, y: float, dx: float, dy: float, radius: float) -> float:
    """Return as `sweep`, for a point in the origin."""
    a, b, c = dx * dx + dy * dy, x * dx + y * dy, x * x + y * y - radius * radius
    discriminant = b * b - a * c
    if c <= 0.0 or b >= 0.0 or discriminant <= 0.0:
        return MISSED
    fraction = c / (math.sqrt(discriminant) - b)
    return fraction if fraction <= 1.0 else MISSED


@compiled
def separation(x: float, y: float, half_x: float, half_y: float) -> tuple[float, float, float]:
    """Return the distance of a point from a rectangle around the origin, and the direction away from it.

    Returns: Metres, negative inside; a unit vector from the nearest point of the rim, or, for a point on it or inside,
      the normal of the nearest side.
    """
    out_x, out_y = abs(x) - half_x, abs(y) - half_y
    sign_x, sign_y = math.copysign(1.0, x), math.copysign(1.0, y)
    if out_x > 0.0 and out_y > 0.0:
        distance = math.sqrt(out_x * out_x + out_y * out_y)
        return distance, sign_x * out_x / distance, sign_y * out_y / distance
    if out_x > out_y:
        return out_x, sign_x, 0.0
    return out_y, 0.0, sign_y
