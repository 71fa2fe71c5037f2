"""A pitch seen from above, and who is on it: x along the pitch, z across it, m.

All keep their height: players are discs that nothing turns, the ball slides and rolls (`pitch_motion`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

PLAYER_RADIUS_M: Final = 0.5
PLAYER_MASS_KG: Final = 50.0
BALL_MASS_KG: Final = 3.0
BALL_HEIGHT_M: Final = 0.5


class Walls(NamedTuple):
    """What does not move, the same on all pitches: rectangles.

    Attributes:
      center: float64 [walls, 2], m.
      half_size: float64 [walls, 2], m.
      axis: float64 [walls, 2], unit vector along the first side.
      look: int64 [walls], what it looks like.
    """

    center: NDArray[np.float64]
    half_size: NDArray[np.float64]
    axis: NDArray[np.float64]
    look: NDArray[np.int64]


class Pitches(NamedTuple):
    """Players and balls, one row per pitch; the last body is the ball.

    Attributes:
      position: float64 [pitches, bodies, 2], m.
      velocity: float64 [pitches, bodies, 2], m/s.
      yaw: float64 [pitches, players], rad; 0 looks along +z, positive is to the right.
      roll: float64 [pitches, 2], rad/s, of the ball: it rolls if its velocity is roll * radius.
      spin: float64 [pitches], rad/s, of the ball about the vertical, from +x to +z.
      ball_radius: float64 [pitches], m.
      kick: float64 [pitches, 2], m/s, by which the ball's velocity changes in the next step.
      is_touching: bool [pitches, players], whether a player touched the ball in the last step.
      began: bool [pitches, players], whether it began to.
      touch: float64 [pitches, players, 2], unit vector from the player to the ball at that moment.
    """

    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    yaw: NDArray[np.float64]
    roll: NDArray[np.float64]
    spin: NDArray[np.float64]
    ball_radius: NDArray[np.float64]
    kick: NDArray[np.float64]
    is_touching: NDArray[np.bool_]
    began: NDArray[np.bool_]
    touch: NDArray[np.float64]


def make_pitches(count: int, players: int, ball_radius_m: float) -> Pitches:
    """Return pitches with everything in the middle and at rest."""
    bodies = players + 1
    return Pitches(
        position=np.zeros((count, bodies, 2)),
        velocity=np.zeros((count, bodies, 2)),
        yaw=np.zeros((count, players)),
        roll=np.zeros((count, 2)),
        spin=np.zeros(count),
        ball_radius=np.full(count, ball_radius_m),
        kick=np.zeros((count, 2)),
        is_touching=np.zeros((count, players), np.bool_),
        began=np.zeros((count, players), np.bool_),
        touch=np.zeros((count, players, 2)),
    )
