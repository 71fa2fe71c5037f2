"""FoodCollector: gather good food, leave the bad, and freeze others by a laser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.examples.food_motion import (
    AGENT_MASS_KG,
    AGENT_TAG,
    AGENTS,
    BAD_FOOD_TAG,
    FIRST_WALL,
    FLOOR_TOP_M,
    FOOD,
    FOOD_RADIUS_M,
    FOOD_TAG,
    MAX_STEP,
    PIECES,
    TAGS,
    WALL_FACE_M,
    WALL_TAG,
    Food,
    Lasers,
    act,
    advance,
    integrate,
    look,
    perceive_own_state,
)
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.boxes import Boxes, make_boxes, set_mover
from mlagents_sim.physics.ray_casts import RayOrigins, Shapes, cast
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import RaySensor, Sensor, VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    BLACK,
    FLOOR_GREY,
    GREEN,
    RED,
    WALL_GREY,
    Poses,
    VisualGeoms,
    join,
    make_faces,
    make_spheres,
    side_by_side,
    yaw_rotations,
)
from mlagents_sim.visual_geoms import make_boxes as make_solids

DECISION_PERIOD: Final = 5
AGENT_DRAG: Final = 0.5

# Where everything begins, m
SPREAD_M: Final = 45.0
START_HEIGHT_M: Final = 2.0
FOOD_START_HEIGHT_M: Final = 1.0
FOOD_AGAIN_HEIGHT_M: Final = 3.0

# The boxes of an area: agents, floor, walls
_WALL_M: Final = WALL_FACE_M + 0.5
_WALL_HEIGHT_M: Final = 2.5
_WALL_MIDDLE_M: Final = FLOOR_TOP_M + 0.5 * _WALL_HEIGHT_M
CENTERS: Final = [
    *[(10.0 * agent, 1.0, 0.0) for agent in range(AGENTS)],
    (0.0, 0.0, 0.0),
    *[(side * _WALL_M, _WALL_MIDDLE_M, 0.0) for side in (1.0, -1.0)],
    *[(0.0, _WALL_MIDDLE_M, side * _WALL_M) for side in (1.0, -1.0)],
]
SIZES: Final = [
    *[(1.0, 1.0, 1.0)] * AGENTS,
    (101.0, 1.0, 101.0),
    *[(1.0, _WALL_HEIGHT_M, 101.0)] * 2,
    *[(101.0, _WALL_HEIGHT_M, 1.0)] * 2,
]

# What is seen
RAYS_PER_DIRECTION: Final = 3
MAX_DEGREES: Final = 70.0
RAY_LENGTH_M: Final = 50.0

PARAMETERS: Final = {
    "laser_length": Parameter("length of the laser as spectators see it, 1 = 25 m", 1.0, 0.2, 7.0),
    "agent_scale": Parameter("size of the agents and of their rays", 1.0, 0.5, 5.0),
}

# For spectators
LASER_WIDTH_M: Final = 0.1
LASER_LENGTH_M: Final = 25.0
COLORS: Final = (*[AGENT_BLUE] * AGENTS, FLOOR_GREY, *[WALL_GREY] * 4)
AREAS_APART_M: Final = 115.0


class Areas:
    """Fields with agents, food and walls.

    Args:
      count: areas.
      rng: source of places and directions.

    Attributes:
      boxes: one row per area: agents, floor, walls.
      food: one row per area.
      lasers: likewise.
      shapes: what rays and lasers hit, likewise: agents, food, walls.
      origins: of the rays, a row per agent.
    """

    def __init__(self, count: int, rng: np.random.Generator) -> None:
        self.boxes = make_boxes(count, AGENTS, CENTERS, SIZES)
        for agent in range(AGENTS):
            set_mover(self.boxes, agent, AGENT_MASS_KG, AGENT_DRAG)
        position, velocity, spin, next_place = np.zeros((4, count, FOOD, 3))
        self.food = Food(position, velocity, spin, next_place, np.zeros((count, FOOD), np.bool_))
        self.lasers = Lasers(np.zeros((count, AGENTS), np.bool_), np.zeros((count, AGENTS), np.int64))
        self.shapes = _make_shapes(self.boxes)
        agents = np.arange(count * AGENTS)
        self.origins = RayOrigins(
            agents // AGENTS, agents % AGENTS, np.zeros((len(agents), 3)), np.zeros((len(agents), 3, 3))
        )
        self._rng = rng

    def lay_food(self) -> None:
        """Put all food somewhere, at rest."""
        food = self.food
        food.position[:] = self._places(food.position.shape, FOOD_START_HEIGHT_M)
        food.velocity[:] = food.spin[:] = 0.0
        food.next_place[:] = self._places(food.position.shape, FOOD_AGAIN_HEIGHT_M)
        food.is_eaten[:] = False

    def choose_next_places(self) -> None:
        """Draw anew where pieces come down that were eaten last, when they are eaten again."""
        eaten = self.food.is_eaten
        if count := int(np.count_nonzero(eaten)):
            self.food.next_place[eaten] = self._places((count, 3), FOOD_AGAIN_HEIGHT_M)
            eaten[:] = False

    def place_agents(self, rows: NDArray[np.intp], scale: float) -> None:
        """Drop the agents `rows` of the batch somewhere, turned anywhere; they can move, and have that size."""
        boxes, chosen, count = self.boxes, (rows // AGENTS, rows % AGENTS), len(rows)
        boxes.position[chosen] = self._places((count, 3), START_HEIGHT_M)
        boxes.yaw[chosen] = np.radians(self._rng.integers(360, size=count))
        boxes.velocity[chosen] = 0.0
        boxes.half_size[chosen] = 0.5 * scale
        self.lasers.shoots[chosen] = False
        self.lasers.frozen_steps[chosen] = 0

    def _places(self, shape: tuple[int, ...], height: float) -> NDArray[np.float64]:
        place = self._rng.uniform(-SPREAD_M, SPREAD_M, shape)
        place[..., 1] = height
        return place


def _make_shapes(boxes: Boxes) -> Shapes:
    count, walls = len(boxes.yaw), slice(AGENTS + 1, None)
    total = FIRST_WALL + boxes.position[:, walls].shape[1]
    shapes = Shapes(
        center=np.zeros((count, total, 3)),
        rotation=np.tile(np.eye(3), (count, total, 1, 1)),
        half_size=np.zeros((count, total, 3)),
        rounding=np.zeros((count, total)),
        tag=np.full((count, total), WALL_TAG),
    )
    shapes.half_size[:, :AGENTS], shapes.half_size[:, FIRST_WALL:] = 0.5, boxes.half_size[:, walls]
    shapes.center[:, FIRST_WALL:] = boxes.position[:, walls]
    shapes.rounding[:, AGENTS:FIRST_WALL] = FOOD_RADIUS_M
    shapes.tag[:, :AGENTS] = AGENT_TAG
    shapes.tag[:, AGENTS : AGENTS + PIECES] = FOOD_TAG
    shapes.tag[:, AGENTS + PIECES : FIRST_WALL] = BAD_FOOD_TAG
    return shapes


# Agents


class FoodAgents(AgentBatch):
    """The cubes, five in each area. A subclass says what they see and how they are steered.

    Args:
      behavior: fully qualified name.
      areas: where they are.
      parameters: `PARAMETERS`, read at every reset.
      sensors: in the order of their names.
      action_spec: what `food_motion.act` understands.
    """

    def __init__(
        self,
        behavior: str,
        areas: Areas,
        parameters: EnvironmentParameters,
        sensors: Sequence[Sensor],
        action_spec: ActionSpec,
    ) -> None:
        super().__init__(behavior, len(areas.origins.area), sensors, action_spec, MAX_STEP)
        self._areas = areas
        self._parameters = parameters
        self._scale = np.ones(1)
        self._state_arrays: dict[str, NDArray[Any]] = {
            **areas.boxes._asdict(),
            **{f"food_{name}": array for name, array in areas.food._asdict().items()},
            **areas.lasers._asdict(),
            "agent_scale": self._scale,
        }

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Drop the agents somewhere. Food stays as it is."""
        self._scale[:] = self._parameters.read("agent_scale", 1)
        self._areas.place_agents(rows, float(self._scale[0]))

    def look(self) -> None:
        """Bring what is seen, and from where, up to date."""
        areas = self._areas
        look(areas.boxes, areas.food, areas.lasers, areas.shapes, areas.origins)

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the agents, food, who shoots and who is frozen."""
        return self._state_arrays

    def act(self) -> None:
        """Run, turn, shoot."""
        areas = self._areas
        act(areas.boxes, areas.food, areas.lasers, areas.shapes, self.arrays)


class FoodCollectorAgents(FoodAgents):
    """The cubes of 2020. They see what is around them by rays, feel how fast they are, and choose.

    Args:
      areas: where they are.
      parameters: `PARAMETERS`, read at every reset.
    """

    keys = (
        Keys(("up", "w"), "run ahead", choice=(0, 1)),
        Keys(("down", "s"), "run back", choice=(0, 2)),
        Keys(("e",), "step to the right", choice=(1, 1)),
        Keys(("q",), "step to the left", choice=(1, 2)),
        Keys(("left", "a"), "turn left", choice=(2, 1)),
        Keys(("right", "d"), "turn right", choice=(2, 2)),
        Keys(("space",), "shoot", choice=(3, 1)),
    )

    def __init__(self, areas: Areas, parameters: EnvironmentParameters) -> None:
        self._rays = RaySensor("RayPerceptionSensor", TAGS, RAYS_PER_DIRECTION, MAX_DEGREES, RAY_LENGTH_M)
        sensors = [self._rays, VectorSensor(4)]
        super().__init__("FoodCollector?team=0", areas, parameters, sensors, ActionSpec.create_discrete((3, 3, 3, 2)))

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return what the rays hit, the velocity, whether the agent is frozen, and whether it shoots."""
        self.look()
        areas, scale = self._areas, float(self._scale[0])
        agents, rays = np.arange(len(self))[rows], self._rays.rays
        if scale != 1.0:
            rays = rays._replace(path=scale * rays.path, radius=scale * rays.radius)
        return [cast(rays, areas.shapes, areas.origins, agents), perceive_own_state(areas.boxes, areas.lasers, agents)]


