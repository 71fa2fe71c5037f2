"""Walker: a humanoid with 26 driven axes walks, or runs, to a target far away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_sim.academy import World
from mlagents_sim.agent import ENDED, PLAYING, AgentArrays, AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.examples.joint_drives import JointDrives
from mlagents_sim.examples.running import poses_on_floors, runners_on_floors
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.articulated import (
    SWEEPS,
    Body,
    Box,
    Capsule,
    Joint,
    Plane,
    Ragdoll,
    Ragdolls,
    Sphere,
    from_euler,
    make_ragdolls,
    matrices_of,
    origins_of,
    reset,
    set_mass,
    state_arrays,
    step,
)
from mlagents_sim.physics.articulated.vectors import minus, norm, vector_at
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import AGENT_BLUE, ORANGE, WHITE, Poses, VisualGeoms

# Time and rewards
MAX_STEP: Final = 5000
DECISION_PERIOD: Final = 5
STEP_SECONDS: Final = 0.01333
RUN_REWARD: Final = 0.03  # per m/s towards the target and physics step
LOOK_REWARD: Final = 0.01  # for hips that look there
HEAD_REWARD: Final = 0.02  # per metre of the head above the hips
SHAKE_REWARD: Final = -0.01  # per m/s of the head against the hips
FALL_REWARD: Final = -1.0

# Body
STIFFNESS: Final = 10_000.0
DAMPING: Final = 50.0
MOST_FORCE: Final = 25_000.0
DRAG: Final = 0.02
MAX_ANGULAR_SPEED: Final = 100.0  # rad/s
HIPS_SCALE: Final = (1.2841, 0.3911, 0.7331)  # of the frame in which positions are observed

# Lanes, along X
START_X_M: Final = -500.0
START_Y_M: Final = 2.45
START_YAW_DEG: Final = 90.0
LANES_APART_M: Final = 50.0
TARGET_X_M: Final = 1300.0
TARGET_HEIGHT_M: Final = 1.79  # above where the hips' frame begins; it falls to the floor
TARGET_EDGE_M: Final = 1.0

OBSERVATION_SIZE: Final = 212
GRAVITY: Final = 9.81
PARAMETERS: Final = {
    "gravity": Parameter("gravity, m/s^2", GRAVITY, 4.0, 105.0),
    "hip_mass": Parameter("mass of the hips, kg", 15.0, 7.0, 28.0),
    "chest_mass": Parameter("mass of the chest, kg", 8.0, 3.0, 20.0),
    "spine_mass": Parameter("mass of the spine, kg", 10.0, 3.0, 20.0),
}
MASSES: Final = {"hips": "hip_mass", "chest": "chest_mass", "spine": "spine_mass"}


def make_walker() -> Ragdoll:
    """Return the humanoid as it stands, its arms stretched out; it looks along +Z, and its left is -X."""
    bodies = [
        Body("hips", [Capsule(0.2199, 1.2841, 0, (0.0, 0.0782, 0.0))], 15.0, (0.0, 0.137, 0.0)),
        Body("chest", [Capsule(0.3841, 1.5096, 0)], 8.0, (0.0, 1.638, 0.0)),
        Body("spine", [Capsule(0.2151, 1.0861, 0)], 10.0, (0.0, 0.833, 0.0)),
        Body("head", [Sphere(0.6507)], 3.0, (0.0, 3.011, 0.0)),
    ]
    joints = [
        _joint("chest", "spine", (0.0, 1.638, 0.0), x=(-20.0, 20.0), y=20.0, z=15.0),
        _joint("spine", "hips", (0.0, 0.833, 0.0), x=(-20.0, 20.0), y=20.0, z=15.0),
        _joint("head", "chest", (0.0, 2.165, 0.0), x=(-30.0, 10.0), y=20.0, z=0.0),
    ]
    for side, x, hip in (("L", -1.0, -0.37), ("R", 1.0, 0.377)):
        leg_bodies, leg_joints = _leg(side, 0.37 * x, hip)
        bodies, joints = bodies + leg_bodies, joints + leg_joints
    for side, x in (("L", -1.0), ("R", 1.0)):
        arm_bodies, arm_joints = _arm(side, x)
        bodies, joints = bodies + arm_bodies, joints + arm_joints
    return Ragdoll(bodies, joints, [Plane()], drag=DRAG, angular_drag=0.0, max_angular_speed=MAX_ANGULAR_SPEED)


def _joint(
    child: str,
    parent: str,
    anchor: tuple[float, float, float],
    axis: tuple[float, float, float] = (1.0, 0.0, 0.0),
    secondary: tuple[float, float, float] = (0.0, 0.0, -1.0),
    x: tuple[float, float] = (0.0, 0.0),
    y: float = 0.0,
    z: float = 0.0,
) -> Joint:
    return Joint(child, parent, anchor, axis, secondary, x, y, z, STIFFNESS, DAMPING)


def _leg(side: str, x: float, hip: float) -> tuple[list[Body], list[Joint]]:
    thigh, shin, foot = f"thigh{side}", f"shin{side}", f"foot{side}"
    back = (-1.0, 0.0, 0.0)
    return [
        Body(thigh, [Capsule(0.2889, 1.0248)], 14.0, (hip, -0.67, 0.0)),
        Body(shin, [Capsule(0.1955, 0.7316, 1, (0.0, -0.061, 0.0))], 7.0, (x, -1.7395, 0.0)),
        Body(foot, [Box((0.3985, 0.1362, 0.7862))], 5.0, (x, -2.338, 0.213)),
    ], [
        _joint(thigh, "hips", (hip, 0.0132, 0.0), back, x=(-90.0, 60.0), y=40.0),
        _joint(shin, thigh, (x, -1.1299, 0.0), back, x=(0.0, 120.0)),
        _joint(foot, shin, (x, -2.338, -0.0229), (0.0, 1.0, 0.0), back, (-20.0, 20.0), 20.0, 20.0),
    ]


def _arm(side: str, x: float) -> tuple[list[Body], list[Joint]]:
    arm, forearm, hand = f"arm{side}", f"forearm{side}", f"hand{side}"
    along, ahead = (0.0, x, 0.0), (0.0, 0.0, 1.0)
    free_hand = Joint(hand, forearm, (3.0 * x, 1.638, 0.0), x=(0.0, 0.0), y=0.0, z=0.0)
    return [
        Body(arm, [Capsule(0.2676, 0.9532, 0)], 1.5, (1.2863 * x, 1.638, -0.0009)),
        Body(forearm, [Capsule(0.2314, 0.8327, 0)], 1.0, (2.3 * x, 1.638, 0.001)),
        Body(hand, [Sphere(0.25)], 0.5, (3.0 * x, 1.638, 0.0)),
    ], [
        _joint(arm, "chest", (0.8097 * x, 1.638, -0.0009), along, ahead, (-60.0, 120.0), 100.0),
        _joint(forearm, arm, (1.7448 * x, 1.638, 0.001), along, ahead, (0.0, 160.0)),
        free_hand,
    ]


WALKER: Final = make_walker()
TURNED: Final = (
    *(("chest", "xyz"), ("spine", "xyz"), ("thighL", "xy"), ("thighR", "xy"), ("shinL", "x"), ("shinR", "x")),
    *(("footR", "xyz"), ("footL", "xyz"), ("armL", "xy"), ("armR", "xy"), ("forearmL", "x"), ("forearmR", "x")),
    ("head", "xy"),
)
STRENGTHS: Final = (
    *("chest", "spine", "head", "thighL", "shinL", "footL", "thighR", "shinR", "footR"),
    *("armL", "forearmL", "armR", "forearmR"),
)
OBSERVED: Final = (
    *("hips", "chest", "spine", "head", "thighL", "shinL", "footL", "thighR", "shinR", "footR"),
    *("armL", "forearmL", "handL", "armR", "forearmR", "handR"),
)
DRIVES_OBSERVED: Final = (
    "chest",
    "spine",
    "thighL",
    "shinL",
    "thighR",
    "shinR",
    "armL",
    "forearmL",
    "armR",
    "forearmR",
)
HIPS: Final = WALKER.index("hips")
HEAD: Final = WALKER.index("head")
FATAL: Final = np.array([i for i, body in enumerate(WALKER.bodies) if not body.name.startswith("foot")])
COLORS: Final = np.array(
    [ORANGE if b.name in ("hips", "head") else WHITE if b.name[-1] in "LR" else AGENT_BLUE for b in WALKER.bodies]
)


class Walkers(NamedTuple):
    """The humanoids of all lanes.

    Attributes:
      ragdolls: their bodies.
      target: float64 [areas, 3], m.
      falling: float64 [areas], speed of the target until it lies on the floor, m/s.
      direction: float64 [areas, 3], unit vector from the hips to the target.
      gravity: float64 [areas], m/s^2.
      fatal: int64 [n], bodies that must not touch the ground.
    """

    ragdolls: Ragdolls
    target: NDArray[np.float64]
    falling: NDArray[np.float64]
    direction: NDArray[np.float64]
    gravity: NDArray[np.float64]
    fatal: NDArray[np.int64]


# One physics step


@compiled
def _hips(walkers: Walkers, i: int) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return where the hips' frame is, and where it looks."""
    bodies = walkers.ragdolls
    w, x, y, z = bodies.rotation[i, HIPS]
    up = (2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x))
    offset, center = bodies.model.center[HIPS, 1], vector_at(bodies.position[i], HIPS)
    origin = (center[0] - offset * up[0], center[1] - offset * up[1], center[2] - offset * up[2])
    return origin, (2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y))


