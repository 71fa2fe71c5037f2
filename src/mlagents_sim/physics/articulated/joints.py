"""The rows of joints: drives, locked axes, the point that is shared, limits."""

from __future__ import annotations

import math
from typing import Final

from mlagents_sim.physics.articulated.ragdolls import Bodies, Floats, Joints, Scratch
from mlagents_sim.physics.articulated.rows import (
    AIM,
    GAIN,
    HIGHEST,
    KEEP,
    LOWEST,
    VELOCITY_AIM,
    make_independent,
    make_one_sided,
    make_rigid,
    rotation_arm,
    write_angular,
    write_linear,
)
from mlagents_sim.physics.articulated.vectors import (
    Matrix,
    Quaternion,
    Vector,
    column,
    conjugate,
    cross,
    dot,
    matrix_of,
    minus,
    negative,
    plus,
    product,
    quaternion_at,
    scaled,
    turned,
    vector_at,
)
from mlagents_sim.physics.compiled import compiled

LIMIT_MARGIN_RAD: Final = 0.1  # a limit is looked at from so far away
LIMIT_MARGIN_OF_RANGE: Final = 0.49  # and never from farther than this part of what can be turned


@compiled
def write_joints(
    joints: Joints,
    bodies: Bodies,
    scratch: Scratch,
    target: Floats,
    force_limit: Floats,
    duration: float,
    preprocessing: bool,
) -> None:
    """Write the rows of all joints of one copy.

    Args:
      joints: of the ragdoll.
      bodies: of the copy.
      scratch: where rows are written.
      target: float64 [joints, 4], of the drives.
      force_limit: float64 [joints], of the drives.
      duration: of the step, s.
      preprocessing: whether the locks of each joint are made independent of each other.
    """
    row, span, index = scratch.row, scratch.span, 0
    for joint in range(len(joints.body)):
        child, parent = joints.body[joint, 0], joints.body[joint, 1]
        a = product(quaternion_at(bodies.rotation, child), quaternion_at(joints.frame[joint], 0))
        b = product(quaternion_at(bodies.rotation, parent), quaternion_at(joints.frame[joint], 1))
        if a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3] < 0.0:
            b = negative(b)
        turn, axes, parent_x = product(conjugate(a), b), matrix_of(a), column(matrix_of(b), 0)
        span[joint, 0], span[joint, 1], span[joint, 2] = child, parent, index
        limit = force_limit[joint] * duration
        if limit > 0.0 and (joints.drive[joint, 0] > 0.0 or joints.drive[joint, 1] > 0.0):
            wanted = quaternion_at(target, joint)
            index = _write_drive(
                row,
                index,
                bodies.inertia,
                child,
                parent,
                joints.drive[joint],
                joints.locked[joint],
                a,
                turn,
                wanted,
                limit,
                duration,
            )
        first_lock = index
        index = _write_locks(
            row, index, bodies.inertia, child, parent, joints.locked[joint], turn, axes, parent_x, duration
        )
        span[joint, 3] = index
        _write_anchor(row, index, bodies, child, parent, joints.anchor[joint], axes, duration)
        index += 3
        if preprocessing:
            make_independent(row, first_lock, index, bodies.inverse_mass[child] + bodies.inverse_mass[parent])
        span[joint, 4] = index
        index = _write_limits(row, index, bodies.inertia, joints, joint, turn, axes, parent_x, duration)
        span[joint, 5] = index
    scratch.used[0] = index


@compiled
def _write_drive(
    row: Floats,
    index: int,
    inertia: Floats,
    child: int,
    parent: int,
    drive: Floats,
    locked: Floats,
    a: Quaternion,
    turn: Quaternion,
    target: Quaternion,
    limit: float,
    duration: float,
) -> int:
    """Write springs that turn the joint to its target, implicit in the velocity after the step.

    The error of a row is sin(angle / 2), so stiffness and damping act about an axis with a quarter each, and the
    force limit with half of it times cos(angle / 2). Nothing is driven about locked axes: CrawlerStatic's recording
    is missed by more than twice as much if it is. Returns: the row after them.
    """
    if target[0] * turn[0] + target[1] * turn[1] + target[2] * turn[2] + target[3] * turn[3] < 0.0:
        target = negative(target)
    error, frame = product(conjugate(target), turn), matrix_of(product(a, target))
    softness = duration * (duration * drive[0] + drive[1])
    errors = (error[1], error[2], error[3])
    for axis in range(3):
        if locked[axis]:
            continue
        mobility = write_angular(row, index, inertia, child, parent, rotation_arm(error, frame, axis))
        share = 1.0 / (1.0 + softness * mobility)
        row[index, KEEP] = 1.0 - share
        row[index, GAIN] = share * softness
        row[index, AIM] = share * duration * drive[0] * errors[axis]
        row[index, VELOCITY_AIM] = row[index, AIM]
        row[index, LOWEST] = -limit
        row[index, HIGHEST] = limit
        index += 1
    return index


