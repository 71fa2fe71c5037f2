"""Bodies of an environment as instances of few meshes, in the coordinates of the page.

The page is right-handed with +Z up, environments are left-handed with +Y up: exchanging Y and Z leads from one to the
other, for points, sizes and, on both sides, rotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.spectating import BOX, CAPSULE, CYLINDER, ELLIPSOID, MESH, SPHERE, Bodies, Mesh

_SWAP: Final = [0, 2, 1]
_AROUND: Final = 24
"""Sides of a cylinder, and half of what a sphere has around its middle."""

Floats = NDArray[np.float32]


class Instances(NamedTuple):
    """Where and how one mesh is drawn, one row each, in the page's coordinates.

    Attributes:
      position: float32 [n, 3].
      wxyz: float32 [n, 4], rotations as quaternions.
      scale: float32 [n, 3].
      color: uint8 [n, 3].
    """

    position: Floats
    wxyz: Floats
    scale: Floats
    color: NDArray[np.uint8]

    def rows(self, mask: NDArray[np.bool_]) -> Instances:
        """Return some of them."""
        return Instances(self.position[mask], self.wxyz[mask], self.scale[mask], self.color[mask])

    def differs(self, other: Instances) -> NDArray[np.bool_]:
        """Return which rows are not the same in the other ones."""
        columns: list[tuple[NDArray[Any], NDArray[Any]]] = list(zip(self, other, strict=True))
        unequal = [(one != another).any(axis=1) for one, another in columns]
        differs: NDArray[np.bool_] = np.logical_or.reduce(unequal)
        return differs


def to_page(vectors: NDArray[Any]) -> NDArray[Any]:
    """Return points or sizes [..., 3] of an environment in the coordinates of the page."""
    return vectors[..., _SWAP]


def linear_bytes(color: NDArray[Any]) -> NDArray[np.uint8]:
    """Return colours [..., 3] from 0 to 1 as the page takes those of meshes and lines: as amounts of light, 0 to 255.

    Colours of environments are meant as screens show them, which is sRGB (IEC 61966-2-1).
    """
    light = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    found: NDArray[np.uint8] = np.rint(255.0 * light).astype(np.uint8)
    return found


def rotations_to_page(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotations [n, 3, 3] of an environment as those of the page, which turn swapped axes."""
    return rotation[:, _SWAP][:, :, _SWAP]


def quaternions(rotation: NDArray[np.float64]) -> Floats:
    """Return quaternions (w, x, y, z), float32 [n, 4], of rotation matrices [n, 3, 3].

    Each is a column of the 4 x 4 matrix 4 q q', the one with the largest diagonal element, which is never small.
    """
    m = rotation
    xx, yy, zz = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    outer = np.empty((len(m), 4, 4))
    outer[:, 0, 0] = 1.0 + xx + yy + zz
    outer[:, 1, 1] = 1.0 + xx - yy - zz
    outer[:, 2, 2] = 1.0 - xx + yy - zz
    outer[:, 3, 3] = 1.0 - xx - yy + zz
    outer[:, 0, 1] = outer[:, 1, 0] = m[:, 2, 1] - m[:, 1, 2]
    outer[:, 0, 2] = outer[:, 2, 0] = m[:, 0, 2] - m[:, 2, 0]
    outer[:, 0, 3] = outer[:, 3, 0] = m[:, 1, 0] - m[:, 0, 1]
    outer[:, 1, 2] = outer[:, 2, 1] = m[:, 0, 1] + m[:, 1, 0]
    outer[:, 1, 3] = outer[:, 3, 1] = m[:, 0, 2] + m[:, 2, 0]
    outer[:, 2, 3] = outer[:, 3, 2] = m[:, 1, 2] + m[:, 2, 1]
    largest = np.einsum("nii->ni", outer).argmax(axis=1)
    best = outer[np.arange(len(m)), largest]
    unit: Floats = (best / np.linalg.norm(best, axis=1, keepdims=True)).astype(np.float32)
    return unit


