"""Pictures as observations."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_sim.row_index import RowIndex


def image_spec(channels: int, height: int, width: int, name: str) -> ObservationSpec:
    """Name and shape of an image: float32 [channels, height, width], first row at the top, values k / 255."""
    equivariance = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    properties = (DimensionProperty.NONE, equivariance, equivariance)
    return ObservationSpec((channels, height, width), properties, ObservationType.DEFAULT, name)


class ImageSensor:
    """Pictures that the agents' own code has drawn.

    Args:
      height: in pixels.
      width: in pixels.
      channels: 3 for colours, 1 for grey.
      name: of the observation; several images of one agent need different ones.

    Attributes:
      spec: float32 [channels, height, width].
    """

    def __init__(self, height: int, width: int, channels: int = 3, name: str = "RenderTextureSensor") -> None:
        self.spec = image_spec(channels, height, width, name)

    def observe(self, rows: RowIndex, frame: ArrayLike) -> NDArray[np.float32]:
        """Return one picture per agent.

        Args:
          rows: of the batch.
          frame: uint8 [rows, height, width, channels], first row at the top; or the observation ready-made, a new
            array.

        Raises:
          ValueError: pictures of another shape or type.
        """
        pictures = np.asarray(frame)
        channels, height, width = self.spec.shape
        if pictures.dtype == np.float32 and pictures.shape[1:] == self.spec.shape:
            return pictures
        if pictures.dtype == np.uint8 and pictures.shape[1:] == (height, width, channels):
            return as_image(pictures)
        raise ValueError(
            f"Sensor {self.spec.name!r}: expected pictures uint8 [agents, {height}, {width}, {channels}] or float32"
            f" [agents, {channels}, {height}, {width}]; got {pictures.dtype} {list(pictures.shape)}."
        )

    def clear(self, rows: RowIndex) -> None:
        """Do nothing: nothing is remembered."""


def as_image(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Map uint8 [n, height, width, channels] to float32 [n, channels, height, width], k to k / 255."""
    return np.divide(pictures.transpose(0, 3, 1, 2), np.float32(255.0), dtype=np.float32, order="C")
