"""PushBlockCollab: three cubes push blocks to the goal, some of which are too heavy for one or two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import ENDED, PLAYING, AgentArrays, AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.examples.places import scatter
from mlagents_sim.examples.teams import (
    AREAS_APART_M,
    CUBE_DRAG,
    CUBE_MASS_KG,
    DECISION_PERIOD,
    FLOOR_CENTER,
    FLOOR_SIZE,
    GRAVITY,
    RUN_SPEED,
    SIDE_SPEED,
    START_HEIGHT_M,
    START_SPREAD_M,
    TEAM,
    TURN_RAD,
    WALL_CENTERS,
    WALL_SIZES,
    make_origins,
    make_shapes,
)
from mlagents_sim.keys import RUN_TURN_OR_STEP
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.box_runners import look, perceive_body, run, take_out
from mlagents_sim.physics.boxes import Boxes, make_boxes, move, set_mover
from mlagents_sim.physics.cells import fill
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.physics.ray_casts import UNTAGGED
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import BodySensor, GridSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    FLOOR_GREY,
    GREEN,
    ORANGE,
    PURPLE,
    WALL_GREY,
    WHITE,
    VisualGeoms,
    join,
    make_faces,
    side_by_side,
    yaw_rotations,
)
from mlagents_sim.visual_geoms import make_boxes as make_solids

# Time and rewards
MAX_STEP: Final = 5000
STEP_REWARD: Final = -0.5 / MAX_STEP
BLOCK_REWARDS: Final = (1.0, 1.0, 2.0, 2.0, 3.0, 3.0)

# The boxes of an area: cubes, blocks, floor, walls
BLOCK_EDGES_M: Final = (1.0, 1.0, 2.0, 2.0, 3.0, 3.0)
BLOCK_MASSES_KG: Final = (10.0, 10.0, 100.0, 100.0, 150.0, 150.0)
BLOCK_HEIGHT_M: Final = 0.75
BLOCK_DRAG: Final = 0.5
BLOCKS: Final = len(BLOCK_EDGES_M)
MOVERS: Final = TEAM + BLOCKS
CENTERS: Final = [
    *[(2.0 * cube - 2.0, 0.5, 0.0) for cube in range(TEAM)],
    *[(4.0 * block - 10.0, 0.5 * BLOCK_HEIGHT_M, 5.0) for block in range(BLOCKS)],
    FLOOR_CENTER,
    *WALL_CENTERS,
]
SIZES: Final = [
    *[(1.0, 1.0, 1.0)] * TEAM,
    *[(edge, BLOCK_HEIGHT_M, edge) for edge in BLOCK_EDGES_M],
    FLOOR_SIZE,
    *WALL_SIZES,
]
CLEARANCE_M: Final = 0.5  # around what is placed, besides its own half edge
GOAL_CENTER: Final = (0.0, 0.0, -10.5)
GOAL_HALF_SIZE: Final = (12.5, 1.5, 2.15)
GOAL_FRONT_M: Final = GOAL_CENTER[2] + GOAL_HALF_SIZE[2]

# What is seen
TAGS: Final = ("wall", "agent", "goal", "blockSmall", "blockLarge", "blockVeryLarge")
WALL_TAG, AGENT_TAG, GOAL_TAG, SMALL_TAG = range(4)
TAG_OF_BOX: Final = [
    *[AGENT_TAG] * TEAM,
    *[SMALL_TAG + block // 2 for block in range(BLOCKS)],
    UNTAGGED,
    *[WALL_TAG] * len(WALL_CENTERS),
]
GOAL_SHAPE: Final = len(TAG_OF_BOX)
GRID_SIZE: Final = (20, 1, 20)
CELL_M: Final = (1.0, 0.5, 1.0)
GRID_AHEAD_M: Final = 10.0

PARAMETERS: Final = {"gravity": Parameter("gravity, m/s^2", GRAVITY, 4.0, 105.0)}

# For spectators
COLORS: Final = (
    *[AGENT_BLUE] * TEAM,
    *[color for color in (WHITE, ORANGE, PURPLE) for _ in range(2)],
    FLOOR_GREY,
    *[WALL_GREY] * len(WALL_CENTERS),
)
STRIP_HALF_SIZE: Final = (12.5, 0.02, 2.0)
STRIP_CENTER: Final = (0.0, 0.0, GOAL_FRONT_M - STRIP_HALF_SIZE[2])


class Areas(NamedTuple):
    """Areas with cubes and blocks, one row each.

    Attributes:
      boxes: cubes, blocks, floor, walls.
      is_done: bool [areas, blocks], whether a block was brought to the goal.
      gravity: float64 [1], m/s^2, of all areas.
    """

    boxes: Boxes
    is_done: NDArray[np.bool_]
    gravity: NDArray[np.float64]


def make_areas(count: int) -> Areas:
    """Return areas as they are before anything was placed."""
    boxes = make_boxes(count, MOVERS, CENTERS, SIZES)
    areas = Areas(boxes, np.zeros((count, BLOCKS), np.bool_), np.array([GRAVITY]))
    for cube in range(TEAM):
        set_mover(boxes, cube, CUBE_MASS_KG, CUBE_DRAG)
    for block in range(BLOCKS):
        set_mover(boxes, TEAM + block, BLOCK_MASSES_KG[block], BLOCK_DRAG, turned_by_contacts=True)
    return areas


# One physics step


@compiled
def _act(areas: Areas, agents: AgentArrays, group_reward: NDArray[np.float32]) -> None:
    """Move; every step costs the group a little."""
    for i in range(len(group_reward)):
        group_reward[i] += STEP_REWARD
    run(areas.boxes, agents.discrete, TEAM, RUN_SPEED, SIDE_SPEED, TURN_RAD)


@compiled
def _integrate(areas: Areas, agents: AgentArrays, group_reward: NDArray[np.float32]) -> bool:
    """Advance by 0.02 s; blocks at the goal are worth something and go. Return whether any episode is over."""
    boxes = areas.boxes
    move(boxes, areas.gravity[0])
    any_over = False
    for area in range(len(areas.is_done)):
        for block in range(BLOCKS):
            if not areas.is_done[area, block] and _is_at_goal(boxes, area, TEAM + block):
                areas.is_done[area, block] = True
                take_out(boxes, area, TEAM + block)
                for cube in range(TEAM):
                    group_reward[area * TEAM + cube] += BLOCK_REWARDS[block]
                    if areas.is_done[area].all() and agents.end[area * TEAM + cube] == PLAYING:
                        agents.end[area * TEAM + cube] = ENDED
        any_over |= agents.end[area * TEAM] != PLAYING
    return any_over


@compiled
def _is_at_goal(boxes: Boxes, area: int, box: int) -> bool:
    """Return whether a corner of a box is behind the front of the goal, which is as wide as the area."""
    yaw, half = boxes.yaw[area, box], boxes.half_size[area, box]
    extent = abs(np.sin(yaw)) * half[0] + abs(np.cos(yaw)) * half[2]
    return bool(boxes.position[area, box, 2] - extent <= GOAL_FRONT_M)


@compiled
def _advance(areas: Areas, agents: AgentArrays, group_reward: NDArray[np.float32], steps: int) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for step in range(steps):
        count_step(agents)
        _act(areas, agents, group_reward)
        if interrupt(agents, MAX_STEP):
            return step, True
        if _integrate(areas, agents, group_reward):
            return step + 1, False
    return steps, False


# Agents


class PushBlockCollabAgents(AgentBatch):
    """The cubes, three in each area, which are a group. They see what is in a grid ahead, and know where they are.

    In Unity an area is turned by a quarter or more at every reset, with all that is in it. No agent can tell, so here
    it stays.

    Args:
      areas: where they are.
      rng: source of places and directions.
      parameters: `PARAMETERS`, read at every reset.

    Attributes:
      group_reward: float32 [agents], earned by the agent's group since the agent's last report.
    """

    keys = RUN_TURN_OR_STEP

    def __init__(self, areas: Areas, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        count = TEAM * len(areas.is_done)
        self._grid = GridSensor("GridSensor-OneHot", TAGS, GRID_SIZE, CELL_M, center=(0.0, 0.0, GRID_AHEAD_M))
        sensors = [self._grid, BodySensor()]
        super().__init__("PushBlockCollab?team=0", count, sensors, ActionSpec.create_discrete((7,)), MAX_STEP)
        self.group_reward = self.assign_groups(1 + np.arange(count) // TEAM).reward
        self._areas = areas
        self._rng = rng
        self._parameters = parameters
        self._shapes = make_shapes(areas.boxes, TAG_OF_BOX, GOAL_TAG, GOAL_HALF_SIZE)
        self._shapes.center[:, GOAL_SHAPE] = GOAL_CENTER
        self._origins = make_origins(len(areas.is_done))
        self._state_arrays: dict[str, NDArray[Any]] = {
            **areas.boxes._asdict(),
            "is_done": areas.is_done,
            "gravity": areas.gravity,
        }

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Put the largest blocks somewhere, then the smaller ones and the cubes, all of them turned anywhere."""
        boxes, rng = self._areas.boxes, self._rng
        areas = np.unique(rows // TEAM)
        self._areas.is_done[areas] = False
        self._areas.gravity[:] = self._parameters.read("gravity", 1)
        boxes.velocity[areas] = boxes.spin[areas] = 0.0
        boxes.yaw[areas, :MOVERS] = rng.uniform(0.0, 2.0 * np.pi, (len(areas), MOVERS))
        placed: list[int] = []
        for box in reversed(range(MOVERS)):
            mass = CUBE_MASS_KG if box < TEAM else BLOCK_MASSES_KG[box - TEAM]
            boxes.inverse_mass[areas, box] = 1.0 / mass
            clearance = 0.5 * SIZES[box][0] + CLEARANCE_M
            scatter(boxes, rng, areas, box, placed, START_SPREAD_M, START_HEIGHT_M, clearance)
            placed.append(box)

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return what is in the cells of the grid, and how the cube stands and moves."""
        look(self._areas.boxes, self._shapes, self._origins)
        agents = np.arange(len(self))[rows]
        seen = fill(self._grid.grid, self._shapes, self._origins, agents)
        return [seen, perceive_body(self._areas.boxes, agents, TEAM)]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return gravity, boxes, and which blocks are at the goal."""
        return self._state_arrays

    def act(self) -> None:
        """Move; every step costs the group a little."""
        _act(self._areas, self.arrays, self.group_reward)


class PushBlockCollabWorld(World):
    """Cubes and blocks."""

    view = View(pitch_deg=50.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.areas = make_areas(areas)
        self.pushers = PushBlockCollabAgents(self.areas, rng, parameters)
        super().__init__([self.pushers], DECISION_PERIOD, parameters)
        self._advance = _advance.bind(self.areas, self.pushers.arrays, self.pushers.group_reward)

    def bodies(self) -> VisualGeoms:
        """Return the boxes with their colours, those that are done as specks in the floor, and a strip for the goal."""
        boxes = self.areas.boxes
        offset = side_by_side(len(boxes.yaw), AREAS_APART_M)
        place, half_size = boxes.position + offset[:, np.newaxis], boxes.half_size.copy()
        done = np.nonzero(self.areas.is_done)
        place[done[0], TEAM + done[1]] = place[done[0], MOVERS]
        half_size[done[0], TEAM + done[1]] = 0.01
        turned = yaw_rotations(boxes.yaw)
        cubes, faces = place[:, :TEAM].reshape(-1, 3), turned[:, :TEAM].reshape(-1, 3, 3)
        return join(
            make_solids(place, half_size, COLORS, turned),
            make_solids(offset + STRIP_CENTER, STRIP_HALF_SIZE, GREEN),
            make_faces(cubes, faces),
        )

    def integrate(self) -> None:
        """Move with contacts, and give the rewards for blocks at the goal."""
        agents = self.pushers
        _integrate(self.areas, agents.arrays, agents.group_reward)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        return self._advance(steps)


ENTRY = SimEntry(
    "PushBlockCollab",
    expected_reward=11.0,
    description="Push blocks to the goal, three together: some are too heavy for one or two.",
    make_world=PushBlockCollabWorld,
    num_areas=4,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "PushBlockCollab.onnx",
)
