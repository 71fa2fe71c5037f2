"""Sorter: touch numbered tiles around a room, from the lowest number to the highest."""

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
from mlagents_sim.examples.sorter_room import (
    ABSENT,
    AGENT,
    AWAY_M,
    FIRST_TILE,
    FIRST_WALL,
    MAX_STEP,
    PLACE_RAD,
    START,
    TILE_FEATURES,
    TILE_HEIGHT_M,
    TILE_RADIUS_M,
    TILES,
    VISITED,
    WAITING,
    WALL_FACE_M,
    Tiles,
    act,
    advance,
    integrate,
    make_room,
    perceive_body,
    perceive_place,
    perceive_tiles,
    place_on_circle,
)
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.boxes import Boxes
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import BufferSensor, Sensor, StackingSensor, VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    BLACK,
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

DECISION_PERIOD: Final = 5
BODY_NUMBERS: Final = 10
PLACE_NUMBERS: Final = 4
STACKED_FRAMES: Final = 2

PARAMETERS: Final = {"num_tiles": Parameter("most tiles of an episode", float(TILES), 1.0, float(TILES))}

# For spectators: tiles end at the wall, every other piece of which is lower, so that no two surfaces are in one plane;
# a number is two digits of seven strokes each, flat on the tile
AREAS_APART_M: Final = 48.0
SEEN_TILE_RADIUS_M: Final = 19.87
SEEN_STEP_M: Final = 0.03
DIGIT_M: Final = (0.9, 1.8)  # its strokes' ends: width, height
DIGITS_APART_M: Final = 1.5
STROKE_M: Final = 0.28
DIGIT_HEIGHT_M: Final = 4.2
_STROKE_PLACES = np.array([(0.0, 0.5), (-0.5, 0.25), (0.5, 0.25), (0.0, 0.0), (-0.5, -0.25), (0.5, -0.25), (0.0, -0.5)])
_STROKE_LIES = np.array([True, False, False, True, False, False, True])
_STROKES_OF = [
    "1110111",
    "0010010",
    "1011101",
    "1011011",
    "0111010",
    "1101011",
    "1101111",
    "1010010",
    "1111111",
    "1111011",
]
_DIGIT_STROKES = np.array([[stroke == "1" for stroke in strokes] for strokes in _STROKES_OF])


