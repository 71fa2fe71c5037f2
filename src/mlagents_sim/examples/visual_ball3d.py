"""Visual3DBall: 3DBall seen by a camera above and behind the platform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_sim.entry import SimEntry
from mlagents_sim.examples.ball3d import (
    BALL_RGBA,
    HALF_SIZE_M,
    PARAMETERS,
    PLATFORM_RGBA,
    Areas,
    Ball3DAgents,
    Ball3DWorld,
)
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import CameraSensor, StackingSensor

if TYPE_CHECKING:
    import mujoco

    from mlagents_sim.physics.scene import Scene

HEIGHT: Final = 84
WIDTH: Final = 84
STACKED_FRAMES: Final = 4
CAMERA_M: Final = (0.0, 7.0, -8.0)  # from the platform
PITCH_RAD: Final = np.radians(30.0)
FOV_DEG: Final = 60.0


def _build_area(spec: mujoco.MjSpec, prefix: str, origin: NDArray[np.float64]) -> None:
    """Add a platform and a ball, both moved by hand: they are only looked at."""
    import mujoco

    for name, kind, size, rgba in (
        ("platform", mujoco.mjtGeom.mjGEOM_BOX, [HALF_SIZE_M] * 3, PLATFORM_RGBA),
        ("ball", mujoco.mjtGeom.mjGEOM_SPHERE, [0.5, 0.0, 0.0], BALL_RGBA),
    ):
        body = spec.worldbody.add_body(name=prefix + name, pos=origin, mocap=True)
        body.add_geom(name=prefix + name, type=kind, size=size, rgba=rgba, contype=0, conaffinity=0)


def _make_scene(areas: Areas) -> Scene:
    from mlagents_sim.physics.scene import Scene, compose

    return Scene(compose(_build_area, areas.origin, substeps=1))


class Visual3DBallAgents(Ball3DAgents):
    """Platforms that see themselves and their ball, each its own only, before a black background.

    Args:
      areas: one per agent.
      rng: source of start positions.
      parameters: `ball3d.PARAMETERS`.
    """

    def __init__(self, areas: Areas, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        count = len(areas.quat)
        own = np.repeat(np.eye(count, dtype=np.bool_), 2, axis=1)  # platform and ball
        self._scene = _make_scene(areas)
        camera = CameraSensor(self._scene, count, HEIGHT, WIDTH, fov_deg=FOV_DEG, geoms=own)
        stack = StackingSensor(camera, STACKED_FRAMES, count)
        super().__init__("Visual3DBall?team=0", stack, areas, rng, parameters, hard=False)
        self._camera = np.zeros((count, 7))
        self._camera[:, :3] = areas.origin + CAMERA_M
        self._camera[:, 3:5] = np.cos(0.5 * PITCH_RAD), np.sin(0.5 * PITCH_RAD)

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return where the cameras are; what they see is brought up to date."""
        areas, model, data = self._areas, self._scene.model, self._scene.data
        data.mocap_quat[::2], data.mocap_pos[1::2] = areas.quat, areas.position
        model.geom_size[1::2, 0] = model.geom_rbound[1::2] = areas.radius
        model.geom_aabb[1::2, 3:] = areas.radius[:, np.newaxis]
        return [self._camera[rows]]


class Visual3DBallWorld(Ball3DWorld):
    """3DBall with cameras."""

    def make_agents(
        self, rng: np.random.Generator, parameters: EnvironmentParameters, *, hard: bool
    ) -> Visual3DBallAgents:
        """Return agents that see."""
        return Visual3DBallAgents(self.areas, rng, parameters)


ENTRY = SimEntry(
    "Visual3DBall",
    expected_reward=100.0,
    description="3DBall from camera images.",
    make_world=Visual3DBallWorld,
    num_areas=12,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "Visual3DBall.onnx",
)
