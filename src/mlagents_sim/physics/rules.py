"""Unity's rules of motion as compiled functions, for one body each.

Positions and velocities are rows of MuJoCo's arrays and are changed in place: `position` float64 [>= 3],
`velocity` float64 [6] (linear, then angular in the body's frame), `quat` float64 [4] (w, x, y, z).
Unity's numbers are used unchanged, Y is up.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.compiled import compiled

TIME_STEP_S: Final = 0.02
MAX_ANGULAR_SPEED: Final = 7.0  # rad/s, of every body that does not say otherwise

Vector = NDArray[np.float64]


@compiled
def turn_x(quat: Vector, c: float, s: float) -> None:
    """Turn about the body's own X axis: quat * (c, s, 0, 0), cosine and sine of half the angle."""
    w, x, y, z = quat[0], quat[1], quat[2], quat[3]
    quat[0], quat[1], quat[2], quat[3] = c * w - s * x, c * x + s * w, c * y + s * z, c * z - s * y


@compiled
def turn_z(quat: Vector, c: float, s: float) -> None:
    """Turn about the body's own Z axis: quat * (c, 0, 0, s), cosine and sine of half the angle."""
    w, x, y, z = quat[0], quat[1], quat[2], quat[3]
    quat[0], quat[1], quat[2], quat[3] = c * w - s * z, c * x + s * y, c * y - s * x, c * z + s * w


@compiled
def push_forward(velocity: Vector, yaw_rad: float, speed: float) -> None:
    """Change a velocity by `speed`, m/s, straight ahead for who is turned to the right by `yaw_rad`."""
    velocity[0] += speed * math.sin(yaw_rad)
    velocity[2] += speed * math.cos(yaw_rad)


@compiled
def push_right(velocity: Vector, yaw_rad: float, speed: float) -> None:
    """Change a velocity by `speed`, m/s, to the right for who is turned to the right by `yaw_rad`."""
    velocity[0] += speed * math.cos(yaw_rad)
    velocity[2] -= speed * math.sin(yaw_rad)


@compiled
def run_or_turn(choice: int, velocity: Vector, yaw_rad: float, speed: float, turn_rad: float) -> float:
    """Make one physics step of a cube that runs on a floor: 1 ahead, 2 back, 3 turns right, 4 left, else nothing.

    Turning is a teleport: the velocity keeps its direction. Returns: the new yaw.
    """
    if choice == 1:
        push_forward(velocity, yaw_rad, speed)
    elif choice == 2:
        push_forward(velocity, yaw_rad, -speed)
    elif choice == 3:
        return yaw_rad + turn_rad
    elif choice == 4:
        return yaw_rad - turn_rad
    return yaw_rad


@compiled
def run_turn_or_step(
    choice: int, velocity: Vector, yaw_rad: float, speed: float, side_speed: float, turn_rad: float
) -> float:
    """Do as `run_or_turn`, and step aside by `side_speed`, m/s: 5 to the left, 6 to the right."""
    if choice == 5:
        push_right(velocity, yaw_rad, -side_speed)
        return yaw_rad
    if choice == 6:
        push_right(velocity, yaw_rad, side_speed)
        return yaw_rad
    return run_or_turn(choice, velocity, yaw_rad, speed, turn_rad)


@compiled
def write_yaw(rotation: NDArray[np.float64], yaw_rad: float) -> None:
    """Make `rotation`, float64 [3, 3], a turn to the right about the vertical."""
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    rotation[:] = 0.0
    rotation[0, 0], rotation[0, 2] = c, s
    rotation[1, 1] = 1.0
    rotation[2, 0], rotation[2, 2] = -s, c


@compiled
def apply_gravity(velocity: Vector, gravity: float) -> None:
    """Apply one impulse per time step, before any sub-step: the distance of a free fall is then Unity's."""
    velocity[1] -= gravity * TIME_STEP_S


@compiled
def apply_angular_drag(velocity: Vector, drag: float) -> None:
    """Damp the spin by Unity's explicit rule, and hold it below MAX_ANGULAR_SPEED."""
    factor = max(0.0, 1.0 - drag * TIME_STEP_S)
    speed = factor * math.sqrt(velocity[3] ** 2 + velocity[4] ** 2 + velocity[5] ** 2)
    if speed > MAX_ANGULAR_SPEED:
        factor *= MAX_ANGULAR_SPEED / speed
    velocity[3] *= factor
    velocity[4] *= factor
    velocity[5] *= factor