class SorterAgents(AgentBatch):
    """The cubes, one in each room. They see a list of the tiles that are there, and know where they are themselves.

    Args:
      boxes: one row per area.
      rng: source of tiles and their places.
      parameters: `PARAMETERS`, read at every reset.

    Attributes:
      tiles: what each tile is in this episode.
    """

    keys = (
        Keys(("up", "w"), "run ahead", choice=(0, 1)),
        Keys(("down", "s"), "run back", choice=(0, 2)),
        Keys(("e",), "step to the right", choice=(1, 1)),
        Keys(("q",), "step to the left", choice=(1, 2)),
        Keys(("left", "a"), "turn left", choice=(2, 1)),
        Keys(("right", "d"), "turn right", choice=(2, 2)),
    )

    def __init__(self, boxes: Boxes, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        count = len(boxes.yaw)
        stack = StackingSensor(VectorSensor(PLACE_NUMBERS), STACKED_FRAMES, count)
        sensors: list[Sensor] = [
            BufferSensor(TILES, TILE_FEATURES),
            VectorSensor(BODY_NUMBERS, "PhysicsBodySensor"),
            stack,
        ]
        super().__init__("Sorter?team=0", count, sensors, ActionSpec.create_discrete((3, 3, 3)), MAX_STEP)
        self.tiles = Tiles(np.zeros((count, TILES), np.uint8))
        self._boxes = boxes
        self._rng = rng
        self._parameters = parameters
        self._state_arrays: dict[str, NDArray[Any]] = {
            **boxes._asdict(),
            "tiles": self.tiles.state,
            "place": stack.stack,
        }

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Draw how many tiles there are, which and where; the agent stands in the middle, turned as it was."""
        boxes, rng, count = self._boxes, self._rng, len(rows)
        most = self._parameters.read("num_tiles", count).astype(np.int64)
        drawn = rng.random((2, count, TILES)).argsort(axis=-1)  # two shuffles
        is_there = drawn[0] < rng.integers(1, most + 1)[:, np.newaxis]
        self.tiles.state[rows] = np.where(is_there, WAITING, ABSENT)
        places = place_on_circle(TILE_RADIUS_M, TILE_HEIGHT_M)[drawn[1]]
        places[~is_there] = (0.0, AWAY_M, 0.0)
        boxes.position[rows, FIRST_TILE:] = places
        boxes.yaw[rows, FIRST_TILE:] = PLACE_RAD * drawn[1]
        boxes.position[rows, AGENT] = START
        boxes.velocity[rows, AGENT] = 0.0

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return the tiles, the agent's body, and where it is and looks."""
        agents = np.arange(len(self))[rows]
        boxes = self._boxes
        return [perceive_tiles(boxes, self.tiles, agents), perceive_body(boxes, agents), perceive_place(boxes, agents)]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return boxes, tiles, and what was seen."""
        return self._state_arrays

    def act(self) -> None:
        """Run and turn; every step costs a little."""
        act(self._boxes, self.arrays)


class SorterWorld(World):
    """Rooms, tiles and agents."""

    view = View(pitch_deg=60.0, yaw_deg=0.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.boxes = make_room(areas)
        self.sorters = SorterAgents(self.boxes, rng, parameters)
        super().__init__([self.sorters], DECISION_PERIOD, parameters)
        self._advance = advance.bind(self.boxes, self.sorters.tiles, self.sorters.arrays)

    def bodies(self) -> VisualGeoms:
        """Return the boxes; tiles bear their numbers, and are green once they were visited."""
        boxes = self.boxes
        offset = side_by_side(len(boxes.yaw), AREAS_APART_M)[:, np.newaxis]
        place, half_size, turned = boxes.position.copy(), boxes.half_size.copy(), yaw_rotations(boxes.yaw)
        place[:, FIRST_TILE:, ::2] *= SEEN_TILE_RADIUS_M / TILE_RADIUS_M
        half_size[:, FIRST_TILE:, 2] = WALL_FACE_M - SEEN_TILE_RADIUS_M
        half_size[:, FIRST_WALL:FIRST_TILE:2, 1] -= SEEN_STEP_M
        place += offset
        color = np.empty_like(place)
        color[:, AGENT], color[:, 1:FIRST_WALL], color[:, FIRST_WALL:FIRST_TILE] = AGENT_BLUE, FLOOR_GREY, WALL_GREY
        is_visited = self.sorters.tiles.state == VISITED
        color[:, FIRST_TILE:] = np.where(is_visited[..., np.newaxis], GREEN, WHITE)
        return join(
            make_solids(place, half_size, color, turned),
            make_faces(place[:, AGENT], turned[:, AGENT]),
            _numbers(boxes.position[:, FIRST_TILE:] + offset),
        )

    def integrate(self) -> None:
        """Move with contacts, and reward the tiles that are touched."""
        integrate(self.boxes, self.sorters.tiles, self.sorters.arrays)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        return self._advance(steps)


def _numbers(tiles: NDArray[np.float64]) -> VisualGeoms:
    """Return the strokes of the numbers on tiles, [areas, TILES, 3]; those that are not needed lie far below."""
    number = np.arange(1, TILES + 1)
    digits = np.stack((number // 10, number % 10), axis=1)
    is_drawn = _DIGIT_STROKES[digits] & ((digits > 0) | (np.arange(2) > 0))[:, :, np.newaxis]
    place = np.zeros((TILES, 2, len(_STROKE_PLACES), 3))
    place[..., ::2] = _STROKE_PLACES * DIGIT_M
    shift = np.where((number >= 10)[:, np.newaxis], np.array([-0.5, 0.5]) * DIGITS_APART_M, 0.0)
    place[..., 0] += shift[:, :, np.newaxis]
    lying, standing = (DIGIT_M[0] + STROKE_M, 0.1, STROKE_M), (STROKE_M, 0.1, 0.5 * DIGIT_M[1] + STROKE_M)
    half = 0.5 * np.where(_STROKE_LIES[:, np.newaxis], lying, standing)
    center = tiles[:, :, np.newaxis, np.newaxis] + place
    center[..., 1] = np.where(is_drawn & (tiles[:, :, np.newaxis, np.newaxis, 1] > 0.0), DIGIT_HEIGHT_M, AWAY_M)
    return make_solids(center, half, BLACK)


ENTRY = SimEntry(
    "Sorter",
    expected_reward=0.85,
    description="Touch numbered tiles around a room, from the lowest number to the highest.",
    make_world=SorterWorld,
    num_areas=8,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "Sorter.onnx",
)
