"""GridWorld: walk over a grid, seen from above, to the goal and around the pits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.exception import UnitySideChannelException
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import ImageSensor

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

# Rules
MAX_STEP: Final = 100
STEP_REWARD: Final = -0.01
GOAL_REWARD: Final = 1.0
PIT_REWARD: Final = -1.0
STAY, UP, DOWN, LEFT, RIGHT = range(5)
_MOVES = np.array([(0, 0), (0, 1), (0, -1), (-1, 0), (1, 0)])  # (x, z)

# What is in a cell
EMPTY, GOAL, PIT, AGENT = range(4)
LARGEST_GRID: Final = 20

# The picture
HEIGHT: Final = 64
WIDTH: Final = 84
BAR: Final = 0.2  # thickness, in cells
WALL_COLOR: Final = (137, 139, 143)
FLOOR_COLOR: Final = (71, 74, 79)
GOAL_COLOR: Final = (140, 238, 151)
PIT_COLOR: Final = (238, 92, 75)
AGENT_COLOR: Final = (62, 195, 255)
_WALL: Final = 4
_VALUES = np.array([FLOOR_COLOR, GOAL_COLOR, PIT_COLOR, AGENT_COLOR, WALL_COLOR], np.float32) / np.float32(255.0)
_SQRT_HALF: Final = math.sqrt(0.5)

# For spectators
STEP_SECONDS: Final = 0.15
SUPERSAMPLING: Final = 4

PARAMETERS: Final = {
    "gridSize": Parameter("cells along each side", 5, 3, LARGEST_GRID),
    "numObstacles": Parameter("pits", 1, 0, 20),
    "numGoals": Parameter("goals", 1, 1, 20),
}


# The picture that agents see: the whole height of the grid, and walls beside it


@compiled
def _covers(thing: int, u: float, v: float) -> bool:
    """Return whether a thing covers a point of its cell.

    Args:
      thing: GOAL, two crossed bars; PIT, the same turned by 45 degrees; AGENT, a hollow square; others cover nothing.
      u: to the right from the middle of the cell, in cells.
      v: upwards, likewise.
    """
    if thing == PIT:
        u, v = _SQRT_HALF * (u + v), _SQRT_HALF * (u - v)
    u, v = abs(u), abs(v)
    if thing == AGENT:
        return max(u, v) >= 0.5 - BAR
    return thing in (GOAL, PIT) and min(u, v) <= 0.5 * BAR and max(u, v) <= 0.5


@compiled
def _draw(
    pictures: NDArray[np.float32],
    cells: NDArray[np.uint8],
    size: NDArray[np.int64],
    agent: NDArray[np.int64],
    values: NDArray[np.float32],
) -> None:
    """Draw one picture per agent.

    Args:
      pictures: float32 [n, 3, height, width]; every pixel is written.
      cells: [n, LARGEST_GRID, LARGEST_GRID], what is at (x, z).
      size: [n], cells along each side.
      agent: [n, 2], where the agent is.
      values: float32 [5, 3], the colours of the things.
    """
    n, _, height, width = pictures.shape
    for i in range(n):
        per_pixel = size[i] / height
        for row in range(height):
            z = size[i] - (row + 0.5) * per_pixel
            cell_z = int(z)
            for column in range(width):
                x = 0.5 * size[i] + (column + 0.5 - 0.5 * width) * per_pixel
                cell_x = math.floor(x)
                thing = _WALL
                if 0 <= cell_x < size[i]:
                    u, v = x - cell_x - 0.5, z - cell_z - 0.5
                    thing = cells[i, cell_x, cell_z]
                    if agent[i, 0] == cell_x and agent[i, 1] == cell_z and _covers(AGENT, u, v):
                        thing = AGENT
                    elif not _covers(thing, u, v):
                        thing = EMPTY
                for channel in range(3):
                    pictures[i, channel, row, column] = values[thing, channel]


# Agents


class GridAgents(AgentBatch):
    """One agent per grid. It sees the grid from above, and knows which moves lead into a wall.

    Args:
      count: grids.
      rng: source of what is where.
      parameters: `PARAMETERS`, read at every reset.

    Attributes:
      cells: uint8 [agents, LARGEST_GRID, LARGEST_GRID], EMPTY, GOAL or PIT at (x, z).
      size: int64 [agents], cells along each side.
      position: int64 [agents, 2], x and z of the agent.
    """

    keys = (
        Keys(("up", "w"), "go up", choice=(0, UP)),
        Keys(("down", "s"), "go down", choice=(0, DOWN)),
        Keys(("left", "a"), "go left", choice=(0, LEFT)),
        Keys(("right", "d"), "go right", choice=(0, RIGHT)),
        Keys(("space",), "stay", choice=(0, STAY)),
    )

    def __init__(self, count: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        sensors = [ImageSensor(HEIGHT, WIDTH, name="CameraSensor")]
        super().__init__("GridWorld?team=0", count, sensors, ActionSpec.create_discrete((len(_MOVES),)), MAX_STEP)
        self._rng = rng
        self._parameters = parameters
        self.cells: NDArray[np.uint8] = np.zeros((count, LARGEST_GRID, LARGEST_GRID), np.uint8)
        self.size: NDArray[np.int64] = np.full(count, int(PARAMETERS["gridSize"].default), np.int64)
        self.position: NDArray[np.int64] = np.zeros((count, 2), np.int64)

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Put pits, then goals, then the agent into different random cells.

        Raises:
          UnitySideChannelException: there is not room for them all.
        """
        self.size[rows] = self._parameters.read("gridSize", len(rows))
        self.cells[rows] = EMPTY
        pits, goals = (self._parameters.read(name, len(rows)).astype(int) for name in ("numObstacles", "numGoals"))
        for row, size, pit_count, goal_count in zip(rows, self.size[rows], pits, goals, strict=True):
            objects = [PIT] * pit_count + [GOAL] * goal_count
            if len(objects) >= size**2:
                raise UnitySideChannelException(
                    f"GridWorld: numObstacles {pit_count}, numGoals {goal_count} and the agent do not fit into the"
                    f" {size**2} cells of gridSize {size}; make the grid larger, or have fewer of them."
                )
            x, z = np.divmod(self._rng.permutation(size**2)[: len(objects) + 1], size)
            self.cells[row, x[:-1], z[:-1]] = objects
            self.position[row] = x[-1], z[-1]

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return the picture."""
        size = self.size[rows]
        pictures = np.empty((len(size), 3, HEIGHT, WIDTH), np.float32)
        _draw(pictures, self.cells[rows], size, self.position[rows], _VALUES)
        return [pictures]

    def action_mask(self) -> list[NDArray[np.bool_]]:
        """Forbid moves out of the grid."""
        mask = np.zeros((len(self), len(_MOVES)), np.bool_)
        last = self.size - 1
        x, z = self.position.T
        mask[:, UP], mask[:, DOWN], mask[:, LEFT], mask[:, RIGHT] = z == last, z == 0, x == 0, x == last
        return [mask]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return what is where."""
        return {"cells": self.cells, "size": self.size, "position": self.position}

    def act(self) -> None:
        """Move unless there is a wall. A step costs a little; instead, a goal pays and a pit costs, and both end."""
        target = self.position + _MOVES[self.actions.discrete[:, 0]]
        inside = ((target >= 0) & (target < self.size[:, np.newaxis])).all(axis=1)
        self.position[inside] = target[inside]
        found = self.cells[np.arange(len(self)), self.position[:, 0], self.position[:, 1]]
        self.add_reward(STEP_REWARD)
        self.set_reward(GOAL_REWARD, found == GOAL)
        self.set_reward(PIT_REWARD, found == PIT)
        self.end_episode(found != EMPTY)


