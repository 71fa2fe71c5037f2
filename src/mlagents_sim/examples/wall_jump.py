"""WallJump: jump over a wall to the goal behind it; if it is too high, from a block that is pushed to its foot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple, DecisionSteps
from mlagents_envs.behavior_id import BehaviorId
from mlagents_sim.academy import World
from mlagents_sim.agent import ENDED, PLAYING, AgentArrays, AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.boxes import Boxes, make_boxes, move, set_mover
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.physics.ray_casts import ABSENT, Shapes, cast, ray_origins_of, turn_ray_origins
from mlagents_sim.physics.rules import TIME_STEP_S
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import RaySensor, Sensor, StackingSensor, VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    FLOOR_GREY,
    GREEN,
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
MAX_STEP: Final = 2000
DECISION_PERIOD: Final = 5
STEP_REWARD: Final = -0.0005
GOAL_REWARD: Final = 1.0
FALL_REWARD: Final = -1.0

# Motion, per physics step
GRAVITY: Final = 26.9775
RUN_SPEED: Final = 3.0  # m/s
SIDEWAYS: Final = 0.6  # part of it
IN_THE_AIR: Final = 0.5  # part of it
TURN_RAD: Final = np.radians(6.0)
JUMP_HEIGHT_M: Final = 2.75
JUMP_STEPS: Final = 11  # 0.2 s count down by 0.02 s; in single precision a little is left after ten
JUMP_STIFFNESS: Final = 777.0 * TIME_STEP_S  # wanted speed per metre, 1/s
JUMP_SPEED_CHANGE: Final = 10.0  # m/s
FALL_ACCELERATION: Final = 111.0  # m/s^2, beyond gravity
AGENT_MASS_KG: Final = 25.0
AGENT_DRAG: Final = 2.0
BLOCK_MASS_KG: Final = 10.0
BLOCK_DRAG: Final = 1.0

# The area, in metres
AGENT, BLOCK, FLOOR, WALL = range(4)
BLOCK_HEIGHT_M: Final = 1.5  # of its middle, at which it is held
CENTERS: Final = [(0.0, 1.0, -12.0), (0.0, BLOCK_HEIGHT_M, -8.0), (0.0, -0.05, -4.0), (0.0, 0.0, -1.98)]
SIZES: Final = [(1.0, 1.0, 1.0), (3.0, 2.0, 3.0), (21.0, 1.0, 21.0), (20.0, 1.0, 1.5)]
GOAL_CENTER: Final = (6.37, 2.99, 2.93)
GOAL_HALF_SIZE: Final = (2.0, 2.5, 2.0)
NO_WALL_M: Final = 0.01  # lower ones are not there
AWAY_M: Final = -1000.0
AGENT_SPREAD_M: Final = 9.0
BLOCK_SPREAD_M: Final = (8.1, 3.5)
BLOCK_START_Z: Final = -6.27
FIRST_YAW_RAD: Final = math.pi
CONFIGURATIONS: Final = 5  # no wall, a small one, and big ones

# What counts as standing on something: near below the middle, or anywhere just below
GROUND_RAY_M: Final = 1.0
GROUND_BOX: Final = (0.475, 0.5)  # half its width, half its height
GROUND_DROP_M: Final = 0.05

# What is seen
TAGS: Final = ("wall", "goal", "block")
SEEN_BLOCK, SEEN_WALL, SEEN_GOAL = range(3)
RAYS_PER_DIRECTION: Final = 3
MAX_DEGREES: Final = 90.0
RAY_LENGTH_M: Final = 20.0
STACKED_FRAMES: Final = 6
GROUND: Final = (0.0, 0.0, -4.0)
POSITION_SCALE: Final = 1.0 / 20.0

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


class Jumps(NamedTuple):
    """What is to be known of each area besides its boxes.

    Attributes:
      is_big: bool [areas], whether the agent plays as BigWallJump.
      steps: int64 [areas], physics steps for which a jump still lifts the agent.
      start: float64 [areas], height at which the jump began, m.
    """

    is_big: NDArray[np.bool_]
    steps: NDArray[np.int64]
    start: NDArray[np.float64]


# Where an agent is


@compiled
def _overlaps(boxes: Boxes, area: int, half: float, cx: float, cz: float, hx: float, hz: float) -> bool:
    """Whether a square that is turned with the agent overlaps an upright rectangle that is not turned, from above."""
    position, yaw = boxes.position[area, AGENT], boxes.yaw[area, AGENT]
    dx, dz = position[0] - cx, position[2] - cz
    c, s = math.cos(yaw), math.sin(yaw)
    reach = half * (abs(c) + abs(s))
    if abs(dx) >= hx + reach or abs(dz) >= hz + reach:
        return False
    across = abs(c) * hx + abs(s) * hz, abs(s) * hx + abs(c) * hz
    return bool(abs(c * dx - s * dz) < half + across[0] and abs(s * dx + c * dz) < half + across[1])


@compiled
def is_near_ground(boxes: Boxes, area: int) -> bool:
    """Whether there is something to stand on less than about half a metre below the agent's middle."""
    position = boxes.position[area, AGENT]
    for box in range(BLOCK, WALL + 1):
        center, half = boxes.position[area, box], boxes.half_size[area, box]
        below = position[1] - GROUND_DROP_M - center[1] - half[1]
        if (
            0.0 <= below <= GROUND_RAY_M
            and abs(position[0] - center[0]) <= half[0]
            and abs(position[2] - center[2]) <= half[2]
        ):
            return True
    return False


