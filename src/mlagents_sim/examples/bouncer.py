"""Bouncer: a cube decides, whenever it is down, where it jumps to next; it is to catch a target in the air."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import ENDED, PLAYING, AgentArrays, AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.episodes import count_step
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.contacts import CONTACT_DISTANCE_M, moving_speed, staying_speed
from mlagents_sim.physics.ray_casts import sphere_cast
from mlagents_sim.physics.rules import TIME_STEP_S
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import StackingSensor, VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    FLOOR_GREY,
    ORANGE,
    Poses,
    VisualGeoms,
    join,
    make_boxes,
    make_faces,
    side_by_side,
)

# Time and rewards
JUMPS: Final = 20  # of an episode; the last one asked for is not made
COOLDOWN_STEPS: Final = 5  # 0.1 s from one request to the next
CATCH_REWARD: Final = 1.0
LOST_REWARD: Final = -1.0
ACTION_REWARD: Final = -0.05 / 3.0  # for the sum of the squares

# Motion
GRAVITY: Final = 19.62
JUMP_SPEED: Final = 10.0  # m/s: a force of 500 N for one step, on 1 kg
FRICTION: Final = 2.0 * 0.6  # of a box on a floor: two points, each with the whole pressure

# The area, in metres
FLOOR_TOP_M: Final = 0.5
HALF_SIZE_M: Final = 0.5
REACH_DOWN_M: Final = 0.51  # of the ray that tells that the cube is down
SIDE_M: Final = 19.0
LOWEST_M: Final = -1.0
START_SPREAD_M: Final = 5.0
START_HEIGHT_M: Final = 2.0
TARGET_HEIGHT_M: Final = 2.0  # and up to `START_SPREAD_M` above
TURN_RAD: Final = math.radians(0.5)  # of the target about X, per physics step

FRAME_SIZE: Final = 6
STACKED_FRAMES: Final = 3

PARAMETERS: Final = {
    "target_scale": Parameter("half the edge of the box in which the target is caught, m", 1.0, 0.1, 10.0),
    "gravity": Parameter("gravity, m/s^2", GRAVITY, 4.0, 105.0),
}

# For spectators
GROUND_HALF_SIZE: Final = (20.0, 0.5, 20.0)
AREAS_APART_M: Final = 50.0


class Areas(NamedTuple):
    """What there is in each area, one row each, in its own coordinates.

    Attributes:
      position: float64 [areas, 3], middle of the cube, m.
      velocity: float64 [areas, 3], m/s.
      target: float64 [areas, 3], middle of the target, m.
      next_target: float64 [areas, 3], where it goes when it is caught.
      rotation: float64 [areas, 3, 3], of the target.
      turned: float64 [areas], the same as an angle about X, rad.
      half_size: float64 [areas, 3], of the target, m.
      is_inside: bool [areas], whether the cube was in the target after the last step.
      is_caught: bool [areas], whether a new `next_target` is wanted.
      asks: bool [areas], whether the cube asks where to jump to, or was just told.
      cooldown: int64 [areas], physics steps until it may ask.
      jumps_left: int64 [areas].
      gravity: float64 [1], m/s^2, of all areas.
    """

    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    target: NDArray[np.float64]
    next_target: NDArray[np.float64]
    rotation: NDArray[np.float64]
    turned: NDArray[np.float64]
    half_size: NDArray[np.float64]
    is_inside: NDArray[np.bool_]
    is_caught: NDArray[np.bool_]
    asks: NDArray[np.bool_]
    cooldown: NDArray[np.int64]
    jumps_left: NDArray[np.int64]
    gravity: NDArray[np.float64]


def _make_areas(count: int) -> Areas:
    return Areas(
        position=np.zeros((count, 3)),
        velocity=np.zeros((count, 3)),
        target=np.zeros((count, 3)),
        next_target=np.zeros((count, 3)),
        rotation=np.tile(np.eye(3), (count, 1, 1)),
        turned=np.zeros(count),
        half_size=np.ones((count, 3)),
        is_inside=np.zeros(count, np.bool_),
        is_caught=np.zeros(count, np.bool_),
        asks=np.zeros(count, np.bool_),
        cooldown=np.zeros(count, np.int64),
        jumps_left=np.full(count, JUMPS),
        gravity=np.array([GRAVITY]),
    )


# One physics step


@compiled
def _act(areas: Areas, agents: AgentArrays) -> None:
    """Let those jump that were told where to; the farther the dearer."""
    for i in range(len(areas.asks)):
        if not areas.asks[i]:
            continue
        areas.asks[i] = False
        x = min(max(agents.continuous[i, 0], -1.0), 1.0)
        y = min(max(agents.continuous[i, 1], -1.0), 1.0)
        z = min(max(agents.continuous[i, 2], -1.0), 1.0)
        areas.velocity[i, 0] += JUMP_SPEED * x
        areas.velocity[i, 1] += JUMP_SPEED * (0.5 * (y + 1.0) + 1.0)
        areas.velocity[i, 2] += JUMP_SPEED * z
        agents.reward[i] += ACTION_REWARD * (x * x + y * y + z * z)


@compiled
def _fly(position: NDArray[np.float64], velocity: NDArray[np.float64], gravity: float) -> None:
    """Move one cube for 0.02 s; the floor holds it where it is close to it."""
    velocity[1] -= gravity * TIME_STEP_S
    gap = position[1] - HALF_SIZE_M - FLOOR_TOP_M
    push = 0.0
    if gap < CONTACT_DISTANCE_M:
        pressed = max(staying_speed(gap) - velocity[1], 0.0)
        push = max(moving_speed(gap) - velocity[1], 0.0) - pressed
        velocity[1] += pressed
        speed = math.sqrt(velocity[0] ** 2 + velocity[2] ** 2)
        slowed = max(0.0, 1.0 - FRICTION * pressed / speed) if speed > 0.0 else 0.0
        velocity[0] *= slowed
        velocity[2] *= slowed
    for axis in range(3):
        position[axis] += TIME_STEP_S * velocity[axis]
    position[1] += TIME_STEP_S * push


@compiled
def _overlaps_target(areas: Areas, i: int) -> bool:
    """Return whether the cube is in the target, by the axes of both: X is common, the others are turned about it."""
    half = areas.half_size[i, 0]
    place, target = areas.position[i], areas.target[i]
    dx, dy, dz = place[0] - target[0], place[1] - target[1], place[2] - target[2]
    c, s = math.cos(areas.turned[i]), math.sin(areas.turned[i])
    spread = abs(c) + abs(s)
    return bool(
        abs(dx) < HALF_SIZE_M + half
        and abs(dy) < HALF_SIZE_M + spread * half
        and abs(dz) < HALF_SIZE_M + spread * half
        and abs(c * dy + s * dz) < half + spread * HALF_SIZE_M
        and abs(c * dz - s * dy) < half + spread * HALF_SIZE_M
    )


@compiled
def _catch(areas: Areas, agents: AgentArrays, i: int) -> None:
    """Reward a cube that has just come into the target, and put that elsewhere."""
    inside = _overlaps_target(areas, i)
    if inside and not areas.is_inside[i]:
        agents.reward[i] += CATCH_REWARD
        for axis in range(3):
            areas.target[i, axis] = areas.next_target[i, axis]
        areas.is_caught[i] = True
    areas.is_inside[i] = inside


@compiled
def _is_down(areas: Areas, i: int, ray: NDArray[np.float64]) -> bool:
    """Return whether the ray below the cube meets the floor, or the target from outside."""
    position = areas.position[i]
    if FLOOR_TOP_M <= position[1] <= FLOOR_TOP_M + REACH_DOWN_M:
        return True
    return bool(sphere_cast(position, ray, 0.0, areas.target[i], areas.rotation[i], areas.half_size[i], 1.0) <= 1.0)


@compiled
def _turn_target(areas: Areas, i: int) -> None:
    areas.turned[i] += TURN_RAD
    c, s = math.cos(areas.turned[i]), math.sin(areas.turned[i])
    rotation = areas.rotation[i]
    rotation[1, 1], rotation[1, 2], rotation[2, 1], rotation[2, 2] = c, -s, s, c


@allocating
def _integrate(areas: Areas, agents: AgentArrays) -> bool:
    """Advance by 0.02 s; then who is down stops and asks, or has jumped enough. Return whether any episode is over."""
    ray = np.array((0.0, -REACH_DOWN_M, 0.0))
    any_over = False
    for i in range(len(areas.asks)):
        position, velocity = areas.position[i], areas.velocity[i]
        _fly(position, velocity, areas.gravity[0])
        _catch(areas, agents, i)
        _turn_target(areas, i)
        if areas.cooldown[i] <= 0 and _is_down(areas, i, ray):
            areas.asks[i] = True
            areas.jumps_left[i] -= 1
            areas.cooldown[i] = COOLDOWN_STEPS
            velocity[:] = 0.0
        areas.cooldown[i] -= 1
        if agents.end[i] == PLAYING:
            if position[1] < LOWEST_M or max(abs(position[0]), abs(position[2])) > SIDE_M:
                agents.reward[i] += LOST_REWARD
                agents.end[i] = ENDED
            elif areas.jumps_left[i] <= 0:
                agents.end[i] = ENDED
        any_over |= agents.end[i] != PLAYING
    return any_over


@compiled
def _advance(areas: Areas, agents: AgentArrays, steps: int) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for step in range(steps):
        count_step(agents)
        _act(areas, agents)
        if _integrate(areas, agents):
            return step + 1, False
    return steps, False


# Agents


class BouncerAgents(AgentBatch):
    """The cubes. Each decides when it comes down: it sees itself and the target, now and at its last two decisions.

    Args:
      areas: one row per agent.
      rng: source of places.
      parameters: `PARAMETERS`, read at every reset.
    """

    keys = (
        Keys(("up", "w"), "jump away from you", number=(2, 1.0)),
        Keys(("down", "s"), "jump towards you", number=(2, -1.0)),
        Keys(("left", "a"), "jump left", number=(0, -1.0)),
        Keys(("right", "d"), "jump right", number=(0, 1.0)),
        Keys(("space",), "jump higher", number=(1, 1.0)),
    )

    def __init__(self, areas: Areas, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        count = len(areas.asks)
        stack = StackingSensor(VectorSensor(FRAME_SIZE), STACKED_FRAMES, count)
        super().__init__("Bouncer?team=0", count, [stack], ActionSpec.create_continuous(3))
        self._areas = areas
        self._rng = rng
        self._parameters = parameters
        self._state_arrays: dict[str, NDArray[Any]] = {**areas._asdict(), "stack": stack.stack}

    def deciding(self) -> NDArray[np.intp]:
        """Return the agents that have come down."""
        return np.flatnonzero(self._areas.asks)

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Drop the cubes somewhere, and put their targets somewhere above."""
        areas, count = self._areas, len(rows)
        areas.gravity[:] = self._parameters.read("gravity", 1)
        areas.position[rows] = self._rng.uniform(-START_SPREAD_M, START_SPREAD_M, (count, 3))
        areas.position[rows, 1] = START_HEIGHT_M
        areas.velocity[rows] = 0.0
        areas.half_size[rows] = self._parameters.read("target_scale", count)[:, np.newaxis]
        areas.jumps_left[rows] = JUMPS
        areas.asks[rows] = False
        areas.target[rows] = self._places(count)
        self.choose_next_targets(rows)

    def choose_next_targets(self, rows: NDArray[np.intp]) -> None:
        """Draw where the targets of the agents `rows` go when they are caught."""
        self._areas.next_target[rows] = self._places(len(rows))
        self._areas.is_caught[rows] = False

    def _places(self, count: int) -> NDArray[np.float64]:
        place = self._rng.uniform(-START_SPREAD_M, START_SPREAD_M, (count, 3))
        place[:, 1] = TARGET_HEIGHT_M + np.abs(place[:, 1])
        return place

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return where the cube and where the target is."""
        return [np.concatenate((self._areas.position[rows], self._areas.target[rows]), axis=1)]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the cubes, targets, and what was seen."""
        return self._state_arrays

    def act(self) -> None:
        """Jump, at a price."""
        _act(self._areas, self.arrays)


