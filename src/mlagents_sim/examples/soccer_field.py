"""The fields of SoccerTwos and StrikersVsGoalie: walls and nets, as rectangles that lie outside of the outline.

Teams are 0 (blue, on the left, its goal at -x) and 1 (purple).
"""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.pitch import Walls

WALL, BLUE_GOAL, PURPLE_GOAL = range(3)
"""What walls look like."""

LENGTH_M: Final = 30.0
WIDTH_M: Final = 15.0
MOUTH_HALF_WIDTH_M: Final = 4.1
GOAL_FLOOR_M: Final = 15.5  # where it begins, from the middle
GOAL_FLOOR_HALF_WIDTH_M: Final = 4.25
POST_HALF_WIDTH_M: Final = 4.5
NET_M: Final = (15.47, 17.47)  # the side nets, along x
NET_FACE_M: Final = 4.15
BACK_NETS_M: Final = {BLUE_GOAL: 17.37, PURPLE_GOAL: 17.36}
THICKNESS_M: Final = 2.0  # what is behind the faces; nobody gets there

CORNER: Final = (
    (12.0, 7.5),
    (12.776, 7.398),
    (13.5, 7.098),
    (14.121, 6.621),
    (14.598, 6.0),
    (14.898, 5.276),
    (15.0, 4.5),
)
BLOCKER_2020_M: Final = ((-15.5, 0.0), (0.5, 4.0))
BLOCKER_TODAY_M: Final = ((-15.51, 0.0), (0.5, 3.955))

# Of today's releases
SIDE_M: Final = (7.75, 0.23)  # middle and half the thickness
CORNER_BOX_M: Final = ((14.46, 6.41), (2.4, 0.23))
CORNER_BOX_DEGREES: Final = 60.0

Rectangle = tuple[tuple[float, float], tuple[float, float], tuple[float, float], int]
"""Centre, half size, axis, look."""


def make_field(*, today: bool, blocked: bool) -> Walls:
    """Return walls and nets.

    Args:
      today: as in today's releases, whose sides and corners are boxes; otherwise as in 2020.
      blocked: whether a box stands in the blue goal.
    """
    rectangles = (_sides_of_today() if today else _sides_of_2020()) + _goals()
    if blocked:
        rectangles.append((*(BLOCKER_TODAY_M if today else BLOCKER_2020_M), (1.0, 0.0), WALL))
    center, half_size, axis, look = zip(*rectangles, strict=True)
    return Walls(np.array(center), np.array(half_size), np.array(axis), np.array(look))


def _sides_of_2020() -> list[Rectangle]:
    half = 0.5 * THICKNESS_M
    sides: list[Rectangle] = []
    for z in (-1.0, 1.0):
        sides.append(((0.0, z * (0.5 * WIDTH_M + half)), (CORNER[0][0], half), (1.0, 0.0), WALL))
        for x, (begin, end) in itertools.product((-1.0, 1.0), itertools.pairwise(CORNER)):
            sides.append(_chord((x * begin[0], z * begin[1]), (x * end[0], z * end[1])))
    return sides


def _chord(begin: tuple[float, float], end: tuple[float, float]) -> Rectangle:
    """Return what lies outside of a chord of a corner."""
    first, second = np.array(begin), np.array(end)
    middle, along = 0.5 * (first + second), second - first
    length = float(np.hypot(*along))
    axis = along / length
    outwards = np.array((-axis[1], axis[0]))
    outwards *= np.sign(outwards @ middle)
    center = middle + 0.5 * THICKNESS_M * outwards
    return (
        (float(center[0]), float(center[1])),
        (0.5 * length, 0.5 * THICKNESS_M),
        (float(axis[0]), float(axis[1])),
        WALL,
    )


def _sides_of_today() -> list[Rectangle]:
    sides: list[Rectangle] = []
    angle = np.radians(CORNER_BOX_DEGREES)
    center, half_size = CORNER_BOX_M
    for z in (-1.0, 1.0):
        sides.append(((0.0, z * SIDE_M[0]), (0.5 * LENGTH_M, SIDE_M[1]), (1.0, 0.0), WALL))
        for x in (-1.0, 1.0):
            axis = (float(np.cos(angle)), float(-x * z * np.sin(angle)))
            sides.append(((x * center[0], z * center[1]), half_size, axis, WALL))
    return sides


def _goals() -> list[Rectangle]:
    """Return the posts, which are walls, and the nets behind them."""
    half = 0.5 * THICKNESS_M
    goals: list[Rectangle] = []
    for x, look in ((-1.0, BLUE_GOAL), (1.0, PURPLE_GOAL)):
        back = x * (BACK_NETS_M[look] + half)
        goals.append(((back, 0.0), (half, NET_FACE_M + half), (1.0, 0.0), look))
        for z in (-1.0, 1.0):
            post = 0.5 * (0.5 * LENGTH_M + GOAL_FLOOR_M), MOUTH_HALF_WIDTH_M + half
            goals.append(((x * post[0], z * post[1]), (0.25, half), (1.0, 0.0), WALL))
            net = 0.5 * (NET_M[0] + NET_M[1]), NET_FACE_M + half
            goals.append(((x * net[0], z * net[1]), (0.5 * (NET_M[1] - NET_M[0]), half), (1.0, 0.0), look))
    return goals


def goal_lines(ball_radius_m: NDArray[np.float64], ball_height_m: float) -> NDArray[np.float64]:
    """Return how far from the middle, m, the ball's centre is when it touches a goal's floor, which it dips below."""
    reach = np.sqrt(np.maximum(ball_radius_m**2 - ball_height_m**2, 0.0))
    return np.asarray(GOAL_FLOOR_M - reach)
