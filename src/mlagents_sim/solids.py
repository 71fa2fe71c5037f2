"""Simple bodies to be drawn: how a world that keeps its bodies itself is shown to spectators."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

BOX, SPHERE = 0, 1

AGENT_BLUE: Final = (0.129, 0.588, 0.953)
EYE: Final = (0.059, 0.059, 0.059)
ORANGE: Final = (0.980, 0.651, 0.161)
WHITE: Final = (0.925, 0.937, 0.941)
WALL_GREY: Final = (0.392, 0.392, 0.392)
FLOOR_GREY: Final = (0.66, 0.68, 0.70)
GREEN: Final = (0.404, 0.737, 0.420)
RED: Final = (0.745, 0.227, 0.153)
BLACK: Final = (0.048, 0.048, 0.048)

# Of a cube of 1 m that looks along its own +Z: centre, full size, colour
_FACE: Final = (
    ((-0.2, 0.08, 0.5), (0.16, 0.3, 0.04), EYE),
    ((0.2, 0.08, 0.5), (0.16, 0.3, 0.04), EYE),
    ((0.0, 0.36, 0.0), (1.03, 0.14, 1.03), ORANGE),
)


class Solids(NamedTuple):
    """Bodies, one row each.

    Attributes:
      shape: int [n], BOX or SPHERE.
      center: float64 [n, 3], m.
      rotation: float64 [n, 3, 3].
      half_size: float64 [n, 3], m; the radius of a sphere is the first.
      color: float64 [n, 3], red, green, blue, 0 to 1.
    """

    shape: NDArray[np.int64]
    center: NDArray[np.float64]
    rotation: NDArray[np.float64]
    half_size: NDArray[np.float64]
    color: NDArray[np.float64]


def make_boxes(center: ArrayLike, half_size: ArrayLike, color: ArrayLike, rotation: ArrayLike | None = None) -> Solids:
    """Boxes; every argument with as many rows as there are boxes, or with one row for all.

    Args:
      center: [n, 3], m.
      half_size: [n, 3], m.
      color: [n, 3], 0 to 1.
      rotation: [n, 3, 3]; None for boxes along the axes.
    """
    centers = np.atleast_2d(np.asarray(center, np.float64))
    count = len(centers)
    turned = np.eye(3) if rotation is None else np.asarray(rotation, np.float64)
    return Solids(
        np.full(count, BOX),
        centers,
        np.broadcast_to(turned, (count, 3, 3)),
        np.broadcast_to(np.asarray(half_size, np.float64), (count, 3)),
        np.broadcast_to(np.asarray(color, np.float64), (count, 3)),
    )


def make_faces(center: NDArray[np.float64], rotation: NDArray[np.float64]) -> Solids:
    """Eyes and headbands of agents that are cubes of 1 m and look along their own +Z.

    Args:
      center: float64 [n, 3], of the cubes.
      rotation: float64 [n, 3, 3], of the cubes.
    """
    return join(
        *(
            make_boxes(center + rotation @ np.array(place), 0.5 * np.array(size), color, rotation)
            for place, size, color in _FACE
        )
    )


def join(*parts: Solids) -> Solids:
    """All bodies of the parts."""
    return Solids(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def yaw_rotations(yaw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turns about Y: rad [n] -> float64 [n, 3, 3]; positive turns +Z towards +X."""
    cos, sin, zero, one = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw), np.ones_like(yaw)
    return np.stack((cos, zero, sin, zero, one, zero, -sin, zero, cos), axis=-1).reshape(*yaw.shape, 3, 3)
