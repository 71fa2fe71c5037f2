"""A meadow with something to eat and something that must not be eaten, both seen by a grid sensor and by nothing else.

The same game twice: agents in a batch, and agents as objects.
"""

from __future__ import annotations

import numpy as np

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.authoring import Agent, AgentWorld, BehaviorParameters, DecisionRequester, FrameSensor
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.physics.cells import fill
from mlagents_sim.physics.ray_casts import RayOrigins, Shapes
from mlagents_sim.sensors import GridSensor, TaggedShape
from mlagents_sim.visual_geoms import yaw_rotations

NAME = "Forage"
TAGS = ("food", "poison")
STEP, REACH, SPREAD, APART = 1.0, 1.0, 4.0, 2.0  # m
HALF_SIZE = (0.4, 0.4, 0.4)
LIMIT, TIME_PENALTY = 40, 0.01
AHEAD, RIGHT, LEFT = range(3)
TURN = np.array((0, 1, 3))
DIRECTION = np.array(((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0)))
ACTIONS = ActionSpec.create_discrete((3,))


def make_sensor() -> GridSensor:
    """Return a grid that reaches 10 m to all sides."""
    return GridSensor("GridSensor-OneHot", TAGS, (20, 1, 20), (1.0, 1.0, 1.0))


def draw(rng: np.random.Generator) -> tuple[int, np.ndarray]:
    """Return to where an agent looks at first, in quarters of a turn, and where food and poison are, [2, 3]."""
    while True:
        places = rng.uniform(-SPREAD, SPREAD, (2, 3)) * (1.0, 0.0, 1.0)
        if min(np.linalg.norm(places[0]), np.linalg.norm(places[1]), np.linalg.norm(places[0] - places[1])) > APART:
            return int(rng.integers(4)), places


class ForageAgents(AgentBatch):
    """All agents, each in a meadow of its own."""

    def __init__(self, count: int, seed: int) -> None:
        self.sensor = make_sensor()
        super().__init__(f"{NAME}?team=0", count, [self.sensor], ACTIONS, LIMIT)
        self.rngs = [np.random.default_rng((seed, agent)) for agent in range(count)]
        self.quarter = np.zeros(count, int)
        self.shapes = Shapes(
            center=np.zeros((count, 2, 3)),
            rotation=np.tile(np.eye(3), (count, 2, 1, 1)),
            half_size=np.tile(HALF_SIZE, (count, 2, 1)),
            rounding=np.zeros((count, 2)),
            tag=np.tile(np.arange(2), (count, 1)),
        )
        self.origins = RayOrigins(np.arange(count), np.full(count, -1), np.zeros((count, 3)), np.zeros((count, 3, 3)))

    def reset(self, rows):
        self.origins.position[rows] = 0.0
        for row in rows.tolist():
            self.quarter[row], self.shapes.center[row] = draw(self.rngs[row])

    def observe(self, rows):
        self.origins.rotation[:] = yaw_rotations(0.5 * np.pi * self.quarter)
        return [fill(self.sensor.grid, self.shapes, self.origins, np.arange(len(self))[rows])]

    def act(self):
        choice, position = self.actions.discrete[:, 0], self.origins.position
        self.quarter = (self.quarter + TURN[choice]) % 4
        position[choice == AHEAD] += STEP * DIRECTION[self.quarter[choice == AHEAD]]
        near = np.linalg.norm(self.shapes.center - position[:, np.newaxis], axis=2) < REACH
        self.add_reward(-TIME_PENALTY)
        self.add_reward(1.0, near[:, 0])
        self.add_reward(-1.0, near[:, 1])
        self.end_episode(near.any(axis=1))


class Forager(Agent):
    """One agent, in a meadow of its own."""

    def __init__(self, number: int, seed: int) -> None:
        grid = make_sensor()
        super().__init__(
            BehaviorParameters(NAME, action_spec=ACTIONS),
            max_step=LIMIT,
            decision_requester=DecisionRequester(period=1),
            sensors=[FrameSensor(grid, lambda: grid.look(self.shapes(), self.position, 0.5 * np.pi * self.quarter))],
        )
        self.rng = np.random.default_rng((seed, number))

    def shapes(self) -> list[TaggedShape]:
        return [TaggedShape(tag, place, HALF_SIZE) for tag, place in zip(TAGS, self.places, strict=True)]

    def on_episode_begin(self):
        self.position = np.zeros(3)
        self.quarter, self.places = draw(self.rng)

    def on_action_received(self, actions):
        (choice,) = actions.discrete.tolist()
        self.quarter = (self.quarter + int(TURN[choice])) % 4
        if choice == AHEAD:
            self.position = self.position + STEP * DIRECTION[self.quarter]
        food, poison = np.linalg.norm(self.places - self.position, axis=1) < REACH
        self.add_reward(-TIME_PENALTY)
        if food or poison:
            self.add_reward(float(food) - float(poison))
            self.end_episode()


def forage(agents: int = 16, seed: int = 0) -> SimEnvironment:
    """Return the game of agents in a batch."""
    return SimEnvironment(World([ForageAgents(agents, seed)], 1, EnvironmentParameters(NAME, {})))


def forage_with_objects(agents: int = 16, seed: int = 0) -> SimEnvironment:
    """Return the game of agents that are objects."""
    return SimEnvironment(AgentWorld([Forager(number, seed) for number in range(agents)]))
