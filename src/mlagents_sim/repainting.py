"""Which part of a spectator's picture has to be drawn anew: where something has moved, and where its shadow falls."""

from __future__ import annotations

import itertools
from typing import Final, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from mlagents_envs.spectating import SPHERE
from mlagents_sim.physics.scene import Scene
from mlagents_sim.view import Pose
from mlagents_sim.visual_geoms import VisualGeoms

_PARKED_BELOW_M: Final = -100.0  # where environments put what is out of play
_CORNERS: Final = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
_MARGIN: Final = 2  # pixels around what has moved: edges are smooth

Bodies = Scene | VisualGeoms


class Part(NamedTuple):
    """A rectangle of a picture as OpenGL counts: pixels from the left and from the bottom, the last ones excluded."""

    left: int
    bottom: int
    right: int
    top: int


class Outlines(NamedTuple):
    """What bodies look like and where they are.

    Attributes:
      looks: float64 [n, k], numbers of each body on which its picture depends.
      corners: float64 [n, 8, 3], m, of a box around each body.
      bounded: bool [n], whether the box means anything: the body is in play, can be seen and has an end.
      lowest_m: how far down there is anything to throw a shadow on.
      common: numbers on which the whole picture depends.
    """

    looks: NDArray[np.float64]
    corners: NDArray[np.float64]
    bounded: NDArray[np.bool_]
    lowest_m: float
    common: NDArray[np.float64]

    @classmethod
    def of(cls, bodies: Bodies) -> Outlines:
        """Return those of bodies as they are now."""
        return _of_scene(bodies) if isinstance(bodies, Scene) else _of_solids(bodies)

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lowest and the highest corner, float64 [3] each, of the box around all that is to be seen."""
        corners = self.corners[self.bounded].reshape(-1, 3)
        return corners.min(axis=0), corners.max(axis=0)

    def moved_since(self, before: Outlines, light: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return points around everything that looks different, and its shadows; None if that may be everywhere.

        Args:
          before: what was drawn.
          light: direction of the sun, downwards.

        Returns: float64 [points, 3], m, whose convex hulls, sixteen by sixteen, hold it.
        """
        if self.looks.shape != before.looks.shape or not np.array_equal(self.common, before.common):
            return None
        moved = (self.looks != before.looks).any(axis=1)
        low = min(self.lowest_m, before.lowest_m)
        corners = np.concatenate([each.corners[moved & each.bounded] for each in (before, self)])
        fall = np.maximum(corners[..., 1:2] - low, 0.0) / -light[1]
        return np.concatenate([corners, corners + fall * light], axis=1).reshape(-1, 3)


def _of_scene(scene: Scene) -> Outlines:
    model, data = scene.model, scene.data
    mujoco.mj_kinematics(model, data)
    rotation = data.geom_xmat.reshape(-1, 3, 3)
    center = data.geom_xpos + np.einsum("gij,gj->gi", rotation, model.geom_aabb[:, :3])
    looks = np.concatenate([data.geom_xpos, data.geom_xmat, model.geom_size, model.geom_rgba], axis=1)
    visible = model.geom_rgba[:, 3] > 0.0
    endless = model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE.value
    floors = data.geom_xpos[visible & endless, 1]
    return _outlines(looks, center, rotation, model.geom_aabb[:, 3:], visible & ~endless, floors, model.mat_rgba.copy())


def _of_solids(solids: VisualGeoms) -> Outlines:
    half_size = np.where(solids.shape[:, np.newaxis] == SPHERE, solids.half_size[:, :1], solids.half_size)
    count = len(solids.shape)
    looks = np.concatenate([np.asarray(column, np.float64).reshape(count, -1) for column in solids], axis=1)
    return _outlines(
        looks, solids.center, solids.rotation, half_size, np.ones(count, np.bool_), np.zeros(0), np.zeros(0)
    )


def _outlines(
    looks: NDArray[np.float64],
    center: NDArray[np.float64],
    rotation: NDArray[np.float64],
    half_size: NDArray[np.float64],
    bounded: NDArray[np.bool_],
    floors: NDArray[np.float64],
    common: NDArray[np.float64],
) -> Outlines:
    corners = center[:, np.newaxis] + np.einsum("gij,gcj->gci", rotation, half_size[:, np.newaxis] * _CORNERS)
    bounded = bounded & (center[:, 1] > _PARKED_BELOW_M)
    lowest = min(corners[bounded, :, 1].min(initial=np.inf), floors.min(initial=np.inf))
    return Outlines(looks, corners, bounded, float(lowest), common)


def part_around(points: NDArray[np.float64], pose: Pose, half_height: float, width: int, height: int) -> Part | None:
    """Return the part of a picture in which points are, with a margin; None if some are behind the camera.

    Args:
      points: float64 [points, 3], m.
      pose: of the camera.
      half_height: of the picture at a distance of 1 m.
      width: of the picture, pixels.
      height: likewise.
    """
    if not len(points):
        return Part(0, 0, 0, 0)
    away = points - pose.position
    distance = away @ pose.forward
    if distance.min() <= 0.0:
        return None
    scale = 0.5 * height / half_height / distance
    across = 0.5 * width + scale * (away @ np.cross(pose.forward, pose.up))
    upwards = 0.5 * height + scale * (away @ pose.up)
    left, right = _within(across, width)
    bottom, top = _within(upwards, height)
    return Part(left, bottom, right, top)


def _within(at: NDArray[np.float64], size: int) -> tuple[int, int]:
    """Return the first pixel, an even one, and the one after the last that is in a range with its margin."""
    first = min(max(int(np.floor(at.min())) - _MARGIN, 0), size) // 2 * 2
    last = min(max(int(np.ceil(at.max())) + _MARGIN, first), size)
    return first, min(last + (last - first) % 2, size)
