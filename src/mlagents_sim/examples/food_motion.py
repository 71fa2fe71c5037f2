"""How agents of FoodCollector run, shoot and collide with food that rolls about: compiled, for all areas at once."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.agent import AgentArrays
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.physics.balls import fall, press
from mlagents_sim.physics.boxes import Boxes, move
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.contacts import CONTACT_DISTANCE_M, moving_speed, staying_speed
from mlagents_sim.physics.ray_casts import RayOrigins, Shapes, sphere_cast
from mlagents_sim.physics.rules import TIME_STEP_S, push_forward, push_right, write_yaw

# Time and rewards
MAX_STEP: Final = 5000
FOOD_REWARD: Final = 1.0
BAD_FOOD_REWARD: Final = -1.0
FROZEN_STEPS: Final = 201  # more than 4 s

# Motion
GRAVITY: Final = 9.81
RUN_SPEED: Final = 2.0  # m/s, per physics step
TURN_RAD: Final = math.radians(6.0)  # likewise
SHOOTING_RUN: Final = 0.5  # part of the push that is left
SHOOTING_SPEED: Final = 0.75  # part of the velocity that is left
LIMIT_SPEED: Final = 5.0  # m/s; who is faster is slowed
LIMITED: Final = 0.95  # part of the velocity that is left
LASER_LENGTH_M: Final = 25.0
LASER_RADIUS_M: Final = 2.0

# An area: its agents come first among its boxes, and among the shapes that rays hit; then food, good and bad, and walls
AGENTS: Final = 5
PIECES: Final = 25  # of either kind
FOOD: Final = 2 * PIECES
FIRST_WALL: Final = AGENTS + FOOD
FLOOR_TOP_M: Final = 0.5
WALL_FACE_M: Final = 49.5
FOOD_RADIUS_M: Final = 0.75
FOOD_MASS_KG: Final = 5.0
FOOD_ANGULAR_DRAG: Final = 0.05
FRICTION: Final = 0.6
AGENT_MASS_KG: Final = 10.0

TAGS: Final = ("food", "agent", "wall", "badFood", "frozenAgent")
FOOD_TAG, AGENT_TAG, WALL_TAG, BAD_FOOD_TAG, FROZEN_TAG = range(5)


class Food(NamedTuple):
    """The pieces of all areas, the good ones first.

    Attributes:
      position: float64 [areas, pieces, 3], m.
      velocity: float64 [areas, pieces, 3], m/s.
      spin: float64 [areas, pieces, 3], rad/s.
      next_place: float64 [areas, pieces, 3], where a piece comes down again when it is eaten.
      is_eaten: bool [areas, pieces], whether a new `next_place` is wanted.
    """

    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    spin: NDArray[np.float64]
    next_place: NDArray[np.float64]
    is_eaten: NDArray[np.bool_]


class Lasers(NamedTuple):
    """Who shoots and who is frozen.

    Attributes:
      shoots: bool [areas, agents], whether the agent shot in its last step.
      frozen_steps: int64 [areas, agents], physics steps until it can move again.
    """

    shoots: NDArray[np.bool_]
    frozen_steps: NDArray[np.int64]


# What agents do


@compiled
def act(boxes: Boxes, food: Food, lasers: Lasers, shapes: Shapes, agents: AgentArrays) -> None:
    """Let all agents run, turn and shoot, one after the other, by four choices or by three numbers and a choice."""
    any_shoots = False
    for area in range(len(lasers.shoots)):
        for i in range(AGENTS):
            row = area * AGENTS + i
            if agents.continuous.shape[1] == 0:
                forward, right, turn = _chosen(agents.discrete[row])
                wants_to_shoot = agents.discrete[row, 3] == 1
            else:
                forward, right, turn = _steered(agents.continuous[row])
                wants_to_shoot = agents.discrete[row, 0] == 1
            _run(boxes, lasers, forward, right, turn, wants_to_shoot, area, i)
            any_shoots |= lasers.shoots[area, i]
    if any_shoots:
        _shoot_all(boxes, food, lasers, shapes)


@compiled
def _chosen(choices: NDArray[np.int32]) -> tuple[float, float, float]:
    """Return how much choices push ahead and to the right, and turn to the right, -1 to 1; aside replaces ahead."""
    right = 1.0 if choices[1] == 1 else -1.0 if choices[1] == 2 else 0.0
    forward = 1.0 if choices[0] == 1 else -1.0 if choices[0] == 2 else 0.0
    turn = -1.0 if choices[2] == 1 else 1.0 if choices[2] == 2 else 0.0
    return (0.0 if choices[1] != 0 else forward), right, turn


@compiled
def _steered(numbers: NDArray[np.float32]) -> tuple[float, float, float]:
    """Return the same of numbers: ahead, to the right, and turning to the left."""
    forward = min(max(float(numbers[0]), -1.0), 1.0)
    right = min(max(float(numbers[1]), -1.0), 1.0)
    return forward, right, -min(max(float(numbers[2]), -1.0), 1.0)


@compiled
def _run(
    boxes: Boxes, lasers: Lasers, forward: float, right: float, turn: float, wants_to_shoot: bool, area: int, i: int
) -> None:
    """Act in Unity's order: the laser's brake, the limit, the push; its direction is that of before the turn."""
    velocity, yaw = boxes.velocity[area, i], boxes.yaw[area, i]
    lasers.shoots[area, i] = False
    lasers.frozen_steps[area, i] = max(0, lasers.frozen_steps[area, i] - 1)
    is_free = lasers.frozen_steps[area, i] == 0
    push = RUN_SPEED
    if is_free and wants_to_shoot:
        lasers.shoots[area, i] = True
        push *= SHOOTING_RUN
        velocity *= SHOOTING_SPEED
    if velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2 > LIMIT_SPEED**2:
        velocity *= LIMITED
    if is_free:
        push_right(velocity, yaw, push * right)
        push_forward(velocity, yaw, push * forward)
        boxes.yaw[area, i] += turn * TURN_RAD


@compiled
def _shoot_all(boxes: Boxes, food: Food, lasers: Lasers, shapes: Shapes) -> None:
    for area in range(len(lasers.shoots)):
        for piece in range(FOOD):
            for axis in range(3):
                shapes.center[area, AGENTS + piece, axis] = food.position[area, piece, axis]
        for i in range(AGENTS):
            for axis in range(3):
                shapes.center[area, i, axis] = boxes.position[area, i, axis]
            write_yaw(shapes.rotation[area, i], boxes.yaw[area, i])
        for i in range(AGENTS):
            if lasers.shoots[area, i]:
                hit = _first_hit(shapes, area, i)
                if 0 <= hit < AGENTS and lasers.frozen_steps[area, hit] == 0:
                    lasers.frozen_steps[area, hit] = FROZEN_STEPS


@allocating
def _first_hit(shapes: Shapes, area: int, shooter: int) -> int:
    """Return the shape that the laser of an agent meets first; -1 if there is none."""
    start = shapes.center[area, shooter]
    path = np.empty(3)
    for axis in range(3):
        path[axis] = LASER_LENGTH_M * shapes.rotation[area, shooter, axis, 2]
    first, hit = 1.0, -1
    for shape in range(shapes.center.shape[1]):
        if shape == shooter or _is_aside(shapes, area, shape, start, path):
            continue
        fraction = sphere_cast(
            start,
            path,
            LASER_RADIUS_M + shapes.rounding[area, shape],
            shapes.center[area, shape],
            shapes.rotation[area, shape],
            shapes.half_size[area, shape],
            first,
        )
        if fraction <= first:
            first, hit = fraction, shape
    return hit


@compiled
def _is_aside(shapes: Shapes, area: int, shape: int, start: NDArray[np.float64], path: NDArray[np.float64]) -> bool:
    """Return whether a shape is too far from the laser's path for being met; most are, and that is soon seen."""
    along = square = size = 0.0
    for axis in range(3):
        size += shapes.half_size[area, shape, axis] ** 2
        along += (shapes.center[area, shape, axis] - start[axis]) * path[axis]
    part = min(max(along / LASER_LENGTH_M**2, 0.0), 1.0)
    for axis in range(3):
        square += (shapes.center[area, shape, axis] - start[axis] - part * path[axis]) ** 2
    reach = LASER_RADIUS_M + shapes.rounding[area, shape] + math.sqrt(size)
    is_aside: bool = square > reach * reach
    return is_aside


