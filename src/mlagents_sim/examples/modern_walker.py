"""Walker, as in today's releases: a humanoid walks to one target after another, as fast as is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_sim.entry import SimEntry
from mlagents_sim.examples.goal_speed import (
    DRAG,
    MAX_ANGULAR_SPEED,
    PARAMETERS,
    Runner,
    RunnerAgents,
    Runners,
    RunnerWorld,
    Seen,
    make_runners,
    see,
    turn_to_ahead,
    walls,
)
from mlagents_sim.examples.walker import OBSERVED, STRENGTHS, TURNED
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.physics.articulated import Body, Box, Capsule, Joint, Ragdoll, Sphere
from mlagents_sim.physics.articulated.shapes import Vector3
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import VectorSensor
from mlagents_sim.visual_geoms import AGENT_BLUE, ORANGE, WHITE

STIFFNESS: Final = 40_000.0
DAMPING: Final = 5_000.0
MOST_FORCE: Final = 20_000.0
GROUND_M: Final = 0.125
SQUARE_HALF_M: Final = 12.5
HIPS_HEIGHT_M: Final = 0.953  # with the soles 1.5 cm above the ground
SIZE: Final = 243
CHEST_M: Final = 0.491


def make_walker() -> Ragdoll:
    """Return the humanoid as it stands, its arms stretched out; it looks along +Z, and its left is -X."""
    bodies = [
        Body("hips", [Capsule(0.10, 0.42, 0)], 15.0),
        Body("chest", [Capsule(0.13, 0.45, 0)], 8.0, (0.0, CHEST_M, 0.0)),
        Body("spine", [Capsule(0.08, 0.36, 0)], 10.0, (0.0, 0.2254, 0.0)),
        Body("head", [Sphere(0.22)], 6.0, (0.0, 0.9405, 0.0)),
    ]
    joints = [
        _joint("chest", "spine", (0.0, 0.331, 0.0), x=(-20.0, 20.0), y=20.0, z=15.0),
        _joint("spine", "hips", (0.0, 0.1254, 0.0), x=(-20.0, 20.0), y=20.0, z=15.0),
        _joint("head", "chest", (0.0, 0.6605, 0.0), x=(-30.0, 10.0), y=20.0),
    ]
    sides = (("L", -1.0), ("R", 1.0))
    for limb in (_leg, _arm):
        for side, x in sides:
            limb_bodies, limb_joints = limb(side, x)
            bodies, joints = bodies + limb_bodies, joints + limb_joints
    planes = walls(GROUND_M, SQUARE_HALF_M)
    return Ragdoll(bodies, joints, planes, drag=DRAG, angular_drag=DRAG, max_angular_speed=MAX_ANGULAR_SPEED)


def _joint(
    child: str,
    parent: str,
    anchor: Vector3,
    axis: Vector3 = (1.0, 0.0, 0.0),
    secondary: Vector3 = (0.0, 0.0, -1.0),
    x: tuple[float, float] = (0.0, 0.0),
    y: float = 0.0,
    z: float = 0.0,
) -> Joint:
    return Joint(child, parent, anchor, axis, secondary, x, y, z, STIFFNESS, DAMPING)


def _leg(side: str, x: float) -> tuple[list[Body], list[Joint]]:
    thigh, shin, foot = f"thigh{side}", f"shin{side}", f"foot{side}"
    out, back = 0.132 * x, (-1.0, 0.0, 0.0)
    return [
        Body(thigh, [Capsule(0.09, 0.30)], 14.0, (out, -0.264, 0.0)),
        Body(shin, [Capsule(0.06, 0.32)], 7.0, (out, -0.594, 0.0)),
        Body(foot, [Box((0.128, 0.043, 0.230), (0.0, 0.0, 0.033))], 5.0, (out, -0.792, 0.0)),
    ], [
        _joint(thigh, "hips", (out, -0.104, 0.0), back, x=(-90.0, 60.0), y=40.0),
        _joint(shin, thigh, (out, -0.424, 0.0), back, x=(0.0, 120.0)),
        _joint(foot, shin, (out, -0.762, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-20.0, 20.0), 20.0, 20.0),
    ]


def _arm(side: str, x: float) -> tuple[list[Body], list[Joint]]:
    arm, forearm, hand = f"arm{side}", f"forearm{side}", f"hand{side}"
    along, ahead = (0.0, x, 0.0), (0.0, 0.0, 1.0)
    return [
        Body(arm, [Capsule(0.08, 0.33, 0)], 4.0, (0.4125 * x, CHEST_M, 0.0)),
        Body(forearm, [Capsule(0.08, 0.30, 0)], 3.0, (0.7425 * x, CHEST_M, 0.0)),
        Body(hand, [Sphere(0.08)], 2.0, (0.9735 * x, CHEST_M, 0.0)),
    ], [
        _joint(arm, "chest", (0.2325 * x, CHEST_M, 0.0), along, ahead, (-60.0, 120.0), 100.0),
        _joint(forearm, arm, (0.5825 * x, CHEST_M, 0.0), along, ahead, (0.0, 160.0)),
        Joint(hand, forearm, (0.9735 * x, CHEST_M, 0.0), x=(0.0, 0.0), y=0.0, z=0.0),
    ]


RAGDOLL: Final = make_walker()
WALKER: Final = Runner(
    behavior="Walker?team=0",
    ragdoll=RAGDOLL,
    turned=TURNED,
    strengths=STRENGTHS,
    most_force=MOST_FORCE,
    measured=OBSERVED,
    looker="head",
    by_angle=False,
    fatal=[name for name in OBSERVED if not name.startswith(("foot", "shin"))],
    start=(0.0, HIPS_HEIGHT_M, 0.0),
    speeds=(0.1, 10.0),
    target=(0.25, 9.0, 1.0),
    colors=np.array(
        [ORANGE if b.name in ("hips", "head") else WHITE if b.name[-1] in "LR" else AGENT_BLUE for b in RAGDOLL.bodies]
    ),
    scale=0.4,
)
HEAD: Final = RAGDOLL.index("head")


class WalkerAgents(RunnerAgents):
    """The humanoids. They observe how fast they are to walk where, and how all their parts move and are turned."""

    _bodies = tuple(RAGDOLL.index(name) for name in OBSERVED)
    _joints = tuple(
        [joint.child for joint in RAGDOLL.joints].index(name) if name != "hips" else -1 for name in OBSERVED
    )

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return the goal, the target; of every part contact, velocities, place, and of most turn and strength."""
        seen = see(self.runners, rows)
        columns = [
            np.linalg.norm(seen.goal - seen.mean, axis=1, keepdims=True),
            seen.mean,
            seen.goal,
            turn_to_ahead(seen.rotation[:, 0]),
            turn_to_ahead(seen.rotation[:, HEAD]),
            seen.target,
        ]
        for name, body, joint in zip(OBSERVED, self._bodies, self._joints, strict=True):
            columns += _part(seen, body)
            if name != "hips" and not name.startswith("hand"):
                columns += [seen.to_parent[:, joint], self.drives.strength[rows, joint : joint + 1]]
        return [np.concatenate(columns, axis=1)]


def _part(seen: Seen, body: int) -> list[NDArray[np.float64]]:
    touching = seen.touching[:, body : body + 1]
    return [touching, seen.velocity[:, body], seen.angular_velocity[:, body], seen.position[:, body]]


class WalkerWorld(RunnerWorld):
    """Humanoids and their targets, each area for itself."""

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        runners: Runners = make_runners(WALKER, areas)
        super().__init__(WalkerAgents(WALKER, runners, [VectorSensor(SIZE)], rng, parameters), rng, parameters)


ENTRY = SimEntry(
    "WalkerModern",
    expected_reward=2500.0,
    description="A humanoid walks to one target after another, as fast as is asked for.",
    make_world=WalkerWorld,
    num_areas=10,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "WalkerModern.onnx",
)
