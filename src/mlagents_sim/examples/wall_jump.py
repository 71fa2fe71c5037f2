"""WallJump: jump over a wall to the goal behind it; if it is too high, from a block that is pushed to its foot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.behavior_id import BehaviorId
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.examples.wall_jump_motion import (
    AGENT,
    BLOCK,
    GOAL_CENTER,
    GOAL_HALF_SIZE,
    MAX_STEP,
    WALL,
    Jumps,
    act,
    advance,
    integrate,
    perceive_own_state,
)
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.boxes import Boxes, make_boxes, set_mover
from mlagents_sim.physics.ray_casts import ABSENT, Shapes, cast, ray_origins_of, turn_ray_origins
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import RaySensor, Sensor, StackingSensor, VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    FLOOR_GREY,
    GREEN,
    WALL_GREY,
    WHITE,
    Poses,
    VisualGeoms,
    join,
    make_faces,
    side_by_side,
    yaw_rotations,
)
from mlagents_sim.visual_geoms import make_boxes as make_solids

DECISION_PERIOD: Final = 5

# Motion: how agents run and jump is in wall_jump_motion.py
GRAVITY: Final = 26.9775
AGENT_MASS_KG: Final = 25.0
AGENT_DRAG: Final = 2.0
BLOCK_MASS_KG: Final = 10.0
BLOCK_DRAG: Final = 1.0

# The area, in metres
BLOCK_HEIGHT_M: Final = 1.5  # of its middle, at which it is held
CENTERS: Final = [(0.0, 1.0, -12.0), (0.0, BLOCK_HEIGHT_M, -8.0), (0.0, -0.05, -4.0), (0.0, 0.0, -1.98)]
SIZES: Final = [(1.0, 1.0, 1.0), (3.0, 2.0, 3.0), (21.0, 1.0, 21.0), (20.0, 1.0, 1.5)]
NO_WALL_M: Final = 0.01  # lower ones are not there
AWAY_M: Final = -1000.0
AGENT_SPREAD_M: Final = 9.0
BLOCK_SPREAD_M: Final = (8.1, 3.5)
BLOCK_START_Z: Final = -6.27
FIRST_YAW_RAD: Final = math.pi
CONFIGURATIONS: Final = 5  # no wall, a small one, and big ones

# What is seen
TAGS: Final = ("wall", "goal", "block")
SEEN_BLOCK, SEEN_WALL, SEEN_GOAL = range(3)
RAYS_PER_DIRECTION: Final = 3
MAX_DEGREES: Final = 90.0
RAY_LENGTH_M: Final = 20.0
STACKED_FRAMES: Final = 6

PARAMETERS: Final = {
    "gravity": Parameter("gravity, m/s^2", GRAVITY, 4.0, 105.0),
    "no_wall_height": Parameter("height of the wall where there is none, m", 0.0, 0.0, 12.0),
    "small_wall_height": Parameter("height of the small wall, m", 4.0, 0.0, 12.0),
    "big_wall_height": Parameter(
        "height of the big wall, m; if negative, drawn from big_wall_min_height to big_wall_max_height",
        -1.0,
        -1.0,
        12.0,
    ),
    "big_wall_min_height": Parameter("least height of the big wall, m", 8.0, 0.0, 12.0),
    "big_wall_max_height": Parameter("greatest height of the big wall, m", 8.0, 0.0, 12.0),
}

# For spectators
COLORS: Final = (AGENT_BLUE, WHITE, FLOOR_GREY, WALL_GREY)
GOAL_PLATE_HALF_SIZE: Final = (2.0, 0.02, 2.0)
GOAL_PLATE_CENTER: Final = (6.37, 0.47, 2.93)
AREAS_APART_M: Final = 28.0


# Areas


def _make_boxes(areas: int) -> Boxes:
    boxes = make_boxes(areas, 2, CENTERS, SIZES)
    set_mover(boxes, AGENT, AGENT_MASS_KG, AGENT_DRAG, turned_by_contacts=True)
    set_mover(boxes, BLOCK, BLOCK_MASS_KG, BLOCK_DRAG)
    boxes.inverse_mass[:, BLOCK, 1] = 0.0
    boxes.yaw[:, AGENT] = FIRST_YAW_RAD
    return boxes


class Areas:
    """Floors, walls, blocks and agents, whichever behavior the agents play as.

    Args:
      count: areas.
      rng: source of walls and places.
      parameters: `PARAMETERS`, read at every reset.

    Attributes:
      boxes: one row per area.
      jumps: likewise.
      shapes: what rays hit.
      origins: of the agents.
      gravity: float64 [1], m/s^2, of all areas.
    """

    def __init__(self, count: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.boxes = _make_boxes(count)
        self.jumps = Jumps(np.zeros(count, np.bool_), np.zeros(count, np.int64), np.zeros(count))
        self.shapes = Shapes(
            center=np.zeros((count, 3, 3)),
            rotation=np.tile(np.eye(3), (count, 3, 1, 1)),
            half_size=np.zeros((count, 3, 3)),
            rounding=np.zeros((count, 3)),
            tag=np.tile(np.array((2, 0, 1)), (count, 1)),
        )
        self.shapes.center[:, SEEN_GOAL], self.shapes.half_size[:, SEEN_GOAL] = GOAL_CENTER, GOAL_HALF_SIZE
        self.origins = ray_origins_of(self.boxes, AGENT)
        self.gravity = np.array([GRAVITY])
        self._rng = rng
        self._parameters = parameters

    def arrange(self, rows: NDArray[np.intp]) -> None:
        """Choose a wall for each of the areas `rows`, and with it a behavior; put block and agent somewhere."""
        boxes, rng, count = self.boxes, self._rng, len(rows)
        configuration = rng.integers(CONFIGURATIONS, size=count)
        self.jumps.is_big[rows] = configuration >= 2
        self._build_walls(rows, configuration)
        self.gravity[:] = self._parameters.read("gravity", 1)
        boxes.velocity[rows] = 0.0
        boxes.position[rows, BLOCK, 0] = rng.uniform(-BLOCK_SPREAD_M[0], BLOCK_SPREAD_M[0], count)
        boxes.position[rows, BLOCK, 1] = BLOCK_HEIGHT_M
        boxes.position[rows, BLOCK, 2] = BLOCK_START_Z + rng.uniform(-BLOCK_SPREAD_M[1], BLOCK_SPREAD_M[1], count)
        boxes.position[rows, AGENT] = CENTERS[AGENT]
        boxes.position[rows, AGENT, 0] = rng.uniform(-AGENT_SPREAD_M, AGENT_SPREAD_M, count)

    def _build_walls(self, rows: NDArray[np.intp], configuration: NDArray[np.int64]) -> None:
        read, count = self._parameters.read, len(rows)
        fixed, low, high = (read(f"big_wall_{name}height", count) for name in ("", "min_", "max_"))
        drawn = self._rng.uniform(np.minimum(low, high), high)
        big = np.where(fixed < 0.0, drawn, fixed)
        walls = (read("no_wall_height", count), read("small_wall_height", count), big)
        height = np.choose(np.minimum(configuration, 2), walls)
        self.boxes.half_size[rows, WALL, 1] = 0.5 * height
        self.boxes.position[rows, WALL, 1] = np.where(height < NO_WALL_M, AWAY_M, CENTERS[WALL][1])

    def look(self) -> None:
        """Bring what rays hit, and where they begin, up to date."""
        boxes, shapes = self.boxes, self.shapes
        for seen, box in ((SEEN_BLOCK, BLOCK), (SEEN_WALL, WALL)):
            shapes.center[:, seen], shapes.half_size[:, seen] = boxes.position[:, box], boxes.half_size[:, box]
        shapes.tag[:, SEEN_WALL] = np.where(boxes.position[:, WALL, 1] == AWAY_M, ABSENT, 0)
        turn_ray_origins(self.origins, boxes.yaw[:, AGENT])


# Agents


class WallJumpAgents(AgentBatch):
    """The cubes that play as one of the two behaviors: a row for every area, absent where the other one plays.

    In Unity an agent that is to change its behavior does so one physics step after its episode began; here it
    does at once.

    Args:
      areas: shared by both behaviors.
      big: whether this is BigWallJump.
    """

    keys = (
        Keys(("up", "w"), "run ahead", choice=(0, 1)),
        Keys(("down", "s"), "run back", choice=(0, 2)),
        Keys(("left", "a"), "turn left", choice=(1, 1)),
        Keys(("right", "d"), "turn right", choice=(1, 2)),
        Keys(("q",), "step to the left", choice=(2, 1)),
        Keys(("e",), "step to the right", choice=(2, 2)),
        Keys(("space",), "jump", choice=(3, 1)),
    )
    partner: WallJumpAgents

    def __init__(self, areas: Areas, *, big: bool) -> None:
        count = len(areas.boxes.yaw)
        heights = (("OffsetRayPerceptionSensor", 2.5, 5.0), ("RayPerceptionSensor", 0.0, 0.0))
        self._rays = [
            RaySensor(name, TAGS, RAYS_PER_DIRECTION, MAX_DEGREES, RAY_LENGTH_M, start_height=start, end_height=end)
            for name, start, end in heights
        ]
        sensors: list[Sensor] = [*self._rays, VectorSensor(4)]
        stacks = [StackingSensor(sensor, STACKED_FRAMES, count) for sensor in sensors]
        behavior = str(BehaviorId(f"{'Big' if big else 'Small'}WallJump"))
        super().__init__(behavior, count, stacks, ActionSpec.create_discrete((3, 3, 3, 2)), MAX_STEP)
        self._areas = areas
        self._big = big
        self._state_arrays: dict[str, NDArray[Any]] = {
            **areas.boxes._asdict(),
            "gravity": areas.gravity,
            "is_big": areas.jumps.is_big,
            "jump_steps": areas.jumps.steps,
            "jump_start": areas.jumps.start,
            **{stack.spec.name: stack.stack for stack in stacks},
        }

    def deciding(self) -> NDArray[np.intp]:
        """Return the areas whose agents play as this behavior now."""
        return np.flatnonzero(self._areas.jumps.is_big == self._big)

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Arrange the areas `rows` anew; some of their agents go on as the other behavior."""
        self._areas.arrange(rows)
        self.partner.admit(rows[self._areas.jumps.is_big[rows] != self._big])

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return what the upper and the lower rays hit, where the agent is, and whether it could jump."""
        areas = self._areas
        areas.look()
        agents = np.arange(len(self))[rows]
        seen = [cast(sensor.rays, areas.shapes, areas.origins, agents) for sensor in self._rays]
        return [*seen, perceive_own_state(areas.boxes, agents)]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return gravity, boxes, jumps, who plays as what, and what was seen."""
        return self._state_arrays

    def act(self) -> None:
        """Move; every step costs a little, a fall much."""
        act(self._areas.boxes, self._areas.jumps, self.arrays, self._big)