@compiled
def is_on_ground(boxes: Boxes, area: int) -> bool:
    """Whether any part of the agent stands on something."""
    position = boxes.position[area, AGENT]
    width, height = GROUND_BOX
    for box in range(BLOCK, WALL + 1):
        center, half = boxes.position[area, box], boxes.half_size[area, box]
        if abs(position[1] - GROUND_DROP_M - center[1]) < height + half[1] and _overlaps(
            boxes, area, width, center[0], center[2], half[0], half[2]
        ):
            return True
    return False


@compiled
def _is_in_goal(boxes: Boxes, area: int) -> bool:
    above = abs(boxes.position[area, AGENT, 1] - GOAL_CENTER[1])
    return above < GOAL_HALF_SIZE[1] + boxes.half_size[area, AGENT, 1] and _overlaps(
        boxes,
        area,
        boxes.half_size[area, AGENT, 0],
        GOAL_CENTER[0],
        GOAL_CENTER[2],
        GOAL_HALF_SIZE[0],
        GOAL_HALF_SIZE[2],
    )


@compiled
def _is_above(boxes: Boxes, area: int, mover: int, box: int) -> bool:
    """Whether the middle of a mover is above another box."""
    position, center, half = boxes.position[area, mover], boxes.position[area, box], boxes.half_size[area, box]
    return bool(
        position[1] >= center[1] + half[1]
        and abs(position[0] - center[0]) <= half[0]
        and abs(position[2] - center[2]) <= half[2]
    )


# One physics step


@compiled
def _run(boxes: Boxes, area: int, choices: NDArray[np.int32], jumps: Jumps) -> None:
    """Run, step aside, turn, jump, fall."""
    velocity, position = boxes.velocity[area, AGENT], boxes.position[area, AGENT]
    stands = is_on_ground(boxes, area)
    scale = 1.0 if stands else IN_THE_AIR
    c, s = math.cos(boxes.yaw[area, AGENT]), math.sin(boxes.yaw[area, AGENT])
    dx, dz = 0.0, 0.0
    if choices[0] != 0:
        ahead = scale if choices[0] == 1 else -scale
        dx, dz = ahead * s, ahead * c
    if choices[2] != 0:
        right = SIDEWAYS * (scale if choices[2] == 2 else -scale)
        dx, dz = right * c, -right * s
    if choices[3] == 1 and jumps.steps[area] == 0 and is_near_ground(boxes, area):
        jumps.steps[area] = JUMP_STEPS
        jumps.start[area] = position[1]
    if choices[1] == 1:
        boxes.yaw[area, AGENT] -= TURN_RAD
    elif choices[1] == 2:
        boxes.yaw[area, AGENT] += TURN_RAD
    if jumps.steps[area] > 0:
        _lift(velocity, dx, jumps.start[area] + JUMP_HEIGHT_M - position[1], dz)
        jumps.steps[area] -= 1
    elif not stands:
        velocity[1] -= FALL_ACCELERATION * TIME_STEP_S
    velocity[0] += RUN_SPEED * dx
    velocity[2] += RUN_SPEED * dz


