"""WormStatic and WormDynamic: four segments in a row crawl to their target."""

from __future__ import annotations

import functools
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
from mlagents_sim.examples.running import conjugated, look_rotations, poses_on_floors, runners_on_floors, xyzw
from mlagents_sim.examples.targets import TOUCHED, Targets, fall, make_targets, move_on, refill
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.articulated import (
    SWEEPS,
    Body,
    Capsule,
    Joint,
    Plane,
    Ragdoll,
    Ragdolls,
    Sphere,
    from_euler,
    make_ragdolls,
    matrices_of,
    multiply,
    origins_of,
    quaternions_of,
    reset,
    state_arrays,
    step,
    turn_copies,
)
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import AGENT_BLUE, BLACK, ORANGE, WHITE, Poses, VisualGeoms

# Time and rewards
MAX_STEP: Final = 5000
DECISION_PERIOD: Final = 5
STEP_SECONDS: Final = 0.01333
CRAWL_REWARD: Final = 0.01  # per m/s of the head towards the target and physics step
LOOK_REWARD: Final = 0.01  # for a head that is turned there
TARGET_REWARD: Final = 1.0

# Body
STIFFNESS: Final = 3_000.0
DAMPING: Final = 30.0
MOST_FORCE: Final = 10_000.0
EYE_SPRING: Final = 15.0
MAX_ANGULAR_SPEED: Final = 100.0  # rad/s
SCALE: Final = 1.3  # of the frame in which positions are observed
SEGMENTS: Final = 4
_SEGMENT: Final = ((-1.222, 0.4779, 2.6), (-2.9332, 0.4266, 1.95), (-4.3953, 0.3644, 1.95), (-5.8461, 0.3236, 1.95))
_JOINT_Z: Final = (-2.2019, -3.6641, -5.1149)
_EYE: Final = (0.32, 0.36, -0.3)  # right; the other one mirrors it

# The world
HEIGHT_SEEN_M: Final = 10.0
START: Final = (0.0, 1.0, 0.0)
STATIC_TARGET: Final = (0.0, 1.0, 1000.0)
TARGET_EDGE_M: Final = 1.2357
TARGET_RADIUS_M: Final = 40.0
TARGET_HEIGHT_M: Final = 5.0
LOWEST_M: Final = -2.0

OBSERVATION_SIZE: Final = 57
COLORS: Final = (ORANGE, AGENT_BLUE, WHITE, AGENT_BLUE, BLACK, BLACK)
GRAVITY: Final = 14.715
PARAMETERS: Final = {"gravity": Parameter("gravity, m/s^2", GRAVITY, 4.0, 105.0)}


def make_worm() -> Ragdoll:
    """Return the worm as it lies stretched out; it looks along +Z."""
    bodies = [
        Body(f"seg{i}", [Capsule(radius, length, 2)], 10.0, (0.0, 0.0, z))
        for i, (z, radius, length) in enumerate(_SEGMENT)
    ]
    right, down = (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)
    joints = [
        Joint(f"seg{i + 1}", f"seg{i}", (0.0, 0.0, z), right, down, (-60.0, 60.0), 60.0, 0.0, STIFFNESS, DAMPING)
        for i, z in enumerate(_JOINT_Z)
    ]
    for name, side in (("eyeL", -1.0), ("eyeR", 1.0)):
        place = (side * _EYE[0], _EYE[1], _EYE[2])
        bodies.append(Body(name, [Sphere(0.272)], 1.0, place))
        joints.append(Joint(name, "seg0", place, stiffness=EYE_SPRING))
    return Ragdoll(bodies, joints, [Plane()], max_angular_speed=MAX_ANGULAR_SPEED)


WORM: Final = make_worm()
DRIVEN: Final = tuple(f"seg{i}" for i in range(1, SEGMENTS))


class Worms(NamedTuple):
    """The worms of all areas.

    Attributes:
      ragdolls: their bodies.
      targets: where they are to crawl.
      looking: float64 [areas, 4], the rotation (w, x, y, z) that looked from head to target at the last decision.
      direction: float64 [areas, 3], unit vector from the head to the target then.
      gravity: float64 [areas], m/s^2.
    """

    ragdolls: Ragdolls
    targets: Targets
    looking: NDArray[np.float64]
    direction: NDArray[np.float64]
    gravity: NDArray[np.float64]


# One physics step


