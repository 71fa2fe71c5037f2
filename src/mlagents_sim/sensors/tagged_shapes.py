"""What sensors can tell apart, where a world is written with objects: solid things that have a tag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mlagents_sim.physics.ray_casts import UNTAGGED, RayOrigins, Shapes

if TYPE_CHECKING:
    from mlagents_sim.physics.scene import Scene

NOBODY: Final = np.zeros(1, np.int64)
"""The row of an agent that is alone in its batch."""

_UPRIGHT: Final = np.eye(3)
_POINT: Final = (0.0, 0.0, 0.0)


class TaggedShape(NamedTuple):
    """A box, sphere or capsule.

    Attributes:
      tag: what it is.
      center: [3], m.
      half_size: [3], of a box, m. A capsule has one half size, half its length without the round ends; a sphere none.
      radius: of a sphere or capsule, m.
      rotation: [3, 3].
    """

    tag: str
    center: ArrayLike
    half_size: ArrayLike = _POINT
    radius: float = 0.0
    rotation: ArrayLike = _UPRIGHT


def as_shapes(things: Iterable[TaggedShape], tags: Sequence[str]) -> Shapes:
    """Return things as the shapes of one area, for `physics.ray_casts.cast` and `physics.cells.fill`.

    Args:
      things: all that there is.
      tags: the sensor's; things with another one are UNTAGGED.
    """
    number = {tag: place for place, tag in enumerate(tags)}
    listed = list(things)
    count = len(listed)
    return Shapes(
        center=np.array([thing.center for thing in listed], np.float64).reshape(1, count, 3),
        rotation=np.array([thing.rotation for thing in listed], np.float64).reshape(1, count, 3, 3),
        half_size=np.array([thing.half_size for thing in listed], np.float64).reshape(1, count, 3),
        rounding=np.array([thing.radius for thing in listed], np.float64).reshape(1, count),
        tag=np.array([number.get(thing.tag, UNTAGGED) for thing in listed], np.int64).reshape(1, count),
    )


def ray_origins_of_one(position: ArrayLike, rotation: ArrayLike) -> RayOrigins:
    """Return where rays begin for the one agent of a batch, row NOBODY, which is itself none of the shapes.

    Args:
      position: [3], m.
      rotation: [3, 3].
    """
    return RayOrigins(NOBODY, np.full(1, -1), np.array([position], np.float64), np.array([rotation], np.float64))


class TaggedGeoms:
    """Geoms of a MuJoCo scene as tagged shapes.

    Args:
      scene: with the geoms.
      tags: name of a geom -> its tag.

    Raises:
      ValueError: there is no such geom, or it is neither a box nor a sphere nor a capsule.
    """

    def __init__(self, scene: Scene, tags: Mapping[str, str]) -> None:
        self._scene = scene
        self._tags = {_geom(scene, name): tag for name, tag in tags.items()}

    def shapes(self) -> list[TaggedShape]:
        """Return the geoms where they are now, in the order in which they were named."""
        import mujoco

        model, data = self._scene.model, self._scene.data
        mujoco.mj_kinematics(model, data)
        return [
            TaggedShape(
                tag, data.geom_xpos[geom].copy(), *_sizes(model, geom), data.geom_xmat[geom].reshape(3, 3).copy()
            )
            for geom, tag in self._tags.items()
        ]


def _geom(scene: Scene, name: str) -> int:
    import mujoco

    geom = mujoco.mj_name2id(scene.model, mujoco.mjtObj.mjOBJ_GEOM, name)
    if geom < 0:
        names = [scene.model.geom(number).name for number in range(scene.model.ngeom)]
        raise ValueError(f"The scene has no geom {name!r}; nearest are {get_close_matches(name, names)}.")
    _sizes(scene.model, geom)
    return int(geom)


def _sizes(model: Any, geom: int) -> tuple[ArrayLike, float]:
    """Return half size and radius. MuJoCo's capsules lie along their own Z."""
    import mujoco

    kind, size = mujoco.mjtGeom(model.geom_type[geom]), model.geom_size[geom]
    if kind == mujoco.mjtGeom.mjGEOM_BOX:
        return size.copy(), 0.0
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        return _POINT, float(size[0])
    if kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        return (0.0, 0.0, size[1]), float(size[0])
    raise ValueError(
        f"Geom {model.geom(geom).name!r} is {kind.name}; sensors tell boxes, spheres and capsules apart. "
        "Put one of these around it, without collisions."
    )
