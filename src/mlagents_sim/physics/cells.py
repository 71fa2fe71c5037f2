"""Which solid shapes are in the cells of grids around agents, compiled. Shapes and agents are those of `ray_casts`.

Cells are boxes. With the boxes of an area they are compared by separating axes: S. Gottschalk et al., "OBBTree"
(1996), section 5; with spheres by the distance of the centre, with capsules by casting a sphere along the axis.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.ray_casts import RayOrigins, Shapes, sphere_cast

TOUCH_M: Final = 1e-6  # what reaches no deeper into a cell only touches it

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


class Grid(NamedTuple):
    """The cells of one sensor.

    Attributes:
      cells_x: cells from left to right.
      cells_z: cells from behind to ahead.
      cell: float64 [3], full size of a cell along x, y, z of the grid, m.
      center: float64 [3], of the grid, from the agent's origin and along the grid's axes, m.
      turns: whether the grid's axes are the agent's; otherwise they are the area's.
      tags: how many there are.
    """

    cells_x: int
    cells_z: int
    cell: Vector
    center: Vector
    turns: bool
    tags: int


class _Memory(NamedTuple):
    """Vectors and matrices of what is being entered, used again and again.

    Attributes:
      upright: float64 [3, 3], no rotation.
      center: float64 [3], of the shape, in the grid's frame, m.
      rotation: float64 [3, 3], likewise.
      place: float64 [3], of the cell, from the grid's centre, m; its height is 0.
      away: float64 [3], from the shape's centre to the cell's, m.
      start: float64 [3], of a capsule's axis from its centre, m.
      path: float64 [3], along it, m.
      half_cell: float64 [3], m.
    """

    upright: Matrix
    center: Vector
    rotation: Matrix
    place: Vector
    away: Vector
    start: Vector
    path: Vector
    half_cell: Vector


@allocating
def fill(grid: Grid, shapes: Shapes, origins: RayOrigins, agents: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what is in the cells of the agents' grids.

    Where several shapes are in a cell, take of each the point nearest to the cell's centre: the shape counts
    whose point is nearest to the agent's origin; of equals, the one listed first.

    Args:
      grid: of one sensor.
      shapes: in all areas: boxes, spheres and capsules.
      origins: of the whole batch.
      agents: int64 [n], rows of `origins`.

    Returns: float32 [n, tags, cells_x, cells_z], 1 where a shape of the tag counts, from right to left and from
      behind to ahead.

    Raises:
      ValueError: a shape with a tag is a box with rounded edges, or the sensor has no such tag.
    """
    result = np.zeros((len(agents), grid.tags, grid.cells_x, grid.cells_z), np.float32)
    nearest, found = np.empty((grid.cells_x, grid.cells_z)), np.empty((grid.cells_x, grid.cells_z), np.int64)
    memory = _Memory(
        np.eye(3), np.empty(3), np.empty((3, 3)), np.zeros(3), np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    )
    for row in range(len(agents)):
        _fill_one(grid, shapes, origins, agents[row], nearest, found, memory, result[row])
    return result


@compiled
def _fill_one(
    grid: Grid,
    shapes: Shapes,
    origins: RayOrigins,
    agent: int,
    nearest: Matrix,
    found: NDArray[np.int64],
    memory: _Memory,
    seen: NDArray[np.float32],
) -> None:
    """Write what is in the cells of one agent."""
    area = origins.area[agent]
    axes = origins.rotation[agent] if grid.turns else memory.upright
    center, rotation = memory.center, memory.rotation
    nearest[:] = np.inf
    for shape in range(shapes.center.shape[1]):
        tag = shapes.tag[area, shape]
        if tag < 0 or shape == origins.shape[agent]:
            continue
        if tag >= grid.tags:
            raise ValueError("A shape has a tag beyond those of the grid sensor.")
        _write_in_grid(axes, origins.position[agent], shapes.center[area, shape], grid.center, center)
        _write_turned(axes, shapes.rotation[area, shape], rotation)
        _find(grid, shapes.half_size[area, shape], shapes.rounding[area, shape], tag, nearest, found, memory)
    for i in range(grid.cells_x):
        for j in range(grid.cells_z):
            if nearest[i, j] < np.inf:
                seen[found[i, j], grid.cells_x - 1 - i, j] = 1.0


@compiled
def _write_in_grid(axes: Matrix, agent: Vector, point: Vector, offset: Vector, out: Vector) -> None:
    """Return a point of the area as seen from the grid's centre."""
    x, y, z = point[0] - agent[0], point[1] - agent[1], point[2] - agent[2]
    for axis in range(3):
        out[axis] = axes[0, axis] * x + axes[1, axis] * y + axes[2, axis] * z - offset[axis]


@compiled
def _write_turned(axes: Matrix, rotation: Matrix, out: Matrix) -> None:
    """Return a rotation as seen from the grid: the product of the transposed axes and the rotation."""
    for i in range(3):
        for j in range(3):
            out[i, j] = axes[0, i] * rotation[0, j] + axes[1, i] * rotation[1, j] + axes[2, i] * rotation[2, j]


