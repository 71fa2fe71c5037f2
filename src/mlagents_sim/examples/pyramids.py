"""Pyramids: touch the switch, find the pyramid of bricks that then appears, and bring down what lies on its top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.examples.pyramids_motion import (
    AGENT,
    AWAY,
    BRICK_HALF_SIZES,
    BRICK_MASS_KG,
    CENTERS,
    CUBES,
    DRAG,
    FIRST_OF_PILE,
    FLOOR,
    MASS_KG,
    MAX_STEP,
    REST_HEIGHTS,
    SEEN_BRICKS,
    SIZES,
    STONE_MASS_KG,
    STONE_PILES,
    STONE_PLACES,
    STONE_TAG,
    STONES,
    SWITCH,
    SWITCH_HEIGHT_M,
    SWITCH_MASS_KG,
    TAGS,
    TARGET,
    WALL_TAG,
    act,
    advance,
    integrate,
    look,
)
from mlagents_sim.keys import RUN_OR_TURN
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.physics.boxes import Boxes, make_boxes, set_mover
from mlagents_sim.physics.cubes import SLOW_STEPS, make_cubes
from mlagents_sim.physics.piles import drop_pile, make_piles
from mlagents_sim.physics.ray_casts import ABSENT, Shapes, cast, ray_origins_of, shapes_at
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
    Poses,
    VisualGeoms,
    join,
    make_faces,
    quat_rotations,
    side_by_side,
    yaw_rotations,
)
from mlagents_sim.visual_geoms import make_boxes as make_solids

DECISION_PERIOD: Final = 5

# Where everything begins, m
CELLS: Final = np.array([(x, z) for x in (-30.0, 0.0, 30.0) for z in (-30.0, 0.0, 30.0)])
CELL_SPREAD_M: Final = 11.905
START_HEIGHT_M: Final = 2.0
BRICK_STATE: Final = ("position", "quat", "velocity", "spin", "slow_steps")

# What is seen
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
    *[WALL_GREY] * (FLOOR - STONES),
    FLOOR_GREY,
    *[WHITE] * (SEEN_BRICKS - FLOOR - 1),
)
BRICK_COLORS: Final = (*[ORANGE] * CUBES, GREEN)
AREAS_APART_M: Final = 120.0


# Agents


def _make_boxes(areas: int) -> Boxes:
    boxes = make_boxes(areas, STONES, CENTERS, SIZES)
    set_mover(boxes, AGENT, MASS_KG, DRAG)
    set_mover(boxes, SWITCH, SWITCH_MASS_KG, 0.0, turned_by_contacts=True)
    boxes.inverse_mass[:, SWITCH, ::2] = 0.0
    for mover in range(STONES, FLOOR):
        set_mover(boxes, mover, STONE_MASS_KG, 0.0, turned_by_contacts=True)
    return boxes


def _make_shapes(boxes: Boxes) -> Shapes:
    """Return the boxes, with no tag where nothing looks down to the floor, and the bricks."""
    areas, bricks = len(boxes.yaw), TARGET + 1
    tags = np.full(SEEN_BRICKS + bricks, WALL_TAG)
    tags[STONES:FLOOR], tags[[AGENT, FLOOR]], tags[SEEN_BRICKS:] = STONE_TAG, ABSENT, ABSENT
    sizes = np.concatenate((boxes.half_size[0], np.repeat(BRICK_HALF_SIZES[:bricks], 3).reshape(-1, 3)))
    return shapes_at(np.concatenate((boxes.position, np.zeros((areas, bricks, 3))), axis=1), sizes, tags)


class PyramidsAgents(AgentBatch):
    """The cubes. They see by three fans of rays, each steeper than the one before, and feel how fast they are.

    The bricks tumble, as in Unity. Stones, heavy as they are, only slide, turn about the vertical and fall.

    Args:
      boxes: one row per agent.
      rng: source of places and directions.

    Attributes:
      piles: the pyramids of stones of all areas.
      bricks: those of all areas, with the target.
      is_on: bool [agents], whether the switch was touched.
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
        heights[STONES:] = np.tile(REST_HEIGHTS, STONE_PILES)
        self.piles = make_piles(count, FIRST_OF_PILE, heights)
        self.bricks = make_cubes(count, BRICK_HALF_SIZES, [*[BRICK_MASS_KG] * (CUBES + 1), MASS_KG])
        self.is_on: NDArray[np.bool_] = np.zeros(count, np.bool_)
        self.reserved: NDArray[np.float64] = np.zeros((count, 3))
        self._boxes = boxes
        self._rng = rng
        self._shapes = _make_shapes(boxes)
        self._origins = ray_origins_of(boxes, AGENT, AGENT)
        self._state_arrays: dict[str, NDArray[Any]] = {
            **boxes._asdict(),
            "pile_state": self.piles.state,
            "slow_steps": self.piles.slow_steps,
            "pile_bounds": self.piles.bounds,
            **{f"brick_{name}": getattr(self.bricks, name) for name in BRICK_STATE},
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
        self.bricks.slow_steps[rows] = SLOW_STEPS
        self.reserved[rows] = place[:, 2]
        stones = place[:, 3:, np.newaxis] + STONE_PLACES
        boxes.position[rows, STONES:FLOOR] = stones.reshape(count, -1, 3)
        for row in rows.tolist():
            for pile in range(STONE_PILES):
                drop_pile(boxes, self.piles, row, pile)

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return what the rays hit, whether the switch is on, and the velocity as seen by the agent."""
        boxes = self._boxes
        agents = np.arange(len(self))[rows]
        look(boxes, self.bricks, self.is_on, self._shapes, self._origins, agents)
        seen = [cast(sensor.rays, self._shapes, self._origins, agents) for sensor in self._rays]
        own_velocity = np.einsum("nij,ni->nj", self._origins.rotation[agents], boxes.velocity[agents, AGENT])
        return [*seen, np.column_stack((self.is_on[agents], own_velocity))]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the boxes, which of them sleep, and the switch."""
        return self._state_arrays

    def act(self) -> None:
        """Move; every step costs a little."""
        act(self._boxes, self.arrays)


class PyramidsWorld(World):
    """Agents, switches and pyramids."""

    view = View(pitch_deg=50.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.boxes = _make_boxes(areas)
        self.pyramids_agents = PyramidsAgents(self.boxes, rng)
        super().__init__([self.pyramids_agents], DECISION_PERIOD, parameters)
        agents = self.pyramids_agents
        bodies = self.boxes, agents.piles, agents.bricks
        self._advance = advance.bind(*bodies, agents.is_on, agents.reserved, agents.arrays)

    def bodies(self) -> VisualGeoms:
        """Return the boxes with their colours; a switch that is on is green."""
        boxes, agents = self.boxes, self.pyramids_agents
        place = boxes.position + side_by_side(len(boxes.yaw), AREAS_APART_M)[:, np.newaxis]
        off = boxes.position[..., 1] == AWAY[1]
        half_size = np.where(off[..., np.newaxis], 0.01, boxes.half_size)
        place[off] = place[:, FLOOR][np.nonzero(off)[0]]  # out of sight, in the floor
        color = np.tile(np.array(COLORS), (len(boxes.yaw), 1, 1))
        color[agents.is_on, SWITCH] = GREEN
        turned = yaw_rotations(boxes.yaw)
        faces = make_faces(place[:, AGENT], turned[:, AGENT])
        return join(make_solids(place, half_size, color, turned), faces, self._brick_bodies(place[:, FLOOR]))

    def _brick_bodies(self, floor: NDArray[np.float64]) -> VisualGeoms:
        """Return the bricks and the target; where they have not come yet, specks in the floor."""
        agents = self.pyramids_agents
        bricks, there = agents.bricks, agents.is_on[:, np.newaxis, np.newaxis]
        floor = floor[:, np.newaxis]
        place = np.where(there, bricks.position[:, : TARGET + 1] + floor + np.array((0.0, 0.5, 0.0)), floor)
        size = np.where(there, bricks.half_size[: TARGET + 1, np.newaxis], 0.01)
        turned = quat_rotations(bricks.quat[:, : TARGET + 1])
        return make_solids(place, size, np.array(BRICK_COLORS), turned)

    def agent_poses(self) -> list[Poses | None]:
        """Return where the agents are."""
        boxes = self.boxes
        place = boxes.position[:, AGENT] + side_by_side(len(boxes.yaw), AREAS_APART_M)
        return [Poses(place, yaw_rotations(boxes.yaw[:, AGENT]))]

    def integrate(self) -> None:
        """Move with contacts, turn the switch on, and give the reward for the target."""
        agents = self.pyramids_agents
        integrate(self.boxes, agents.piles, agents.bricks, agents.is_on, agents.reserved, agents.arrays)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        return self._advance(steps)


ENTRY = SimEntry(
    "Pyramids",
    expected_reward=1.75,
    description="Touch the switch, and bring down the target from the pyramid of bricks that then appears.",
    make_world=PyramidsWorld,
    num_areas=16,
    model=Path(__file__).with_name("models") / "Pyramids.onnx",
)
