"""Worm, as in today's releases: four segments in a row crawl to one target after another, as fast as they can."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from mlagents_sim.entry import SimEntry
from mlagents_sim.examples.goal_speed import (
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
from mlagents_sim.physics.articulated import Body, Capsule, Joint, Ragdoll
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import VectorSensor
from mlagents_sim.visual_geoms import AGENT_BLUE, ORANGE, WHITE

STIFFNESS: Final = 3_000.0
DAMPING: Final = 30.0
MOST_FORCE: Final = 10_000.0
SEGMENTS: Final = 4
SPEED: Final = 10.0  # m/s, always asked for
SQUARE_HALF_M: Final = 50.0
SIZE: Final = 64
_SEGMENT: Final = ((0.0, 0.37, 2.0), (-1.333, 0.33, 1.5), (-2.4285, 0.28, 1.48), (-3.55, 0.26, 1.46))
_JOINT_Z: Final = (-0.8, -1.866, -2.991)


def make_worm() -> Ragdoll:
    """Return the worm as it lies stretched out; it looks along +Z. Each segment turns the next one behind it."""
    bodies = [
        Body(f"seg{i}", [Capsule(radius, length, 2)], 10.0, (0.0, 0.0, z))
        for i, (z, radius, length) in enumerate(_SEGMENT)
    ]
    right, down = (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)
    joints = [
        Joint(f"seg{i}", f"seg{i + 1}", (0.0, 0.0, z), right, down, (-60.0, 60.0), 60.0, 0.0, STIFFNESS, DAMPING)
        for i, z in enumerate(_JOINT_Z)
    ]
    return Ragdoll(bodies, joints, walls(0.0, SQUARE_HALF_M), max_angular_speed=MAX_ANGULAR_SPEED)


DRIVEN: Final = tuple(f"seg{i}" for i in range(SEGMENTS - 1))
WORM: Final = Runner(
    behavior="Worm?team=0",
    ragdoll=make_worm(),
    turned=[(name, "xy") for name in DRIVEN],
    strengths=DRIVEN,
    most_force=MOST_FORCE,
    measured=["seg0"],
    looker="seg0",
    by_angle=True,
    fatal=[],
    start=(0.0, 0.5, 0.0),
    speeds=(SPEED, SPEED),
    target=(1.2357, 40.0, 5.0),
    colors=(ORANGE, AGENT_BLUE, WHITE, AGENT_BLUE),
)


class WormAgents(RunnerAgents):
    """The worms. They observe how their segments lie and move, as the head sees them that looks level to the target."""

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return height, goal, target; of every segment contact and velocities, of all but the head place and turn."""
        seen = see(self.runners, rows)
        behind = 2.0 * np.arccos(np.minimum(np.abs(seen.rotation[:, 0, 3:]), 1.0)) / np.pi
        # Unity's segments are children of each other, from the head down; joints are told from the tail up.
        turns = seen.to_parent * (-1.0, -1.0, -1.0, 1.0)
        columns = [seen.height, seen.goal, behind, turn_to_ahead(seen.rotation[:, 0]), seen.target]
        for i in range(SEGMENTS):
            columns += [seen.touching[:, i : i + 1], seen.velocity[:, i], seen.angular_velocity[:, i]]
            if i > 0:
                columns += [seen.position[:, i], turns[:, i - 1]]
            if i < SEGMENTS - 1:
                columns.append(self.drives.strength[rows, i : i + 1])
        return [np.concatenate(columns, axis=1)]


class WormWorld(RunnerWorld):
    """Worms and their targets, each area for itself."""

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        agents = WormAgents(WORM, make_runners(WORM, areas), [VectorSensor(SIZE)], rng, parameters)
        super().__init__(agents, rng, parameters)


ENTRY = SimEntry(
    "Worm",
    expected_reward=800.0,
    description="A worm crawls to one target after another, as fast as it can.",
    make_world=WormWorld,
    num_areas=10,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "Worm.onnx",
)