@compiled
def _act(worms: Worms, agents: AgentArrays) -> None:
    """Reward crawling to the target, a head that is turned there, and one that touches it."""
    bodies, targets = worms.ragdolls, worms.targets
    for i in range(len(agents.reward)):
        run = look = 0.0
        for axis in range(3):
            run += bodies.velocity[i, 0, axis] * worms.direction[i, axis]
        for axis in range(4):
            look += bodies.rotation[i, 0, axis] * worms.looking[i, axis]
        agents.reward[i] += CRAWL_REWARD * run + LOOK_REWARD * abs(look)
        if targets.touched[i, 0] == TOUCHED:
            agents.reward[i] += TARGET_REWARD
            move_on(targets, i)


@compiled
def _integrate(worms: Worms, agents: AgentArrays) -> bool:
    """Run one physics step; who falls off the world ends its episode. Returns: whether any episode is over."""
    step(worms.ragdolls, worms.gravity, STEP_SECONDS, SWEEPS)
    fall(worms.targets, worms.ragdolls, worms.gravity, STEP_SECONDS)
    any_over = False
    for i in range(len(agents.reward)):
        if worms.ragdolls.position[i, 0, 1] < LOWEST_M and agents.end[i] == PLAYING:
            agents.end[i] = ENDED
        any_over |= agents.end[i] != PLAYING
    return any_over


@compiled
def _advance(worms: Worms, agents: AgentArrays, steps: int) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for k in range(steps):
        count_step(agents)
        _act(worms, agents)
        if interrupt(agents, MAX_STEP):
            return k, True
        if _integrate(worms, agents):
            return k + 1, False
    return steps, False


# Agents


class WormAgents(AgentBatch):
    """The worms. They observe how their segments move and lie as seen along the way to the target.

    Args:
      behavior: fully qualified name.
      worms: one per agent.
      rng: source of directions at the beginning, and of the targets' places.
      parameters: `PARAMETERS`, read at every reset.
      moving_target: whether every episode has a target of its own.
    """

    def __init__(
        self,
        behavior: str,
        worms: Worms,
        rng: np.random.Generator,
        parameters: EnvironmentParameters,
        *,
        moving_target: bool,
    ) -> None:
        turned = [(name, "xy") for name in DRIVEN]
        self.drives = JointDrives(WORM, worms.ragdolls, turned, DRIVEN, MOST_FORCE)
        actions = ActionSpec.create_continuous(self.drives.size)
        super().__init__(behavior, len(worms.direction), [VectorSensor(OBSERVATION_SIZE)], actions, MAX_STEP)
        self._worms, self._rng, self._parameters, self._moving_target = worms, rng, parameters, moving_target
        self._state_arrays: dict[str, NDArray[Any]] = {
            "looking": worms.looking,
            "direction": worms.direction,
            "gravity": worms.gravity,
            **{f"target_{name}": array for name, array in worms.targets.state_arrays().items()},
            **state_arrays(worms.ragdolls),
            **self.drives.state_arrays(),
        }

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Stretch the worms out along the last way to their targets, turned by any angle; drives stay as they were."""
        worms, count = self._worms, len(rows)
        reset(worms.ragdolls, rows)
        yaw = self._rng.uniform(0.0, 360.0, count)
        turn_copies(worms.ragdolls, rows, START, multiply(worms.looking[rows], from_euler(0.0, yaw, 0.0)))
        worms.gravity[rows] = self._parameters.read("gravity", count)
        if self._moving_target:
            worms.targets.move(rows, self._rng)

    def decide(self, action: ActionTuple) -> None:
        """Set the drives: once per decision."""
        super().decide(action)
        self.drives.apply(self.arrays.continuous)

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return height; of every segment contact and velocities, of all but the head place, turn, strength; head."""
        worms, ragdolls = self._worms, self._worms.ragdolls
        origins = origins_of(ragdolls)[rows, :SEGMENTS]
        looking = look_rotations(worms.targets.position[rows] - origins[:, 0])
        worms.direction[rows], worms.looking[rows] = looking[:, :, 2], quaternions_of(looking)
        rotations = matrices_of(ragdolls.rotation[rows, :SEGMENTS])
        part = np.empty((len(origins), SEGMENTS, 15))
        part[:, :, 0] = ragdolls.touches[rows, :SEGMENTS, 0]
        part[:, :, 1:4] = ragdolls.velocity[rows, :SEGMENTS] @ looking
        part[:, :, 4:7] = ragdolls.angular_velocity[rows, :SEGMENTS] @ looking
        part[:, :, 7:10] = (origins - origins[:, :1]) @ rotations[:, 0] / SCALE
        part[:, 1:, 10:14] = turns_to_angles(rotations[:, :-1])
        part[:, 1:, 14] = self.drives.strength[rows, : SEGMENTS - 1]
        height = np.minimum(origins[:, 0, 1], HEIGHT_SEEN_M) / HEIGHT_SEEN_M
        head = xyzw(multiply(conjugated(worms.looking[rows]), ragdolls.rotation[rows, 0]))
        others = part[:, 1:].reshape(len(origins), -1)
        return [np.concatenate((height[:, np.newaxis], part[:, 0, :7], others, head), axis=1)]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the bodies, drives and targets."""
        return self._state_arrays

    def act(self) -> None:
        """Earn."""
        _act(self._worms, self.arrays)


def turns_to_angles(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quaternions (x, y, z, w) [..., 4] from X to the Euler angles of rotations [..., 3, 3], as a direction.

    That is what Unity's worm observes: its angles, 0 to 360 degrees, are taken for a vector.
    """
    x = np.degrees(np.arcsin(np.clip(-rotations[..., 1, 2], -1.0, 1.0)))
    y = np.degrees(np.arctan2(rotations[..., 0, 2], rotations[..., 2, 2]))
    z = np.degrees(np.arctan2(rotations[..., 1, 0], rotations[..., 1, 1]))
    angles = np.stack((x, y, z), axis=-1) % 360.0
    length = np.linalg.norm(angles, axis=-1, keepdims=True)
    to = np.where(length > 0.0, angles / np.maximum(length, 1e-12), (1.0, 0.0, 0.0))
    # Half way between the two directions: (cross, 1 + dot), made a unit.
    quats = np.stack((np.zeros_like(to[..., 0]), -to[..., 2], to[..., 1], 1.0 + to[..., 0]), axis=-1)
    unit: NDArray[np.float64] = quats / np.linalg.norm(quats, axis=-1, keepdims=True)
    return unit


