"""3DBall and 3DBallHard: keep a ball on a platform by tilting it."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import ENDED, AgentArrays, AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.balls import away_from_box, fall, press
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.contacts import CONTACT_DISTANCE_M
from mlagents_sim.physics.rules import TIME_STEP_S, turn_x, turn_z
from mlagents_sim.row_index import RowIndex, copy_rows
from mlagents_sim.sensors import Sensor, StackingSensor, VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    WHITE,
    Poses,
    VisualGeoms,
    join,
    make_boxes,
    make_faces,
    make_spheres,
    quat_rotations,
)

# Time and rewards
MAX_STEP: Final = 5000
DECISION_PERIOD: Final = 5
BALANCE_REWARD: Final = 0.1
FALL_REWARD: Final = -1.0
EASY_SIZE: Final = 8
HARD_SIZE: Final = 5
STACKED_FRAMES: Final = 9  # 3DBallHard

# Platform
HALF_SIZE_M: Final = 2.5
TURN_RAD: Final = np.radians(2.0)  # per physics step, at full action
TILT_LIMIT: Final = 0.25  # of the rotation's quaternion component
RESET_TILT_RAD: Final = np.radians(10.0)

# Ball
START_HEIGHT_M: Final = 4.0
START_SPREAD_M: Final = 1.5
LOWEST_M: Final = -2.0
FARTHEST_M: Final = 3.0
ANGULAR_DRAG: Final = 0.01
FRICTION: Final = 0.6
BOUNCINESS: Final = 0.05

# Colours
PLATFORM_RGBA: Final = (*AGENT_BLUE, 1.0)
BALL_RGBA: Final = (*WHITE, 1.0)

PARAMETERS: Final = {
    "mass": Parameter("mass of the ball, kg", 1.0, 0.1, 20.0),
    "scale": Parameter("diameter of the ball, m", 1.0, 0.2, 5.0),
    "gravity": Parameter("gravity, m/s^2", 9.81, 4.0, 105.0),
}


# Areas

Vector = NDArray[np.float64]


def _origins(areas: int) -> NDArray[np.float64]:
    """Return float64 [areas, 3]: layers of 4 x 3 platforms, 9 m apart."""
    index = np.arange(areas)
    return np.stack([index % 4 * 9.0 - 9.0, index // 4 % 3 * 9.0 - 9.0, index // 12 * 9.0 + 5.0], axis=1)


class Areas(NamedTuple):
    """The bodies of all areas, one row each, for compiled code.

    How heavy a ball is makes no difference: platforms do not yield to it.

    Attributes:
      quat: float64 [areas, 4], rotation of the platform (w, x, y, z).
      position: float64 [areas, 3], of the ball, m.
      velocity: float64 [areas, 3], of the ball, m/s.
      spin: float64 [areas, 3], angular velocity of the ball, rad/s.
      origin: float64 [areas, 3], position of the platform.
      gravity: float64 [areas], m/s^2.
      radius: float64 [areas], of the ball, m.
    """

    quat: NDArray[np.float64]
    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    spin: NDArray[np.float64]
    origin: NDArray[np.float64]
    gravity: NDArray[np.float64]
    radius: NDArray[np.float64]


def _make_areas(areas: int) -> Areas:
    origin = _origins(areas)
    return Areas(
        quat=np.tile((1.0, 0.0, 0.0, 0.0), (areas, 1)),
        position=origin + np.array((0.0, START_HEIGHT_M, 0.0)),
        velocity=np.zeros((areas, 3)),
        spin=np.zeros((areas, 3)),
        origin=origin,
        gravity=np.full(areas, PARAMETERS["gravity"].default),
        radius=np.full(areas, 0.5 * PARAMETERS["scale"].default),
    )


# One physics step


@compiled
def _choose_turns(agents: AgentArrays, turns: NDArray[np.float64]) -> None:
    """Write cosines and sines of half the angles about Z and X that a step turns the platforms by."""
    for i in range(len(turns)):
        for axis in range(2):
            half = 0.5 * (TURN_RAD * min(max(agents.continuous[i, axis], -1.0), 1.0))
            turns[i, 2 * axis], turns[i, 2 * axis + 1] = math.cos(half), math.sin(half)


@compiled
def _act(areas: Areas, agents: AgentArrays, turns: NDArray[np.float64]) -> None:
    """Tilt the platforms, about Z and then about X; then see where the balls are."""
    for i in range(len(areas.quat)):
        quat, action_z, action_x = areas.quat[i], agents.continuous[i, 0], agents.continuous[i, 1]
        if (quat[3] < TILT_LIMIT and action_z > 0.0) or (quat[3] > -TILT_LIMIT and action_z < 0.0):
            turn_z(quat, turns[i, 0], turns[i, 1])
        if (quat[1] < TILT_LIMIT and action_x > 0.0) or (quat[1] > -TILT_LIMIT and action_x < 0.0):
            turn_x(quat, turns[i, 2], turns[i, 3])
        x = areas.position[i, 0] - areas.origin[i, 0]
        y = areas.position[i, 1] - areas.origin[i, 1]
        z = areas.position[i, 2] - areas.origin[i, 2]
        if y < LOWEST_M or abs(x) > FARTHEST_M or abs(z) > FARTHEST_M:
            agents.reward[i] = FALL_REWARD
            agents.end[i] = ENDED
        else:
            agents.reward[i] = BALANCE_REWARD


@allocating
def _integrate(areas: Areas) -> None:
    """Advance the physics by 0.02 s."""
    _move(areas, np.empty(3), np.empty(3))


@compiled
def _move(areas: Areas, normal: Vector, push: Vector) -> None:
    for i in range(len(areas.quat)):
        position, velocity, spin, radius = areas.position[i], areas.velocity[i], areas.spin[i], areas.radius[i]
        fall(velocity, spin, areas.gravity[i], ANGULAR_DRAG)
        push[:] = 0.0
        distance = away_from_box(position, areas.origin[i], areas.quat[i], HALF_SIZE_M, normal)
        if 0.0 < distance < radius + CONTACT_DISTANCE_M:
            press(velocity, spin, push, radius, normal, distance - radius, FRICTION, BOUNCINESS)
        for axis in range(3):
            position[axis] += TIME_STEP_S * (velocity[axis] + push[axis])


@compiled
def _advance(
    areas: Areas, agents: AgentArrays, turns: NDArray[np.float64], normal: Vector, push: Vector, steps: int
) -> tuple[int, bool]:
    """Do as `World.advance`, in one call; with memory for `_choose_turns` and for `_move`."""
    _choose_turns(agents, turns)
    for step in range(steps):
        count_step(agents)
        _act(areas, agents, turns)
        if interrupt(agents, MAX_STEP):
            return step, True
        _move(areas, normal, push)
    return steps, False


@compiled
def _perceive(areas: Areas, observation: NDArray[np.float32]) -> None:
    """Write quaternion z and x of the platform; position relative to it, and velocity, of the ball."""
    for i in range(len(areas.quat)):
        observation[i, 0] = areas.quat[i, 3]
        observation[i, 1] = areas.quat[i, 1]
        for axis in range(3):
            observation[i, 2 + axis] = areas.position[i, axis] - areas.origin[i, axis]
            observation[i, 5 + axis] = areas.velocity[i, axis]


# Agents


class Ball3DAgents(AgentBatch):
    """The platforms. They observe their tilt, where the ball is, and unless it is hard how fast it moves.

    Args:
      behavior: fully qualified name.
      sensor: what takes the observation, or the last few.
      areas: one per agent.
      rng: source of start positions.
      parameters: `PARAMETERS`; the scale is read at every reset, or only once if it is hard.
      hard: 3DBallHard: no velocity, but the last frames.
    """

    keys = (
        Keys(("up", "w"), "let it roll away from you", number=(1, 1.0)),
        Keys(("down", "s"), "let it roll towards you", number=(1, -1.0)),
        Keys(("left", "a"), "let it roll left", number=(0, 1.0)),
        Keys(("right", "d"), "let it roll right", number=(0, -1.0)),
    )

    def __init__(
        self,
        behavior: str,
        sensor: Sensor,
        areas: Areas,
        rng: np.random.Generator,
        parameters: EnvironmentParameters,
        *,
        hard: bool,
    ) -> None:
        super().__init__(behavior, len(areas.quat), [sensor], ActionSpec.create_continuous(2), MAX_STEP)
        self._state_arrays: dict[str, NDArray[Any]] = areas._asdict()
        if isinstance(sensor, StackingSensor):
            self._state_arrays["stack"] = sensor.stack
        self._areas = areas
        observation = np.empty((len(areas.quat), EASY_SIZE), np.float32)
        self._seen = observation[:, :HARD_SIZE] if hard else observation
        self._perceive = _perceive.bind(areas, observation)
        self._rng = rng
        self._parameters = parameters
        self._hard = hard
        self._has_begun = False

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Tilt the platforms a little and drop the balls; their spin stays."""
        areas = self._areas
        half_x, half_z = self._rng.uniform(-0.5 * RESET_TILT_RAD, 0.5 * RESET_TILT_RAD, (2, len(rows)))
        cos_x, sin_x, cos_z, sin_z = np.cos(half_x), np.sin(half_x), np.cos(half_z), np.sin(half_z)
        # About X, then about the turned Z.
        areas.quat[rows] = np.stack((cos_x * cos_z, sin_x * cos_z, -sin_x * sin_z, cos_x * sin_z), axis=1)
        start = self._rng.uniform(-START_SPREAD_M, START_SPREAD_M, (len(rows), 3))
        start[:, 1] = START_HEIGHT_M
        areas.position[rows] = areas.origin[rows] + start
        areas.velocity[rows] = 0.0
        areas.gravity[rows] = self._parameters.read("gravity", len(rows))
        if not (self._hard and self._has_begun):
            areas.radius[rows] = 0.5 * self._parameters.read("scale", len(rows))
        self._has_begun = True

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return quaternion z and x of the platform; position relative to it, and velocity, of the ball."""
        self._perceive()
        return [copy_rows(self._seen, rows)]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the platforms, balls and what was perceived."""
        return self._state_arrays

    def act(self) -> None:
        """Tilt, and reward or end."""
        turns = np.empty((len(self), 4))
        _choose_turns(self.arrays, turns)
        _act(self._areas, self.arrays, turns)