@compiled
def _lift(velocity: NDArray[np.float64], dx: float, dy: float, dz: float) -> None:
    """Let the velocity come nearer to what leads to a place that is so far away, m, but not by too much at once."""
    x = JUMP_STIFFNESS * dx - velocity[0]
    y = JUMP_STIFFNESS * dy - velocity[1]
    z = JUMP_STIFFNESS * dz - velocity[2]
    change = math.sqrt(x * x + y * y + z * z)
    part = JUMP_SPEED_CHANGE / change if change > JUMP_SPEED_CHANGE else 1.0
    velocity[0] += part * x
    velocity[1] += part * y
    velocity[2] += part * z


@compiled
def _act(boxes: Boxes, jumps: Jumps, agents: AgentArrays, big: bool) -> None:
    """Move the agents of one behavior; the episode is over if they, or the block, have no ground below."""
    for i in range(len(agents.reward)):
        if jumps.is_big[i] != big:
            agents.step_count[i] = 0
            continue
        agents.reward[i] += STEP_REWARD
        _run(boxes, i, agents.discrete[i], jumps)
        agent_is_safe = _is_above(boxes, i, AGENT, FLOOR) or _is_above(boxes, i, AGENT, BLOCK)
        if not (agent_is_safe and _is_above(boxes, i, BLOCK, FLOOR)):
            agents.reward[i] = FALL_REWARD
            agents.end[i] = ENDED


@compiled
def _integrate(boxes: Boxes, jumps: Jumps, small: AgentArrays, big: AgentArrays, gravity: NDArray[np.float64]) -> bool:
    """0.02 s of physics; who stands in the goal ends the episode. Returns whether any episode is over."""
    move(boxes, gravity[0])
    any_over = False
    for i in range(len(jumps.is_big)):
        agents = big if jumps.is_big[i] else small
        if agents.end[i] == PLAYING and _is_in_goal(boxes, i) and is_near_ground(boxes, i):
            agents.reward[i] = GOAL_REWARD
            agents.end[i] = ENDED
        any_over |= agents.end[i] != PLAYING
    return any_over


@compiled
def _advance(
    boxes: Boxes, jumps: Jumps, small: AgentArrays, big: AgentArrays, gravity: NDArray[np.float64], steps: int
) -> tuple[int, bool]:
    """`World.advance` in one call."""
    for step in range(steps):
        count_step(small)
        count_step(big)
        _act(boxes, jumps, small, False)
        _act(boxes, jumps, big, True)
        small_over, big_over = interrupt(small, MAX_STEP), interrupt(big, MAX_STEP)
        if small_over or big_over:
            return step, True
        if _integrate(boxes, jumps, small, big, gravity):
            return step + 1, False
    return steps, False


