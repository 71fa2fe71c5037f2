"""PushBlock: push a block across a floor to the goal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import ENDED, PLAYING, AgentArrays, AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.examples.places import scatter
from mlagents_sim.keys import RUN_TURN_OR_STEP
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.boxes import Boxes, make_boxes, move, set_mover
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.physics.ray_casts import ABSENT, cast, ray_origins_of, shapes_of, turn_ray_origins
from mlagents_sim.physics.rules import run_turn_or_step
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import RaySensor, StackingSensor
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

# Time and rewards
MAX_STEP: Final = 5000
DECISION_PERIOD: Final = 5
STEP_REWARD: Final = -1.0 / MAX_STEP
GOAL_REWARD: Final = 5.0

# Motion, per physics step
GRAVITY: Final = 24.525
RUN_SPEED: Final = 3.0  # m/s
SIDE_SPEED: Final = 2.25  # m/s
TURN_RAD: Final = np.radians(4.0)
MASS_KG: Final = 10.0  # of the agent and of the block
AGENT_DRAG: Final = 4.0

# The area, in metres. Walls are 5 mm higher than Unity's: there agents sink in so far that the upper rays,
# whose spheres would only graze the walls, do see them.
AGENT, BLOCK, FLOOR, GOAL = range(4)
BLOCK_HEIGHT_M: Final = 0.75
CENTERS: Final = [
    (0.0, 0.5, 0.0),
    (0.0, 0.375, 4.0),
    (0.0, -0.5, 0.0),
    (0.0, -0.005, -10.5),
    (12.75, 0.5025, 0.0),
    (-12.75, 0.5025, 0.0),
    (0.0, 0.5025, 12.75),
    (0.0, 0.5025, -12.75),
]
SIZES: Final = [
    (1.0, 1.0, 1.0),
    (2.0, BLOCK_HEIGHT_M, 2.0),
    (25.0, 1.0, 25.0),
    (25.0, 3.0, 4.299),
    (0.5, 2.005, 26.0),
    (0.5, 2.005, 26.0),
    (25.0, 2.005, 0.5),
    (25.0, 2.005, 0.5),
]
START_HEIGHT_M: Final = 1.0  # half a metre above rest: everything falls into place
FIRST_YAW_RAD: Final = np.pi  # towards the goal
START_SPREAD_M: Final = 6.25
START_CLEARANCE_M: Final = 2.5  # along x and z from everything else

# What is seen
TAGS: Final = ("block", "goal", "wall")
TAG_OF_BOX: Final = (ABSENT, 0, ABSENT, 1, 2, 2, 2, 2)  # nothing looks down to the floor
RAYS_PER_DIRECTION: Final = 3
MAX_DEGREES: Final = 90.0
RAY_LENGTH_M: Final = 12.0
UPPER_RAYS_M: Final = 1.5
STACKED_FRAMES: Final = 3

PARAMETERS: Final = {
    "block_scale": Parameter("width and length of the block, m", 2.0, 0.5, 4.0),
    "dynamic_friction": Parameter("friction of the floor for what slides", 0.0, 0.0, 1.0),
    "static_friction": Parameter("friction of the floor for what rests", 0.0, 0.0, 1.0),
    "block_drag": Parameter("drag of the block, 1/s", 0.5, 0.0, 2000.0),
    "gravity": Parameter("gravity, m/s^2", GRAVITY, 4.0, 105.0),
}

# For spectators
COLORS: Final = (AGENT_BLUE, WHITE, FLOOR_GREY, GREEN, *[WALL_GREY] * 4)
STRIP_CENTER: Final = (0.0, 0.0, -10.425)
STRIP_HALF_SIZE: Final = (12.5, 0.02, 2.075)
AREAS_APART_M: Final = 40.0


# One physics step


@compiled
def _act(boxes: Boxes, agents: AgentArrays) -> None:
    """Run ahead or back, turn, or step aside."""
    for i in range(len(agents.reward)):
        agents.reward[i] += STEP_REWARD
        velocity, yaw = boxes.velocity[i, AGENT], boxes.yaw[i, AGENT]
        boxes.yaw[i, AGENT] = run_turn_or_step(agents.discrete[i, 0], velocity, yaw, RUN_SPEED, SIDE_SPEED, TURN_RAD)


@compiled
def _integrate(boxes: Boxes, agents: AgentArrays, gravity: NDArray[np.float64]) -> bool:
    """Advance by 0.02 s; a block that touches the goal ends the episode. Return whether any episode is over."""
    move(boxes, gravity[0])
    any_over = False
    for i in range(len(agents.reward)):
        if boxes.touches[i, BLOCK, GOAL] and agents.end[i] == PLAYING:
            agents.reward[i] += GOAL_REWARD
            agents.end[i] = ENDED
        any_over |= agents.end[i] != PLAYING
    return any_over


@compiled
def _advance(boxes: Boxes, agents: AgentArrays, gravity: NDArray[np.float64], steps: int) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for step in range(steps):
        count_step(agents)
        _act(boxes, agents)
        if interrupt(agents, MAX_STEP):
            return step, True
        if _integrate(boxes, agents, gravity):
            return step + 1, False
    return steps, False


# Agents


def _make_boxes(areas: int) -> Boxes:
    boxes = make_boxes(areas, 2, CENTERS, SIZES)
    set_mover(boxes, AGENT, MASS_KG, AGENT_DRAG)
    set_mover(boxes, BLOCK, MASS_KG, PARAMETERS["block_drag"].default)
    boxes.yaw[:, AGENT] = FIRST_YAW_RAD
    return boxes


class PushBlockAgents(AgentBatch):
    """The cubes. They see the block, the goal and the walls along rays at two heights, in the last three decisions.

    In Unity an area is turned by a quarter or more at every reset, with all that is in it. No agent can tell,
    so here it stays.

    Args:
      boxes: one row per agent.
      rng: source of start positions.
      parameters: `PARAMETERS`, read at every reset.

    Attributes:
      gravity: float64 [1], m/s^2, of all areas.
    """

    keys = RUN_TURN_OR_STEP

    def __init__(self, boxes: Boxes, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        count = len(boxes.yaw)
        self._rays = [
            RaySensor(name, TAGS, RAYS_PER_DIRECTION, MAX_DEGREES, RAY_LENGTH_M, start_height=height, end_height=height)
            for name, height in (("OffsetRayPerceptionSensor", UPPER_RAYS_M), ("RayPerceptionSensor", 0.0))
        ]
        stacks = [StackingSensor(sensor, STACKED_FRAMES, count) for sensor in self._rays]
        super().__init__("PushBlock?team=0", count, stacks, ActionSpec.create_discrete((7,)), MAX_STEP)
        self.gravity = np.array([GRAVITY])
        self._boxes = boxes
        self._rng = rng
        self._parameters = parameters
        self._shapes = shapes_of(boxes, TAG_OF_BOX)
        self._origins = ray_origins_of(boxes, AGENT, AGENT)
        self._state_arrays: dict[str, NDArray[Any]] = {"gravity": self.gravity, **boxes._asdict()}
        for sensor, stack in zip(self._rays, stacks, strict=True):
            self._state_arrays[sensor.spec.name] = stack.stack

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Put the block somewhere, then the agent, which keeps its direction."""
        boxes, count = self._boxes, len(rows)
        boxes.half_size[rows, BLOCK, 0] = boxes.half_size[rows, BLOCK, 2] = 0.5 * self._read("block_scale", count)
        boxes.drag[rows, BLOCK] = self._read("block_drag", count)
        boxes.friction[rows, FLOOR, 0] = self._read("static_friction", count)
        boxes.friction[rows, FLOOR, 1] = self._read("dynamic_friction", count)
        self.gravity[:] = self._read("gravity", 1)
        boxes.velocity[rows] = 0.0
        self._place(rows, BLOCK, (AGENT, GOAL))  # where the block was it lay lower
        self._place(rows, AGENT, (AGENT, BLOCK, GOAL))

    def _read(self, name: str, count: int) -> NDArray[np.float64]:
        return self._parameters.read(name, count)

    def _place(self, rows: NDArray[np.intp], box: int, obstacles: tuple[int, ...]) -> None:
        """Put a box where it is clear of where the obstacles, perhaps itself, are now."""
        scatter(self._boxes, self._rng, rows, box, obstacles, START_SPREAD_M, START_HEIGHT_M, START_CLEARANCE_M)

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return what the upper and the lower rays hit."""
        turn_ray_origins(self._origins, self._boxes.yaw[:, AGENT])
        agents = np.arange(len(self))[rows]
        return [cast(sensor.rays, self._shapes, self._origins, agents) for sensor in self._rays]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return gravity, boxes and what was seen."""
        return self._state_arrays

    def act(self) -> None:
        """Move; every step costs a little."""
        _act(self._boxes, self.arrays)