@compiled
def _act(walkers: Walkers, agents: AgentArrays) -> None:
    """Look where the target is; reward running and looking there, a high head, and one that is calm."""
    bodies = walkers.ragdolls
    for i in range(len(agents.reward)):
        origin, forward = _hips(walkers, i)
        to_target = minus(vector_at(walkers.target, i), origin)
        distance, run, look = norm(to_target), 0.0, 0.0
        for axis in range(3):
            walkers.direction[i, axis] = to_target[axis] / distance
            run += bodies.velocity[i, HIPS, axis] * walkers.direction[i, axis]
            look += forward[axis] * walkers.direction[i, axis]
        height = bodies.position[i, HEAD, 1] - origin[1]
        shake = norm(minus(vector_at(bodies.velocity[i], HEAD), vector_at(bodies.velocity[i], HIPS)))
        agents.reward[i] += RUN_REWARD * run + LOOK_REWARD * look + HEAD_REWARD * height + SHAKE_REWARD * shake


@compiled
def _integrate(walkers: Walkers, agents: AgentArrays) -> bool:
    """Run one physics step; who falls ends its episode. Returns: whether any episode is over."""
    step(walkers.ragdolls, walkers.gravity, STEP_SECONDS, SWEEPS)
    any_over = False
    for i in range(len(agents.reward)):
        walkers.falling[i] += walkers.gravity[i] * STEP_SECONDS
        walkers.target[i, 1] -= walkers.falling[i] * STEP_SECONDS
        if walkers.target[i, 1] < 0.5 * TARGET_EDGE_M:
            walkers.target[i, 1], walkers.falling[i] = 0.5 * TARGET_EDGE_M, 0.0
        for body in walkers.fatal:
            if walkers.ragdolls.touches[i, body, 0] and agents.end[i] == PLAYING:
                agents.reward[i] = FALL_REWARD
                agents.end[i] = ENDED
        any_over |= agents.end[i] != PLAYING
    return any_over


