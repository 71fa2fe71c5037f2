"""Pyramids: touch the switch, find the pyramid of bricks that then appears, and bring down what lies on its top."""

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
from mlagents_sim.keys import RUN_OR_TURN
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.physics.boxes import Boxes, make_boxes, set_mover
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.physics.piles import ASLEEP, Piles, drop_pile, make_piles, move_with_piles
from mlagents_sim.physics.ray_casts import ABSENT, RayOrigins, Shapes, cast, ray_origins_of, shapes_of, turn_ray_origins
from mlagents_sim.physics.rules import run_or_turn, write_yaw
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import RaySensor, Sensor, VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    FLOOR_GREY,
    GREEN,
    ORANGE,
    RED,
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
DECISION_PERIOD: Final = 5
STEP_REWARD: Final = -1.0 / MAX_STEP
GOAL_REWARD: Final = 2.0

# Motion, per physics step
GRAVITY: Final = 9.81
RUN_SPEED: Final = 2.0  # m/s
TURN_RAD: Final = np.radians(4.0)
MASS_KG: Final = 25.0
DRAG: Final = 2.0
SWITCH_MASS_KG: Final = 1.0
STONE_MASS_KG: Final = 50.0
BRICK_MASS_KG: Final = 2.0

# Pyramids: where the middles of the cubes are, from the place of the pyramid, m
_X: Final = (-1.34, -0.213, 1.087, 2.2)
_Z: Final = (-1.06, 0.101, 1.451, 2.62)
_LOWEST: Final = [(x, 0.151, z) for x in _X for z in _Z if x in (_X[0], _X[3]) or z in (_Z[0], _Z[3])]
_STONE_X: Final = (-0.82, 0.37, 1.67)
_BRICK_X: Final = (-0.803, 0.387, 1.687)
_SECOND_Z: Final = (-0.473, 0.771, 2.121)
_THIRD_Z: Final = (0.131, 1.375)
STONE_PLACES: Final = np.array(
    [
        *_LOWEST,
        *((x, 1.25, z) for x in _STONE_X for z in _SECOND_Z if (x, z) != (_STONE_X[1], _SECOND_Z[1])),
        *((x, 2.38, z) for x in (-0.27, 0.92) for z in _THIRD_Z),
        (0.34, 3.52, 0.8),
    ]
)
BRICK_PLACES: Final = np.array(
    [
        *_LOWEST,
        *((x, 1.601, z) for x in _BRICK_X for z in _SECOND_Z if (x, z) != (_BRICK_X[1], _SECOND_Z[1])),
        *((x, 3.111, z) for x in (-0.143, 1.047) for z in _THIRD_Z),
        (0.52, 4.29, 0.8),
        (0.45, 6.0, 0.8),  # the target
    ]
)
CUBES: Final = len(STONE_PLACES)
STONE_PILES: Final = 6
BRICK_PILE: Final = STONE_PILES
REST_HEIGHTS: Final = np.repeat((0.5, 1.5, 2.5, 3.5), (12, 8, 4, 1))

# The boxes of an area, m
AGENT, SWITCH, STONES = range(3)
BRICKS: Final = STONES + STONE_PILES * CUBES
TARGET: Final = BRICKS + CUBES
FLOOR: Final = TARGET + 1
FIRST_OF_PILE: Final = [*range(STONES, BRICKS + 1, CUBES), FLOOR]
SWITCH_HEIGHT_M: Final = 4.0
WALL_TOP_M: Final = 4.52
OUTER_TOP_M: Final = 5.0
AWAY: Final = (0.0, -1000.0, 0.0)

