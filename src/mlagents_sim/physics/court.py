"""A ball, two rackets and a court, seen from the side, compiled: x from left to right, y up, m.

What was found in a recording made in Unity, and holds here:

- The ball is swept. A hit is one elastic impulse without friction, at the start of the step in which the bodies would
  meet; then they move for the whole step with their new velocities. A racket that is farther away than HIT_REACH_M is
  met only in the next step, when the two overlap, unless by then they would have passed through each other.
- Rackets are not swept against the court: they end a step inside it, lose their velocity towards it, and are moved
  out by DEPENETRATION of their depth in every step.
- What overlaps is moved apart, and that motion does not become velocity.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.planar import MISSED, separation, sweep
from mlagents_sim.physics.rules import TIME_STEP_S

BALL_MASS_KG: Final = 0.75
RACKET_MASS_KG: Final = 4.0
RACKET_HALF_LENGTH_M: Final = 0.5 * 0.9883
RACKET_HALF_WIDTH_M: Final = 0.5 * 0.1267
LARGEST_BALL_SPEED: Final = 9.0  # m/s, along x and along y

BOUNCE_THRESHOLD: Final = 2.0  # m/s; what comes slower does not bounce
CONTACT_DISTANCE_M: Final = 0.02
HIT_REACH_M: Final = 0.41  # hits from 0.385 m came at once, from 0.446 m a step later
DEPENETRATION: Final = 0.8  # of the depth in a step
MOST_HITS: Final = 8  # in one step
FARTHEST_TRAVEL_M: Final = 2.0  # of a ball, or of a racket towards it, in one step
TOLERANCE: Final = 1e-9

RACKET_A, RACKET_B, FLOOR_A, FLOOR_B, NET, WALL_A, WALL_B = range(7)
CENTERS: Final = np.array(
    [(0.0, 0.0), (0.0, 0.0), (-5.969, -7.0), (6.052, -7.0), (0.0, -6.9666), (-12.13, -3.07), (12.13, -3.07)]
)
HALF_SIZES: Final = np.array(
    [
        *[(RACKET_HALF_WIDTH_M, RACKET_HALF_LENGTH_M)] * 2,
        (5.9915, 0.1),
        (6.041, 0.1),
        (0.06095, 0.5334),
        (0.25, 40.0),
        (0.25, 40.0),
    ]
)
FLOOR_TOP_M: Final = -6.9
NET_TOP_M: Final = -6.9666 + 0.5334
NET_FACE_M: Final = 0.06095
WALL_FACE_M: Final = 11.88

NOTHING: Final = -1


class Courts(NamedTuple):
    """Balls and rackets, one row per court; racket 0 is on the left.

    Attributes:
      racket_position: float64 [courts, 2, 2], m.
      racket_velocity: float64 [courts, 2, 2], m/s.
      lean: float64 [courts, 2], of a racket from the upright, rad, positive towards +x.
      ball_position: float64 [courts, 2], m.
      ball_velocity: float64 [courts, 2], m/s.
      ball_radius: float64 [courts], m.
      is_touching: bool [courts, 7], whether the ball touched a racket or a part of the court in the last step.
      touched: int64 [courts, 7], what it began to touch in the last step, in this order; NOTHING behind that.
    """

    racket_position: NDArray[np.float64]
    racket_velocity: NDArray[np.float64]
    lean: NDArray[np.float64]
    ball_position: NDArray[np.float64]
    ball_velocity: NDArray[np.float64]
    ball_radius: NDArray[np.float64]
    is_touching: NDArray[np.bool_]
    touched: NDArray[np.int64]


def make_courts(count: int) -> Courts:
    """Return courts with everything in the middle and at rest."""
    return Courts(
        racket_position=np.zeros((count, 2, 2)),
        racket_velocity=np.zeros((count, 2, 2)),
        lean=np.zeros((count, 2)),
        ball_position=np.zeros((count, 2)),
        ball_velocity=np.zeros((count, 2)),
        ball_radius=np.full(count, 0.25),
        is_touching=np.zeros((count, len(CENTERS)), np.bool_),
        touched=np.full((count, len(CENTERS)), NOTHING),
    )


@allocating
def move_court(courts: Courts, court: int, gravity: float) -> None:
    """Advance one court by 0.02 s: fall, hit, move. The ball's speed is not limited here."""
    courts.ball_velocity[court, 1] -= gravity * TIME_STEP_S
    was_touching = courts.is_touching[court].copy()
    courts.is_touching[court] = False
    courts.touched[court] = NOTHING
    shift = np.empty((2, 2))
    for racket in range(2):
        courts.racket_velocity[court, racket, 1] -= gravity * TIME_STEP_S
        _stop_racket(courts, court, racket, shift[racket])
    _hit(courts, court, was_touching)
    _push_ball_out(courts, court)
    for axis in range(2):
        courts.ball_position[court, axis] += TIME_STEP_S * courts.ball_velocity[court, axis]
        for racket in range(2):
            moved = TIME_STEP_S * courts.racket_velocity[court, racket, axis]
            courts.racket_position[court, racket, axis] += _farther(moved, shift[racket, axis])


