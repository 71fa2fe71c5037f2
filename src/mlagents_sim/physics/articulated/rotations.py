"""Rotations of many things at once, as quaternions (w, x, y, z)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_sim.physics.articulated.vectors import matrix_of, product, put_vector, quaternion_at
from mlagents_sim.physics.compiled import compiled

Floats = NDArray[np.float64]


def multiply(a: ArrayLike, b: ArrayLike) -> Floats:
    """Return the rotation that turns by b, then by a: quaternions (w, x, y, z) [..., 4]."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    shape = np.broadcast_shapes(first.shape, second.shape)
    products = np.empty(shape)
    left, right = (np.array(np.broadcast_to(each, shape)).reshape(-1, 4) for each in (first, second))
    _write_products(left, right, products.reshape(-1, 4))
    return products


@compiled
def _write_products(left: Floats, right: Floats, products: Floats) -> None:
    for i in range(len(products)):
        turn = product(quaternion_at(left, i), quaternion_at(right, i))
        for part in range(4):
            products[i, part] = turn[part]


def from_euler(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Floats:
    """Return the quaternion (w, x, y, z) [..., 4] of Unity's Euler angles in degrees: about Z, then X, then Y."""
    half = 0.5 * np.radians(np.stack(np.broadcast_arrays(*(np.asarray(angle, np.float64) for angle in (x, y, z)))))
    (cx, cy, cz), (sx, sy, sz), zero = np.cos(half), np.sin(half), np.zeros_like(half[0])
    about_x, about_y = np.stack((cx, sx, zero, zero), -1), np.stack((cy, zero, sy, zero), -1)
    return multiply(about_y, multiply(about_x, np.stack((cz, zero, zero, sz), -1)))


def matrices_of(quats: Floats) -> Floats:
    """Return rotation matrices, float64 [..., 3, 3], of quaternions (w, x, y, z) [..., 4]."""
    listed = quats.reshape(-1, 4)
    matrices = np.empty((len(listed), 3, 3))
    _write_matrices(listed, matrices)
    return matrices.reshape(*quats.shape[:-1], 3, 3)


@compiled
def _write_matrices(quats: Floats, matrices: Floats) -> None:
    for i in range(len(quats)):
        matrix = matrix_of(quaternion_at(quats, i))
        for axis in range(3):
            put_vector(matrices[i], axis, matrix[axis])


def quaternions_of(matrices: Floats) -> Floats:
    """Return quaternions (w, x, y, z) [n, 4], w >= 0, of rotation matrices [n, 3, 3]."""
    # The largest eigenvector of a symmetric matrix (I. Y. Bar-Itzhack, 2000) has no special cases.
    m = np.moveaxis(matrices, 0, -1)
    k = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    vectors: Floats = np.linalg.eigh(np.moveaxis(k, -1, 0))[1][:, :, -1]
    return np.where(vectors[:, :1] >= 0.0, vectors, -vectors)