class BouncerWorld(World):
    """Cubes and targets. Decisions may be due on every physics step."""

    view = View(pitch_deg=30.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.areas = _make_areas(areas)
        self.bouncers = BouncerAgents(self.areas, rng, parameters)
        super().__init__([self.bouncers], 1, parameters)
        self._advance = _advance.bind(self.areas, self.bouncers.arrays)

    def bodies(self) -> VisualGeoms:
        """Return the floors, cubes with their faces, and the targets, of which Unity shows the inner half."""
        areas = self.areas
        offset = side_by_side(len(areas.asks), AREAS_APART_M)
        cubes = areas.position + offset
        return join(
            make_boxes(offset, GROUND_HALF_SIZE, FLOOR_GREY),
            make_boxes(cubes, HALF_SIZE_M, AGENT_BLUE),
            make_faces(cubes, np.tile(np.eye(3), (len(cubes), 1, 1))),
            make_boxes(areas.target + offset, 0.5 * areas.half_size, ORANGE, areas.rotation),
        )

    def agent_poses(self) -> list[Poses | None]:
        """Return where the cubes are, which do not turn."""
        offset = side_by_side(len(self.areas.asks), AREAS_APART_M)
        return [Poses(self.areas.position + offset, np.tile(np.eye(3), (len(offset), 1, 1)))]

    def integrate(self) -> None:
        """Let the cubes fly, and give the reward for the target."""
        _integrate(self.areas, self.bouncers.arrays)
        self._replace_caught()

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        done = self._advance(steps)
        self._replace_caught()
        return done

    def _replace_caught(self) -> None:
        caught = self.areas.is_caught
        if np.count_nonzero(caught):
            self.bouncers.choose_next_targets(np.flatnonzero(caught))


ENTRY = SimEntry(
    "Bouncer",
    expected_reward=10.0,
    description="Decide, whenever you are down, where to jump to next, and catch a target in the air.",
    make_world=BouncerWorld,
    num_areas=18,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "Bouncer.onnx",
)