class PushBlockWorld(World):
    """Agents and blocks."""

    view = View(pitch_deg=45.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.boxes = _make_boxes(areas)
        self.push_block_agents = PushBlockAgents(self.boxes, rng, parameters)
        super().__init__([self.push_block_agents], DECISION_PERIOD, parameters)
        agents = self.push_block_agents
        self._advance = _advance.bind(self.boxes, agents.arrays, agents.gravity)

    def bodies(self) -> VisualGeoms:
        """Return the boxes with their colours; of the goal only a strip on the floor."""
        boxes = self.boxes
        place = boxes.position + side_by_side(len(boxes.yaw), AREAS_APART_M)[:, np.newaxis]
        place[:, GOAL] += STRIP_CENTER - np.array(CENTERS[GOAL])
        half_size = boxes.half_size.copy()
        half_size[:, GOAL] = STRIP_HALF_SIZE
        turned = yaw_rotations(boxes.yaw)
        return join(make_solids(place, half_size, COLORS, turned), make_faces(place[:, AGENT], turned[:, AGENT]))

    def agent_poses(self) -> list[Poses | None]:
        """Return where the agents are."""
        boxes = self.boxes
        place = boxes.position[:, AGENT] + side_by_side(len(boxes.yaw), AREAS_APART_M)
        return [Poses(place, yaw_rotations(boxes.yaw[:, AGENT]))]

    def integrate(self) -> None:
        """Move with contacts, and give the reward for the goal."""
        agents = self.push_block_agents
        _integrate(self.boxes, agents.arrays, agents.gravity)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        return self._advance(steps)


ENTRY = SimEntry(
    "PushBlock",
    expected_reward=4.5,
    description="Push a block across a floor to the goal.",
    make_world=PushBlockWorld,
    num_areas=32,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "PushBlock.onnx",
)