@compiled
def limit_ball_speed(courts: Courts, court: int) -> None:
    """Hold the ball's speed along each axis within LARGEST_BALL_SPEED."""
    for axis in range(2):
        speed = courts.ball_velocity[court, axis]
        courts.ball_velocity[court, axis] = min(max(speed, -LARGEST_BALL_SPEED), LARGEST_BALL_SPEED)


# Rackets and the court


@compiled
def _room(courts: Courts, court: int, racket: int) -> tuple[float, float, float]:
    """Return between which x and above which y the middle of a racket can be."""
    s, c = abs(math.sin(courts.lean[court, racket])), abs(math.cos(courts.lean[court, racket]))
    half_x = RACKET_HALF_LENGTH_M * s + RACKET_HALF_WIDTH_M * c
    half_y = RACKET_HALF_LENGTH_M * c + RACKET_HALF_WIDTH_M * s
    low, high = -WALL_FACE_M + half_x, WALL_FACE_M - half_x
    if courts.racket_position[court, racket, 1] - half_y < NET_TOP_M:
        if racket == 0:
            high = -NET_FACE_M - half_x
        else:
            low = NET_FACE_M + half_x
    return low, high, FLOOR_TOP_M + half_y


@compiled
def _stop_racket(courts: Courts, court: int, racket: int, shift: NDArray[np.float64]) -> None:
    """Let a racket lose its velocity towards what it touches; `shift` [2] becomes the way out of it, m."""
    low, high, floor = _room(courts, court, racket)
    position, velocity = courts.racket_position[court, racket], courts.racket_velocity[court, racket]
    velocity[0], shift[0] = _stop(position[0] - low, velocity[0])
    back, away = _stop(high - position[0], -velocity[0])
    velocity[0] = -back
    if away != 0.0:
        shift[0] = -away
    velocity[1], shift[1] = _stop(position[1] - floor, velocity[1])


@compiled
def _stop(gap: float, speed: float) -> tuple[float, float]:
    """Return a speed away from something at that distance after the contact, and the way out of it, m."""
    if gap >= CONTACT_DISTANCE_M:
        return speed, 0.0
    if gap >= 0.0:
        return max(speed, -gap / TIME_STEP_S), 0.0
    return max(speed, 0.0), -DEPENETRATION * gap


@compiled
def _farther(moved: float, shift: float) -> float:
    """Return how far something moves that is also on its way out of something else."""
    if shift == 0.0:
        return moved
    return max(moved, shift) if shift > 0.0 else min(moved, shift)


# The ball and all others


@compiled
def _offset(courts: Courts, court: int, shape: int) -> tuple[float, float, float, float]:
    """Return where the ball is, in the frame of what it may hit, and that frame's cosine and sine."""
    x, y = courts.ball_position[court, 0], courts.ball_position[court, 1]
    if shape > RACKET_B:
        return x - CENTERS[shape, 0], y - CENTERS[shape, 1], 1.0, 0.0
    x -= courts.racket_position[court, shape, 0]
    y -= courts.racket_position[court, shape, 1]
    # A racket that leans towards +x is turned clockwise.
    c, s = math.cos(courts.lean[court, shape]), -math.sin(courts.lean[court, shape])
    return c * x + s * y, c * y - s * x, c, s


@compiled
def _relative_velocity(courts: Courts, court: int, shape: int) -> tuple[float, float]:
    """Return the ball's velocity as seen from what it may hit."""
    vx, vy = courts.ball_velocity[court, 0], courts.ball_velocity[court, 1]
    if shape <= RACKET_B:
        vx -= courts.racket_velocity[court, shape, 0]
        vy -= courts.racket_velocity[court, shape, 1]
    return vx, vy


@compiled
def _approach(courts: Courts, court: int, shape: int) -> tuple[float, float, float, float, float]:
    """Return when in the step the ball meets a shape, how far away it is now, its speed from it, and the normal.

    The time is a fraction of the step; MISSED if the two do not meet.
    """
    x, y, c, s = _offset(courts, court, shape)
    vx, vy = _relative_velocity(courts, court, shape)
    half_x, half_y, radius = HALF_SIZES[shape, 0], HALF_SIZES[shape, 1], courts.ball_radius[court]
    dx, dy = TIME_STEP_S * (c * vx + s * vy), TIME_STEP_S * (c * vy - s * vx)
    distance, nx, ny = separation(x, y, half_x, half_y)
    gap, fraction = distance - radius, 0.0
    if gap > 0.0:
        fraction = sweep(x, y, dx, dy, half_x, half_y, radius)
        if fraction <= 1.0:
            _, nx, ny = separation(x + fraction * dx, y + fraction * dy, half_x, half_y)
    speed = (nx * dx + ny * dy) / TIME_STEP_S
    overlap = -(1.0 - fraction) * TIME_STEP_S * speed  # if nothing were done
    is_late = shape <= RACKET_B and gap > HIT_REACH_M and overlap < radius
    if is_late or speed >= -TOLERANCE or fraction >= 1.0 - TOLERANCE:
        fraction = MISSED
    return fraction, gap, speed, c * nx - s * ny, s * nx + c * ny