_CROSSES: Final = [(x, z) for x in (16.54, -16.56) for z in (16.56, -16.56)]
_WALLS: Final = [  # x, z; sizes along x and z
    *((x, z, 15.15, 1.0) for x, z in _CROSSES),
    *((x, z, 1.0, 15.0) for x, z in _CROSSES),
    *((x, z, 1.0, 14.505) for x, z in ((16.56, -42.25), (-16.44, -42.25), (16.44, 42.25), (-16.56, 42.25))),
    *((x, z, 14.505, 1.0) for x, z in ((-42.25, -16.56), (-42.25, 16.44), (42.25, 16.56), (42.25, -16.44))),
]
_OUTER_WALLS: Final = [
    (50.0, 0.0, 1.0, 101.0),
    (-50.0, 0.0, 1.0, 101.0),
    (0.0, 49.6, 101.0, 1.0),
    (0.0, -50.1, 101.0, 1.0),
]
_FIXED: Final = [
    ((0.0, -0.5, 0.0), (99.0, 1.0, 99.0)),
    *(((x, 0.5 * WALL_TOP_M, z), (width, WALL_TOP_M, depth)) for x, z, width, depth in _WALLS),
    *(((x, 0.5 * OUTER_TOP_M, z), (width, OUTER_TOP_M, depth)) for x, z, width, depth in _OUTER_WALLS),
]
CENTERS: Final = [*[AWAY] * FLOOR, *(center for center, _ in _FIXED)]
SIZES: Final = [
    (1.0, 1.0, 1.0),
    (4.0, SWITCH_HEIGHT_M, 4.0),
    *[(1.0, 1.0, 1.0)] * (TARGET - STONES),
    (2.0, 2.0, 2.0),
    *(size for _, size in _FIXED),
]
CELLS: Final = np.array([(x, z) for x in (-30.0, 0.0, 30.0) for z in (-30.0, 0.0, 30.0)])
CELL_SPREAD_M: Final = 11.905
START_HEIGHT_M: Final = 2.0

# What is seen
TAGS: Final = ("block", "wall", "goal", "switchOff", "switchOn", "stone")
BLOCK_TAG, WALL_TAG, GOAL_TAG, OFF_TAG, ON_TAG, STONE_TAG = range(6)
RAYS_PER_DIRECTION: Final = 3
RAY_LENGTH_M: Final = 35.0
SENSORS: Final = (  # degrees to each side, height of the ends, m
    ("RayPerceptionSensor", 70.0, 0.0),
    ("RayPerceptionSensor1", 65.0, 5.0),
    ("RayPerceptionSensor2", 75.0, 10.0),
)

# For spectators
COLORS: Final = (
    AGENT_BLUE,
    RED,
    *[WALL_GREY] * (BRICKS - STONES),
    *[ORANGE] * CUBES,
    GREEN,
    FLOOR_GREY,
    *[WHITE] * (len(_FIXED) - 1),
)
AREAS_APART_M: Final = 120.0


# One physics step


@compiled
def _act(boxes: Boxes, agents: AgentArrays) -> None:
    """Run ahead or back, or turn."""
    for i in range(len(agents.reward)):
        agents.reward[i] += STEP_REWARD
        boxes.yaw[i, AGENT] = run_or_turn(
            agents.discrete[i, 0], boxes.velocity[i, AGENT], boxes.yaw[i, AGENT], RUN_SPEED, TURN_RAD
        )


@compiled
def _integrate(
    boxes: Boxes, piles: Piles, is_on: NDArray[np.bool_], reserved: NDArray[np.float64], agents: AgentArrays
) -> bool:
    """0.02 s of physics; the switch calls the bricks, the target ends the episode. Returns whether any is over."""
    move_with_piles(boxes, piles, GRAVITY)
    any_over = False
    for i in range(len(is_on)):
        touches = boxes.touches[i, AGENT]
        if touches[SWITCH] and not is_on[i]:
            is_on[i] = True
            _put_bricks(boxes, piles, i, reserved[i])
        if touches[TARGET] and agents.end[i] == PLAYING:
            agents.reward[i] = GOAL_REWARD
            agents.end[i] = ENDED
        any_over |= agents.end[i] != PLAYING
    return any_over


@compiled
def _put_bricks(boxes: Boxes, piles: Piles, area: int, place: NDArray[np.float64]) -> None:
    for brick in range(BRICKS, FLOOR):
        boxes.position[area, brick] = place + BRICK_PLACES[brick - BRICKS]
        boxes.yaw[area, brick] = 0.0
    drop_pile(boxes, piles, area, BRICK_PILE)


