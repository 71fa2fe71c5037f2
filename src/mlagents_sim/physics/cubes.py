"""Cubes that tumble: free rigid bodies that fall, lie on each other, are hit and sleep, compiled.

Solved as Unity does, by few sweeps over all contacts: first for velocities that move the cubes, with which overlaps are
taken out, then for those that stay (`contacts`). A contact of two points or more has twice Coulomb's friction.

A cube has the same inertia about every axis, which is what makes this so short.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.contacts import CONTACT_DISTANCE_M, moving_speed, staying_speed
from mlagents_sim.physics.cube_contacts import Points, make_points, touch_cube, touch_floor, touch_wall
from mlagents_sim.physics.rules import MAX_ANGULAR_SPEED, TIME_STEP_S

SWEEPS: Final = 12  # for either kind of velocities
FRICTION: Final = 0.6
ANGULAR_DRAG: Final = 0.05
SLOW: Final = 0.1  # m/s: half its square is Unity's sleep threshold of 0.005 J/kg
SLOW_STEPS: Final = 20  # 0.4 s below it send all cubes of an area to sleep


class Cubes(NamedTuple):
    """The cubes of all areas, one row per area. The last one is the agent, which others move: it does not turn.

    Attributes:
      position: float64 [areas, cubes, 3], m.
      quat: float64 [areas, cubes, 4], rotations (w, x, y, z).
      velocity: float64 [areas, cubes, 3], m/s.
      spin: float64 [areas, cubes, 3], rad/s.
      half_size: float64 [cubes], half the edge, m.
      inverse_mass: float64 [cubes], 1/kg.
      inverse_inertia: float64 [cubes], 1/(kg m^2).
      slow_steps: int64 [areas], for how long all have been slow; from `SLOW_STEPS` on they sleep.
    """

    position: NDArray[np.float64]
    quat: NDArray[np.float64]
    velocity: NDArray[np.float64]
    spin: NDArray[np.float64]
    half_size: NDArray[np.float64]
    inverse_mass: NDArray[np.float64]
    inverse_inertia: NDArray[np.float64]
    slow_steps: NDArray[np.int64]


def make_cubes(areas: int, half_sizes: list[float], masses: list[float]) -> Cubes:
    """Return sleeping cubes of given half edges, m, and masses, kg; the last one is the agent."""
    count = len(masses)
    half, mass = np.array(half_sizes), np.array(masses)
    inverse_inertia = 1.5 / (mass * half**2)  # I = m (2 h)^2 / 6
    inverse_inertia[-1] = 0.0
    return Cubes(
        np.zeros((areas, count, 3)),
        np.tile((1.0, 0.0, 0.0, 0.0), (areas, count, 1)),
        np.zeros((areas, count, 3)),
        np.zeros((areas, count, 3)),
        half,
        1.0 / mass,
        inverse_inertia,
        np.full(areas, SLOW_STEPS),
    )


@compiled
def write_rotation(quat: NDArray[np.float64], rotation: NDArray[np.float64]) -> None:
    """Write the rotation [3, 3] of a quaternion (w, x, y, z)."""
    w, x, y, z = quat[0], quat[1], quat[2], quat[3]
    rotation[0, 0], rotation[0, 1], rotation[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
    rotation[1, 0], rotation[1, 1], rotation[1, 2] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
    rotation[2, 0], rotation[2, 1], rotation[2, 2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)


@allocating
def move_cubes(
    cubes: Cubes, area: int, gravity: float, walls: NDArray[np.float64], sizes: NDArray[np.float64], target: int
) -> bool:
    """Move the cubes of one area for 0.02 s, unless they sleep; the agent only gets its new velocity.

    Args:
      cubes: changed in place. The agent's velocity has its push of this step, but not yet gravity and drag.
      area: which.
      gravity: m/s^2, downwards.
      walls: float64 [walls, 3], middles of upright boxes that stay where they are, m.
      sizes: float64 [walls, 3], their half sizes.
      target: a cube.

    Returns: whether the agent touches the target.
    """
    agent = len(cubes.half_size) - 1
    if _wakes(cubes, area):
        cubes.slow_steps[area] = 0
    elif cubes.slow_steps[area] >= SLOW_STEPS:
        return False
    velocity, spin = cubes.velocity[area], cubes.spin[area]
    slowed = 1.0 - ANGULAR_DRAG * TIME_STEP_S
    for cube in range(agent):
        velocity[cube, 1] -= gravity * TIME_STEP_S
        speed = slowed * math.sqrt(spin[cube, 0] ** 2 + spin[cube, 1] ** 2 + spin[cube, 2] ** 2)
        factor = slowed * (MAX_ANGULAR_SPEED / speed if speed > MAX_ANGULAR_SPEED else 1.0)
        for axis in range(3):
            spin[cube, axis] *= factor
    points = make_points()
    touches = _find_points(cubes, area, points, walls, sizes, target)
    impulse = np.zeros((points.used[0], 3))
    _sweep(cubes, area, points, impulse, True)
    for cube in range(agent):
        for axis in range(3):
            cubes.position[area, cube, axis] += TIME_STEP_S * velocity[cube, axis]
        _turn(cubes.quat[area, cube], spin[cube])
    _sweep(cubes, area, points, impulse, False)
    _let_sleep(cubes, area)
    return touches


@compiled
def _wakes(cubes: Cubes, area: int) -> bool:
    """Return whether the agent moves, and may touch a cube within the next step."""
    agent = len(cubes.half_size) - 1
    position, velocity = cubes.position[area, agent], cubes.velocity[area, agent]
    speed = math.sqrt(velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2)
    if speed < SLOW:
        return False
    for cube in range(agent):
        other = cubes.position[area, cube]
        reach = 1.8 * (cubes.half_size[agent] + cubes.half_size[cube]) + CONTACT_DISTANCE_M + speed * TIME_STEP_S
        dx, dy, dz = other[0] - position[0], other[1] - position[1], other[2] - position[2]
        if dx * dx + dy * dy + dz * dz < reach * reach:
            return True
    return False


@allocating
def _find_points(
    cubes: Cubes, area: int, points: Points, walls: NDArray[np.float64], sizes: NDArray[np.float64], target: int
) -> bool:
    """Fill in all points; returns whether the agent touches the target. Agent, floor and walls meet elsewhere."""
    count = len(cubes.half_size)
    position, half = cubes.position[area], cubes.half_size
    rotation, polygon = np.empty((count, 3, 3)), np.empty((2, 16, 3))
    touches = False
    for a in range(count):
        write_rotation(cubes.quat[area, a], rotation[a])
        for b in range(a):
            if abs(position[a, 1] - position[b, 1]) > 1.8 * (half[a] + half[b]):
                continue
            gap = touch_cube(
                points, a, b, position[a], position[b], rotation[a], rotation[b], half[a], half[b], polygon
            )
            if a == count - 1 and b == target and gap < CONTACT_DISTANCE_M:
                touches = True
        if a < count - 1:
            if position[a, 1] < 1.8 * half[a]:
                touch_floor(points, a, position[a], rotation[a], half[a])
            for wall in range(len(walls)):
                touch_wall(points, a, position[a], rotation[a], half[a], walls[wall], sizes[wall])
    return touches


@allocating
def _sweep(cubes: Cubes, area: int, points: Points, impulse: NDArray[np.float64], moves: bool) -> None:
    """Sweep over all points, again and again: normal impulses, then friction along two tangents."""
    velocity, spin = cubes.velocity[area], cubes.spin[area]
    tangents = np.empty((2, 3))
    for sweep in range(SWEEPS):
        for point in range(points.used[0]):
            normal = points.normal[point]
            gap = points.gap[point]
            least = moving_speed(gap) if moves else staying_speed(gap)
            speed, mobility = _along(cubes, velocity, spin, points, point, normal)
            if mobility == 0.0:
                continue
            old = impulse[point, 0]
            impulse[point, 0] = max(old + (least - speed) / mobility, 0.0)
            _push(cubes, velocity, spin, points, point, normal, impulse[point, 0] - old)
            if moves and sweep < SWEEPS - 3:
                continue
            _write_tangents(normal, tangents)
            most = FRICTION * points.share[point] * impulse[point, 0]
            for t in range(2):
                speed, mobility = _along(cubes, velocity, spin, points, point, tangents[t])
                old = impulse[point, 1 + t]
                impulse[point, 1 + t] = min(max(old - speed / mobility, -most), most)
                _push(cubes, velocity, spin, points, point, tangents[t], impulse[point, 1 + t] - old)


@compiled
def _write_tangents(normal: NDArray[np.float64], tangents: NDArray[np.float64]) -> None:
    x, y, z = normal[0], normal[1], normal[2]
    if abs(y) > 0.7:
        length = math.sqrt(y * y + z * z)
        tangents[0, 0], tangents[0, 1], tangents[0, 2] = 0.0, -z / length, y / length
    else:
        length = math.sqrt(x * x + z * z)
        tangents[0, 0], tangents[0, 1], tangents[0, 2] = z / length, 0.0, -x / length
    tangents[1, 0] = y * tangents[0, 2] - z * tangents[0, 1]
    tangents[1, 1] = z * tangents[0, 0] - x * tangents[0, 2]
    tangents[1, 2] = x * tangents[0, 1] - y * tangents[0, 0]


@compiled
def _along(
    cubes: Cubes,
    velocity: NDArray[np.float64],
    spin: NDArray[np.float64],
    points: Points,
    point: int,
    direction: NDArray[np.float64],
) -> tuple[float, float]:
    """Return the speed of the first cube's point from the second's along a direction, and its change per impulse."""
    x, y, z = direction[0], direction[1], direction[2]
    speed, mobility = 0.0, 0.0
    for side in range(2):
        cube = points.pair[point, side]
        if cube < 0:
            continue
        arm = points.arm[point, side]
        cx, cy, cz = arm[1] * z - arm[2] * y, arm[2] * x - arm[0] * z, arm[0] * y - arm[1] * x
        along = velocity[cube, 0] * x + velocity[cube, 1] * y + velocity[cube, 2] * z
        along += spin[cube, 0] * cx + spin[cube, 1] * cy + spin[cube, 2] * cz
        speed += along if side == 0 else -along
        mobility += cubes.inverse_mass[cube] + cubes.inverse_inertia[cube] * (cx * cx + cy * cy + cz * cz)
    return speed, mobility


@compiled
def _push(
    cubes: Cubes,
    velocity: NDArray[np.float64],
    spin: NDArray[np.float64],
    points: Points,
    point: int,
    direction: NDArray[np.float64],
    impulse: float,
) -> None:
    """Push the first cube along a direction, and the second against it."""
    x, y, z = direction[0], direction[1], direction[2]
    for side in range(2):
        cube = points.pair[point, side]
        if cube < 0:
            continue
        arm = points.arm[point, side]
        push = impulse if side == 0 else -impulse
        linear, angular = cubes.inverse_mass[cube] * push, cubes.inverse_inertia[cube] * push
        velocity[cube, 0] += linear * x
        velocity[cube, 1] += linear * y
        velocity[cube, 2] += linear * z
        spin[cube, 0] += angular * (arm[1] * z - arm[2] * y)
        spin[cube, 1] += angular * (arm[2] * x - arm[0] * z)
        spin[cube, 2] += angular * (arm[0] * y - arm[1] * x)


@compiled
def _turn(quat: NDArray[np.float64], spin: NDArray[np.float64]) -> None:
    """Turn a cube for one time step: exactly, about the direction of its spin."""
    speed = math.sqrt(spin[0] ** 2 + spin[1] ** 2 + spin[2] ** 2)
    if speed == 0.0:
        return
    c, s = math.cos(0.5 * TIME_STEP_S * speed), math.sin(0.5 * TIME_STEP_S * speed) / speed
    x, y, z = s * spin[0], s * spin[1], s * spin[2]
    qw, qx, qy, qz = quat[0], quat[1], quat[2], quat[3]
    quat[0] = c * qw - x * qx - y * qy - z * qz
    quat[1] = c * qx + x * qw + y * qz - z * qy
    quat[2] = c * qy - x * qz + y * qw + z * qx
    quat[3] = c * qz + x * qy - y * qx + z * qw
    length = math.sqrt(quat[0] ** 2 + quat[1] ** 2 + quat[2] ** 2 + quat[3] ** 2)
    for i in range(4):
        quat[i] /= length


@compiled
def _let_sleep(cubes: Cubes, area: int) -> None:
    for cube in range(len(cubes.half_size) - 1):
        velocity, spin = cubes.velocity[area, cube], cubes.spin[area, cube]
        fast = velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2
        fast += 2.0 * cubes.half_size[cube] ** 2 / 3.0 * (spin[0] ** 2 + spin[1] ** 2 + spin[2] ** 2)
        if fast > SLOW**2:
            cubes.slow_steps[area] = 0
            return
    cubes.slow_steps[area] += 1
    if cubes.slow_steps[area] >= SLOW_STEPS:
        cubes.velocity[area, :-1] = 0.0
        cubes.spin[area, :-1] = 0.0