@compiled
def _perceive_own_state(boxes: Boxes, agents: NDArray[np.intp]) -> NDArray[np.float32]:
    """float32 [n, 4]: position from the middle of the floor, scaled; 1 if there is something to stand on, else 0."""
    result = np.empty((len(agents), 4), np.float32)
    for row in range(len(agents)):
        area = agents[row]
        for axis in range(3):
            result[row, axis] = POSITION_SCALE * (boxes.position[area, AGENT, axis] - GROUND[axis])
        result[row, 3] = 1.0 if is_near_ground(boxes, area) else 0.0
    return result


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
      count: Areas.
      rng: Source of walls and places.
      parameters: `PARAMETERS`, read at every reset.

    Attributes:
      boxes: One row per area.
      jumps: Likewise.
      shapes: What rays hit.
      origins: Of the agents.
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
    """The cubes, as far as they play as one of the two behaviors: a row for every area, of which some are absent.

    In Unity an agent that is to change its behavior does so one physics step after its episode began; here it
    does at once.

    Args:
      areas: Shared by both behaviors.
      big: Whether this is BigWallJump.
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

    def present(self) -> NDArray[np.intp]:
        """The areas whose agents play as this behavior now."""
        return np.flatnonzero(self._areas.jumps.is_big == self._big)

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Arrange the areas `rows` anew; some of their agents go on as the other behavior."""
        self._areas.arrange(rows)
        self.partner.take_over(rows)
        leaving = rows[self._areas.jumps.is_big[rows] != self._big]
        self._reward[leaving] = 0.0

    def take_over(self, rows: NDArray[np.intp]) -> None:
        """Be ready for agents that played as the other behavior; an end before they decide is kept quiet."""
        self._step_count[rows] = 0
        self._end[rows] = PLAYING
        self._reward[rows] = 0.0
        self._reported_end[rows] = True
        self.actions.clear(rows)
        for sensor in self._sensors:
            sensor.clear(rows)

    def decision_steps(self) -> DecisionSteps:
        """What the agents that play as this behavior report when they ask for actions."""
        rows = self.present()
        steps = DecisionSteps(
            self._observations(rows),
            self._reward[rows],
            self.agent_id[rows],
            [mask[rows] for mask in self.action_mask()],
            *self._take_group_columns(rows),
        )
        self._reward[:] = 0.0
        self._reported_end[:] = False
        return steps

    def decide(self, action: ActionTuple) -> None:
        """Take over the decisions of the agents that reported last, a row for each."""
        self.actions.discrete[self.present()] = action.discrete

    def heuristic(self) -> ActionTuple:
        """What the player's keys mean, for the agents that play as this behavior."""
        action = super().heuristic()
        return ActionTuple(discrete=action.discrete[self.present()])

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """What the upper and the lower rays hit; where the agent is, and whether it could jump."""
        areas = self._areas
        areas.look()
        agents = np.arange(len(self))[rows]
        seen = [cast(sensor.rays, areas.shapes, areas.origins, agents) for sensor in self._rays]
        return [*seen, _perceive_own_state(areas.boxes, agents)]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Gravity, boxes, jumps, who plays as what, and what was seen."""
        return self._state_arrays

    def act(self) -> None:
        """Move; every step costs a little, a fall much."""
        _act(self._areas.boxes, self._areas.jumps, self.arrays, self._big)


class WallJumpWorld(World):
    """Agents, walls and blocks."""

    view = View(pitch_deg=35.0, yaw_deg=-25.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.areas = Areas(areas, rng, parameters)
        self.small, self.big = (WallJumpAgents(self.areas, big=big) for big in (False, True))
        self.small.partner, self.big.partner = self.big, self.small
        super().__init__([self.big, self.small], DECISION_PERIOD, parameters)

    def bodies(self) -> VisualGeoms:
        """The boxes with their colours, and a plate on the floor for the goal."""
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

    def integrate(self) -> None:
        """Contacts, and the reward for the goal."""
        areas = self.areas
        _integrate(areas.boxes, areas.jumps, self.small.arrays, self.big.arrays, areas.gravity)

    def advance(self, steps: int) -> tuple[int, bool]:
        """As `World.advance`, compiled."""
        areas = self.areas
        return _advance(areas.boxes, areas.jumps, self.small.arrays, self.big.arrays, areas.gravity, steps)


ENTRY = SimEntry(
    "WallJump",
    expected_reward=0.8,
    description="Jump over a wall to the goal, if it is too high from a block that is pushed to its foot.",
    make_world=WallJumpWorld,
    num_areas=24,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "WallJump",
)