@compiled
def _advance(
    boxes: Boxes,
    piles: Piles,
    is_on: NDArray[np.bool_],
    reserved: NDArray[np.float64],
    agents: AgentArrays,
    steps: int,
) -> tuple[int, bool]:
    """`World.advance` in one call."""
    for step in range(steps):
        count_step(agents)
        _act(boxes, agents)
        if interrupt(agents, MAX_STEP):
            return step, True
        if _integrate(boxes, piles, is_on, reserved, agents):
            return step + 1, False
    return steps, False


# Perception


@compiled
def _look(
    boxes: Boxes, is_on: NDArray[np.bool_], shapes: Shapes, origins: RayOrigins, agents: NDArray[np.intp]
) -> None:
    """Bring what the rays of the agents can hit up to date."""
    for agent in agents:
        for box in range(FLOOR):
            write_yaw(shapes.rotation[agent, box], boxes.yaw[agent, box])
        shapes.tag[agent, SWITCH] = ON_TAG if is_on[agent] else OFF_TAG
        for brick in range(BRICKS, TARGET):
            shapes.tag[agent, brick] = BLOCK_TAG if is_on[agent] else ABSENT
        shapes.tag[agent, TARGET] = GOAL_TAG if is_on[agent] else ABSENT
    turn_ray_origins(origins, boxes.yaw[:, AGENT])


# Agents


def _make_boxes(areas: int) -> Boxes:
    boxes = make_boxes(areas, STONES, CENTERS, SIZES)
    set_mover(boxes, AGENT, MASS_KG, DRAG)
    set_mover(boxes, SWITCH, SWITCH_MASS_KG, 0.0, turned_by_contacts=True)
    boxes.inverse_mass[:, SWITCH, ::2] = 0.0
    for mover in range(STONES, FLOOR):
        mass = STONE_MASS_KG if mover < BRICKS else BRICK_MASS_KG
        set_mover(boxes, mover, mass, 0.0, turned_by_contacts=True)
    return boxes


class PyramidsAgents(AgentBatch):
    """The cubes. They see by three fans of rays, each steeper than the one before, and feel how fast they are.

    In Unity the cubes of a pyramid tumble; here they slide, turn about the vertical and fall, but stay upright.

    Args:
      boxes: One row per agent.
      rng: Source of places and directions.

    Attributes:
      piles: The pyramids of all areas, the one of bricks last.
      is_on: Bool [agents], whether the switch was touched.
      reserved: float64 [agents, 3], where the pyramid of bricks appears.
    """

    keys = RUN_OR_TURN

    def __init__(self, boxes: Boxes, rng: np.random.Generator) -> None:
        count = len(boxes.yaw)
        self._rays = [
            RaySensor(name, TAGS, RAYS_PER_DIRECTION, degrees, RAY_LENGTH_M, end_height=height)
            for name, degrees, height in SENSORS
        ]
        sensors: list[Sensor] = [*self._rays, VectorSensor(4)]
        super().__init__("Pyramids?team=0", count, sensors, ActionSpec.create_discrete((5,)), MAX_STEP)
        heights = np.zeros(FLOOR)
        heights[STONES:] = [*np.tile(REST_HEIGHTS, STONE_PILES + 1), REST_HEIGHTS[-1] + 1.5]
        self.piles = make_piles(count, FIRST_OF_PILE, heights)
        self.is_on: NDArray[np.bool_] = np.zeros(count, np.bool_)
        self.reserved: NDArray[np.float64] = np.zeros((count, 3))
        self._boxes = boxes
        self._rng = rng
        tags = np.full(len(CENTERS), WALL_TAG)
        tags[STONES:BRICKS], tags[[AGENT, FLOOR]] = STONE_TAG, ABSENT  # nothing looks down to the floor
        self._shapes = shapes_of(boxes, tags)
        self._origins = ray_origins_of(boxes, AGENT, AGENT)
        self._state_arrays: dict[str, NDArray[Any]] = {
            **boxes._asdict(),
            "pile_state": self.piles.state,
            "slow_steps": self.piles.slow_steps,
            "pile_bounds": self.piles.bounds,
            "is_on": self.is_on,
            "reserved": self.reserved,
        }

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Give each cell of the area to the agent, the switch, the bricks to come, or a pyramid of stones."""
        boxes, rng, count = self._boxes, self._rng, len(rows)
        cells = rng.permuted(np.tile(np.arange(len(CELLS)), (count, 1)), axis=1)
        place = np.full((count, len(CELLS), 3), START_HEIGHT_M)
        place[..., ::2] = CELLS[cells] + rng.uniform(-CELL_SPREAD_M, CELL_SPREAD_M, (count, len(CELLS), 2))
        boxes.velocity[rows] = 0.0
        boxes.spin[rows] = 0.0
        boxes.yaw[rows] = 0.0
        boxes.position[rows, AGENT] = place[:, 0]
        boxes.yaw[rows, AGENT] = np.radians(rng.integers(360, size=count))
        boxes.position[rows, SWITCH] = place[:, 1] + (0.0, 0.5 * SWITCH_HEIGHT_M, 0.0)
        self.is_on[rows] = False
        self.reserved[rows] = place[:, 2]
        stones = place[:, 3:, np.newaxis] + STONE_PLACES
        boxes.position[rows, STONES:BRICKS] = stones.reshape(count, -1, 3)
        boxes.position[rows, BRICKS:FLOOR] = AWAY
        for row in rows.tolist():
            for pile in range(STONE_PILES):
                drop_pile(boxes, self.piles, row, pile)
        self.piles.state[rows, BRICK_PILE] = ASLEEP
        self.piles.bounds[rows, BRICK_PILE] = AWAY

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """What the rays hit; whether the switch is on, and the velocity as seen by the agent."""
        boxes = self._boxes
        agents = np.arange(len(self))[rows]
        _look(boxes, self.is_on, self._shapes, self._origins, agents)
        seen = [cast(sensor.rays, self._shapes, self._origins, agents) for sensor in self._rays]
        own_velocity = np.einsum("nij,ni->nj", self._origins.rotation[agents], boxes.velocity[agents, AGENT])
        return [*seen, np.column_stack((self.is_on[agents], own_velocity))]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Boxes, which of them sleep, and the switch."""
        return self._state_arrays

    def act(self) -> None:
        """Move; every step costs a little."""
        _act(self._boxes, self.arrays)