# Contacts


@allocating
def integrate(boxes: Boxes, food: Food, agents: AgentArrays) -> None:
    """Advance the physics by 0.02 s; what agents touch is eaten, and comes down elsewhere."""
    normal, push, eaten = np.empty(3), np.zeros((FOOD, 3)), np.zeros(FOOD, np.bool_)
    for area in range(len(food.position)):
        _move_food(boxes, food, agents, area, normal, push, eaten)
    move(boxes, GRAVITY)


@compiled
def _move_food(
    boxes: Boxes,
    food: Food,
    agents: AgentArrays,
    area: int,
    normal: NDArray[np.float64],
    push: NDArray[np.float64],
    eaten: NDArray[np.bool_],
) -> None:
    """Move the pieces of one area, with memory for a vector and for what moves each besides its velocity."""
    push[:] = 0.0
    eaten[:] = False
    for piece in range(FOOD):
        fall(food.velocity[area, piece], food.spin[area, piece], GRAVITY, FOOD_ANGULAR_DRAG)
    for i in range(AGENTS):
        x, z = boxes.position[area, i, 0], boxes.position[area, i, 2]
        reach = FOOD_RADIUS_M + CONTACT_DISTANCE_M + 1.42 * boxes.half_size[area, i, 0]
        for piece in range(FOOD):
            dx, dz = food.position[area, piece, 0] - x, food.position[area, piece, 2] - z
            if dx * dx + dz * dz < reach * reach and _hit(boxes, food, area, i, piece, normal):
                agents.reward[area * AGENTS + i] += FOOD_REWARD if piece < PIECES else BAD_FOOD_REWARD
                eaten[piece] = food.is_eaten[area, piece] = True
    _part(food.position[area], food.velocity[area], push)
    for piece in range(FOOD):
        _roll(food.position[area, piece], food.velocity[area, piece], food.spin[area, piece], push[piece], normal)
        if eaten[piece]:
            for axis in range(3):
                food.position[area, piece, axis] = food.next_place[area, piece, axis]


