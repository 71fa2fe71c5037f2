"""What Crawler, Walker and Worm share: seeing along the way to the target, and being seen on the run."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_sim.physics.articulated import Ragdoll, Ragdolls, geoms_of
from mlagents_sim.physics.articulated.vectors import Vector, cross, norm, put_vector, vector_at
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.visual_geoms import (
    FLOOR_GREY,
    GREEN,
    WALL_GREY,
    Poses,
    VisualGeoms,
    join,
    make_boxes,
    make_spheres,
    quat_rotations,
    side_by_side,
)

FLOOR_HALF_M: Final = 5.0
FLOORS_APART_M: Final = 11.0
MARKS_APART_M: Final = 2.5
MARK_HALF_M: Final = 0.08
_THICK_M: Final = 0.05


def look_rotations(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotations float64 [n, 3, 3] whose Z looks along [n, 3] and whose X is level.

    Whoever looks straight up or down has X along the world's X.
    """
    rotations = np.empty((len(direction), 3, 3))
    _write_looks(direction, rotations)
    return rotations


@compiled
def _write_looks(direction: NDArray[np.float64], rotations: NDArray[np.float64]) -> None:
    for i in range(len(direction)):
        z = _unit(vector_at(direction, i), (0.0, 0.0, 1.0))
        x = _unit(cross((0.0, 1.0, 0.0), z), (1.0, 0.0, 0.0))
        y = cross(z, x)
        for axis in range(3):
            put_vector(rotations[i], axis, (x[axis], y[axis], z[axis]))


@compiled
def _unit(vector: Vector, otherwise: Vector) -> Vector:
    length = norm(vector)
    return (vector[0] / length, vector[1] / length, vector[2] / length) if length > 1e-6 else otherwise


def yaw_quats(ahead: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quaternions (w, x, y, z) [n, 4] of the turns about Y from +Z to level directions [n, 3]."""
    half, zero = 0.5 * np.arctan2(ahead[:, 0], ahead[:, 2]), np.zeros(len(ahead))
    return np.stack((np.cos(half), zero, np.sin(half), zero), axis=-1)


def conjugated(quats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverses of quaternions (w, x, y, z) [..., 4]."""
    return quats * (1.0, -1.0, -1.0, -1.0)


def xyzw(quats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quaternions (w, x, y, z) [..., 4] in Unity's order."""
    return quats[..., (1, 2, 3, 0)]


def runners_on_floors(
    ragdoll: Ragdoll, ragdolls: Ragdolls, targets: NDArray[np.float64], colors: ArrayLike, scale: float = 1.0
) -> VisualGeoms:
    """Return ragdolls side by side, each on a piece of floor that moves with it, and a sphere towards its target.

    Args:
      ragdoll: what they are made of.
      ragdolls: one per area.
      targets: float64 [areas, 3], m.
      colors: [bodies, 3], 0 to 1.
      scale: of the floors, for small ragdolls.
    """
    ground = ragdolls.model.points.plane[0, 3]
    middle = ragdolls.position[:, 0] * (1.0, 0.0, 1.0)
    places = side_by_side(len(middle), scale * FLOORS_APART_M)
    half = scale * FLOOR_HALF_M
    floors = make_boxes(places + np.array((0.0, ground - _THICK_M, 0.0)), (half, _THICK_M, half), FLOOR_GREY)
    to_target = (targets - ragdolls.position[:, 0]) * (1.0, 0.0, 1.0)
    nearest = np.minimum(np.linalg.norm(to_target, axis=1), half)
    ends = (
        places + look_rotations(to_target)[:, :, 2] * nearest[:, np.newaxis] + np.array((0.0, ground + 0.1 * half, 0.0))
    )
    spheres = make_spheres(ends, np.full(len(ends), 0.1 * half), GREEN)
    marks = _marks(places, middle, ground, half, scale * MARKS_APART_M)
    return join(geoms_of(ragdoll, ragdolls, colors, places - middle), floors, marks, spheres)


def poses_on_floors(ragdolls: Ragdolls, scale: float = 1.0) -> Poses:
    """Return where `runners_on_floors` shows the first body of every ragdoll."""
    root = ragdolls.position[:, 0]
    places = side_by_side(len(root), scale * FLOORS_APART_M)
    return Poses(places + root * (0.0, 1.0, 0.0), quat_rotations(ragdolls.rotation[:, 0]))


def _marks(
    places: NDArray[np.float64], middle: NDArray[np.float64], ground: float, half: float, apart: float
) -> VisualGeoms:
    """Return stones in the floor, every few metres, by which one sees how fast somebody runs."""
    steps = np.arange(-half + apart, half + 1e-6, apart)
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    marks = np.zeros((len(places), len(grid), 3))
    marks[..., ::2] = grid - (middle[:, np.newaxis, ::2] % apart)
    marks += places[:, np.newaxis] + np.array((0.0, ground, 0.0))
    return make_boxes(marks, (MARK_HALF_M, 0.01, MARK_HALF_M), WALL_GREY)