class PyramidsWorld(World):
    """Agents, switches and pyramids."""

    view = View(pitch_deg=50.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.boxes = _make_boxes(areas)
        self.pyramids_agents = PyramidsAgents(self.boxes, rng)
        super().__init__([self.pyramids_agents], DECISION_PERIOD, parameters)

    def bodies(self) -> VisualGeoms:
        """The boxes with their colours; a switch that is on is green."""
        boxes, agents = self.boxes, self.pyramids_agents
        place = boxes.position + side_by_side(len(boxes.yaw), AREAS_APART_M)[:, np.newaxis]
        off = boxes.position[..., 1] == AWAY[1]
        half_size = np.where(off[..., np.newaxis], 0.01, boxes.half_size)
        place[off] = place[:, FLOOR][np.nonzero(off)[0]]  # out of sight, in the floor
        color = np.tile(np.array(COLORS), (len(boxes.yaw), 1, 1))
        color[agents.is_on, SWITCH] = GREEN
        turned = yaw_rotations(boxes.yaw)
        return join(make_solids(place, half_size, color, turned), make_faces(place[:, AGENT], turned[:, AGENT]))

    def integrate(self) -> None:
        """Contacts, the switch, and the reward for the target."""
        agents = self.pyramids_agents
        _integrate(self.boxes, agents.piles, agents.is_on, agents.reserved, agents.arrays)

    def advance(self, steps: int) -> tuple[int, bool]:
        """As `World.advance`, compiled."""
        agents = self.pyramids_agents
        return _advance(self.boxes, agents.piles, agents.is_on, agents.reserved, agents.arrays, steps)


ENTRY = SimEntry(
    "Pyramids",
    expected_reward=1.75,
    description="Touch the switch, and bring down the target from the pyramid of bricks that then appears.",
    make_world=PyramidsWorld,
    num_areas=16,
    model=Path(__file__).with_name("models") / "Pyramids.onnx",
)