class FoodCollectorWorld(World):
    """Fields, agents and food. Food is laid anew only when the whole world is reset.

    Args:
      areas: fields.
      rng: source of places and directions.
      parameters: `PARAMETERS`.
      make_agents: makes the agents of all areas.
    """

    view = View(pitch_deg=50.0)

    def __init__(
        self,
        areas: int,
        rng: np.random.Generator,
        parameters: EnvironmentParameters,
        make_agents: Callable[[Areas, EnvironmentParameters], FoodAgents] = FoodCollectorAgents,
    ) -> None:
        self.areas = fields = Areas(areas, rng)
        self.collectors = make_agents(fields, parameters)
        super().__init__([self.collectors], DECISION_PERIOD, parameters)
        self._advance = advance.bind(fields.boxes, fields.food, fields.lasers, fields.shapes, self.collectors.arrays)

    def on_reset(self) -> None:
        """Lay the food."""
        self.areas.lay_food()

    def bodies(self) -> VisualGeoms:
        """Return the agents, black if they are frozen, and their lasers; green food and red; floor and walls."""
        areas, boxes = self.areas, self.areas.boxes
        offset = side_by_side(len(boxes.yaw), AREAS_APART_M)[:, np.newaxis]
        place, turned = boxes.position + offset, yaw_rotations(boxes.yaw)
        color = np.tile(np.array(COLORS), (len(boxes.yaw), 1, 1))
        color[:, :AGENTS][areas.lasers.frozen_steps > 0] = BLACK
        food = areas.food.position + offset
        agents, faces = place[:, :AGENTS].reshape(-1, 3), turned[:, :AGENTS].reshape(-1, 3, 3)
        edge = float(2.0 * boxes.half_size[0, 0, 0])
        return join(
            make_solids(place, boxes.half_size, color, turned),
            *(
                make_spheres(pieces.reshape(-1, 3), np.full(pieces[..., 0].size, FOOD_RADIUS_M), kind)
                for pieces, kind in ((food[:, :PIECES], GREEN), (food[:, PIECES:], RED))
            ),
            make_faces(agents, faces, edge),
            self._lasers(agents, faces),
        )

    def _lasers(self, agents: NDArray[np.float64], turned: NDArray[np.float64]) -> VisualGeoms:
        """Return beams ahead of those who shoot; of the others only a speck inside them."""
        shoots = self.areas.lasers.shoots.reshape(-1, 1)
        half_length = 0.5 * LASER_LENGTH_M * float(self.parameters.read("laser_length", 1)[0])
        size = np.where(shoots, (LASER_WIDTH_M, LASER_WIDTH_M, half_length), 0.01)
        return make_solids(agents + turned[:, :, 2] * size[:, 2:], size, RED, turned)

    def agent_poses(self) -> list[Poses | None]:
        """Return where the agents are, area by area."""
        boxes = self.areas.boxes
        place = boxes.position + side_by_side(len(boxes.yaw), AREAS_APART_M)[:, np.newaxis]
        turned = yaw_rotations(boxes.yaw[:, :AGENTS])
        return [Poses(place[:, :AGENTS].reshape(-1, 3), turned.reshape(-1, 3, 3))]

    def integrate(self) -> None:
        """Move with contacts, and let agents eat."""
        areas = self.areas
        integrate(areas.boxes, areas.food, self.collectors.arrays)
        areas.choose_next_places()

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        done = self._advance(steps)
        self.areas.choose_next_places()
        return done


ENTRY = SimEntry(
    "FoodCollector",
    expected_reward=10.0,
    description="Gather good food, leave the bad, and freeze others by a laser.",
    make_world=FoodCollectorWorld,
    num_areas=4,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "FoodCollector.onnx",
)
