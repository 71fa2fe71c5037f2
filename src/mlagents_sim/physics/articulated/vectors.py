"""Vectors, quaternions (w, x, y, z) and matrices as tuples of floats, which compiled code keeps in registers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.compiled import compiled

Array = NDArray[np.float64]
Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
Matrix = tuple[Vector, Vector, Vector]
"""Rows."""


@compiled
def vector_at(array: Array, row: int) -> Vector:
    """Return row `row` of an array [n, 3]."""
    return array[row, 0], array[row, 1], array[row, 2]


@compiled
def put_vector(array: Array, row: int, vector: Vector) -> None:
    """Write row `row` of an array [n, 3]."""
    array[row, 0], array[row, 1], array[row, 2] = vector


@compiled
def quaternion_at(array: Array, row: int) -> Quaternion:
    """Return row `row` of an array [n, 4]."""
    return array[row, 0], array[row, 1], array[row, 2], array[row, 3]


@compiled
def dot(a: Vector, b: Vector) -> float:
    """Return a . b."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def cross(a: Vector, b: Vector) -> Vector:
    """Return a x b, with Unity's left-handed axes the turn from a to b by the left hand."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@compiled
def plus(a: Vector, b: Vector) -> Vector:
    """Return a + b."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


@compiled
def minus(a: Vector, b: Vector) -> Vector:
    """Return a - b."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@compiled
def scaled(factor: float, a: Vector) -> Vector:
    """Return factor a."""
    return factor * a[0], factor * a[1], factor * a[2]


@compiled
def norm(a: Vector) -> float:
    """Return the length of a."""
    return math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])


@compiled
def conjugate(q: Quaternion) -> Quaternion:
    """Return the inverse of a rotation."""
    return q[0], -q[1], -q[2], -q[3]


@compiled
def negative(q: Quaternion) -> Quaternion:
    """Return the other quaternion of the same rotation."""
    return -q[0], -q[1], -q[2], -q[3]


@compiled
def product(a: Quaternion, b: Quaternion) -> Quaternion:
    """Return the rotation that turns by b, then by a."""
    return (
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] + a[2] * b[0] + a[3] * b[1] - a[1] * b[3],
        a[0] * b[3] + a[3] * b[0] + a[1] * b[2] - a[2] * b[1],
    )


@compiled
def matrix_of(q: Quaternion) -> Matrix:
    """Return the rotation matrix of a unit quaternion."""
    w, x, y, z = q
    return (
        (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)),
        (2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)),
        (2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)),
    )


@compiled
def turned(m: Matrix, a: Vector) -> Vector:
    """Return the product of a matrix and a vector."""
    return dot(m[0], a), dot(m[1], a), dot(m[2], a)


@compiled
def column(m: Matrix, axis: int) -> Vector:
    """Return a column of a matrix: where its rotation takes that axis."""
    return m[0][axis], m[1][axis], m[2][axis]
