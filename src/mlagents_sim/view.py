"""Where cameras are and look. A camera's rotation is Unity's: it looks along its own +Z, and +Y is up."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.spectating import SPHERE, Bodies
from mlagents_sim.visual_geoms import VisualGeoms, quat_rotations

_MARGIN: Final = 1.08
_PARKED_BELOW_M: Final = -100.0  # where environments put what is out of play

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]
"""The lowest and the highest corner, float64 [3] each, of the box around all that is to be seen."""


@dataclass(frozen=True)
class Pose:
    """Where a camera is and looks.

    Attributes:
      position: float64 [3], m.
      forward: float64 [3], unit vector.
      up: float64 [3], unit vector.
    """

    position: NDArray[np.float64]
    forward: NDArray[np.float64]
    up: NDArray[np.float64]

    @classmethod
    def of_rotations(cls, position: NDArray[np.float64], quat: NDArray[np.float64]) -> list[Pose]:
        """Make the view from positions [n, 3] and rotations (w, x, y, z) [n, 4]."""
        turned = quat_rotations(quat)
        return [cls(*vectors) for vectors in zip(position, turned[:, :, 2], turned[:, :, 1], strict=True)]


@dataclass(frozen=True)
class View:
    """From where a spectator looks at a whole scene.

    Attributes:
      pitch_deg: downwards.
      yaw_deg: to which side of forward, +Z; positive to the right.
      fov_deg: field of view from bottom to top.
    """

    pitch_deg: float = 35.0
    yaw_deg: float = 20.0
    fov_deg: float = 30.0

    def place(self, center: NDArray[np.float64], half_size: NDArray[np.float64], aspect: float) -> Pose:
        """Return the nearest place from which a box is wholly in view, as far from above as from below.

        A point at (x, y, z) to the right, up and ahead of the middle is in view of a camera that stands d behind it and
        u higher if |y - u| <= slope * (z + d). All points are, for the smallest d, at the mean u of what both ends ask.

        Args:
          center: float64 [3], of the box.
          half_size: float64 [3], of the box.
          aspect: width of the picture over its height.
        """
        pitch, yaw = np.radians(self.pitch_deg), np.radians(self.yaw_deg)
        forward = np.array((np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)))
        right = np.array((np.cos(yaw), 0.0, -np.sin(yaw)))
        up = np.cross(forward, right)
        corners = half_size * np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
        slope = np.tan(np.radians(self.fov_deg) / 2.0) / _MARGIN
        position, distance = center, 0.0
        for axis, rise in ((up, slope), (right, slope * aspect)):
            lowest, highest = corners @ axis + rise * (corners @ forward), corners @ axis - rise * (corners @ forward)
            position = position + 0.5 * (highest.max() + lowest.min()) * axis
            distance = max(distance, float(highest.max() - lowest.min()) / (2.0 * rise))
        return Pose(position - distance * forward, forward, up)


def bounds_of(bodies: Bodies) -> Bounds:
    """Return the box around all bodies that are in play."""
    is_sphere = np.equal(bodies.shape, SPHERE)[:, np.newaxis]
    return bounds(bodies.center, bodies.rotation, np.where(is_sphere, bodies.half_size[:, :1], bodies.half_size))


def without_parked(bodies: VisualGeoms) -> VisualGeoms:
    """Return the bodies, of which those that are out of play have no size, so that nobody sees them."""
    parked = bodies.center[:, 1] <= _PARKED_BELOW_M
    return bodies if not parked.any() else bodies._replace(half_size=bodies.half_size * ~parked[:, np.newaxis])


def bounds(center: NDArray[np.float64], rotation: NDArray[np.float64], half_size: NDArray[np.float64]) -> Bounds:
    """Return the box around turned boxes [n, 3], [n, 3, 3], [n, 3] that are in play."""
    reach = np.einsum("gij,gj->gi", np.abs(rotation), half_size)
    seen = center[:, 1] > _PARKED_BELOW_M
    return (center - reach)[seen].min(axis=0), (center + reach)[seen].max(axis=0)
