"""How players and ball move on a pitch, compiled.

The ball's middle is kept at 0.5 m, so that it sinks into the floor, and Unity pushes it out in vain: that push weighs
on the ball while it slides, but shortens only its way (PUSH_OUT_SPEED) and not its speed. That, the spin and the
friction of the floor are what was measured on Unity's engine.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.compiled import compiled
from mlagents_sim.physics.pitch import BALL_HEIGHT_M, Pitches, Walls
from mlagents_sim.physics.pitch_contacts import Contacts, find_contacts, move_apart, solve
from mlagents_sim.physics.rules import MAX_ANGULAR_SPEED, TIME_STEP_S

PLAYER_DRAG: Final = 3.0
BALL_DRAG: Final = 1.0
FLOOR_FRICTION: Final = 0.35
PUSH_OUT_SPEED: Final = 1.739  # m/s, by which a sliding ball moves slower than its velocity
ROLLING_LOSS: Final = 0.003  # of the speed of a rolling ball in a step, besides its drag
ROUNDS: Final = 3  # bounces off something towards something else, in a step


@compiled
def move_pitch(pitches: Pitches, walls: Walls, pitch: int, gravity: float, contacts: Contacts) -> None:
    """Advance one pitch by 0.02 s: kick, slow down, hit, move."""
    velocity, position = pitches.velocity[pitch], pitches.position[pitch]
    bodies = len(velocity)
    ball = bodies - 1
    for axis in range(2):
        velocity[ball, axis] += pitches.kick[pitch, axis]
        pitches.kick[pitch, axis] = 0.0
    for player in range(ball):
        _slow_player(velocity[player], gravity)
    _slow_ball(pitches, pitch, gravity)
    for round_ in range(ROUNDS):
        if not find_contacts(pitches, walls, pitch, contacts, round_ == 0):
            break
        solve(pitches, pitch, contacts)
    slip_x, slip_z = _slip(pitches, pitch)
    slip = math.sqrt(slip_x * slip_x + slip_z * slip_z)
    hindered = min(PUSH_OUT_SPEED, slip) / slip if slip > 0.0 and pitches.ball_radius[pitch] > BALL_HEIGHT_M else 0.0
    for body in range(bodies):
        for axis in range(2):
            position[body, axis] += TIME_STEP_S * velocity[body, axis]
    position[ball, 0] -= TIME_STEP_S * hindered * slip_x
    position[ball, 1] -= TIME_STEP_S * hindered * slip_z
    move_apart(pitches, pitch, contacts)


# What the floor does


@compiled
def _slow_player(velocity: NDArray[np.float64], gravity: float) -> None:
    """Drag, then friction of the one point on which a player stands."""
    kept = 1.0 - PLAYER_DRAG * TIME_STEP_S
    speed = kept * math.sqrt(velocity[0] ** 2 + velocity[1] ** 2)
    if speed > 0.0:
        kept *= max(0.0, 1.0 - FLOOR_FRICTION * gravity * TIME_STEP_S * kept / speed)
    velocity[0] *= kept
    velocity[1] *= kept


@compiled
def _slip(pitches: Pitches, pitch: int) -> tuple[float, float]:
    """Return what the ball's velocity has more than that of rolling."""
    velocity, roll, radius = pitches.velocity[pitch, -1], pitches.roll[pitch], pitches.ball_radius[pitch]
    return velocity[0] - radius * roll[0], velocity[1] - radius * roll[1]


@compiled
def _slow_ball(pitches: Pitches, pitch: int, gravity: float) -> None:
    """Drag of the ball's motion and spin; then the floor's friction brings it nearer to rolling."""
    velocity, roll, radius = pitches.velocity[pitch, -1], pitches.roll[pitch], pitches.ball_radius[pitch]
    kept = 1.0 - BALL_DRAG * TIME_STEP_S
    turning = kept * math.sqrt(roll[0] ** 2 + roll[1] ** 2 + pitches.spin[pitch] ** 2)
    spin_kept = kept * min(1.0, MAX_ANGULAR_SPEED / turning) if turning > 0.0 else kept
    pitches.spin[pitch] *= spin_kept
    for axis in range(2):
        velocity[axis] *= kept
        roll[axis] *= spin_kept
    if radius <= BALL_HEIGHT_M:
        return
    slip_x, slip_z = _slip(pitches, pitch)
    slip = math.sqrt(slip_x * slip_x + slip_z * slip_z)
    friction = FLOOR_FRICTION * gravity * TIME_STEP_S * kept
    # The floor is BALL_HEIGHT_M below the middle, and the ball's inertia is 0.4 m r^2.
    spin_up = BALL_HEIGHT_M / (0.4 * radius * radius)
    enough = slip / (1.0 + spin_up * radius)
    if enough > friction:
        for axis in range(2):
            part = friction * (slip_x if axis == 0 else slip_z) / slip
            velocity[axis] -= part
            roll[axis] += spin_up * part
        return
    for axis in range(2):
        velocity[axis] -= (slip_x if axis == 0 else slip_z) / (1.0 + spin_up * radius)
        velocity[axis] *= 1.0 - ROLLING_LOSS
        roll[axis] = velocity[axis] / radius
