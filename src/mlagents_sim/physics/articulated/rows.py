"""Rows: what joints and contacts demand of the velocities of two bodies, one number each.

A row has a direction and two lever arms. Its *rate* is the speed with which the child moves along the direction against
the parent, at the place of the row; without a direction, its angular velocity against the parent about the arm. An
impulse along the row changes the rate by so much per unit as the bodies are light: its *mobility*. A sweep asks every
row in turn for the impulse that brings its rate to where it is to be,

    impulse = keep * impulse + aim - gain * rate,  held between `LOWEST` and `HIGHEST`,

with gain 1 / mobility for a rigid row (keep = 1, aim = gain * wanted rate), and less for one that gives way. There are
two aims: in the sweeps before the bodies are moved, errors of position are to vanish within the step; in those
afterwards they are left alone. What is corrected in position thus never becomes speed.
"""

from __future__ import annotations

import math
from typing import Final

from mlagents_sim.physics.articulated.ragdolls import Bodies, Floats
from mlagents_sim.physics.articulated.vectors import (
    Matrix,
    Quaternion,
    Vector,
    cross,
    dot,
    plus,
    scaled,
    turned,
)
from mlagents_sim.physics.compiled import compiled

# Columns of `Scratch.row`; the first is where the vector begins.
DIRECTION: Final = 0
CHILD_ARM: Final = 3
PARENT_ARM: Final = 6
CHILD_TURN: Final = 9  # what a unit of impulse adds to the child's angular velocity
PARENT_TURN: Final = 12  # likewise, and is subtracted from the parent's
KEEP: Final = 15
GAIN: Final = 16
AIM: Final = 17  # while positions are corrected
VELOCITY_AIM: Final = 18
LOWEST: Final = 19
HIGHEST: Final = 20
FRICTION: Final = HIGHEST  # of a tangent: the most that it gets, per impulse of the normal before it
IMPULSE: Final = 21


@compiled
def part_of(row: Floats, index: int, column: int) -> Vector:
    """Return one of a row's vectors."""
    return row[index, column], row[index, column + 1], row[index, column + 2]


@compiled
def put(row: Floats, index: int, column: int, vector: Vector) -> None:
    """Write one of a row's vectors."""
    row[index, column], row[index, column + 1], row[index, column + 2] = vector


@compiled
def turned_by(inertia: Floats, body: int, arm: Vector) -> Vector:
    """Return what an angular impulse adds to a body's angular velocity.

    Args:
      inertia: float64 [bodies, 3, 3], inverse, in world axes.
      body: which of them.
      arm: the angular impulse.
    """
    i = inertia[body]
    return (
        i[0, 0] * arm[0] + i[0, 1] * arm[1] + i[0, 2] * arm[2],
        i[1, 0] * arm[0] + i[1, 1] * arm[1] + i[1, 2] * arm[2],
        i[2, 0] * arm[0] + i[2, 1] * arm[1] + i[2, 2] * arm[2],
    )


@compiled
def write_angular(row: Floats, index: int, inertia: Floats, child: int, parent: int, arm: Vector) -> float:
    """Begin a row about an arm, without a direction. Returns: its mobility."""
    child_turn, parent_turn = turned_by(inertia, child, arm), turned_by(inertia, parent, arm)
    put(row, index, DIRECTION, (0.0, 0.0, 0.0))
    put(row, index, CHILD_ARM, arm)
    put(row, index, PARENT_ARM, arm)
    put(row, index, CHILD_TURN, child_turn)
    put(row, index, PARENT_TURN, parent_turn)
    row[index, IMPULSE] = 0.0
    return dot(arm, plus(child_turn, parent_turn))


@compiled
def write_linear(
    row: Floats,
    index: int,
    bodies: Bodies,
    child: int,
    parent: int,
    direction: Vector,
    child_lever: Vector,
    parent_lever: Vector,
) -> float:
    """Begin a row along a direction; the parent may be -1, the world. Returns: its mobility."""
    arm = cross(child_lever, direction)
    turn = turned_by(bodies.inertia, child, arm)
    put(row, index, DIRECTION, direction)
    put(row, index, CHILD_ARM, arm)
    put(row, index, CHILD_TURN, turn)
    row[index, IMPULSE] = 0.0
    mobility: float = bodies.inverse_mass[child] + dot(arm, turn)
    if parent >= 0:
        arm = cross(parent_lever, direction)
        turn = turned_by(bodies.inertia, parent, arm)
        put(row, index, PARENT_ARM, arm)
        put(row, index, PARENT_TURN, turn)
        mobility += bodies.inverse_mass[parent] + dot(arm, turn)
    return mobility


@compiled
def make_rigid(row: Floats, index: int, mobility: float, rate: float, velocity_rate: float) -> None:
    """Let a row reach its rate exactly: one while positions are corrected, another afterwards."""
    gain = 1.0 / mobility
    row[index, KEEP] = 1.0
    row[index, GAIN] = gain
    row[index, AIM] = gain * rate
    row[index, VELOCITY_AIM] = gain * velocity_rate
    row[index, LOWEST] = -math.inf
    row[index, HIGHEST] = math.inf


@compiled
def make_one_sided(row: Floats, index: int, mobility: float, rate: float) -> None:
    """Let a row push only, until its rate is `rate`: what is apart may come nearer, what overlaps is moved apart.

    A positive rate, which moves apart, is wanted only while positions are corrected.
    """
    make_rigid(row, index, mobility, rate, min(rate, 0.0))
    row[index, LOWEST] = 0.0


@compiled
def make_independent(row: Floats, first: int, end: int, inverse_mass: float) -> None:
    """Let no impulse of these rigid rows change the rate of another (Gram-Schmidt): one sweep then solves them all.

    Args:
      row: as in `Scratch`.
      first: of the rows, all of the same two bodies.
      end: the row after the last.
      inverse_mass: of both bodies together, 1/kg.
    """
    for index in range(first + 1, end):
        for other in range(first, index):
            push = inverse_mass * dot(part_of(row, index, DIRECTION), part_of(row, other, DIRECTION))
            push += dot(part_of(row, index, CHILD_ARM), part_of(row, other, CHILD_TURN))
            push += dot(part_of(row, index, PARENT_ARM), part_of(row, other, PARENT_TURN))
            share = push * row[other, GAIN]
            for column in range(DIRECTION, KEEP):
                row[index, column] -= share * row[other, column]
            rate = row[index, AIM] / row[index, GAIN] - share * row[other, AIM] / row[other, GAIN]
            row[index, GAIN] = 1.0 / (1.0 / row[index, GAIN] - share * push)
            row[index, AIM] = row[index, GAIN] * rate


@compiled
def rotation_arm(delta: Quaternion, frame: Matrix, axis: int) -> Vector:
    """Return the arm of a row that holds imaginary part `axis` of `delta` at zero.

    Args:
      delta: the parent's rotation as seen from the frame: sin(angle / 2) along the axis about which the two differ.
      frame: the child's, or where a drive would have it.
      axis: of the frame, 0 to 2.

    The derivative of that part by the angular velocity of the parent against the child. For small errors half the
    axis; about one axis half of it times cos(angle / 2).
    """
    w, x, y, z = delta
    if axis == 0:
        arm = (w, z, -y)
    elif axis == 1:
        arm = (-z, w, x)
    else:
        arm = (y, -x, w)
    return scaled(0.5, turned(frame, arm))
