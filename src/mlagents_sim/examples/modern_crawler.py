"""Crawler, as in today's releases: a creature with four legs runs to one target after another, as fast as is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from mlagents_sim.entry import SimEntry
from mlagents_sim.examples.goal_speed import (
    DRAG,
    MAX_ANGULAR_SPEED,
    PARAMETERS,
    Runner,
    RunnerAgents,
    RunnerWorld,
    make_runners,
    see,
    turn_to_ahead,
    walls,
)
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.physics.articulated import Body, Capsule, Joint, Ragdoll, Sphere
from mlagents_sim.physics.articulated.shapes import Vector3
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import VectorSensor
from mlagents_sim.visual_geoms import AGENT_BLUE, ORANGE, WHITE

STIFFNESS: Final = 40_000.0
DAMPING: Final = 5_000.0
MOST_FORCE: Final = 20_000.0
LEGS: Final = 4
GROUND_M: Final = 0.5
SQUARE_HALF_M: Final = 50.0
BODY_SIZE: Final = 126
VECTOR_SIZE: Final = 32
NO_TURN: Final = (0.0, 0.0, 0.0, 1.0)
_OUT: Final[tuple[Vector3, ...]] = ((0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
_ACROSS: Final[tuple[Vector3, ...]] = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0))


def make_crawler() -> Ragdoll:
    """Return the creature as it hangs above the ground, its legs straight out; it looks along +Z, between two legs."""
    bodies, joints = [Body("body", [Sphere(0.5)], 20.0)], []
    for i in range(LEGS):
        out, across = _turned(_OUT[i]), _turned(_ACROSS[i])
        w, y = np.cos(np.pi / 8.0), -np.sin(np.pi / 8.0)
        rotation, axis = (w, 0.0, y, 0.0), int(np.argmax(np.abs(_OUT[i])))
        bodies += [
            Body(f"leg{i}", [Capsule(0.15, 0.95, axis)], 2.0, _at(0.815, out), rotation),
            Body(f"foreleg{i}", [Capsule(0.15, 1.5, axis)], 1.0, _at(1.83, out), rotation),
        ]
        joints += [
            _joint(f"leg{i}", "body", _at(0.4, out), across, (-60.0, 0.0), 20.0),
            _joint(f"foreleg{i}", f"leg{i}", _at(1.23, out), across, (0.0, 150.0), 0.0),
        ]
    planes = walls(GROUND_M, SQUARE_HALF_M)
    return Ragdoll(bodies, joints, planes, drag=DRAG, angular_drag=DRAG, max_angular_speed=MAX_ANGULAR_SPEED)


def _turned(direction: Vector3) -> Vector3:
    """Return a direction of the root as the body sees it, which is turned by 45 degrees against it."""
    half = np.sqrt(0.5)
    return half * (direction[0] - direction[2]), direction[1], half * (direction[0] + direction[2])


def _at(distance: float, out: Vector3) -> Vector3:
    return distance * out[0], distance * out[1], distance * out[2]


def _joint(child: str, parent: str, anchor: Vector3, across: Vector3, x: tuple[float, float], y: float) -> Joint:
    return Joint(child, parent, anchor, across, (0.0, -1.0, 0.0), x, y, 0.0, STIFFNESS, DAMPING)


LEG_NAMES: Final = tuple(f"leg{i}" for i in range(LEGS))
FORELEG_NAMES: Final = tuple(f"foreleg{i}" for i in range(LEGS))
CRAWLER: Final = Runner(
    behavior="Crawler?team=0",
    ragdoll=make_crawler(),
    turned=[*((name, "xy") for name in LEG_NAMES), *((name, "x") for name in FORELEG_NAMES)],
    strengths=[*LEG_NAMES, *FORELEG_NAMES],
    most_force=MOST_FORCE,
    measured=["body", *LEG_NAMES, *FORELEG_NAMES],
    looker="body",
    by_angle=False,
    fatal=["body", *LEG_NAMES],
    start=(0.0, 2.506, 0.0),
    speeds=(0.1, 15.0),
    target=(1.2357, 40.0, 5.0),
    colors=(AGENT_BLUE, *((WHITE, ORANGE) * LEGS)),
)


class CrawlerAgents(RunnerAgents):
    """The creatures. They observe how all their bodies lie and move, and how fast they are to run where."""

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return the bodies' places, velocities and turns; the goal, contacts and strengths: see the documentation."""
        seen = see(self.runners, rows)
        count = len(seen.height)
        places = np.concatenate((seen.position, seen.rotation), axis=2).reshape(count, -1)
        turns = np.concatenate((np.tile(NO_TURN, (count, 1, 1)), seen.to_parent), axis=1).reshape(count, -1)
        body = np.concatenate((places, seen.velocity.reshape(count, -1), turns), axis=1)
        contacts = np.stack((seen.touching[:, 1:], self.drives.strength[rows]), axis=2).reshape(count, -1)
        vector = np.concatenate(
            (
                np.linalg.norm(seen.goal - seen.mean, axis=1, keepdims=True),
                seen.mean,
                seen.goal,
                turn_to_ahead(seen.rotation[:, 0]),
                seen.target,
                seen.height,
                seen.touching[:, :1],
                contacts,
            ),
            axis=1,
        )
        return [body, vector]


class CrawlerWorld(RunnerWorld):
    """Creatures and their targets, each area for itself."""

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        sensors = [VectorSensor(BODY_SIZE, "PhysicsBodySensor"), VectorSensor(VECTOR_SIZE)]
        agents = CrawlerAgents(CRAWLER, make_runners(CRAWLER, areas), sensors, rng, parameters)
        super().__init__(agents, rng, parameters)


ENTRY = SimEntry(
    "Crawler",
    expected_reward=3000.0,
    description="A creature with four legs runs to one target after another, as fast as is asked for.",
    make_world=CrawlerWorld,
    num_areas=10,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "Crawler.onnx",
)