def instances_of(bodies: Bodies) -> dict[str, Instances]:
    """Return the instances of each mesh: `box`, `sphere`, `cylinder`, `mesh0` and so on; none that has no instance."""
    shape, turned = np.asarray(bodies.shape), np.asarray(bodies.rotation)
    everything = Instances(
        to_page(bodies.center).astype(np.float32),
        quaternions(rotations_to_page(turned)),
        to_page(bodies.half_size).astype(np.float32),
        linear_bytes(np.asarray(bodies.color)),
    )
    capsules = everything.rows(shape == CAPSULE)
    balls = everything.rows(shape == SPHERE)
    balls = balls._replace(scale=np.repeat(balls.scale[:, :1], 3, axis=1))
    parts = {
        "box": [everything.rows(shape == BOX)],
        "sphere": [balls, everything.rows(shape == ELLIPSOID), *_caps(capsules, turned[shape == CAPSULE])],
        "cylinder": [everything.rows(shape == CYLINDER), _without_caps(capsules)],
    }
    for number in np.unique(shape[shape >= MESH]).tolist():
        parts[f"mesh{number - MESH}"] = [everything.rows(shape == number)]
    joined = {name: Instances(*map(np.concatenate, zip(*some, strict=True))) for name, some in parts.items()}
    return {name: instances for name, instances in joined.items() if len(instances.position)}


def prototype(name: str, meshes: Sequence[Mesh]) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return vertices [v, 3] and faces [f, 3] of the mesh of this name, which measures 1 from its middle outwards.

    Args:
      name: as `instances_of` gives it.
      meshes: of the environment.
    """
    if name == "box":
        return _box()
    if name in ("sphere", "cylinder"):
        return _round(is_sphere=name == "sphere")
    mesh = meshes[int(name.removeprefix("mesh"))]
    return to_page(mesh.vertices), mesh.faces[:, ::-1]  # a mirror image shows its inside, unless it is turned over


def _caps(capsules: Instances, rotation: NDArray[np.float64]) -> list[Instances]:
    """Return the half-spheres at both ends of capsules, as spheres; `rotation` is the environment's."""
    radius, reach = capsules.scale[:, :1], capsules.scale[:, 1:2]  # along the page's Y, the environment's Z
    axis = to_page(rotation[:, :, 2]).astype(np.float32)
    spheres = capsules._replace(scale=np.repeat(radius, 3, axis=1))
    return [spheres._replace(position=spheres.position + sign * (reach - radius) * axis) for sign in (1.0, -1.0)]


def _without_caps(capsules: Instances) -> Instances:
    scale = capsules.scale.copy()
    scale[:, 1] -= scale[:, 0]
    return capsules._replace(scale=scale)


def _box() -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return a cube of edge 2 whose corners belong to one side each, so that edges are sharp."""
    corners: list[NDArray[np.float64]] = []
    faces: list[tuple[int, int, int]] = []
    for axis in range(3):
        for sign in (1.0, -1.0):
            one, other = (axis + 1) % 3, (axis + 2) % 3
            start = len(corners)
            for u, v in ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)):
                corner = np.zeros(3)
                corner[axis], corner[one], corner[other] = sign, u * sign, v
                corners.append(corner)
            faces += [(start, start + 1, start + 2), (start, start + 2, start + 3)]
    return np.array(corners), np.array(faces)


def _round(*, is_sphere: bool) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return a sphere of radius 1, or a closed cylinder of radius 1 and half length 1 along Y."""
    if is_sphere:
        rise = np.linspace(-0.5 * np.pi, 0.5 * np.pi, _AROUND // 2 + 1)
        rings = np.stack((np.cos(rise), np.sin(rise)), axis=1)
    else:
        rings = np.array([(0.0, -1.0), (1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (1.0, 1.0), (0.0, 1.0)])
    angle = np.linspace(0.0, 2.0 * np.pi, _AROUND, endpoint=False)
    around = np.stack((np.cos(angle), np.zeros(_AROUND), -np.sin(angle)), axis=1)
    vertices = rings[:, np.newaxis, :1] * around + rings[:, np.newaxis, 1:] * np.array((0.0, 1.0, 0.0))
    ring, side = np.meshgrid(np.arange(len(rings) - 1), np.arange(_AROUND), indexing="ij")
    here, after = ring * _AROUND + side, ring * _AROUND + (side + 1) % _AROUND
    quads = np.stack((here, after, after + _AROUND, here + _AROUND), axis=-1).reshape(-1, 4)
    return vertices.reshape(-1, 3), np.concatenate((quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]))
