"""The room of Sorter, its numbered tiles and how an agent runs among them: compiled, for all areas at once."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.agent import ENDED, PLAYING, AgentArrays
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.physics.boxes import Boxes, make_boxes, move, set_mover
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.rules import push_forward, push_right

# Time and rewards
MAX_STEP: Final = 5000
STEP_REWARD: Final = -1.0 / MAX_STEP
RIGHT_REWARD: Final = 1.0
WRONG_REWARD: Final = -1.0

# Motion, per physics step
GRAVITY: Final = 24.525
RUN_SPEED: Final = 2.0  # m/s
TURN_RAD: Final = math.radians(4.0)
MASS_KG: Final = 10.0
DRAG: Final = 4.0

# The room, in metres: the agent, the floor, and at each of as many places around the middle a piece of wall; then tiles
TILES: Final = 20
AGENT: Final = 0
FLOOR: Final = 1
FIRST_WALL: Final = 2
FIRST_TILE: Final = FIRST_WALL + TILES
PLACE_RAD: Final = 2.0 * math.pi / TILES  # from one place to the next
WALL_FACE_M: Final = 20.0  # from the middle
WALL_SIZE_M: Final = (6.8, 4.0, 1.0)
TILE_RADIUS_M: Final = 20.5
TILE_HEIGHT_M: Final = 1.84  # of its middle
TILE_SIZE_M: Final = (3.5, 4.2825, 1.5204)
START: Final = (0.0, 0.5, 0.0)
AWAY_M: Final = -1000.0  # height of tiles that are not there

# What a tile is in this episode
ABSENT, WAITING, VISITED = range(3)

# What is seen
SIZE_M: Final = 20.0  # 1 in observations
TILE_FEATURES: Final = TILES + 3


class Tiles(NamedTuple):
    """The tiles of all areas, in the order of their numbers.

    Attributes:
      state: uint8 [areas, TILES], ABSENT, WAITING or VISITED.
    """

    state: NDArray[np.uint8]


def place_on_circle(radius: float, height: float) -> NDArray[np.float64]:
    """Return float64 [TILES, 3]: the places around the middle, the first one straight ahead, then to the right."""
    angle = PLACE_RAD * np.arange(TILES)
    return np.stack((radius * np.sin(angle), np.full(TILES, height), radius * np.cos(angle)), axis=1)


def make_room(areas: int) -> Boxes:
    """Return the boxes of all areas, the tiles away."""
    walls = place_on_circle(WALL_FACE_M + 0.5 * WALL_SIZE_M[2], 0.5 * WALL_SIZE_M[1])
    tiles = np.full((TILES, 3), (0.0, AWAY_M, 0.0))
    centers = [START, (0.0, -0.5, 0.0), *map(tuple, walls.tolist()), *map(tuple, tiles.tolist())]
    sizes = [(1.0, 1.0, 1.0), (44.0, 1.0, 44.0), *[WALL_SIZE_M] * TILES, *[TILE_SIZE_M] * TILES]
    boxes = make_boxes(areas, 1, centers, sizes)
    boxes.yaw[:, FIRST_WALL:FIRST_TILE] = PLACE_RAD * np.arange(TILES)
    set_mover(boxes, AGENT, MASS_KG, DRAG)
    return boxes


# One physics step


@compiled
def act(boxes: Boxes, agents: AgentArrays) -> None:
    """Run ahead, back or aside, where the agent looked before it turns."""
    for i in range(len(agents.reward)):
        agents.reward[i] += STEP_REWARD
        choices, velocity, yaw = agents.discrete[i], boxes.velocity[i, AGENT], boxes.yaw[i, AGENT]
        if choices[1] != 0:
            push_right(velocity, yaw, RUN_SPEED if choices[1] == 1 else -RUN_SPEED)
        elif choices[0] != 0:
            push_forward(velocity, yaw, RUN_SPEED if choices[0] == 1 else -RUN_SPEED)
        if choices[2] != 0:
            boxes.yaw[i, AGENT] += -TURN_RAD if choices[2] == 1 else TURN_RAD


@compiled
def integrate(boxes: Boxes, tiles: Tiles, agents: AgentArrays) -> bool:
    """Advance the physics by 0.02 s; see which tiles are touched. Return whether any episode is over."""
    move(boxes, GRAVITY)
    any_over = False
    for i in range(len(agents.reward)):
        if agents.end[i] == PLAYING:
            _visit(boxes.touches[i, AGENT], tiles.state[i], i, agents)
        any_over |= agents.end[i] != PLAYING
    return any_over


@compiled
def _visit(touches: NDArray[np.uint8], state: NDArray[np.uint8], i: int, agents: AgentArrays) -> None:
    """Reward the lowest number that waits; any other that does is wrong, and ends the episode, as the last one does."""
    waiting = 0
    for number in range(TILES):
        if state[number] != WAITING:
            continue
        waiting += 1
        if not touches[FIRST_TILE + number]:
            continue
        if waiting > 1:
            agents.reward[i] += WRONG_REWARD
            agents.end[i] = ENDED
            return
        agents.reward[i] += RIGHT_REWARD
        state[number] = VISITED
        waiting -= 1
    if waiting == 0:
        agents.end[i] = ENDED


@compiled
def advance(boxes: Boxes, tiles: Tiles, agents: AgentArrays, steps: int) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for step in range(steps):
        count_step(agents)
        act(boxes, agents)
        if interrupt(agents, MAX_STEP):
            return step, True
        if integrate(boxes, tiles, agents):
            return step + 1, False
    return steps, False


# Perception


@allocating
def perceive_tiles(boxes: Boxes, tiles: Tiles, agents: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the tiles that are there, by rising number.

    A row has 1 at the index that is the tile's number; at 20 and 21 how far the tile's middle is from the agent's,
    along x and z, in 20 m; at 22 whether it was visited. The number 20 has no index left, as in Unity: it is
    that of the row without a 1.

    Args:
      boxes: one row per area.
      tiles: likewise.
      agents: int64 [n], the areas.

    Returns: float32 [n, TILES, TILE_FEATURES], zeros after the last tile.
    """
    result = np.zeros((len(agents), TILES, TILE_FEATURES), np.float32)
    for row in range(len(agents)):
        area, listed = agents[row], 0
        own = boxes.position[area, AGENT]
        for number in range(TILES):
            if tiles.state[area, number] == ABSENT:
                continue
            features, place = result[row, listed], boxes.position[area, FIRST_TILE + number]
            features[number + 1] = 1.0
            features[TILES] = (place[0] - own[0]) / SIZE_M
            features[TILES + 1] = (place[2] - own[2]) / SIZE_M
            features[TILES + 2] = 1.0 if tiles.state[area, number] == VISITED else 0.0
            listed += 1
    return result


@allocating
def perceive_body(boxes: Boxes, agents: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return float32 [n, 10]: position, m, rotation (x, y, z, w) and velocity, m/s, as the room sees the agent."""
    result = np.zeros((len(agents), 10), np.float32)
    for row in range(len(agents)):
        area = agents[row]
        half_yaw = 0.5 * boxes.yaw[area, AGENT]
        result[row, :3] = boxes.position[area, AGENT]
        result[row, 4], result[row, 6] = math.sin(half_yaw), math.cos(half_yaw)
        result[row, 7:] = boxes.velocity[area, AGENT]
    return result


@allocating
def perceive_place(boxes: Boxes, agents: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return float32 [n, 4]: x and z, in 20 m; x and z of where the agent looks."""
    result = np.empty((len(agents), 4), np.float32)
    for row in range(len(agents)):
        area = agents[row]
        position, yaw = boxes.position[area, AGENT], boxes.yaw[area, AGENT]
        result[row, 0], result[row, 1] = position[0] / SIZE_M, position[2] / SIZE_M
        result[row, 2], result[row, 3] = math.sin(yaw), math.cos(yaw)
    return result
