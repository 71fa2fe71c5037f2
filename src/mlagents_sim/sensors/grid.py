"""A grid around an agent that shows what is in each cell: without gaps, and nothing hides behind something else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_sim.physics.cells import Grid, fill
from mlagents_sim.sensors.image import image_spec
from mlagents_sim.sensors.sensor import PassingSensor
from mlagents_sim.sensors.tagged_shapes import NOBODY, TaggedShape, as_shapes, ray_origins_of_one
from mlagents_sim.visual_geoms import yaw_rotations

_ORIGIN = (0.0, 0.0, 0.0)


class GridSensor(PassingSensor):
    """Passes on what `physics.cells.fill` finds in the cells of the sensor's grid.

    Per cell the tag of what is in it, one-hot; zeros if nothing is. As Unity's OneHotGridSensor:

    - The observation is an image with a channel per tag, [tags, x, z], in the order in which Unity sends square grids:
      the first row is what is farthest to the right, the first column what is farthest behind.
    - Of several things in a cell, the one counts that is nearest to the agent: of each, that point is taken which is
      nearest to the cell's centre. Of equals, the one listed first.
    - The agent itself is not seen, nor is what has none of the tags.
    - Cells are boxes: what is above or below them is not seen.

    Args:
      name: sensors are reported in the order of their names; Unity's are called GridSensor-OneHot.
      tags: what can be told apart; a shape's tag is its place in this list.
      grid_size: cells along x, y and z; one along y.
      cell_scale: size of a cell along x, y and z, m.
      rotate_with_agent: whether the grid turns with the agent; otherwise rows and columns are those of the area.
      center: of the grid, from the agent's origin along the grid's axes, m.

    Attributes:
      spec: float32 [tags, x, z], 0 or 1.
      grid: for `physics.cells.fill`.

    Raises:
      ValueError: no tags or one twice, a grid that is not flat or has no cells, or cells without a size.
    """

    def __init__(
        self,
        name: str,
        tags: Sequence[str],
        grid_size: tuple[int, int, int],
        cell_scale: tuple[float, float, float],
        *,
        rotate_with_agent: bool = True,
        center: tuple[float, float, float] = _ORIGIN,
    ) -> None:
        _check(name, tags, grid_size, cell_scale)
        self.tags = tuple(tags)
        x, _, z = grid_size
        cell, middle = np.array(cell_scale, np.float64), np.array(center, np.float64)
        self.grid = Grid(x, z, cell, middle, rotate_with_agent, len(tags))
        self.spec = image_spec(len(tags), x, z, name)

    def look(self, things: Iterable[TaggedShape], position: ArrayLike, yaw_rad: float = 0.0) -> NDArray[np.float32]:
        """Return what one agent sees: the frame of an `authoring.FrameSensor`.

        Args:
          things: all that there is besides the agent itself.
          position: [3], of the agent, m.
          yaw_rad: how far the agent is turned to the right.

        Returns: float32 [tags, x, z].

        Raises:
          ValueError: a thing with a tag of the sensor is a box with rounded edges.
        """
        origins = ray_origins_of_one(position, yaw_rotations(np.array(yaw_rad)))
        seen: NDArray[np.float32] = fill(self.grid, as_shapes(things, self.tags), origins, NOBODY)[0]
        return seen


def _check(
    name: str, tags: Sequence[str], grid_size: tuple[int, int, int], cell_scale: tuple[float, float, float]
) -> None:
    if not tags or len(set(tags)) < len(tags):
        raise ValueError(f"Sensor {name!r}: expected at least one tag, and each of them once; got {list(tags)}.")
    x, y, z = grid_size
    if y != 1 or min(x, z) < 1:
        raise ValueError(
            f"Sensor {name!r}: expected a flat grid, with 1 cell along y and at least 1 along x and z; got {grid_size}."
        )
    if not all(0.0 < size < np.inf for size in cell_scale):
        raise ValueError(f"Sensor {name!r}: expected cells with a size along x, y and z, m; got {cell_scale}.")
