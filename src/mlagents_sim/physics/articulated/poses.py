"""Where the bodies of ragdolls are, and how they look."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_sim.physics.articulated.builder import Ragdoll
from mlagents_sim.physics.articulated.ragdolls import Floats, Ragdolls
from mlagents_sim.physics.articulated.rotations import multiply
from mlagents_sim.physics.articulated.shapes import Box, Sphere, ends_of
from mlagents_sim.physics.articulated.vectors import matrix_of, minus, put_vector, quaternion_at, turned, vector_at
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.visual_geoms import VisualGeoms, join, make_boxes, make_capsules, make_spheres, quat_rotations


def origins_of(ragdolls: Ragdolls) -> Floats:
    """Return where the bodies' frames are, float64 [copies, bodies, 3], m; positions are of centres of mass."""
    origins = np.empty_like(ragdolls.position)
    _write_origins(ragdolls.position, ragdolls.rotation, ragdolls.model.center, origins)
    return origins


@compiled
def _write_origins(position: Floats, rotation: Floats, center: Floats, origins: Floats) -> None:
    for copy in range(len(position)):
        for body in range(len(center)):
            offset = turned(matrix_of(quaternion_at(rotation[copy], body)), vector_at(center, body))
            put_vector(origins[copy], body, minus(vector_at(position[copy], body), offset))


def turn_copies(ragdolls: Ragdolls, rows: NDArray[np.intp], pivot: ArrayLike, rotation: Floats) -> None:
    """Turn copies about a point, as they are.

    Args:
      ragdolls: the copies.
      rows: which of them.
      pivot: [3], or [rows, 3], m.
      rotation: float64 [rows, 4], quaternions (w, x, y, z).
    """
    about = np.broadcast_to(np.asarray(pivot, np.float64), (len(rows), 3))[:, np.newaxis]
    back = quat_rotations(rotation).swapaxes(1, 2)
    ragdolls.position[rows] = about + (ragdolls.position[rows] - about) @ back
    ragdolls.rotation[rows] = multiply(rotation[:, np.newaxis], ragdolls.rotation[rows])
    for vectors in (ragdolls.velocity, ragdolls.angular_velocity):
        vectors[rows] = vectors[rows] @ back


def geoms_of(ragdoll: Ragdoll, ragdolls: Ragdolls, color: ArrayLike, places: ArrayLike = 0.0) -> VisualGeoms:
    """Return all shapes of all copies, to be drawn.

    Args:
      ragdoll: what the copies were made of.
      ragdolls: the copies.
      color: [3], or [bodies, 3], 0 to 1.
      places: [copies, 3], added to where the copies are, m.
    """
    copies = len(ragdolls.position)
    origins = origins_of(ragdolls) + np.reshape(np.broadcast_to(places, (copies, 3)), (copies, 1, 3))
    rotations = quat_rotations(ragdolls.rotation)
    colors = np.broadcast_to(color, (len(ragdoll.bodies), 3))
    parts = []
    for body, each in enumerate(ragdoll.bodies):
        for shape in each.shapes:
            place, axes = origins[:, body], rotations[:, body]
            if isinstance(shape, Box):
                half_size = 0.5 * np.array(shape.size)
                parts.append(make_boxes(place + axes @ np.array(shape.center), half_size, colors[body], axes))
            elif isinstance(shape, Sphere):
                center = place + axes @ np.array(shape.center)
                parts.append(make_spheres(center, np.full(copies, shape.radius), colors[body]))
            else:
                ends = place[:, np.newaxis] + np.einsum("cij,ej->cei", axes, ends_of(shape))
                parts.append(make_capsules(ends, np.full(copies, shape.radius), colors[body]))
    return join(*parts)
