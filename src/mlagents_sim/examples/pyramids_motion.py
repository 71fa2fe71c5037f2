"""What lies in an area of Pyramids, and how it moves: compiled, for all areas at once."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.agent import ENDED, PLAYING, AgentArrays
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.physics.boxes import Boxes
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.cubes import Cubes, move_cubes, write_rotation
from mlagents_sim.physics.piles import Piles, move_with_piles
from mlagents_sim.physics.ray_casts import ABSENT, RayOrigins, Shapes, turn_ray_origins
from mlagents_sim.physics.rules import run_or_turn, write_yaw

# Time and rewards
MAX_STEP: Final = 5000
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
REST_HEIGHTS: Final = np.repeat((0.5, 1.5, 2.5, 3.5), (12, 8, 4, 1))

# The boxes of an area, which stay upright; and its bricks, which tumble: the last two are the target and the agent
AGENT, SWITCH, STONES = range(3)
FLOOR: Final = STONES + STONE_PILES * CUBES
FIRST_OF_PILE: Final = [*range(STONES, FLOOR + 1, CUBES)]
TARGET: Final = CUBES
BRICK_HALF_SIZES: Final = [*[0.5] * CUBES, 1.0, 0.5]
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
    *[(1.0, 1.0, 1.0)] * (FLOOR - STONES),
    *(size for _, size in _FIXED),
]
SEEN_BRICKS: Final = len(CENTERS)  # what rays hit: the boxes, then the bricks

# What is seen
TAGS: Final = ("block", "wall", "goal", "switchOff", "switchOn", "stone")
BLOCK_TAG, WALL_TAG, GOAL_TAG, OFF_TAG, ON_TAG, STONE_TAG = range(6)


# One physics step


@compiled
def act(boxes: Boxes, agents: AgentArrays) -> None:
    """Run ahead or back, or turn."""
    for i in range(len(agents.reward)):
        agents.reward[i] += STEP_REWARD
        boxes.yaw[i, AGENT] = run_or_turn(
            agents.discrete[i, 0], boxes.velocity[i, AGENT], boxes.yaw[i, AGENT], RUN_SPEED, TURN_RAD
        )


@compiled
def integrate(
    boxes: Boxes,
    piles: Piles,
    bricks: Cubes,
    is_on: NDArray[np.bool_],
    reserved: NDArray[np.float64],
    agents: AgentArrays,
) -> bool:
    """Advance by 0.02 s; the switch calls the bricks, the target ends the episode. Return whether any is over."""
    any_over = False
    for i in range(len(is_on)):
        if is_on[i] and _move_bricks(boxes, bricks, i) and agents.end[i] == PLAYING:
            agents.reward[i] = GOAL_REWARD
            agents.end[i] = ENDED
        any_over |= agents.end[i] != PLAYING
    move_with_piles(boxes, piles, GRAVITY)
    for i in range(len(is_on)):
        if boxes.touches[i, AGENT, SWITCH] and not is_on[i]:
            is_on[i] = True
            _put_bricks(bricks, i, reserved[i])
    return any_over


@compiled
def _move_bricks(boxes: Boxes, bricks: Cubes, area: int) -> bool:
    """Move the bricks; the agent gets what they do to its velocity. Returns whether it touches the target."""
    agent = TARGET + 1
    for axis in range(3):
        bricks.position[area, agent, axis] = boxes.position[area, AGENT, axis]
        bricks.velocity[area, agent, axis] = boxes.velocity[area, AGENT, axis]
    half_yaw = 0.5 * boxes.yaw[area, AGENT]
    bricks.quat[area, agent, 0], bricks.quat[area, agent, 2] = math.cos(half_yaw), math.sin(half_yaw)
    walls = FLOOR + 1
    touches = move_cubes(bricks, area, GRAVITY, boxes.position[area, walls:], boxes.half_size[area, walls:], TARGET)
    for axis in range(3):
        boxes.velocity[area, AGENT, axis] = bricks.velocity[area, agent, axis]
    return touches


@allocating
def _put_bricks(bricks: Cubes, area: int, place: NDArray[np.float64]) -> None:
    for brick in range(TARGET + 1):
        bricks.position[area, brick] = place + BRICK_PLACES[brick]
        bricks.quat[area, brick] = 0.0
        bricks.quat[area, brick, 0] = 1.0
        bricks.velocity[area, brick] = bricks.spin[area, brick] = 0.0
    bricks.slow_steps[area] = 0


@compiled
def advance(
    boxes: Boxes,
    piles: Piles,
    bricks: Cubes,
    is_on: NDArray[np.bool_],
    reserved: NDArray[np.float64],
    agents: AgentArrays,
    steps: int,
) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for step in range(steps):
        count_step(agents)
        act(boxes, agents)
        if interrupt(agents, MAX_STEP):
            return step, True
        if integrate(boxes, piles, bricks, is_on, reserved, agents):
            return step + 1, False
    return steps, False


# Perception


@allocating
def look(
    boxes: Boxes,
    bricks: Cubes,
    is_on: NDArray[np.bool_],
    shapes: Shapes,
    origins: RayOrigins,
    agents: NDArray[np.intp],
) -> None:
    """Bring what the rays of the agents can hit up to date."""
    for agent in agents:
        for box in range(FLOOR):
            shapes.center[agent, box] = boxes.position[agent, box]
            write_yaw(shapes.rotation[agent, box], boxes.yaw[agent, box])
        shapes.tag[agent, SWITCH] = ON_TAG if is_on[agent] else OFF_TAG
        for brick in range(TARGET + 1):
            shape = SEEN_BRICKS + brick
            shapes.tag[agent, shape] = ABSENT
            if is_on[agent]:
                shapes.tag[agent, shape] = BLOCK_TAG if brick < TARGET else GOAL_TAG
                shapes.center[agent, shape] = bricks.position[agent, brick]
                write_rotation(bricks.quat[agent, brick], shapes.rotation[agent, shape])
    turn_ray_origins(origins, boxes.yaw[:, AGENT])
