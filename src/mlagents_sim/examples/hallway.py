"""Hallway: remember the sign in the middle of a hall, and walk to the goal that bears it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import ENDED, PLAYING, AgentArrays, AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.keys import RUN_OR_TURN
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.boxes import Boxes, make_boxes, move, set_mover
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.physics.ray_casts import ABSENT, cast, ray_origins_of, shapes_of, turn_ray_origins
from mlagents_sim.physics.rules import run_or_turn
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import RaySensor, StackingSensor, VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    FLOOR_GREY,
    ORANGE,
    RED,
    WALL_GREY,
    Poses,
    VisualGeoms,
    join,
    make_faces,
    side_by_side,
    yaw_rotations,
)
from mlagents_sim.visual_geoms import make_boxes as make_solids

# Time and rewards
MAX_STEP: Final = 3000
DECISION_PERIOD: Final = 6
STEP_REWARD: Final = -1.0 / MAX_STEP
RIGHT_REWARD: Final = 1.0
WRONG_REWARD: Final = -0.1

# Motion, per physics step
GRAVITY: Final = 19.62
RUN_SPEED: Final = 1.5  # m/s
TURN_RAD: Final = np.radians(3.0)
MASS_KG: Final = 25.0
DRAG: Final = 2.0

# The area, in metres. A goal is a plate on the floor with a sign behind it.
AGENT, FLOOR, WEST, EAST, SOUTH, NORTH, SIGN_O, SIGN_X, GOAL_O, GOAL_O_SIGN, GOAL_X, GOAL_X_SIGN = range(12)
AWAY: Final = (0.0, -1000.0, 0.0)
CENTERS: Final = [
    AWAY,
    (0.0, 0.0, 0.0),
    (-9.75, 1.5, 0.0),
    (9.75, 1.5, 0.0),
    (0.0, 1.5, -25.0),
    (0.0, 1.5, 25.0),
    *[AWAY] * 6,
]
SIZES: Final = [
    (1.0, 1.0, 1.0),
    (20.0, 1.0, 50.0),
    (0.5, 4.0, 50.0),
    (0.5, 4.0, 50.0),
    (20.0, 4.0, 0.5),
    (20.0, 4.0, 0.5),
    (4.0, 4.0, 1.0),
    (4.0, 4.0, 1.0),
    *[(4.0, 0.1, 4.0), (4.08, 4.01, 1.14)] * 2,
]
AGENT_START: Final = (0.015, 1.5, -15.0)
SIGN_START: Final = (0.015, 2.5, 0.0)
SIDE_SPREAD_M: Final = 3.0  # of the agent and of sign O; sign X is always in the middle
LENGTH_SPREAD_M: Final = 5.0  # of all three
GOAL_PLACE: Final = (7.0, 0.5, 22.29)  # and on the other side
GOAL_SIGN_OFFSET: Final = (0.0, 2.0, 2.5)

# What is seen
TAGS: Final = ("symbol_O_Goal", "symbol_X_Goal", "symbol_O", "symbol_X", "wall")
TAG_OF_BOX: Final = (ABSENT, ABSENT, 4, 4, 4, 4, 2, 3, 0, 0, 1, 1)  # nothing looks down to the floor
RAYS_PER_DIRECTION: Final = 2
MAX_DEGREES: Final = 70.0
RAY_LENGTH_M: Final = 12.0
STACKED_FRAMES: Final = 3

PARAMETERS: Final = {"gravity": Parameter("gravity, m/s^2", GRAVITY, 4.0, 105.0)}

# For spectators: what is orange bears an O, what is red an X
COLORS: Final = (AGENT_BLUE, FLOOR_GREY, *[WALL_GREY] * 4, ORANGE, RED, ORANGE, ORANGE, RED, RED)
AREAS_APART_M: Final = 60.0


# One physics step


@compiled
def _act(boxes: Boxes, agents: AgentArrays) -> None:
    """Run ahead or back, or turn."""
    for i in range(len(agents.reward)):
        agents.reward[i] += STEP_REWARD
        boxes.yaw[i, AGENT] = run_or_turn(
            agents.discrete[i, 0], boxes.velocity[i, AGENT], boxes.yaw[i, AGENT], RUN_SPEED, TURN_RAD
        )


@compiled
def _integrate(boxes: Boxes, agents: AgentArrays, shows_o: NDArray[np.bool_], gravity: NDArray[np.float64]) -> bool:
    """Advance the physics by 0.02 s; who touches a goal ends the episode. Return whether any episode is over."""
    move(boxes, gravity[0])
    any_over = False
    for i in range(len(agents.reward)):
        touches = boxes.touches[i, AGENT]
        at_o = touches[GOAL_O] or touches[GOAL_O_SIGN]
        at_x = touches[GOAL_X] or touches[GOAL_X_SIGN]
        if (at_o or at_x) and agents.end[i] == PLAYING:
            agents.reward[i] = RIGHT_REWARD if at_o == shows_o[i] else WRONG_REWARD
            agents.end[i] = ENDED
        any_over |= agents.end[i] != PLAYING
    return any_over


@compiled
def _advance(
    boxes: Boxes, agents: AgentArrays, shows_o: NDArray[np.bool_], gravity: NDArray[np.float64], steps: int
) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for step in range(steps):
        count_step(agents)
        _act(boxes, agents)
        if interrupt(agents, MAX_STEP):
            return step, True
        if _integrate(boxes, agents, shows_o, gravity):
            return step + 1, False
    return steps, False


# Agents


def _make_boxes(areas: int) -> Boxes:
    boxes = make_boxes(areas, 1, CENTERS, SIZES)
    set_mover(boxes, AGENT, MASS_KG, DRAG, turned_by_contacts=True)
    return boxes


class HallwayAgents(AgentBatch):
    """The cubes. They see signs, goals and walls along five rays, and how much time has passed.

    Args:
      boxes: one row per agent.
      rng: source of signs, places and directions.
      parameters: `PARAMETERS`, read at every reset.

    Attributes:
      shows_o: bool [agents], whether the sign in the hall is O.
      gravity: float64 [1], m/s^2, of all areas.
    """

    keys = RUN_OR_TURN

    def __init__(self, boxes: Boxes, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        count = len(boxes.yaw)
        self._rays = RaySensor("RayPerceptionSensor", TAGS, RAYS_PER_DIRECTION, MAX_DEGREES, RAY_LENGTH_M)
        stacks = [StackingSensor(sensor, STACKED_FRAMES, count) for sensor in (self._rays, VectorSensor(1))]
        super().__init__("Hallway?team=0", count, stacks, ActionSpec.create_discrete((5,)), MAX_STEP)
        self.shows_o = np.zeros(count, np.bool_)
        self.gravity = np.array([GRAVITY])
        self._boxes = boxes
        self._rng = rng
        self._parameters = parameters
        self._shapes = shapes_of(boxes, TAG_OF_BOX)
        self._origins = ray_origins_of(boxes, AGENT, AGENT)
        self._state_arrays: dict[str, NDArray[Any]] = {
            **boxes._asdict(),
            "gravity": self.gravity,
            "shows_o": self.shows_o,
            "rays": stacks[0].stack,
            "time": stacks[1].stack,
        }

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Choose the sign and the sides of the goals; put sign and agent somewhere, the agent turned anywhere."""
        boxes, rng, count = self._boxes, self._rng, len(rows)
        self.gravity[:] = self._parameters.read("gravity", 1)
        shows_o, o_is_right = rng.random((2, count)) < 0.5
        self.shows_o[rows] = shows_o
        boxes.position[rows, SIGN_O : SIGN_X + 1] = AWAY
        side, along = self._spread(count)
        side[~shows_o] = 0.0
        boxes.position[rows, np.where(shows_o, SIGN_O, SIGN_X)] = SIGN_START + _on_floor(side, along)
        for plate, is_right in ((GOAL_O, o_is_right), (GOAL_X, ~o_is_right)):
            place = np.where(is_right[:, np.newaxis], 1.0, (-1.0, 1.0, 1.0)) * GOAL_PLACE
            boxes.position[rows, plate] = place
            boxes.position[rows, plate + 1] = place + GOAL_SIGN_OFFSET
        boxes.position[rows, AGENT] = AGENT_START + _on_floor(*self._spread(count))
        boxes.yaw[rows, AGENT] = rng.uniform(0.0, 2.0 * np.pi, count)
        boxes.velocity[rows] = 0.0

    def _spread(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the distances from the middle, across the hall and along it."""
        rng = self._rng
        return (
            rng.uniform(-SIDE_SPREAD_M, SIDE_SPREAD_M, count),
            rng.uniform(-LENGTH_SPREAD_M, LENGTH_SPREAD_M, count),
        )

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return what the rays hit, and the part of the episode's time that has passed."""
        turn_ray_origins(self._origins, self._boxes.yaw[:, AGENT])
        rays = cast(self._rays.rays, self._shapes, self._origins, np.arange(len(self))[rows])
        return [rays, self.arrays.step_count[rows, np.newaxis] / MAX_STEP]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return gravity, boxes, which sign is shown, and what was seen."""
        return self._state_arrays

    def act(self) -> None:
        """Move; every step costs a little."""
        _act(self._boxes, self.arrays)


def _on_floor(x: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack((x, np.zeros_like(x), z), axis=1)


class HallwayWorld(World):
    """Agents, signs and goals."""

    view = View(pitch_deg=28.0, yaw_deg=-15.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.boxes = _make_boxes(areas)
        self.hallway_agents = HallwayAgents(self.boxes, rng, parameters)
        super().__init__([self.hallway_agents], DECISION_PERIOD, parameters)
        agents = self.hallway_agents
        self._advance = _advance.bind(self.boxes, agents.arrays, agents.shows_o, agents.gravity)

    def bodies(self) -> VisualGeoms:
        """Return the boxes with their colours."""
        boxes = self.boxes
        place = boxes.position + side_by_side(len(boxes.yaw), AREAS_APART_M)[:, np.newaxis]
        turned = yaw_rotations(boxes.yaw)
        return join(make_solids(place, boxes.half_size, COLORS, turned), make_faces(place[:, AGENT], turned[:, AGENT]))

    def agent_poses(self) -> list[Poses | None]:
        """Return where the agents are."""
        boxes = self.boxes
        place = boxes.position[:, AGENT] + side_by_side(len(boxes.yaw), AREAS_APART_M)
        return [Poses(place, yaw_rotations(boxes.yaw[:, AGENT]))]

    def integrate(self) -> None:
        """Move with contacts, and give the reward for a goal."""
        agents = self.hallway_agents
        _integrate(self.boxes, agents.arrays, agents.shows_o, agents.gravity)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        return self._advance(steps)


ENTRY = SimEntry(
    "Hallway",
    expected_reward=0.7,
    description="Remember the sign in the middle of a hall, and walk to the goal that bears it.",
    make_world=HallwayWorld,
    num_areas=17,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "Hallway.onnx",
)
