"""Sweeps: every row in turn takes the impulse that it wants (projected Gauss-Seidel)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.articulated.ragdolls import Bodies, Floats, Scratch
from mlagents_sim.physics.articulated.rows import (
    CHILD_ARM,
    CHILD_TURN,
    DIRECTION,
    FRICTION,
    GAIN,
    HIGHEST,
    IMPULSE,
    KEEP,
    LOWEST,
    PARENT_ARM,
    PARENT_TURN,
    part_of,
)
from mlagents_sim.physics.articulated.vectors import Vector, dot, minus, plus, put_vector, scaled, vector_at
from mlagents_sim.physics.compiled import compiled

Integers = NDArray[np.int64]


@compiled
def sweep(bodies: Bodies, scratch: Scratch, aim: int, with_friction: bool) -> None:
    """Go once through the rows of all joints and contacts of one copy.

    Args:
      bodies: their velocities change.
      scratch: the rows.
      aim: the column of what rows want: `AIM` or `VELOCITY_AIM`.
      with_friction: whether tangents count.
    """
    v, w, mass = bodies.velocity, bodies.angular_velocity, bodies.inverse_mass
    _sweep_joints(scratch.row, scratch.span, v, w, mass, aim)
    for k in range(scratch.used[1]):
        child, parent, first = scratch.contact[k, 0], scratch.contact[k, 1], scratch.contact[k, 2]
        if parent < 0:
            _solve_ground_contact(scratch.row, first, v, w, child, mass[child], aim, with_friction)
        else:
            _solve_contact(scratch.row, first, v, w, child, parent, mass, aim, with_friction)


@compiled
def _sweep_joints(row: Floats, span: Integers, v: Floats, w: Floats, mass: Floats, aim: int) -> None:
    """Solve the rows of all joints; the velocities of a joint's two bodies stay at hand meanwhile."""
    for joint in range(len(span)):
        child, parent = span[joint, 0], span[joint, 1]
        va, wa, vb, wb = vector_at(v, child), vector_at(w, child), vector_at(v, parent), vector_at(w, parent)
        for index in range(span[joint, 2], span[joint, 3]):
            wa, wb = _turn(row, index, aim, wa, wb)
        for index in range(span[joint, 3], span[joint, 4]):
            direction = part_of(row, index, DIRECTION)
            rate = dot(direction, minus(va, vb))
            rate += dot(part_of(row, index, CHILD_ARM), wa) - dot(part_of(row, index, PARENT_ARM), wb)
            change = _change(row, index, aim, rate, row[index, LOWEST], row[index, HIGHEST])
            va = plus(va, scaled(change * mass[child], direction))
            vb = minus(vb, scaled(change * mass[parent], direction))
            wa = plus(wa, scaled(change, part_of(row, index, CHILD_TURN)))
            wb = minus(wb, scaled(change, part_of(row, index, PARENT_TURN)))
        for index in range(span[joint, 4], span[joint, 5]):
            wa, wb = _turn(row, index, aim, wa, wb)
        put_vector(v, child, va)
        put_vector(w, child, wa)
        put_vector(v, parent, vb)
        put_vector(w, parent, wb)


@compiled
def _turn(row: Floats, index: int, aim: int, wa: Vector, wb: Vector) -> tuple[Vector, Vector]:
    """Solve a row without a direction. Returns: both angular velocities."""
    rate = dot(part_of(row, index, CHILD_ARM), minus(wa, wb))
    change = _change(row, index, aim, rate, row[index, LOWEST], row[index, HIGHEST])
    return (
        plus(wa, scaled(change, part_of(row, index, CHILD_TURN))),
        minus(wb, scaled(change, part_of(row, index, PARENT_TURN))),
    )


@compiled
def _change(row: Floats, index: int, aim: int, rate: float, lowest: float, highest: float) -> float:
    """Return by how much the impulse of a row changes, and remember it."""
    before: float = row[index, IMPULSE]
    impulse: float = row[index, KEEP] * before + (row[index, aim] - row[index, GAIN] * rate)
    impulse = min(max(impulse, lowest), highest)
    row[index, IMPULSE] = impulse
    return impulse - before


@compiled
def _solve_ground_contact(
    row: Floats, first: int, v: Floats, w: Floats, body: int, mass: float, aim: int, with_friction: bool
) -> None:
    """Solve a normal, and tangents that push no more than friction allows: each for itself, a box and no cone."""
    linear, angular = vector_at(v, body), vector_at(w, body)
    lowest, highest = row[first, LOWEST], row[first, HIGHEST]
    for index in range(first, first + 3 if with_friction else first + 1):
        if index > first:
            highest = row[index, FRICTION] * row[first, IMPULSE]
            lowest = -highest
        direction = part_of(row, index, DIRECTION)
        rate = dot(direction, linear) + dot(part_of(row, index, CHILD_ARM), angular)
        change = _change(row, index, aim, rate, lowest, highest)
        linear = plus(linear, scaled(change * mass, direction))
        angular = plus(angular, scaled(change, part_of(row, index, CHILD_TURN)))
    put_vector(v, body, linear)
    put_vector(w, body, angular)


@compiled
def _solve_contact(
    row: Floats, first: int, v: Floats, w: Floats, child: int, parent: int, mass: Floats, aim: int, with_friction: bool
) -> None:
    """Solve as `_solve_ground_contact`, for two bodies."""
    va, wa, vb, wb = vector_at(v, child), vector_at(w, child), vector_at(v, parent), vector_at(w, parent)
    lowest, highest = row[first, LOWEST], row[first, HIGHEST]
    for index in range(first, first + 3 if with_friction else first + 1):
        if index > first:
            highest = row[index, FRICTION] * row[first, IMPULSE]
            lowest = -highest
        direction = part_of(row, index, DIRECTION)
        rate = dot(direction, minus(va, vb))
        rate += dot(part_of(row, index, CHILD_ARM), wa) - dot(part_of(row, index, PARENT_ARM), wb)
        change = _change(row, index, aim, rate, lowest, highest)
        va = plus(va, scaled(change * mass[child], direction))
        vb = minus(vb, scaled(change * mass[parent], direction))
        wa = plus(wa, scaled(change, part_of(row, index, CHILD_TURN)))
        wb = minus(wb, scaled(change, part_of(row, index, PARENT_TURN)))
    put_vector(v, child, va)
    put_vector(w, child, wa)
    put_vector(v, parent, vb)
    put_vector(w, parent, wb)
