"""Simple bodies to be drawn: how a world that keeps its bodies itself is shown to spectators."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.spectating import BOX, CAPSULE, SPHERE

AGENT_BLUE: Final = (0.129, 0.588, 0.953)
EYE: Final = (0.059, 0.059, 0.059)
ORANGE: Final = (0.980, 0.651, 0.161)
WHITE: Final = (0.925, 0.937, 0.941)
WALL_GREY: Final = (0.392, 0.392, 0.392)
FLOOR_GREY: Final = (0.66, 0.68, 0.70)
GREEN: Final = (0.404, 0.737, 0.420)
RED: Final = (0.745, 0.227, 0.153)
PURPLE: Final = (0.494, 0.341, 0.761)
BLACK: Final = (0.048, 0.048, 0.048)

# Of a cube of 1 m that looks along its own +Z: centre, full size, colour
_FACE: Final = (
    ((-0.2, 0.08, 0.5), (0.16, 0.3, 0.04), EYE),
    ((0.2, 0.08, 0.5), (0.16, 0.3, 0.04), EYE),
    ((0.0, 0.36, 0.0), (1.03, 0.14, 1.03), ORANGE),
)


class Poses(NamedTuple):
    """Where the agents of a batch are seen, one row each.

    Attributes:
      position: float64 [n, 3], m.
      rotation: float64 [n, 3, 3]; agents look along their own +Z.
    """

    position: NDArray[np.float64]
    rotation: NDArray[np.float64]


class VisualGeoms(NamedTuple):
    """Bodies, one row each; `mlagents_envs.spectating.Bodies` for spectators.

    Attributes:
      shape: int [n], BOX, SPHERE or CAPSULE; capsules lie along their Z axis.
      center: float64 [n, 3], m.
      rotation: float64 [n, 3, 3].
      half_size: float64 [n, 3], m; the radius of a sphere is the first; of a capsule the first two are its radius,
        and the third is half its length, caps included.
      color: float64 [n, 3], red, green, blue, 0 to 1.
    """

    shape: NDArray[np.int64]
    center: NDArray[np.float64]
    rotation: NDArray[np.float64]
    half_size: NDArray[np.float64]
    color: NDArray[np.float64]


def make_boxes(
    center: ArrayLike, half_size: ArrayLike, color: ArrayLike, rotation: ArrayLike | None = None
) -> VisualGeoms:
    """Return boxes, in any arrangement; the other arguments are broadcast to it.

    Args:
      center: [..., 3], m.
      half_size: [..., 3], m.
      color: [..., 3], 0 to 1.
      rotation: [..., 3, 3]; None for boxes along the axes.
    """
    centers = np.asarray(center, np.float64)
    turned = np.broadcast_to(np.eye(3) if rotation is None else rotation, (*centers.shape, 3)).reshape(-1, 3, 3)
    sizes, colors = (np.broadcast_to(values, centers.shape).reshape(-1, 3) for values in (half_size, color))
    return VisualGeoms(np.full(len(turned), BOX), centers.reshape(-1, 3), turned, sizes, colors)


def make_faces(center: NDArray[np.float64], rotation: NDArray[np.float64], edge_m: float = 1.0) -> VisualGeoms:
    """Return eyes and headbands of agents that are cubes and look along their own +Z.

    Args:
      center: float64 [n, 3], of the cubes.
      rotation: float64 [n, 3, 3], of the cubes.
      edge_m: of the cubes.
    """
    return join(
        *(
            make_boxes(center + rotation @ (edge_m * np.array(place)), 0.5 * edge_m * np.array(size), color, rotation)
            for place, size, color in _FACE
        )
    )


def make_spheres(center: ArrayLike, radius: ArrayLike, color: ArrayLike) -> VisualGeoms:
    """Return spheres.

    Args:
      center: [n, 3], m.
      radius: [n], m.
      color: [n, 3], or [3] for all, 0 to 1.
    """
    spheres = make_boxes(center, np.asarray(radius, np.float64)[:, np.newaxis], color)
    return spheres._replace(shape=np.full(len(spheres.center), SPHERE))


def make_capsules(ends: ArrayLike, radius: ArrayLike, color: ArrayLike) -> VisualGeoms:
    """Return capsules.

    Args:
      ends: [n, 2, 3], where the half-spheres have their centres, m.
      radius: [n], m.
      color: [n, 3], or [3] for all, 0 to 1.
    """
    points, radii = np.asarray(ends, np.float64), np.asarray(radius, np.float64)
    along = points[:, 1] - points[:, 0]
    length = np.linalg.norm(along, axis=1)
    z = np.where(length[:, np.newaxis] > 0.0, along / np.maximum(length, 1e-12)[:, np.newaxis], (0.0, 0.0, 1.0))
    side = np.where(np.abs(z[:, :1]) < 0.7, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    y = np.cross(z, side)
    y /= np.linalg.norm(y, axis=1)[:, np.newaxis]
    rotation = np.stack((np.cross(y, z), y, z), axis=-1)
    half_size = np.stack((radii, radii, 0.5 * length + radii), axis=1)
    capsules = make_boxes(points.mean(axis=1), half_size, color, rotation)
    return capsules._replace(shape=np.full(len(radii), CAPSULE))


def join(*parts: VisualGeoms) -> VisualGeoms:
    """Return all bodies of the parts."""
    return VisualGeoms(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def quat_rotations(quat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotation matrices, float64 [..., 3, 3], of quaternions (w, x, y, z) [..., 4]."""
    w, x, y, z = np.moveaxis(quat, -1, 0)
    rows = (
        (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)),
        (2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)),
        (2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def side_by_side(areas: int, apart_m: float) -> NDArray[np.float64]:
    """Return float64 [areas, 3]: where spectators see areas without a place of their own, in a square on the ground."""
    columns = math.ceil(math.sqrt(areas))
    index = np.arange(areas)
    return np.stack((apart_m * (index % columns), np.zeros(areas), apart_m * (index // columns)), axis=1)


def yaw_rotations(yaw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return turns about Y: rad [...] -> float64 [..., 3, 3]; positive turns +Z towards +X."""
    cos, sin, zero, one = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw), np.ones_like(yaw)
    return np.stack((cos, zero, sin, zero, one, zero, -sin, zero, cos), axis=-1).reshape(*yaw.shape, 3, 3)