class WallJumpWorld(World):
    """Agents, walls and blocks."""

    view = View(pitch_deg=35.0, yaw_deg=-25.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.areas = rooms = Areas(areas, rng, parameters)
        self.small, self.big = (WallJumpAgents(rooms, big=big) for big in (False, True))
        self.small.partner, self.big.partner = self.big, self.small
        super().__init__([self.big, self.small], DECISION_PERIOD, parameters)
        self._advance = advance.bind(rooms.boxes, rooms.jumps, self.small.arrays, self.big.arrays, rooms.gravity)

    def bodies(self) -> VisualGeoms:
        """Return the boxes with their colours, and a plate on the floor for the goal."""
        boxes = self.areas.boxes
        offset = side_by_side(len(boxes.yaw), AREAS_APART_M)
        place = boxes.position + offset[:, np.newaxis]
        place[:, WALL, 1] = CENTERS[WALL][1]
        turned = yaw_rotations(boxes.yaw)
        return join(
            make_solids(place, np.maximum(boxes.half_size, 0.01), COLORS, turned),
            make_solids(offset + GOAL_PLATE_CENTER, GOAL_PLATE_HALF_SIZE, GREEN),
            make_faces(place[:, AGENT], turned[:, AGENT]),
        )

    def agent_poses(self) -> list[Poses | None]:
        """Return where the agents are."""
        boxes = self.areas.boxes
        place = boxes.position[:, AGENT] + side_by_side(len(boxes.yaw), AREAS_APART_M)
        return [Poses(place, yaw_rotations(boxes.yaw[:, AGENT]))] * 2

    def integrate(self) -> None:
        """Move with contacts, and give the reward for the goal."""
        areas = self.areas
        integrate(areas.boxes, areas.jumps, self.small.arrays, self.big.arrays, areas.gravity)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        return self._advance(steps)


ENTRY = SimEntry(
    "WallJump",
    expected_reward=0.8,
    description="Jump over a wall to the goal, if it is too high from a block that is pushed to its foot.",
    make_world=WallJumpWorld,
    num_areas=24,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "WallJump",
)
