"""Reacher: an arm of two links keeps its hand in a goal that circles around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentArrays, AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.articulated import (
    SWEEPS,
    Body,
    Capsule,
    Joint,
    Ragdoll,
    Ragdolls,
    Sphere,
    geoms_of,
    make_ragdolls,
    origins_of,
    reset,
    state_arrays,
    step,
)
from mlagents_sim.physics.articulated.vectors import matrix_of, minus, norm, plus, quaternion_at, turned, vector_at
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.physics.rules import TIME_STEP_S
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    GREEN,
    ORANGE,
    WHITE,
    Poses,
    VisualGeoms,
    join,
    make_spheres,
    quat_rotations,
    side_by_side,
)

# Time and rewards
MAX_STEP: Final = 4000
DECISION_PERIOD: Final = 4
GOAL_REWARD: Final = 0.01  # per physics step with the hand in the goal

# The arm hangs down; local +Y of its links points down, too
BASE, UPPER, LOWER = range(3)
TORQUE: Final = 150.0  # N m, about world X and Z
HAND_RADIUS_M: Final = 1.0
HAND_M: Final = 3.0  # from the middle of the lower link
_DOWN: Final = (0.0, 1.0, 0.0, 0.0)
_LINK: Final = Capsule(radius=0.5, length=6.0)
ARM: Final = Ragdoll(
    bodies=[
        Body("base", [Sphere(0.5)], mass=0.0),
        Body("upper", [_LINK], 1.0, (0.0, -4.0, 0.0), _DOWN),
        Body("lower", [_LINK, Sphere(HAND_RADIUS_M, (0.0, HAND_M, 0.0))], 1.0, (0.0, -10.0, 0.0), _DOWN),
    ],
    # Unity solves joints with what never moves after all others.
    joints=[
        Joint("lower", "upper", (0.0, -7.0, 0.0), y=0.0),
        Joint("upper", "base", (0.0, 0.02, 0.0), y=0.0),
    ],
    planes=[],
    self_contacts=False,
    preprocessing=True,
)

# The goal
GOAL_DISTANCE_M: Final = 8.0
GRAVITY: Final = 9.81

OBSERVATION_SIZE: Final = 33
AREAS_APART_M: Final = 34.0
COLORS: Final = (WHITE, AGENT_BLUE, AGENT_BLUE)

PARAMETERS: Final = {
    "goal_size": Parameter("diameter of the goal, m", 5.0, 1.0, 10.0),
    "goal_speed": Parameter("how fast the goal circles at most, degrees per physics step", 1.0, 0.2, 4.0),
    "gravity": Parameter("gravity, m/s^2", GRAVITY, 4.0, 20.0),
    "deviation": Parameter("how far the goal leaves its circle up and down, m", 0.0, 0.0, 5.0),
    "deviation_freq": Parameter("how often it does so in a round", 0.0, 0.0, 3.0),
}


class Goals(NamedTuple):
    """The goals of all areas.

    Attributes:
      degrees: float64 [areas], where on their circle they are.
      speed: float64 [areas], degrees per physics step.
      radius: float64 [areas], m.
      deviation: float64 [areas], m.
      frequency: float64 [areas], of the deviation.
      position: float64 [areas, 3], from the base, m.
      gravity: float64 [areas], m/s^2, of the area.
    """

    degrees: NDArray[np.float64]
    speed: NDArray[np.float64]
    radius: NDArray[np.float64]
    deviation: NDArray[np.float64]
    frequency: NDArray[np.float64]
    position: NDArray[np.float64]
    gravity: NDArray[np.float64]


def _make_goals(areas: int) -> Goals:
    degrees, speed, radius, deviation, frequency = np.zeros((5, areas))
    return Goals(degrees, speed, radius, deviation, frequency, np.zeros((areas, 3)), np.full(areas, GRAVITY))


# One physics step


@compiled
def _act(arms: Ragdolls, goals: Goals, agents: AgentArrays) -> None:
    """Move the goals on, and turn the links."""
    for i in range(len(goals.degrees)):
        goals.degrees[i] += goals.speed[i]
        _place_goal(goals, i)
        for link in range(2):
            for axis in range(2):
                action = min(max(agents.continuous[i, 2 * link + axis], -1.0), 1.0)
                arms.torque[i, 1 + link, 2 * axis] = TORQUE * action


@compiled
def _place_goal(goals: Goals, i: int) -> None:
    angle = np.radians(goals.degrees[i])
    goals.position[i, 0] = GOAL_DISTANCE_M * np.sin(angle)
    goals.position[i, 1] = goals.deviation[i] * np.cos(goals.frequency[i] * angle)
    goals.position[i, 2] = GOAL_DISTANCE_M * np.cos(angle)


@compiled
def _integrate(arms: Ragdolls, goals: Goals, agents: AgentArrays) -> None:
    """Advance the physics by 0.02 s; hands that are in their goal earn."""
    step(arms, goals.gravity, TIME_STEP_S, SWEEPS)
    for i in range(len(goals.degrees)):
        rotation = matrix_of(quaternion_at(arms.rotation[i], LOWER))
        from_center = (0.0, HAND_M - arms.model.center[LOWER, 1], 0.0)
        hand = plus(vector_at(arms.position[i], LOWER), turned(rotation, from_center))
        if norm(minus(hand, vector_at(goals.position, i))) < goals.radius[i] + HAND_RADIUS_M:
            agents.reward[i] += GOAL_REWARD


@compiled
def _advance(arms: Ragdolls, goals: Goals, agents: AgentArrays, steps: int) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for k in range(steps):
        count_step(agents)
        _act(arms, goals, agents)
        if interrupt(agents, MAX_STEP):
            return k, True
        _integrate(arms, goals, agents)
    return steps, False


# Agents


class ReacherAgents(AgentBatch):
    """The arms. They observe how both links lie and move, and the goal.

    Args:
      arms: one per agent.
      goals: likewise.
      rng: source of the goals' places and speeds.
      parameters: `PARAMETERS`, read at every reset.
    """

    keys = (
        Keys(("up", "w"), "swing the upper link away from you", number=(0, 1.0)),
        Keys(("down", "s"), "swing it towards you", number=(0, -1.0)),
        Keys(("left", "a"), "swing it to the left", number=(1, -1.0)),
        Keys(("right", "d"), "swing it to the right", number=(1, 1.0)),
        Keys(("i",), "swing the lower link away from you", number=(2, 1.0)),
        Keys(("k",), "swing it towards you", number=(2, -1.0)),
        Keys(("j",), "swing it to the left", number=(3, -1.0)),
        Keys(("l",), "swing it to the right", number=(3, 1.0)),
    )

    def __init__(
        self, arms: Ragdolls, goals: Goals, rng: np.random.Generator, parameters: EnvironmentParameters
    ) -> None:
        sensors = [VectorSensor(OBSERVATION_SIZE)]
        super().__init__("Reacher?team=0", len(goals.speed), sensors, ActionSpec.create_continuous(4), MAX_STEP)
        self._arms, self._goals, self._rng, self._parameters = arms, goals, rng, parameters
        self._state_arrays: dict[str, NDArray[Any]] = {**goals._asdict(), **state_arrays(arms)}

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Let the arms hang down, and draw where their goals are and how fast they move."""
        goals, count = self._goals, len(rows)
        reset(self._arms, rows)
        goals.degrees[rows] = self._rng.integers(0, 360, count)
        goals.speed[rows] = self._rng.uniform(-1.0, 1.0, count) * self._parameters.read("goal_speed", count)
        goals.radius[rows] = 0.5 * self._parameters.read("goal_size", count)
        goals.deviation[rows] = self._parameters.read("deviation", count)
        goals.frequency[rows] = self._parameters.read("deviation_freq", count)
        goals.gravity[rows] = self._parameters.read("gravity", count)
        for row in rows:
            _place_goal(goals, row)

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return position, rotation (x, y, z, w), angular velocity, velocity of both links; goal; constant; its speed.

        The constant stands where the hand's place in its own link is observed, which never changes.
        """
        arms, goals = self._arms, self._goals
        origins, count = origins_of(arms)[rows], len(self.agent_id[rows])
        columns: list[NDArray[np.float64]] = []
        for link in (UPPER, LOWER):
            columns += [
                origins[:, link],
                arms.rotation[rows, link][:, (1, 2, 3, 0)],
                arms.angular_velocity[rows, link],
                arms.velocity[rows, link],
            ]
        hand = np.tile((0.0, 1.0, 0.0), (count, 1))
        return [np.concatenate((*columns, goals.position[rows], hand, goals.speed[rows, np.newaxis]), axis=1)]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the arms and goals."""
        return self._state_arrays

    def act(self) -> None:
        """Move the goals, and turn the links."""
        _act(self._arms, self._goals, self.arrays)


