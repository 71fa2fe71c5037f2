"""What a camera sees of a MuJoCo scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors.image import as_image, image_spec
from mlagents_sim.view import Pose

if TYPE_CHECKING:
    from mlagents_sim.physics.scene import Scene
    from mlagents_sim.rendering import Renderer


class CameraSensor:
    """A camera per agent. It is made at the first picture: until then no OpenGL is needed.

    Args:
      scene: what the cameras see.
      agents: agents in the batch.
      height: in pixels.
      width: in pixels.
      fov_deg: field of view from bottom to top.
      near_m: nothing closer is seen.
      far_m: nothing farther is seen.
      channels: 3 for colours, 1 for grey: the mean of red, green and blue, as in Unity, in 255ths.
      background: red, green and blue, 0 to 1, where there is nothing.
      geoms: bool [agents, geoms of the scene], what each agent's camera sees at all; None for everything. A camera
        that sees only its own area is faster, and what it sees does not depend on the number of areas.
      name: of the observation.

    Attributes:
      spec: float32 [channels, height, width].

    Raises:
      ValueError: another number of channels.
    """

    def __init__(
        self,
        scene: Scene,
        agents: int,
        height: int,
        width: int,
        *,
        fov_deg: float = 60.0,
        near_m: float = 0.3,
        far_m: float = 1000.0,
        channels: int = 3,
        background: tuple[float, float, float] = (0.0, 0.0, 0.0),
        geoms: NDArray[np.bool_] | None = None,
        name: str = "CameraSensor",
    ) -> None:
        if channels not in (1, 3):
            raise ValueError(f"Sensor {name!r}: expected 3 channels for colours or 1 for grey; got {channels}.")
        self.spec = image_spec(channels, height, width, name)
        self._scene = scene
        self._lens: dict[str, Any] = {"fov_deg": fov_deg, "near_m": near_m, "far_m": far_m}
        if any(background):
            self._lens["background"] = np.rint(255.0 * np.array(background)).astype(np.uint8)
        self._agents = np.arange(agents)
        self._geoms = geoms
        self._renderer: Renderer | None = None

    def observe(self, rows: RowIndex, frame: ArrayLike) -> NDArray[np.float32]:
        """Return one picture per agent.

        Args:
          rows: of the batch.
          frame: float64 [rows, 7], where the cameras are: position, m, and rotation (w, x, y, z). They look along
            their own +Z, with +Y up.

        Returns: float32 [rows, channels, height, width].

        Raises:
          RenderingError: there is no OpenGL on this machine.
        """
        from mlagents_sim.rendering import Renderer

        cameras = np.asarray(frame, np.float64)
        poses = Pose.of_rotations(cameras[:, :3], cameras[:, 3:])
        channels, height, width = self.spec.shape
        if self._renderer is None:
            self._renderer = Renderer(self._scene, width, height, **self._lens)
        pictures = np.empty((len(poses), height, width, 3), np.uint8)
        alpha = self._scene.model.geom_rgba[:, 3]
        kept = alpha.copy()
        for agent, pose, picture in zip(self._agents[rows], poses, pictures, strict=True):
            if self._geoms is not None:
                alpha[:] = np.where(self._geoms[agent], kept, 0.0)
            picture[:] = self._renderer.picture(self._scene, pose)
        alpha[:] = kept
        if channels == 1:
            pictures = np.rint(pictures.mean(axis=3, keepdims=True)).astype(np.uint8)
        return as_image(pictures)

    def clear(self, rows: RowIndex) -> None:
        """Do nothing: nothing is remembered."""
