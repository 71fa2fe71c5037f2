"""DungeonEscape: one of three cubes gives its life for a key, with which the others leave the dungeon."""

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
from mlagents_sim.examples.dungeon_motion import (
    COLUMNS,
    DRAGON,
    DRAGON_SPEEDS,
    DRAGON_START,
    FLOOR,
    KEY_RADIUS_M,
    MAX_STEP,
    MOVERS,
    Dungeons,
    act,
    advance,
    integrate,
    look_around,
    make_dungeons,
)
from mlagents_sim.examples.places import scatter
from mlagents_sim.examples.teams import (
    AREAS_APART_M,
    CUBE_MASS_KG,
    DECISION_PERIOD,
    GRAVITY,
    START_HEIGHT_M,
    START_SPREAD_M,
    TEAM,
    WALL_CENTERS,
    make_origins,
    make_shapes,
)
from mlagents_sim.keys import RUN_TURN_OR_STEP
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.box_runners import perceive_body, take_out
from mlagents_sim.physics.ray_casts import ABSENT, cast
from mlagents_sim.row_index import ALL, RowIndex
from mlagents_sim.sensors import BodySensor, RaySensor, Sensor, StackingSensor, VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    FLOOR_GREY,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    WALL_GREY,
    VisualGeoms,
    join,
    make_faces,
    make_spheres,
    side_by_side,
    yaw_rotations,
)
from mlagents_sim.visual_geoms import make_boxes as make_solids

CLEARANCE_M: Final = 2.5  # of the middle of a cube from the others, the dragon and the columns

# What is seen
TAGS: Final = ("wall", "agent", "dragon", "key", "lock", "portal")
WALL_TAG, AGENT_TAG, DRAGON_TAG, KEY_TAG, LOCK_TAG, PORTAL_TAG = range(6)
TAG_OF_BOX: Final = [
    *[AGENT_TAG] * TEAM,
    DRAGON_TAG,
    LOCK_TAG,
    PORTAL_TAG,
    *[WALL_TAG] * (FLOOR - COLUMNS),
    ABSENT,  # nothing looks down to the floor
    *[WALL_TAG] * len(WALL_CENTERS),
]
RAYS_PER_DIRECTION: Final = 7
MAX_DEGREES: Final = 60.0
RAY_LENGTH_M: Final = 40.0
STACKED_FRAMES: Final = 3

PARAMETERS: Final = {"gravity": Parameter("gravity, m/s^2", GRAVITY, 4.0, 105.0)}

# For spectators
COLORS: Final = (
    *[AGENT_BLUE] * TEAM,
    RED,
    ORANGE,
    PURPLE,
    *[WALL_GREY] * (FLOOR - COLUMNS),
    FLOOR_GREY,
    *[WALL_GREY] * len(WALL_CENTERS),
)
CARRIED_HEIGHT_M: Final = 1.0  # of a key, above the cube that has it
CARRIED_RADIUS_M: Final = 0.25


