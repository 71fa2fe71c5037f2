"""What happens in a dungeon of DungeonEscape: compiled, for all areas at once."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.agent import ENDED, PLAYING, AgentArrays
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.examples.teams import (
    CUBE_DRAG,
    CUBE_MASS_KG,
    FLOOR_CENTER,
    FLOOR_SIZE,
    GRAVITY,
    RUN_SPEED,
    SIDE_SPEED,
    TEAM,
    TURN_RAD,
    WALL_CENTERS,
    WALL_SIZES,
)
from mlagents_sim.physics.box_runners import OUT_OF_PLAY_M, look, run, take_out
from mlagents_sim.physics.boxes import Boxes, make_boxes, move, set_mover
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.planar import separation
from mlagents_sim.physics.ray_casts import RayOrigins, Shapes
from mlagents_sim.physics.rules import TIME_STEP_S

# Time and rewards
MAX_STEP: Final = 15_000
DOOR_REWARD: Final = 1.0

# The boxes of an area. Sizes of columns, door, portal and key are chosen here: those of Unity's scene are not known.
DRAGON: Final = TEAM
MOVERS: Final = TEAM + 1
DOOR, PORTAL, COLUMNS = range(MOVERS, MOVERS + 3)
FLOOR: Final = COLUMNS + 4
DRAGON_START: Final = (0.0, 0.75, 8.0)
DRAGON_SPEEDS: Final = (1.0, 7.0)  # m/s
PORTAL_PLACE: Final = (11.6, 1.0, -11.6)
CENTERS: Final = [
    *[(2.0 * cube - 2.0, 0.5, 0.0) for cube in range(TEAM)],
    DRAGON_START,
    (0.0, 1.0, 12.6),
    PORTAL_PLACE,
    *[(x, 1.5, z) for x in (4.5, -4.5) for z in (4.0, -4.0)],
    FLOOR_CENTER,
    *WALL_CENTERS,
]
SIZES: Final = [
    *[(1.0, 1.0, 1.0)] * TEAM,
    (1.5, 1.5, 1.5),
    (2.0, 2.0, 0.5),
    (1.8, 2.0, 1.8),
    *[(1.0, 3.0, 1.0)] * 4,
    FLOOR_SIZE,
    *WALL_SIZES,
]
KEY_RADIUS_M: Final = 0.5
KEY_SHAPE: Final = len(CENTERS)  # what is seen: the boxes, then the key


class Dungeons(NamedTuple):
    """The dungeons of all areas, one row each.

    Attributes:
      boxes: cubes, dragon, door, portal, columns, floor, walls.
      is_there: bool [areas, TEAM], whether a cube is still in play.
      has_key: bool [areas, TEAM].
      at_door: bool [areas, TEAM], whether it touched the door in the last step.
      dragon_lives: bool [areas].
      dragon_speed: float64 [areas], m/s.
      key: float64 [areas, 3], where a key lies, m.
      key_lies: bool [areas], whether one does.
      gravity: float64 [1], m/s^2, of all areas.
    """

    boxes: Boxes
    is_there: NDArray[np.bool_]
    has_key: NDArray[np.bool_]
    at_door: NDArray[np.bool_]
    dragon_lives: NDArray[np.bool_]
    dragon_speed: NDArray[np.float64]
    key: NDArray[np.float64]
    key_lies: NDArray[np.bool_]
    gravity: NDArray[np.float64]


def make_dungeons(count: int) -> Dungeons:
    """Return dungeons as they are before anything was placed."""
    boxes = make_boxes(count, MOVERS, CENTERS, SIZES)
    for cube in range(TEAM):
        set_mover(boxes, cube, CUBE_MASS_KG, CUBE_DRAG)
    has_key, at_door = np.zeros((2, count, TEAM), np.bool_)
    return Dungeons(
        boxes,
        np.ones((count, TEAM), np.bool_),
        has_key,
        at_door,
        dragon_lives=np.ones(count, np.bool_),
        dragon_speed=np.ones(count),
        key=np.zeros((count, 3)),
        key_lies=np.zeros(count, np.bool_),
        gravity=np.array([GRAVITY]),
    )


# One physics step


@compiled
def act(dungeons: Dungeons, agents: AgentArrays) -> None:
    """Let the cubes run, and the dragons walk straight to the portals; nothing stops a dragon."""
    boxes = dungeons.boxes
    run(boxes, agents.discrete, TEAM, RUN_SPEED, SIDE_SPEED, TURN_RAD)
    for area in range(len(dungeons.dragon_lives)):
        if dungeons.dragon_lives[area]:
            place = boxes.position[area, DRAGON]
            dx, dz = PORTAL_PLACE[0] - place[0], PORTAL_PLACE[2] - place[2]
            way = dungeons.dragon_speed[area] * TIME_STEP_S / math.sqrt(dx * dx + dz * dz)
            place[0] += way * dx
            place[2] += way * dz
            boxes.yaw[area, DRAGON] = math.atan2(dx, dz)


@compiled
def integrate(dungeons: Dungeons, agents: AgentArrays, group_reward: NDArray[np.float32]) -> bool:
    """Advance by 0.02 s, and see who touches what. Return whether any episode is over."""
    move(dungeons.boxes, dungeons.gravity[0])
    any_over = False
    for area in range(len(dungeons.dragon_lives)):
        for cube in range(TEAM):
            if dungeons.is_there[area, cube] and agents.end[area * TEAM + cube] == PLAYING:
                _meet(dungeons, agents, group_reward, area, cube)
        if dungeons.dragon_lives[area] and dungeons.boxes.touches[area, DRAGON, PORTAL]:
            _end(dungeons, agents, area)
        for cube in range(TEAM):
            any_over |= agents.end[area * TEAM + cube] != PLAYING
    return any_over


@compiled
def _meet(dungeons: Dungeons, agents: AgentArrays, group_reward: NDArray[np.float32], area: int, cube: int) -> None:
    """Do what comes of all that a cube touches: the door opens to a key, dragon and portal take it out of play."""
    touches = dungeons.boxes.touches[area, cube]
    reaches_door = touches[DOOR] and not dungeons.at_door[area, cube]
    dungeons.at_door[area, cube] = bool(touches[DOOR])
    if reaches_door and dungeons.has_key[area, cube]:
        for member in range(TEAM):
            if dungeons.is_there[area, member]:
                group_reward[area * TEAM + member] += DOOR_REWARD
        _end(dungeons, agents, area)
    elif touches[DRAGON] and dungeons.dragon_lives[area]:
        dungeons.dragon_lives[area] = False
        for axis in (0, 2):
            dungeons.key[area, axis] = dungeons.boxes.position[area, DRAGON, axis]
        dungeons.key[area, 1] = KEY_RADIUS_M
        dungeons.key_lies[area] = True
        take_out(dungeons.boxes, area, DRAGON)
        _leave(dungeons, agents, area, cube)
    elif touches[PORTAL]:
        if dungeons.has_key[area, cube]:
            _end(dungeons, agents, area)
        else:
            _leave(dungeons, agents, area, cube)
    elif dungeons.key_lies[area] and _is_at_key(dungeons, area, cube):
        dungeons.key_lies[area] = False
        dungeons.has_key[area, cube] = True


@compiled
def _leave(dungeons: Dungeons, agents: AgentArrays, area: int, cube: int) -> None:
    """End the episode of one cube, which is not to be seen any more once that is reported."""
    dungeons.is_there[area, cube] = False
    agents.end[area * TEAM + cube] = ENDED


@compiled
def _end(dungeons: Dungeons, agents: AgentArrays, area: int) -> None:
    """End the episodes of all cubes that are in play."""
    for cube in range(TEAM):
        if dungeons.is_there[area, cube]:
            agents.end[area * TEAM + cube] = ENDED


@compiled
def _is_at_key(dungeons: Dungeons, area: int, cube: int) -> bool:
    """Return whether a cube, which stands on the floor, reaches into the key."""
    place, half, yaw = (
        dungeons.boxes.position[area, cube],
        dungeons.boxes.half_size[area, cube],
        dungeons.boxes.yaw[area, cube],
    )
    dx, dz = dungeons.key[area, 0] - place[0], dungeons.key[area, 2] - place[2]
    c, s = math.cos(yaw), math.sin(yaw)
    return bool(separation(c * dx - s * dz, s * dx + c * dz, half[0], half[2])[0] <= KEY_RADIUS_M)


@compiled
def advance(dungeons: Dungeons, agents: AgentArrays, group_reward: NDArray[np.float32], steps: int) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for step in range(steps):
        count_step(agents)
        act(dungeons, agents)
        if interrupt(agents, MAX_STEP):
            return step, True
        if integrate(dungeons, agents, group_reward):
            return step + 1, False
    return steps, False


# Perception


@allocating
def look_around(dungeons: Dungeons, shapes: Shapes, origins: RayOrigins) -> None:
    """Bring what is seen, and from where, up to date."""
    look(dungeons.boxes, shapes, origins)
    for area in range(len(dungeons.key_lies)):
        shapes.center[area, KEY_SHAPE] = dungeons.key[area]
        if not dungeons.key_lies[area]:
            shapes.center[area, KEY_SHAPE, 1] = OUT_OF_PLAY_M
