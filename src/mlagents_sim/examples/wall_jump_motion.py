"""How agents of WallJump run, jump and fall, and what that is worth: compiled, for all areas at once."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.agent import ENDED, PLAYING, AgentArrays
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.physics.boxes import Boxes, move
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.rules import TIME_STEP_S

# Time and rewards
MAX_STEP: Final = 2000
STEP_REWARD: Final = -0.0005
GOAL_REWARD: Final = 1.0
FALL_REWARD: Final = -1.0

# Motion, per physics step
RUN_SPEED: Final = 3.0  # m/s
SIDEWAYS: Final = 0.6  # part of it
IN_THE_AIR: Final = 0.5  # part of it
TURN_RAD: Final = np.radians(6.0)
JUMP_HEIGHT_M: Final = 2.75
JUMP_STEPS: Final = 11  # 0.2 s count down by 0.02 s; in single precision a little is left after ten
JUMP_STIFFNESS: Final = 777.0 * TIME_STEP_S  # wanted speed per metre, 1/s
JUMP_SPEED_CHANGE: Final = 10.0  # m/s
FALL_ACCELERATION: Final = 111.0  # m/s^2, beyond gravity

# Boxes of an area, and the goal, which is none of them: m
AGENT, BLOCK, FLOOR, WALL = range(4)
GOAL_CENTER: Final = (6.37, 2.99, 2.93)
GOAL_HALF_SIZE: Final = (2.0, 2.5, 2.0)

# What counts as standing on something: near below the middle, or anywhere just below
GROUND_RAY_M: Final = 1.0
GROUND_BOX: Final = (0.475, 0.5)  # half its width, half its height
GROUND_DROP_M: Final = 0.05

# Where agents see themselves
GROUND: Final = (0.0, 0.0, -4.0)
POSITION_SCALE: Final = 1.0 / 20.0


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
    """Return whether a square that turns with the agent overlaps an upright rectangle, seen from above."""
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
    """Return whether there is something to stand on less than about half a metre below the agent's middle."""
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
    """Return whether any part of the agent stands on something."""
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
    """Return whether the middle of a mover is above another box."""
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
def act(boxes: Boxes, jumps: Jumps, agents: AgentArrays, big: bool) -> None:
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
def integrate(boxes: Boxes, jumps: Jumps, small: AgentArrays, big: AgentArrays, gravity: NDArray[np.float64]) -> bool:
    """Advance the physics by 0.02 s; who stands in the goal ends the episode. Return whether any episode is over."""
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
def advance(
    boxes: Boxes, jumps: Jumps, small: AgentArrays, big: AgentArrays, gravity: NDArray[np.float64], steps: int
) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for step in range(steps):
        count_step(small)
        count_step(big)
        act(boxes, jumps, small, False)
        act(boxes, jumps, big, True)
        small_over, big_over = interrupt(small, MAX_STEP), interrupt(big, MAX_STEP)
        if small_over or big_over:
            return step, True
        if integrate(boxes, jumps, small, big, gravity):
            return step + 1, False
    return steps, False


@allocating
def perceive_own_state(boxes: Boxes, agents: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return float32 [n, 4]: scaled position from the floor's middle; 1 if there is something to stand on, else 0."""
    result = np.empty((len(agents), 4), np.float32)
    for row in range(len(agents)):
        area = agents[row]
        for axis in range(3):
            result[row, axis] = POSITION_SCALE * (boxes.position[area, AGENT, axis] - GROUND[axis])
        result[row, 3] = 1.0 if is_near_ground(boxes, area) else 0.0
    return result