class ReacherWorld(World):
    """Arms and goals."""

    view = View(pitch_deg=25.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.arms = make_ragdolls(ARM, areas)
        self.goals = _make_goals(areas)
        super().__init__([ReacherAgents(self.arms, self.goals, rng, parameters)], DECISION_PERIOD, parameters)
        self._advance = _advance.bind(self.arms, self.goals, self.agents[0].arrays)

    def bodies(self) -> VisualGeoms:
        """Return the arms, hands, and goals: green as long as the hand is there."""
        places = side_by_side(len(self.goals.speed), AREAS_APART_M)
        arms = geoms_of(ARM, self.arms, COLORS, places)
        distance = np.linalg.norm(self.hands() - self.goals.position, axis=1)
        is_there = distance < self.goals.radius + HAND_RADIUS_M
        colors = np.where(is_there[:, np.newaxis], GREEN, ORANGE)
        return join(arms, make_spheres(places + self.goals.position, self.goals.radius, colors))

    def hands(self) -> NDArray[np.float64]:
        """Return where the hands are, float64 [areas, 3], from the base, m."""
        down = quat_rotations(self.arms.rotation[:, LOWER])[:, :, 1]
        hands: NDArray[np.float64] = origins_of(self.arms)[:, LOWER] + HAND_M * down
        return hands

    def agent_poses(self) -> list[Poses | None]:
        """Return where the arms stand, which look ahead."""
        places = side_by_side(len(self.goals.speed), AREAS_APART_M)
        return [Poses(places, np.tile(np.eye(3), (len(places), 1, 1)))]

    def integrate(self) -> None:
        """Move the joints, and give the reward for the goal."""
        _integrate(self.arms, self.goals, self.agents[0].arrays)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        return self._advance(steps)


ENTRY = SimEntry(
    "Reacher",
    expected_reward=30.0,
    description="Keep the hand of an arm of two links in a goal that circles around it.",
    make_world=ReacherWorld,
    num_areas=20,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "Reacher.onnx",
)