@compiled
def _find_near(courts: Courts, court: int, near: NDArray[np.int64]) -> int:
    """List what the ball may meet in this step, however it bounces; returns how much that is."""
    count = 0
    for shape in range(len(CENTERS)):
        reach = FARTHEST_TRAVEL_M + courts.ball_radius[court]
        x, y, half_x, half_y = CENTERS[shape, 0], CENTERS[shape, 1], HALF_SIZES[shape, 0], HALF_SIZES[shape, 1]
        if shape <= RACKET_B:
            x, y = courts.racket_position[court, shape, 0], courts.racket_position[court, shape, 1]
            half_x = half_y = half_x + half_y
        if (
            abs(courts.ball_position[court, 0] - x) < half_x + reach
            and abs(courts.ball_position[court, 1] - y) < half_y + reach
        ):
            near[count] = shape
            count += 1
    return count


@allocating
def _hit(courts: Courts, court: int, was_touching: NDArray[np.bool_]) -> None:
    """Note what the ball touches, and let it bounce off what it meets in this step, the first things first."""
    count = 0
    found = np.empty(len(CENTERS), np.int64)
    near: Iterable[int] = found[: _find_near(courts, court, found)]
    for shape in near:
        _, gap, _, _, _ = _approach(courts, court, shape)
        if gap < CONTACT_DISTANCE_M:
            count = _note(courts, court, shape, was_touching, count)
    for _ in range(MOST_HITS):
        first, hit, hit_gap, hit_speed, normal_x, normal_y = MISSED, NOTHING, 0.0, 0.0, 0.0, 0.0
        for shape in near:
            fraction, gap, speed, nx, ny = _approach(courts, court, shape)
            if fraction < first:
                first, hit, hit_gap, hit_speed, normal_x, normal_y = fraction, shape, gap, speed, nx, ny
        if hit == NOTHING:
            return
        count = _note(courts, court, hit, was_touching, count)
        wanted = -hit_speed if hit_speed <= -BOUNCE_THRESHOLD else -max(hit_gap, 0.0) / TIME_STEP_S
        _bounce(courts, court, hit, normal_x, normal_y, wanted - hit_speed)


@compiled
def _note(courts: Courts, court: int, shape: int, was_touching: NDArray[np.bool_], count: int) -> int:
    """Remember that the ball touches a shape; returns how many it has begun to touch in this step."""
    if not courts.is_touching[court, shape]:
        courts.is_touching[court, shape] = True
        if not was_touching[shape]:
            courts.touched[court, count] = shape
            return count + 1
    return count


@compiled
def _bounce(courts: Courts, court: int, shape: int, nx: float, ny: float, change: float) -> None:
    """Change the ball's velocity, as seen from a shape, by so much along the normal; a racket takes its part."""
    mobility_x = mobility_y = 0.0
    if shape <= RACKET_B:
        low, high, floor = _room(courts, court, shape)
        x, y = courts.racket_position[court, shape, 0], courts.racket_position[court, shape, 1]
        # What is pressed against the court does not give way.
        held_x = (nx > 0.0 and x <= low + TOLERANCE) or (nx < 0.0 and x >= high - TOLERANCE)
        held_y = ny > 0.0 and y <= floor + TOLERANCE
        mobility_x = 0.0 if held_x else 1.0 / RACKET_MASS_KG
        mobility_y = 0.0 if held_y else 1.0 / RACKET_MASS_KG
    impulse = change / (1.0 / BALL_MASS_KG + mobility_x * nx * nx + mobility_y * ny * ny)
    courts.ball_velocity[court, 0] += impulse / BALL_MASS_KG * nx
    courts.ball_velocity[court, 1] += impulse / BALL_MASS_KG * ny
    if shape <= RACKET_B:
        courts.racket_velocity[court, shape, 0] -= mobility_x * impulse * nx
        courts.racket_velocity[court, shape, 1] -= mobility_y * impulse * ny


@compiled
def _push_ball_out(courts: Courts, court: int) -> None:
    """Move the ball out of what it overlaps, as far as its velocity will not."""
    for shape in range(len(CENTERS)):
        if not courts.is_touching[court, shape]:
            continue
        _, gap, speed, nx, ny = _approach(courts, court, shape)
        missing = -DEPENETRATION * gap - TIME_STEP_S * speed
        if gap < 0.0 and missing > 0.0:
            courts.ball_position[court, 0] += missing * nx
            courts.ball_position[court, 1] += missing * ny
