"""What an environment may offer to spectators that draw it themselves, such as a page in a browser.

An environment that has the methods of `Spectacle` is shown in space: its bodies are sent once, and then how they move.
Coordinates are Unity's: left-handed, +X to the right, +Y up, +Z ahead; metres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

BOX, SPHERE, CAPSULE, ELLIPSOID, CYLINDER, MESH = range(6)
"""Shapes of bodies. MESH is the first of the environment's own meshes, MESH + 1 the second, and so on."""

Floats = NDArray[np.float64]


class Bodies(Protocol):
    """Simple bodies, one row each, in the same order at all times."""

    @property
    def shape(self) -> NDArray[Any]:
        """Int [n], one of the shapes above; capsules and cylinders lie along their Z axis."""

    @property
    def center(self) -> Floats:
        """float64 [n, 3], m."""

    @property
    def rotation(self) -> Floats:
        """float64 [n, 3, 3], from the body's frame to the world's."""

    @property
    def half_size(self) -> Floats:
        """Half of what a body measures along its axes, float64 [n, 3], m.

        The radius of a sphere is the first; of capsules and cylinders the first two are the radius, and the third is
        half the length, caps included. Meshes are as large as they are: 1 along each axis.
        """

    @property
    def color(self) -> Floats:
        """Red, green and blue, float64 [n, 3], 0 to 1."""


class Mesh(NamedTuple):
    """A body of triangles.

    Attributes:
      vertices: float64 [v, 3], m, in the body's frame.
      faces: int [f, 3], rows of `vertices`.
    """

    vertices: Floats
    faces: NDArray[Any]


class AgentPoses(NamedTuple):
    """Where the agents of a behavior are seen, one row each.

    Attributes:
      agent_id: int [n].
      position: float64 [n, 3], m.
      rotation: float64 [n, 3, 3]; an agent looks along its own +Z.
    """

    agent_id: NDArray[Any]
    position: Floats
    rotation: Floats


class RayFan(NamedTuple):
    """The rays behind an observation: per ray the tag that was hit, one-hot; 1 for nothing; the share of its length.

    Attributes:
      start_height: of all rays above the agent's position, m.
      path: float64 [rays, 3], from start to end in the agent's frame, m.
      tags: what the rays tell apart.
    """

    start_height: float
    path: Floats
    tags: tuple[str, ...]

    @property
    def size(self) -> int:
        """Numbers of one frame; of a stack of frames the last so many are the newest."""
        return len(self.path) * (len(self.tags) + 2)


class Viewpoint(NamedTuple):
    """Where a camera is and looks.

    Attributes:
      position: float64 [3], m.
      target: float64 [3], a point in the middle of the picture, m.
      fov_deg: field of view from bottom to top.
    """

    position: Floats
    target: Floats
    fov_deg: float


@runtime_checkable
class Spectacle(Protocol):
    """An environment of bodies in space; those of `mlagents_sim` are, unless they are no place in space."""

    @property
    def step_seconds(self) -> float:
        """How long a physics step takes for spectators."""

    def bodies(self) -> Bodies | None:
        """Return what there is now; None for an environment that is no place in space."""

    def meshes(self) -> Sequence[Mesh]:
        """Return the meshes that `bodies` name; they stay the same."""

    def agent_poses(self, behavior_name: str) -> AgentPoses | None:
        """Return where the agents of a behavior are; None if the environment does not tell."""

    def ray_fans(self, behavior_name: str) -> Mapping[int, RayFan]:
        """Return the rays behind observations, by the observation's place in the behavior's specs."""

    def viewpoint(self, aspect: float) -> Viewpoint:
        """Return from where all bodies are in view, in pictures of this width over height."""

    def watch(self, watcher: Any, every: int) -> None:
        """Call `watcher()` at every reset and after every so many physics steps."""