@compiled
def _advance(walkers: Walkers, agents: AgentArrays, steps: int) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for k in range(steps):
        count_step(agents)
        _act(walkers, agents)
        if interrupt(agents, MAX_STEP):
            return k, True
        if _integrate(walkers, agents):
            return k + 1, False
    return steps, False


# Agents


class WalkerAgents(AgentBatch):
    """The humanoids. They observe where they are, and how all their parts move, in world coordinates.

    Args:
      walkers: one per agent.
      parameters: `PARAMETERS`, read at every reset.
    """

    def __init__(self, walkers: Walkers, parameters: EnvironmentParameters) -> None:
        self.drives = JointDrives(WALKER, walkers.ragdolls, TURNED, STRENGTHS, MOST_FORCE, MOST_FORCE)
        sensors = [VectorSensor(OBSERVATION_SIZE)]
        actions = ActionSpec.create_continuous(self.drives.size)
        super().__init__("Walker?team=0", len(walkers.direction), sensors, actions, MAX_STEP)
        self._walkers, self._parameters = walkers, parameters
        joints = [joint.child for joint in WALKER.joints]
        self._order = np.array([WALKER.index(name) for name in OBSERVED])
        self._joints = np.array([joints.index(name) for name in DRIVES_OBSERVED])
        self._layout = _layout()
        self._state_arrays: dict[str, NDArray[Any]] = {
            "target_position": walkers.target,
            "falling": walkers.falling,
            "direction": walkers.direction,
            "gravity": walkers.gravity,
            **state_arrays(walkers.ragdolls),
            **self.drives.state_arrays(),
        }

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Stand the humanoids up; their drives stay as they were set last."""
        walkers, count = self._walkers, len(rows)
        reset(walkers.ragdolls, rows)
        walkers.gravity[rows] = self._parameters.read("gravity", count)
        for body, parameter in MASSES.items():
            set_mass(walkers.ragdolls, rows, WALKER.index(body), self._parameters.read(parameter, count))

    def decide(self, action: ActionTuple) -> None:
        """Set the drives: once per decision."""
        super().decide(action)
        self.drives.apply(self.arrays.continuous)

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return the target's direction; hips; of every part contact, velocities and place, and of some the drive."""
        walkers, ragdolls = self._walkers, self._walkers.ragdolls
        origins, order = origins_of(ragdolls)[rows], self._order
        hips = matrices_of(ragdolls.rotation[rows, HIPS])
        count = len(hips)
        part = np.empty((count, len(order), 10))
        part[:, :, 0] = ragdolls.touches[rows, :, 0][:, order]
        part[:, :, 1:4] = ragdolls.velocity[rows][:, order]
        part[:, :, 4:7] = ragdolls.angular_velocity[rows][:, order]
        part[:, :, 7:10] = ((origins - origins[:, HIPS : HIPS + 1]) @ hips)[:, order] / HIPS_SCALE
        drive = np.empty((count, len(self._joints), 4))
        drive[:, :, :3] = self.drives.rotation[rows][:, self._joints]
        drive[:, :, 3] = self.drives.strength[rows][:, self._joints]
        whole = (walkers.direction[rows], origins[:, HIPS], hips[:, :, 2], hips[:, :, 1])
        values = np.concatenate((*whole, part.reshape(count, -1), drive.reshape(count, -1)), axis=1)
        return [values[:, self._layout]]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the bodies, drives and targets."""
        return self._state_arrays

    def act(self) -> None:
        """Earn."""
        _act(self._walkers, self.arrays)


def _layout() -> NDArray[np.intp]:
    """Return where observed numbers stand among 12 of the whole, 10 of each part, 4 of each observed drive."""
    layout = list(range(12))
    for number, name in enumerate(OBSERVED):
        layout += range(12 + 10 * number, 22 + 10 * number)
        if name in DRIVES_OBSERVED:
            first = 12 + 10 * len(OBSERVED) + 4 * DRIVES_OBSERVED.index(name)
            layout += range(first, first + 4)
    return np.array(layout)


class WalkerWorld(World):
    """Humanoids, each in a lane of its own."""

    step_seconds = STEP_SECONDS
    view = View(pitch_deg=20.0, yaw_deg=-40.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        lane = LANES_APART_M * (np.arange(areas) - areas // 2)
        start = np.stack((np.full(areas, START_X_M), np.full(areas, START_Y_M), lane), axis=1)
        ragdolls = make_ragdolls(WALKER, areas, start, from_euler(0.0, START_YAW_DEG, 0.0))
        target = start * (0.0, 1.0, 1.0) + (TARGET_X_M, TARGET_HEIGHT_M, 0.0)
        gravity = np.full(areas, GRAVITY)
        self.walkers = Walkers(ragdolls, target, np.zeros(areas), np.zeros((areas, 3)), gravity, FATAL)
        self.walkers.direction[:, 0] = 1.0
        self.walker_agents = WalkerAgents(self.walkers, parameters)
        super().__init__([self.walker_agents], DECISION_PERIOD, parameters)
        self._advance = _advance.bind(self.walkers, self.walker_agents.arrays)

    def on_reset(self) -> None:
        """Let the drives be as if nobody had ever acted."""
        self.walker_agents.drives.clear()

    def bodies(self) -> VisualGeoms:
        """Return the humanoids on floors that move with them, and the way to their targets."""
        return runners_on_floors(WALKER, self.walkers.ragdolls, self.walkers.target, COLORS)

    def agent_poses(self) -> list[Poses | None]:
        """Return where the first of their bodies are."""
        return [poses_on_floors(self.walkers.ragdolls)]

    def integrate(self) -> None:
        """Move with joints and contacts, and end the episode of who falls."""
        _integrate(self.walkers, self.walker_agents.arrays)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        return self._advance(steps)


ENTRY = SimEntry(
    "Walker",
    expected_reward=1000.0,
    description="A humanoid runs to a target far away.",
    make_world=WalkerWorld,
    num_areas=11,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "Walker.onnx",
)