@compiled
def _hit(boxes: Boxes, food: Food, area: int, i: int, piece: int, normal: NDArray[np.float64]) -> bool:
    """Return whether an agent touches a piece; then the two go on without their speed towards each other."""
    place, middle, half = food.position[area, piece], boxes.position[area, i], boxes.half_size[area, i]
    dx, dy, dz = place[0] - middle[0], place[1] - middle[1], place[2] - middle[2]
    reach = FOOD_RADIUS_M + CONTACT_DISTANCE_M
    c, s = math.cos(boxes.yaw[area, i]), math.sin(boxes.yaw[area, i])
    x, z = c * dx - s * dz, s * dx + c * dz
    nx, ny, nz = (
        x - min(max(x, -half[0]), half[0]),
        dy - min(max(dy, -half[1]), half[1]),
        z - min(max(z, -half[2]), half[2]),
    )
    distance = math.sqrt(nx * nx + ny * ny + nz * nz)
    if distance >= reach:
        return False
    if distance == 0.0:  # the middle of the piece is in the agent: away from its middle
        nx, nz, distance = x, z, math.sqrt(x * x + z * z)
    if distance > 0.0:
        normal[0], normal[1], normal[2] = (c * nx + s * nz) / distance, ny / distance, (c * nz - s * nx) / distance
        velocity, own = food.velocity[area, piece], boxes.velocity[area, i]
        speed = 0.0
        for axis in range(3):
            speed += (velocity[axis] - own[axis]) * normal[axis]
        impulse = max(-speed, 0.0) / (1.0 / FOOD_MASS_KG + 1.0 / AGENT_MASS_KG)
        for axis in range(3):
            velocity[axis] += impulse / FOOD_MASS_KG * normal[axis]
            own[axis] -= impulse / AGENT_MASS_KG * normal[axis]
    return True