@compiled
def _write_locks(
    row: Floats,
    index: int,
    inertia: Floats,
    child: int,
    parent: int,
    locked: Floats,
    turn: Quaternion,
    axes: Matrix,
    parent_x: Vector,
    duration: float,
) -> int:
    """Write a row for each axis about which nothing turns. Returns: the row after them.

    If only Y or only Z is locked, the parent's X axis stays at a right angle to the child's Z or Y axis; else the
    imaginary parts of the turn stay at zero.
    """
    one_swings = locked[1] + locked[2] == 1
    if one_swings:
        held = column(axes, 2 if locked[1] else 1)
        mobility = write_angular(row, index, inertia, child, parent, cross(parent_x, held))
        make_rigid(row, index, mobility, dot(parent_x, held) / duration, 0.0)
        index += 1
    errors = (turn[1], turn[2], turn[3])
    for axis in range(1 if one_swings else 3):
        if locked[axis]:
            mobility = write_angular(row, index, inertia, child, parent, rotation_arm(turn, axes, axis))
            make_rigid(row, index, mobility, errors[axis] / duration, 0.0)
            index += 1
    return index


@compiled
def _write_anchor(
    row: Floats, first: int, bodies: Bodies, child: int, parent: int, anchor: Floats, axes: Matrix, duration: float
) -> None:
    """Write three rows, along the child's axes, that keep the two ends of the joint together."""
    own = turned(matrix_of(quaternion_at(bodies.rotation, child)), vector_at(anchor, 0))
    other = turned(matrix_of(quaternion_at(bodies.rotation, parent)), vector_at(anchor, 1))
    place = plus(vector_at(bodies.position, parent), other)
    apart = minus(place, plus(vector_at(bodies.position, child), own))
    lever = plus(own, apart)
    for axis in range(3):
        along = column(axes, axis)
        mobility = write_linear(row, first + axis, bodies, child, parent, along, lever, other)
        make_rigid(row, first + axis, mobility, dot(along, apart) / duration, 0.0)


@compiled
def _write_limits(
    row: Floats,
    index: int,
    inertia: Floats,
    joints: Joints,
    joint: int,
    turn: Quaternion,
    axes: Matrix,
    parent_x: Vector,
    duration: float,
) -> int:
    """Write the limits that are near, of turn = swing * twist. Returns: the row after them."""
    limited, limit = joints.limited[joint], joints.limit[joint]
    if not (limited[0] or limited[1] or limited[2]):
        return index
    child, parent = joints.body[joint, 0], joints.body[joint, 1]
    length = math.sqrt(turn[0] * turn[0] + turn[1] * turn[1])
    twist = (turn[0] / length, turn[1] / length, 0.0, 0.0) if length > 1e-9 else (1.0, 0.0, 0.0, 0.0)
    swing = product(turn, conjugate(twist))
    if swing[0] < 0.0:
        swing = negative(swing)
    if twist[0] < 0.0:
        twist = negative(twist)
    # The tangent of a quarter of the angle, about each axis.
    x, y, z = twist[1] / (1.0 + twist[0]), swing[2] / (1.0 + swing[0]), swing[3] / (1.0 + swing[0])
    if limited[0]:
        index = _write_range(row, index, inertia, child, parent, x, limit[0], limit[1], parent_x, duration)
    if limited[1] and limited[2]:
        return _write_cone(row, index, inertia, child, parent, y, z, limit[2], limit[3], axes, duration)
    if limited[1]:
        index = _write_range(row, index, inertia, child, parent, y, -limit[2], limit[2], column(axes, 1), duration)
    if limited[2]:
        index = _write_range(row, index, inertia, child, parent, z, -limit[3], limit[3], column(axes, 2), duration)
    return index


@compiled
def _write_range(
    row: Floats,
    index: int,
    inertia: Floats,
    child: int,
    parent: int,
    angle: float,
    low: float,
    high: float,
    axis: Vector,
    duration: float,
) -> int:
    """Write up to two rows that keep a turn, given as tan(angle / 4), between two angles."""
    margin = math.tan(0.25 * min(LIMIT_MARGIN_RAD, LIMIT_MARGIN_OF_RANGE * (high - low)))
    above, below = angle - math.tan(0.25 * low), math.tan(0.25 * high) - angle
    if above < margin:
        index = _write_limit(row, index, inertia, child, parent, scaled(-1.0, axis), 4.0 * above, duration)
    if below < margin:
        index = _write_limit(row, index, inertia, child, parent, axis, 4.0 * below, duration)
    return index


@compiled
def _write_cone(
    row: Floats,
    index: int,
    inertia: Floats,
    child: int,
    parent: int,
    y: float,
    z: float,
    limit_y: float,
    limit_z: float,
    axes: Matrix,
    duration: float,
) -> int:
    """Write a row that keeps the swing within an ellipse, if it is near to its edge."""
    half_y, half_z = math.tan(0.25 * limit_y), math.tan(0.25 * limit_z)
    part = math.sqrt((y / half_y) ** 2 + (z / half_z) ** 2)
    if part <= 1e-6:
        return index
    gap = 4.0 * (1.0 - part) * math.sqrt(y * y + z * z) / part
    if gap >= min(LIMIT_MARGIN_RAD, LIMIT_MARGIN_OF_RANGE * min(limit_y, limit_z)):
        return index
    out_y, out_z = y / half_y**2, z / half_z**2
    length = math.sqrt(out_y * out_y + out_z * out_z)
    axis = plus(scaled(out_y / length, column(axes, 1)), scaled(out_z / length, column(axes, 2)))
    return _write_limit(row, index, inertia, child, parent, axis, gap, duration)


@compiled
def _write_limit(
    row: Floats, index: int, inertia: Floats, child: int, parent: int, arm: Vector, gap: float, duration: float
) -> int:
    """Write a row that keeps the turn about an arm from growing by more than `gap`."""
    mobility = write_angular(row, index, inertia, child, parent, arm)
    make_one_sided(row, index, mobility, -gap / duration)
    return index + 1