class DungeonEscapeAgents(AgentBatch):
    """The cubes, three in each area, which are a group. Who is out of play comes back when its group begins anew.

    In Unity an area is turned by a quarter or more at every reset, with all that is in it. No agent can tell, so here
    it stays.

    Args:
      dungeons: where they are.
      rng: source of places, directions and speeds.
      parameters: `PARAMETERS`, read at every reset.

    Attributes:
      group_reward: float32 [agents], earned by the agent's group since the agent's last report.
    """

    keys = RUN_TURN_OR_STEP

    def __init__(self, dungeons: Dungeons, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        count = dungeons.is_there.size
        self._rays = RaySensor("RayPerceptionSensor", TAGS, RAYS_PER_DIRECTION, MAX_DEGREES, RAY_LENGTH_M)
        stack = StackingSensor(self._rays, STACKED_FRAMES, count)
        sensors: list[Sensor] = [BodySensor(), stack, VectorSensor(1)]
        super().__init__("DungeonEscape?team=0", count, sensors, ActionSpec.create_discrete((7,)), MAX_STEP)
        self.group_reward = self.assign_groups(1 + np.arange(count) // TEAM).reward
        self._dungeons = dungeons
        self._rng = rng
        self._parameters = parameters
        self._shapes = make_shapes(dungeons.boxes, TAG_OF_BOX, KEY_TAG, (0.0, 0.0, 0.0), KEY_RADIUS_M)
        self._origins = make_origins(len(dungeons.is_there))
        own = {name: array for name, array in dungeons._asdict().items() if name != "boxes"}
        self._state_arrays: dict[str, NDArray[Any]] = {**dungeons.boxes._asdict(), **own, "rays": stack.stack}

    def deciding(self) -> RowIndex:
        """Return who is in play."""
        there = self._dungeons.is_there.ravel()
        return ALL if there.all() else np.flatnonzero(there)

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Begin anew where nobody is left; elsewhere who has ended its episode stays out of play."""
        left = self._dungeons.is_there.copy()
        left[rows // TEAM, rows % TEAM] = False
        goes_on = np.any(left, axis=1)
        for row in rows[goes_on[rows // TEAM]].tolist():
            take_out(self._dungeons.boxes, row // TEAM, row % TEAM)
        areas = np.unique(rows[~goes_on[rows // TEAM]] // TEAM)
        self.arrays.step_count.reshape(-1, TEAM)[areas] = 0
        self._arrange(areas)

    def _arrange(self, areas: NDArray[np.intp]) -> None:
        """Wake the dragons, and put the cubes somewhere, turned anywhere."""
        dungeons, boxes, rng = self._dungeons, self._dungeons.boxes, self._rng
        dungeons.gravity[:] = self._parameters.read("gravity", 1)
        dungeons.is_there[areas] = dungeons.dragon_lives[areas] = True
        dungeons.has_key[areas] = dungeons.at_door[areas] = False
        dungeons.key_lies[areas] = False
        dungeons.dragon_speed[areas] = rng.uniform(*DRAGON_SPEEDS, len(areas))
        boxes.velocity[areas] = 0.0
        boxes.position[areas, DRAGON] = DRAGON_START
        boxes.inverse_mass[areas, :TEAM] = 1.0 / CUBE_MASS_KG
        boxes.yaw[areas, :TEAM] = rng.uniform(0.0, 2.0 * np.pi, (len(areas), TEAM))
        placed = [DRAGON, *range(COLUMNS, FLOOR)]
        for cube in range(TEAM):
            scatter(boxes, rng, areas, cube, placed, START_SPREAD_M, START_HEIGHT_M, CLEARANCE_M)
            placed.append(cube)

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return how the cube stands and moves, what the rays hit, and whether it has the key."""
        dungeons = self._dungeons
        look_around(dungeons, self._shapes, self._origins)
        agents = np.arange(len(self))[rows]
        seen = cast(self._rays.rays, self._shapes, self._origins, agents)
        return [perceive_body(dungeons.boxes, agents, TEAM), seen, dungeons.has_key.reshape(-1, 1)[rows]]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the dungeons, and what was seen."""
        return self._state_arrays

    def act(self) -> None:
        """Run; the dragons walk."""
        act(self._dungeons, self.arrays)


class DungeonEscapeWorld(World):
    """Cubes, dragons and dungeons."""

    view = View(pitch_deg=50.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.dungeons = make_dungeons(areas)
        self.prisoners = DungeonEscapeAgents(self.dungeons, rng, parameters)
        super().__init__([self.prisoners], DECISION_PERIOD, parameters)
        self._advance = advance.bind(self.dungeons, self.prisoners.arrays, self.prisoners.group_reward)

    def bodies(self) -> VisualGeoms:
        """Return the boxes with their colours and the keys; what is out of play is a speck in the floor."""
        dungeons, boxes = self.dungeons, self.dungeons.boxes
        offset = side_by_side(len(boxes.yaw), AREAS_APART_M)
        place, half_size = boxes.position + offset[:, np.newaxis], boxes.half_size.copy()
        there = np.concatenate((dungeons.is_there, dungeons.dragon_lives[:, np.newaxis]), axis=1)
        floor = np.broadcast_to(place[:, FLOOR, np.newaxis], place[:, :MOVERS].shape)
        place[:, :MOVERS] = np.where(there[..., np.newaxis], place[:, :MOVERS], floor)
        half_size[:, :MOVERS] = np.where(there[..., np.newaxis], half_size[:, :MOVERS], 0.01)
        turned = yaw_rotations(boxes.yaw)
        cubes, faces = place[:, :TEAM].reshape(-1, 3), turned[:, :TEAM].reshape(-1, 3, 3)
        return join(
            make_solids(place, half_size, COLORS, turned),
            make_faces(cubes, faces),
            self._keys(offset, place),
        )

    def _keys(self, offset: NDArray[np.float64], place: NDArray[np.float64]) -> VisualGeoms:
        """Return the key of each area: on the floor, above who has it, or a speck in the floor."""
        dungeons = self.dungeons
        carried = np.any(dungeons.has_key & dungeons.is_there, axis=1)[:, np.newaxis]
        lies = dungeons.key_lies[:, np.newaxis]
        bearer = place[np.arange(len(place)), dungeons.has_key.argmax(axis=1)] + (0.0, CARRIED_HEIGHT_M, 0.0)
        center = np.where(lies, dungeons.key + offset, np.where(carried, bearer, place[:, FLOOR]))
        radius = np.where(lies, KEY_RADIUS_M, np.where(carried, CARRIED_RADIUS_M, 0.01))[:, 0]
        return make_spheres(center, radius, GREEN)

    def integrate(self) -> None:
        """Move with contacts, and see who touches what."""
        integrate(self.dungeons, self.prisoners.arrays, self.prisoners.group_reward)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        return self._advance(steps)


ENTRY = SimEntry(
    "DungeonEscape",
    expected_reward=1.0,
    description="Escape with a key that one of three gets at the price of its life.",
    make_world=DungeonEscapeWorld,
    num_areas=12,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "DungeonEscape.onnx",
)