class WormWorld(World):
    """Worms and their targets, each area for itself."""

    step_seconds = STEP_SECONDS
    view = View(pitch_deg=30.0)

    def __init__(
        self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters, *, dynamic: bool = False
    ) -> None:
        ragdolls = make_ragdolls(WORM, areas, START)
        ragdolls.force_limit[:, SEGMENTS - 1 :] = np.inf
        edge = TARGET_EDGE_M if dynamic else 0.0
        targets = make_targets(areas, len(WORM.bodies), STATIC_TARGET, edge, TARGET_RADIUS_M, TARGET_HEIGHT_M)
        looking, ahead = np.tile((1.0, 0.0, 0.0, 0.0), (areas, 1)), np.tile((0.0, 0.0, 1.0), (areas, 1))
        self.worms = Worms(ragdolls, targets, looking, ahead, np.full(areas, GRAVITY))
        self._rng = rng
        behavior = "WormDynamic?team=0" if dynamic else "WormStatic?team=0"
        self.worm_agents = WormAgents(behavior, self.worms, rng, parameters, moving_target=dynamic)
        super().__init__([self.worm_agents], DECISION_PERIOD, parameters)
        self._advance = _advance.bind(self.worms, self.worm_agents.arrays)

    def on_reset(self) -> None:
        """Let everything be as if nobody had ever acted."""
        self.worm_agents.drives.clear()
        self.worms.looking[:], self.worms.direction[:] = (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0)

    def bodies(self) -> VisualGeoms:
        """Return the worms on floors that move with them, and the way to their targets."""
        return runners_on_floors(WORM, self.worms.ragdolls, self.worms.targets.position, COLORS)

    def agent_poses(self) -> list[Poses | None]:
        """Return where the first of their bodies are."""
        return [poses_on_floors(self.worms.ragdolls)]

    def integrate(self) -> None:
        """Move with joints and contacts, and end the episode of who falls."""
        _integrate(self.worms, self.worm_agents.arrays)
        refill(self.worms.targets, self._rng)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        done = self._advance(steps)
        refill(self.worms.targets, self._rng)
        return done


# Registration


def _entry(identifier: str, description: str, expected_reward: float, *, dynamic: bool) -> SimEntry:
    return SimEntry(
        identifier,
        expected_reward=expected_reward,
        description=description,
        make_world=functools.partial(WormWorld, dynamic=dynamic),
        num_areas=10,
        parameters=PARAMETERS,
        model=Path(__file__).with_name("models") / f"{identifier}.onnx",
    )


STATIC_ENTRY = _entry("WormStatic", "A worm turns to its target and crawls there.", 200.0, dynamic=False)
DYNAMIC_ENTRY = _entry("WormDynamic", "A worm crawls to one target after another.", 150.0, dynamic=True)
