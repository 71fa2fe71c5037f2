"""Rotations of many things at once, as quaternions (w, x, y, z)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def multiply(a: ArrayLike, b: ArrayLike) -> Floats:
    """Return the rotation that turns by b, then by a: quaternions (w, x, y, z) [..., 4]."""
    aw, ax, ay, az = np.moveaxis(np.asarray(a, np.float64), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b, np.float64), -1, 0)
    return np.stack(
        (
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by + ay * bw + az * bx - ax * bz,
            aw * bz + az * bw + ax * by - ay * bx,
        ),
        axis=-1,
    )


def from_euler(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Floats:
    """Return the quaternion (w, x, y, z) [..., 4] of Unity's Euler angles in degrees: about Z, then X, then Y."""
    half = 0.5 * np.radians(np.stack(np.broadcast_arrays(*(np.asarray(angle, np.float64) for angle in (x, y, z)))))
    (cx, cy, cz), (sx, sy, sz), zero = np.cos(half), np.sin(half), np.zeros_like(half[0])
    about_x, about_y = np.stack((cx, sx, zero, zero), -1), np.stack((cy, zero, sy, zero), -1)
    return multiply(about_y, multiply(about_x, np.stack((cz, zero, zero, sz), -1)))


def quaternion_of(matrix: Floats) -> Floats:
    """Return the quaternion (w, x, y, z), w >= 0, of a rotation matrix [3, 3]."""
    # The largest eigenvector of a symmetric matrix (I. Y. Bar-Itzhack, 2000) has no special cases.
    m = matrix
    k = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    vector: Floats = np.linalg.eigh(k)[1][:, -1]
    return vector if vector[0] >= 0.0 else -vector