@compiled
def _find(
    grid: Grid,
    half_size: Vector,
    rounding: float,
    tag: int,
    nearest: Matrix,
    found: NDArray[np.int64],
    memory: _Memory,
) -> None:
    """Enter one shape, in the grid's frame, into the cells that it is in and where none is nearer."""
    center, rotation, place, away = memory.center, memory.rotation, memory.place, memory.away
    thick = (half_size[0] > 0.0) + (half_size[1] > 0.0) + (half_size[2] > 0.0)
    if rounding > 0.0 and thick > 1:
        raise ValueError("Grid sensors see boxes, spheres and capsules; a shape with a tag has rounded edges.")
    if not abs(center[1]) < _extent(rotation, half_size, 1) + rounding + 0.5 * grid.cell[1] - TOUCH_M:
        return
    extent = _extent(rotation, half_size, 0) + rounding
    first_x, end_x = _span(center[0], extent, grid.cell[0], grid.cells_x)
    extent = _extent(rotation, half_size, 2) + rounding
    first_z, end_z = _span(center[2], extent, grid.cell[2], grid.cells_z)
    away[1] = -center[1]
    for i in range(first_x, end_x):
        place[0] = (i - 0.5 * (grid.cells_x - 1)) * grid.cell[0]
        away[0] = place[0] - center[0]
        for j in range(first_z, end_z):
            place[2] = (j - 0.5 * (grid.cells_z - 1)) * grid.cell[2]
            away[2] = place[2] - center[2]
            if rounding == 0.0:
                is_in = _boxes_overlap(away, grid.cell, rotation, half_size)
            else:
                is_in = _capsule_overlaps(grid.cell, half_size, rounding, memory)
            if is_in:
                squared = _squared_distance(grid.center, place, away, rotation, half_size, rounding)
                if squared < nearest[i, j]:
                    nearest[i, j], found[i, j] = squared, tag


@compiled
def _extent(rotation: Matrix, half_size: Vector, axis: int) -> float:
    """Return half the size of a turned box along an axis of the grid."""
    return float(
        abs(rotation[axis, 0]) * half_size[0]
        + abs(rotation[axis, 1]) * half_size[1]
        + abs(rotation[axis, 2]) * half_size[2]
    )


@compiled
def _span(center: float, extent: float, cell: float, count: int) -> tuple[int, int]:
    """Return the first cell that something reaches into, along one axis, and the one after the last."""
    middle, reach = center / cell + 0.5 * count, (extent - TOUCH_M) / cell
    low, high = middle - reach, middle + reach
    if not (low < count and high > 0.0):  # elsewhere, or not a number
        return 0, 0
    return int(max(low, 0.0)), math.ceil(min(high, float(count)))


@compiled
def _boxes_overlap(away: Vector, cell: Vector, rotation: Matrix, half_size: Vector) -> bool:
    """Return whether a cell and a box overlap that do so along the cell's own axes.

    Args:
      away: from the box to the cell, in the grid's frame.
      cell: full size.
      rotation: [3, 3] of the box.
      half_size: of the box.
    """
    for j in range(3):  # the axes of the box
        along = away[0] * rotation[0, j] + away[1] * rotation[1, j] + away[2] * rotation[2, j]
        reach = 0.5 * (cell[0] * abs(rotation[0, j]) + cell[1] * abs(rotation[1, j]) + cell[2] * abs(rotation[2, j]))
        if abs(along) >= reach + half_size[j] - TOUCH_M:
            return False
    for i in range(3):  # what is across an edge of the cell and an edge of the box
        after, before = (i + 1) % 3, (i + 2) % 3
        for j in range(3):
            across = math.hypot(rotation[before, j], rotation[after, j])
            if across < 1e-6:
                continue  # parallel
            k, m = (j + 1) % 3, (j + 2) % 3
            along = away[after] * rotation[before, j] - away[before] * rotation[after, j]
            reach = 0.5 * (cell[after] * abs(rotation[before, j]) + cell[before] * abs(rotation[after, j]))
            reach += half_size[k] * abs(rotation[i, m]) + half_size[m] * abs(rotation[i, k])
            if abs(along) >= reach - TOUCH_M * across:
                return False
    return True


@compiled
def _capsule_overlaps(cell: Vector, half_size: Vector, radius: float, memory: _Memory) -> bool:
    """Return whether a cell and a capsule or sphere overlap."""
    away, rotation, start, path, half_cell = memory.away, memory.rotation, memory.start, memory.path, memory.half_cell
    for i in range(3):
        half_cell[i] = 0.5 * cell[i]
        half = rotation[i, 0] * half_size[0] + rotation[i, 1] * half_size[1] + rotation[i, 2] * half_size[2]
        start[i], path[i] = -half, 2.0 * half
    reach = radius - TOUCH_M
    squared = 0.0
    for i in range(3):
        squared += max(abs(start[i] - away[i]) - half_cell[i], 0.0) ** 2
    if squared < reach * reach:
        return True
    if path[0] == 0.0 and path[1] == 0.0 and path[2] == 0.0:
        return False
    return bool(sphere_cast(start, path, reach, away, memory.upright, half_cell, 1.0) <= 1.0)


@compiled
def _squared_distance(
    offset: Vector, place: Vector, away: Vector, rotation: Matrix, half_size: Vector, rounding: float
) -> float:
    """Return the squared distance from the agent to that point of a shape which is nearest to a cell's centre.

    Args:
      offset: from the agent to the grid's centre.
      place: from there to the cell's centre.
      away: from the shape's centre to the cell's.
      rotation: [3, 3] of the shape.
      half_size: of the shape.
      rounding: of the shape.
    """
    x = y = z = 0.0  # from the shape's box to the cell's centre
    for j in range(3):
        along = away[0] * rotation[0, j] + away[1] * rotation[1, j] + away[2] * rotation[2, j]
        beyond = along - min(max(along, -half_size[j]), half_size[j])
        x, y, z = x + beyond * rotation[0, j], y + beyond * rotation[1, j], z + beyond * rotation[2, j]
    distance = math.sqrt(x**2 + y**2 + z**2)
    back = 1.0 - rounding / distance if distance > rounding else 0.0
    return float(
        (offset[0] + place[0] - back * x) ** 2
        + (offset[1] + place[1] - back * y) ** 2
        + (offset[2] + place[2] - back * z) ** 2
    )
