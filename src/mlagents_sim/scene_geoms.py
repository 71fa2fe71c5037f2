"""MuJoCo scenes as simple bodies and meshes, for spectators that draw themselves."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from mlagents_envs.spectating import BOX, CAPSULE, CYLINDER, ELLIPSOID, MESH, SPHERE, Mesh
from mlagents_sim.physics.scene import Scene
from mlagents_sim.visual_geoms import VisualGeoms

_GEOM = mujoco.mjtGeom
_SHAPES = {
    _GEOM.mjGEOM_PLANE.value: BOX,
    _GEOM.mjGEOM_SPHERE.value: SPHERE,
    _GEOM.mjGEOM_CAPSULE.value: CAPSULE,
    _GEOM.mjGEOM_ELLIPSOID.value: ELLIPSOID,
    _GEOM.mjGEOM_CYLINDER.value: CYLINDER,
    _GEOM.mjGEOM_BOX.value: BOX,
}
_PLANE_HALF_M = 50.0
"""Half the width that is shown of a plane without end."""


def geoms_of_scene(scene: Scene) -> VisualGeoms:
    """Return the geoms of a scene as they are now, in its order; those of no colour and of rare kinds are left out."""
    model, data = scene.model, scene.data
    mujoco.mj_kinematics(model, data)
    drawn = np.flatnonzero(_opacity(model) > 0.0)
    drawn = drawn[[kind in _SHAPES or kind == _GEOM.mjGEOM_MESH.value for kind in model.geom_type[drawn]]]
    kind = model.geom_type[drawn]
    shape = np.array([_SHAPES.get(each, MESH) for each in kind], np.int64)
    is_mesh = kind == _GEOM.mjGEOM_MESH.value
    shape[is_mesh] += model.geom_dataid[drawn][is_mesh]
    return VisualGeoms(
        shape,
        np.array(data.geom_xpos[drawn]),
        np.array(data.geom_xmat[drawn]).reshape(-1, 3, 3),
        np.array([_half_size(*each) for each in zip(kind, model.geom_size[drawn], strict=True)]).reshape(-1, 3),
        _colors(model)[drawn],
    )


def meshes_of_scene(scene: Scene) -> list[Mesh]:
    """Return the meshes of a scene, in its order."""
    model = scene.model
    meshes = []
    for mesh in range(model.nmesh):
        first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
        first_face, faces = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
        vertices = np.array(model.mesh_vert[first : first + count], np.float64)
        meshes.append(Mesh(vertices, np.array(model.mesh_face[first_face : first_face + faces])))
    return meshes


def _half_size(kind: int, size: NDArray[Any]) -> tuple[float, float, float]:
    """Return what `Bodies.half_size` says of a geom of this kind, whose size MuJoCo gives so."""
    x, y, z = size.tolist()
    if kind == _GEOM.mjGEOM_MESH.value:
        return 1.0, 1.0, 1.0
    if kind == _GEOM.mjGEOM_PLANE.value:
        return x or _PLANE_HALF_M, y or _PLANE_HALF_M, 0.001
    if kind == _GEOM.mjGEOM_SPHERE.value:
        return x, x, x
    if kind == _GEOM.mjGEOM_CAPSULE.value:
        return x, x, y + x
    return (x, x, y) if kind == _GEOM.mjGEOM_CYLINDER.value else (x, y, z)


def _colors(model: Any) -> NDArray[Any]:
    """Return float64 [geoms, 3]: the material's colour where there is one."""
    material = model.geom_matid
    own: NDArray[Any] = np.array(model.geom_rgba[:, :3], np.float64)
    return own if not model.nmat else np.where((material >= 0)[:, np.newaxis], model.mat_rgba[material, :3], own)


def _opacity(model: Any) -> NDArray[Any]:
    material = model.geom_matid
    own: NDArray[Any] = model.geom_rgba[:, 3]
    return own if not model.nmat else np.where(material >= 0, model.mat_rgba[material, 3], own)