class Ball3DWorld(World):
    """Platforms and balls."""

    view = View(pitch_deg=22.0)

    def __init__(
        self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters, *, hard: bool = False
    ) -> None:
        self.areas = _make_areas(areas)
        super().__init__([self.make_agents(rng, parameters, hard=hard)], DECISION_PERIOD, parameters)
        turns = np.empty((areas, 4))
        self._advance = _advance.bind(self.areas, self.agents[0].arrays, turns, np.empty(3), np.empty(3))

    def make_agents(self, rng: np.random.Generator, parameters: EnvironmentParameters, *, hard: bool) -> Ball3DAgents:
        """Return the agents of these areas."""
        sensor: Sensor = VectorSensor(EASY_SIZE)
        if hard:
            sensor = StackingSensor(VectorSensor(HARD_SIZE), STACKED_FRAMES, len(self.areas.quat))
        behavior = "3DBallHard?team=0" if hard else "3DBall?team=0"
        return Ball3DAgents(behavior, sensor, self.areas, rng, parameters, hard=hard)

    def bodies(self) -> VisualGeoms:
        """Return the platforms, balls, and a face that looks at the spectators."""
        areas = self.areas
        turned = quat_rotations(areas.quat)
        platforms = make_boxes(areas.origin, HALF_SIZE_M, PLATFORM_RGBA[:3], turned)
        balls = make_spheres(areas.position, areas.radius, BALL_RGBA[:3])
        return join(platforms, balls, make_faces(areas.origin, turned * (-1.0, 1.0, -1.0), 2.0 * HALF_SIZE_M))

    def agent_poses(self) -> list[Poses | None]:
        """Return where the platforms are; their faces look the other way."""
        return [Poses(self.areas.origin, quat_rotations(self.areas.quat) * (-1.0, 1.0, -1.0))]

    def integrate(self) -> None:
        """Move with gravity, drag and contacts."""
        _integrate(self.areas)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        return self._advance(steps)


# Registration


def _entry(identifier: str, description: str, *, hard: bool) -> SimEntry:
    return SimEntry(
        identifier,
        expected_reward=100.0,
        description=description,
        make_world=functools.partial(Ball3DWorld, hard=hard),
        num_areas=12,
        parameters=PARAMETERS,
        model=Path(__file__).with_name("models") / f"{identifier}.onnx",
    )


ENTRY = _entry("3DBall", "Keep a ball on a platform by tilting it.", hard=False)
HARD_ENTRY = _entry("3DBallHard", "3DBall without seeing how fast the ball moves.", hard=True)