@compiled
def _part(position: NDArray[np.float64], velocity: NDArray[np.float64], push: NDArray[np.float64]) -> None:
    """Solve the contacts of the pieces of one area with each other, pair by pair, without friction."""
    reach = 2.0 * FOOD_RADIUS_M + CONTACT_DISTANCE_M
    for a in range(FOOD):
        for b in range(a):
            dx = position[a, 0] - position[b, 0]
            dz = position[a, 2] - position[b, 2]
            if abs(dx) > reach or abs(dz) > reach:
                continue
            dy = position[a, 1] - position[b, 1]
            distance = math.sqrt(dx * dx + dy * dy + dz * dz)
            if distance >= reach or distance == 0.0:
                continue
            gap = distance - 2.0 * FOOD_RADIUS_M
            nx, ny, nz = dx / distance, dy / distance, dz / distance
            speed = (
                (velocity[a, 0] - velocity[b, 0]) * nx
                + (velocity[a, 1] - velocity[b, 1]) * ny
                + (velocity[a, 2] - velocity[b, 2]) * nz
            )
            pressed = 0.5 * max(staying_speed(gap) - speed, 0.0)
            more = 0.5 * max(moving_speed(gap) - speed, 0.0) - pressed
            for axis, n in ((0, nx), (1, ny), (2, nz)):
                velocity[a, axis] += pressed * n
                velocity[b, axis] -= pressed * n
                push[a, axis] += more * n
                push[b, axis] -= more * n


@compiled
def _roll(
    position: NDArray[np.float64],
    velocity: NDArray[np.float64],
    spin: NDArray[np.float64],
    push: NDArray[np.float64],
    normal: NDArray[np.float64],
) -> None:
    """Solve the contacts of a piece with walls and floor, and move it."""
    for axis in (0, 2):
        away = -1.0 if position[axis] > 0.0 else 1.0
        gap = WALL_FACE_M - abs(position[axis]) - FOOD_RADIUS_M
        if gap < CONTACT_DISTANCE_M:
            normal[:] = 0.0
            normal[axis] = away
            press(velocity, spin, push, FOOD_RADIUS_M, normal, gap, FRICTION, 0.0)
    gap = position[1] - FLOOR_TOP_M - FOOD_RADIUS_M
    if gap < CONTACT_DISTANCE_M:
        normal[0], normal[1], normal[2] = 0.0, 1.0, 0.0
        press(velocity, spin, push, FOOD_RADIUS_M, normal, gap, FRICTION, 0.0)
    for axis in range(3):
        position[axis] += TIME_STEP_S * (velocity[axis] + push[axis])


@compiled
def advance(
    boxes: Boxes, food: Food, lasers: Lasers, shapes: Shapes, agents: AgentArrays, steps: int
) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for step in range(steps):
        count_step(agents)
        act(boxes, food, lasers, shapes, agents)
        if interrupt(agents, MAX_STEP):
            return step, True
        integrate(boxes, food, agents)
    return steps, False


# Perception


@allocating
def look(boxes: Boxes, food: Food, lasers: Lasers, shapes: Shapes, origins: RayOrigins) -> None:
    """Bring what rays hit, and where they begin, up to date."""
    for area in range(len(lasers.shoots)):
        for i in range(AGENTS):
            row = area * AGENTS + i
            origins.position[row] = shapes.center[area, i] = boxes.position[area, i]
            write_yaw(origins.rotation[row], boxes.yaw[area, i])
            shapes.rotation[area, i] = origins.rotation[row]
            shapes.half_size[area, i] = boxes.half_size[area, i]
            shapes.tag[area, i] = FROZEN_TAG if lasers.frozen_steps[area, i] > 0 else AGENT_TAG
        for piece in range(FOOD):
            shapes.center[area, AGENTS + piece] = food.position[area, piece]


@allocating
def perceive_own_state(boxes: Boxes, lasers: Lasers, agents: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return float32 [n, 4]: velocity to the right and ahead, m/s; 1 if frozen, 1 if shooting, else 0."""
    result = np.empty((len(agents), 4), np.float32)
    for row in range(len(agents)):
        area, i = agents[row] // AGENTS, agents[row] % AGENTS
        velocity = boxes.velocity[area, i]
        c, s = math.cos(boxes.yaw[area, i]), math.sin(boxes.yaw[area, i])
        result[row, 0] = c * velocity[0] - s * velocity[2]
        result[row, 1] = s * velocity[0] + c * velocity[2]
        result[row, 2] = 1.0 if lasers.frozen_steps[area, i] > 0 else 0.0
        result[row, 3] = 1.0 if lasers.shoots[area, i] else 0.0
    return result
