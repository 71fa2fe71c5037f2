"""Balls that fall, roll, slide and spin on what does not yield to them: rigid contacts by Unity's rules, compiled.

Positions, velocities and spins are rows of arrays, float64 [3], in the coordinates of their area, and are changed in
place. Unity's numbers are used unchanged, Y is up.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.compiled import compiled
from mlagents_sim.physics.contacts import bouncing_speed, moving_speed, staying_speed
from mlagents_sim.physics.rules import MAX_ANGULAR_SPEED, TIME_STEP_S

INERTIA: Final = 0.4  # of a solid ball, in m r^2
SLIP_MASS: Final = 1.0 + 1.0 / INERTIA  # change of a ball's slip by an impulse at its surface, in impulse / m

Vector = NDArray[np.float64]


@compiled
def fall(velocity: Vector, spin: Vector, gravity: float, angular_drag: float) -> None:
    """Let gravity and drag act for one time step, as Unity does before it looks at contacts.

    Args:
      velocity: of the ball, m/s.
      spin: its angular velocity, rad/s.
      gravity: downwards, m/s^2.
      angular_drag: 1/s.
    """
    velocity[1] -= gravity * TIME_STEP_S
    factor = max(0.0, 1.0 - angular_drag * TIME_STEP_S)
    speed = factor * math.sqrt(spin[0] ** 2 + spin[1] ** 2 + spin[2] ** 2)
    if speed > MAX_ANGULAR_SPEED:
        factor *= MAX_ANGULAR_SPEED / speed
    for axis in range(3):
        spin[axis] *= factor


@compiled
def press(
    velocity: Vector,
    spin: Vector,
    push: Vector,
    radius: float,
    normal: Vector,
    gap: float,
    friction: float,
    bounce: float,
) -> None:
    """Solve the contact of a ball with something that does not yield.

    At one point there is one normal, and it does not depend on friction, so the impulses can be written down: the
    normal one by `contacts`, and Coulomb's friction, which is what stops the slip, or as much as the normal one allows.

    Args:
      velocity: of the ball, m/s; afterwards that which stays.
      spin: rad/s; likewise.
      push: what moves the ball besides its velocity in this step, m/s; added to.
      radius: of the ball, m.
      normal: float64 [3], from the other body to the ball.
      gap: between them, m; less than `contacts.CONTACT_DISTANCE_M`.
      friction: of the pair.
      bounce: bounciness of the pair.
    """
    nx, ny, nz = normal[0], normal[1], normal[2]
    speed = velocity[0] * nx + velocity[1] * ny + velocity[2] * nz
    moving, staying = moving_speed(gap), staying_speed(gap)
    bouncing = bouncing_speed(speed, gap, bounce)
    if bouncing > 0.0:
        moving = staying = bouncing
    pressed_moving, pressed = max(moving - speed, 0.0), max(staying - speed, 0.0)
    # Slip: velocity of the touching point, spin x (-radius normal) + velocity, without its part along the normal.
    sx = velocity[0] - speed * nx - radius * (spin[1] * nz - spin[2] * ny)
    sy = velocity[1] - speed * ny - radius * (spin[2] * nx - spin[0] * nz)
    sz = velocity[2] - speed * nz - radius * (spin[0] * ny - spin[1] * nx)
    wanted = math.sqrt(sx * sx + sy * sy + sz * sz) / SLIP_MASS
    held = min(1.0, friction * pressed / wanted) / SLIP_MASS if wanted > 0.0 else 0.0
    held_moving = min(1.0, friction * pressed_moving / wanted) / SLIP_MASS if wanted > 0.0 else 0.0
    more, more_held = pressed_moving - pressed, held_moving - held
    push[0] += more * nx - more_held * sx
    push[1] += more * ny - more_held * sy
    push[2] += more * nz - more_held * sz
    velocity[0] += pressed * nx - held * sx
    velocity[1] += pressed * ny - held * sy
    velocity[2] += pressed * nz - held * sz
    turn = held / (INERTIA * radius)
    spin[0] += turn * (ny * sz - nz * sy)
    spin[1] += turn * (nz * sx - nx * sz)
    spin[2] += turn * (nx * sy - ny * sx)


@compiled
def away_from_box(position: Vector, center: Vector, quat: Vector, half_size: float, normal: Vector) -> float:
    """Find the way from the nearest point of a cube to a point outside it.

    Args:
      position: of the point, m.
      center: of the cube, m.
      quat: float64 [4], rotation of the cube (w, x, y, z).
      half_size: half the cube's edge, m.
      normal: float64 [3], written: the direction of that way. As it was if the point is not outside.

    Returns: how long the way is, m.
    """
    w, x, y, z = quat[0], quat[1], quat[2], quat[3]
    # Rows of the rotation matrix.
    xx, xy, xz = 1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)
    yx, yy, yz = 2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)
    zx, zy, zz = 2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)
    dx, dy, dz = position[0] - center[0], position[1] - center[1], position[2] - center[2]
    # The way in the cube's frame.
    ax = _beyond(xx * dx + yx * dy + zx * dz, half_size)
    ay = _beyond(xy * dx + yy * dy + zy * dz, half_size)
    az = _beyond(xz * dx + yz * dy + zz * dz, half_size)
    distance = math.sqrt(ax * ax + ay * ay + az * az)
    if distance > 0.0:
        normal[0] = (xx * ax + xy * ay + xz * az) / distance
        normal[1] = (yx * ax + yy * ay + yz * az) / distance
        normal[2] = (zx * ax + zy * ay + zz * az) / distance
    return distance


@compiled
def _beyond(value: float, limit: float) -> float:
    """Return by how much `value` exceeds [-limit, limit], with its sign."""
    return value - min(max(value, -limit), limit)