# World


class GridWorld(World):
    """Grids, and a decision on every step."""

    step_seconds = STEP_SECONDS
    turn_based = True

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.grids = GridAgents(areas, rng, parameters)
        super().__init__([self.grids], 1, parameters)

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return all grids from above, larger than the agents see them."""
        from PIL import Image, ImageDraw

        count = len(self.grids)
        columns = math.ceil(math.sqrt(count))
        side = SUPERSAMPLING * min(width // columns, height // math.ceil(count / columns))
        image = Image.new("RGB", (SUPERSAMPLING * width, SUPERSAMPLING * height), WALL_COLOR)
        for grid in range(count):
            left = (image.width - columns * side) // 2 + grid % columns * side
            top = (image.height - math.ceil(count / columns) * side) // 2 + grid // columns * side
            self._paint(ImageDraw.Draw(image), grid, left, top, side)
        return np.asarray(image.resize((width, height), Image.Resampling.BOX))

    def _paint(self, draw: ImageDraw, grid: int, left: int, top: int, side: int) -> None:
        """Draw one grid with half a cell of wall around it."""
        size = int(self.grids.size[grid])
        cell = side / (size + 1)
        for x in range(size):
            for z in range(size):
                u, v = left + (x + 1) * cell, top + (size - z) * cell  # the middle
                shade = 4 if (x + z) % 2 else 0
                floor = tuple(part - shade for part in FLOOR_COLOR)
                draw.rectangle(_square(u, v, 0.5 * cell), floor)
                _paint_thing(draw, int(self.grids.cells[grid, x, z]), u, v, cell)
        x, z = self.grids.position[grid].tolist()
        _paint_thing(draw, AGENT, left + (x + 1) * cell, top + (size - z) * cell, cell)


def _paint_thing(draw: ImageDraw, thing: int, u: float, v: float, cell: float) -> None:
    reach, bar = 0.5 * cell, round(BAR * cell)
    if thing == AGENT:
        draw.rounded_rectangle(_square(u, v, 0.96 * reach), 0.3 * reach, outline=AGENT_COLOR, width=bar)
    elif thing == GOAL:
        reach *= 0.9
        draw.line((u - reach, v, u + reach, v), GOAL_COLOR, bar)
        draw.line((u, v - reach, u, v + reach), GOAL_COLOR, bar)
    elif thing == PIT:
        reach *= 0.9 * _SQRT_HALF
        draw.line((u - reach, v - reach, u + reach, v + reach), PIT_COLOR, bar)
        draw.line((u - reach, v + reach, u + reach, v - reach), PIT_COLOR, bar)


def _square(u: float, v: float, reach: float) -> tuple[float, float, float, float]:
    return (u - reach, v - reach, u + reach, v + reach)


ENTRY = SimEntry(
    "GridWorld",
    expected_reward=0.8,
    description="Walk over a grid to the goal and around the pits, seen from above.",
    make_world=GridWorld,
    num_areas=9,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "GridWorld.onnx",
)
