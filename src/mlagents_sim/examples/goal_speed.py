"""What today's Crawler, Walker and Worm share: run to a target as fast as is asked for, and look there.

A reward is the product of two parts, so that neither pays without the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_sim.academy import World
from mlagents_sim.agent import ENDED, PLAYING, AgentArrays, AgentBatch
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.examples.joint_drives import JointDrives
from mlagents_sim.examples.running import (
    conjugated,
    look_rotations,
    poses_on_floors,
    runners_on_floors,
    xyzw,
    yaw_quats,
)
from mlagents_sim.examples.targets import TOUCHED, Targets, fall, make_targets, move_on, refill
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.articulated import (
    SWEEPS,
    Plane,
    Ragdoll,
    Ragdolls,
    from_euler,
    make_ragdolls,
    multiply,
    origins_of,
    reset,
    state_arrays,
    step,
    turn_copies,
)
from mlagents_sim.physics.articulated.shapes import Vector3
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import Sensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import Poses, VisualGeoms

MAX_STEP: Final = 5000
DECISION_PERIOD: Final = 5
STEP_SECONDS: Final = 0.01333
FALL_REWARD: Final = -1.0
TARGET_REWARD: Final = 1.0
MAX_ANGULAR_SPEED: Final = 50.0  # rad/s
DRAG: Final = 0.05
HEIGHT_SEEN_M: Final = 10.0
WIDEST_LOOK_DEG: Final = 30.0  # of who is rewarded by the angle
GRAVITY: Final = 14.715
PARAMETERS: Final = {"gravity": Parameter("gravity, m/s^2", GRAVITY, 4.0, 105.0)}
AHEAD: Final = np.array((0.0, 0.0, 1.0))

Floats = NDArray[np.float64]


class Runner(NamedTuple):
    """What one of these environments is.

    Attributes:
      behavior: fully qualified name.
      ragdoll: what a runner is made of; its first body is the one that others are seen from.
      turned: joints and their axes, in the order of actions, as for `JointDrives`.
      strengths: joints whose force limit an action sets.
      most_force: the force limit of a joint at full strength.
      measured: bodies whose mean velocity is compared with the goal.
      looker: the body that is to look to the target.
      by_angle: whether looking is measured by the whole rotation, as Worm's, or by its forward direction.
      fatal: bodies that must not touch the ground.
      start: of the first body's frame, m.
      speeds: m/s, lowest and highest that is asked for in an episode.
      target: edge, m, radius in which targets appear, height from which they fall, m.
      colors: [bodies, 3], 0 to 1.
      scale: of the floors that spectators see.
    """

    behavior: str
    ragdoll: Ragdoll
    turned: Sequence[tuple[str, str]]
    strengths: Sequence[str]
    most_force: float
    measured: Sequence[str]
    looker: str
    by_angle: bool
    fatal: Sequence[str]
    start: Vector3
    speeds: tuple[float, float]
    target: Vector3
    colors: ArrayLike
    scale: float = 1.0


class Runners(NamedTuple):
    """The runners of all areas.

    Attributes:
      ragdolls: their bodies.
      targets: where they are to run.
      ahead: float64 [areas, 3], level unit vector from the first body to the target.
      speed: float64 [areas], that is asked for, m/s.
      gravity: float64 [areas], m/s^2.
      fatal: int64 [n], bodies that must not touch the ground.
      measured: int64 [n], bodies whose mean velocity counts.
      looker: int64 [2], the body that looks, and 1 if it is rewarded by the angle.
    """

    ragdolls: Ragdolls
    targets: Targets
    ahead: Floats
    speed: Floats
    gravity: Floats
    fatal: NDArray[np.int64]
    measured: NDArray[np.int64]
    looker: NDArray[np.int64]


# One physics step


@compiled
def _look_ahead(runners: Runners, i: int) -> None:
    """See again where the target is; whoever stands under it keeps the last direction."""
    x = runners.targets.position[i, 0] - runners.ragdolls.position[i, 0, 0]
    z = runners.targets.position[i, 2] - runners.ragdolls.position[i, 0, 2]
    distance = np.sqrt(x * x + z * z)
    if distance > 1e-6:
        runners.ahead[i, 0], runners.ahead[i, 2] = x / distance, z / distance


@compiled
def match_speed(runners: Runners, i: int) -> float:
    """Return (1 - (d / V)^2)^2, V the speed asked for, d how far the mean velocity is from it, at most V."""
    square, count = 0.0, len(runners.measured)
    for axis in range(3):
        mean = 0.0
        for body in runners.measured:
            mean += runners.ragdolls.velocity[i, body, axis]
        square += (mean / count - runners.speed[i] * runners.ahead[i, axis]) ** 2
    left = 1.0 - min(square / runners.speed[i] ** 2, 1.0)
    matched: float = left * left
    return matched


@compiled
def look_there(runners: Runners, i: int) -> float:
    """Return (cos + 1) / 2 of the angle to the target, or 1 - angle / 180 degrees below 30 degrees and 0 above."""
    w, x, y, z = runners.ragdolls.rotation[i, runners.looker[0]]
    ahead_x, ahead_z = runners.ahead[i, 0], runners.ahead[i, 2]
    if runners.looker[1] == 0:
        forward_x, forward_z = 2.0 * (x * z + w * y), 1.0 - 2.0 * (x * x + y * y)
        cosine: float = forward_x * ahead_x + forward_z * ahead_z
        return 0.5 * (cosine + 1.0)
    half_yaw = 0.5 * np.arctan2(ahead_x, ahead_z)
    same = min(abs(w * np.cos(half_yaw) + y * np.sin(half_yaw)), 1.0)
    degrees = np.degrees(2.0 * np.arccos(same))
    return 1.0 - degrees / 180.0 if degrees < WIDEST_LOOK_DEG else 0.0


@compiled
def _act(runners: Runners, agents: AgentArrays) -> None:
    """Reward speed and looking, and a target that was touched, which is then elsewhere."""
    targets = runners.targets
    for i in range(len(agents.reward)):
        _look_ahead(runners, i)
        agents.reward[i] += match_speed(runners, i) * look_there(runners, i)
        is_touched = False
        for body in range(targets.touched.shape[1]):
            is_touched |= targets.touched[i, body] == TOUCHED
        if is_touched:
            agents.reward[i] += TARGET_REWARD
            move_on(targets, i)


@compiled
def _integrate(runners: Runners, agents: AgentArrays) -> bool:
    """Run one physics step; who falls ends its episode. Returns: whether any episode is over."""
    step(runners.ragdolls, runners.gravity, STEP_SECONDS, SWEEPS)
    fall(runners.targets, runners.ragdolls, runners.gravity, STEP_SECONDS)
    any_over = False
    for i in range(len(agents.reward)):
        for body in runners.fatal:
            if runners.ragdolls.touches[i, body, 0] and agents.end[i] == PLAYING:
                agents.reward[i] = FALL_REWARD
                agents.end[i] = ENDED
        any_over |= agents.end[i] != PLAYING
    return any_over


@compiled
def _advance(runners: Runners, agents: AgentArrays, steps: int) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for k in range(steps):
        count_step(agents)
        _act(runners, agents)
        if interrupt(agents, MAX_STEP):
            return k, True
        if _integrate(runners, agents):
            return k + 1, False
    return steps, False


# What is seen


class Seen(NamedTuple):
    """The bodies of some runners as they are seen from the first body, by somebody who looks level to the target.

    Attributes:
      touching: float64 [n, bodies], 1 on the ground.
      position: float64 [n, bodies, 3], from the first body, m.
      rotation: float64 [n, bodies, 4], (x, y, z, w).
      velocity: float64 [n, bodies, 3], m/s.
      angular_velocity: float64 [n, bodies, 3], rad/s.
      to_parent: float64 [n, joints, 4], rotation of the child as its parent sees it, (x, y, z, w).
      target: float64 [n, 3], m.
      goal: float64 [n, 3], the velocity that is asked for, m/s.
      mean: float64 [n, 3], that of `measured` bodies, m/s.
      height: float64 [n, 1], of the first body above the ground, in 10 m, at most 1.
    """

    touching: Floats
    position: Floats
    rotation: Floats
    velocity: Floats
    angular_velocity: Floats
    to_parent: Floats
    target: Floats
    goal: Floats
    mean: Floats
    height: Floats


def see(runners: Runners, rows: RowIndex) -> Seen:
    """Return what runners see."""
    ragdolls = runners.ragdolls
    origins, rotation = origins_of(ragdolls)[rows], ragdolls.rotation[rows]
    cube, yaw = look_rotations(runners.ahead[rows]), yaw_quats(runners.ahead[rows])
    child, parent = ragdolls.model.joints.body.T
    height = origins[:, :1, 1] - ragdolls.model.points.plane[0, 3]
    velocity = ragdolls.velocity[rows] @ cube
    return Seen(
        touching=ragdolls.touches[rows, :, 0].astype(np.float64),
        position=(origins - origins[:, :1]) @ cube,
        rotation=xyzw(multiply(conjugated(yaw)[:, np.newaxis], rotation)),
        velocity=velocity,
        angular_velocity=ragdolls.angular_velocity[rows] @ cube,
        to_parent=xyzw(multiply(conjugated(rotation[:, parent]), rotation[:, child])),
        target=np.einsum("ni,nij->nj", runners.targets.position[rows] - origins[:, 0], cube),
        goal=runners.speed[rows, np.newaxis] * AHEAD,
        mean=velocity[:, runners.measured].mean(axis=1),
        height=np.minimum(height / HEIGHT_SEEN_M, 1.0),
    )


def turn_to_ahead(rotations: Floats) -> Floats:
    """Return the shortest turns [n, 4], (x, y, z, w), from where rotations look to +Z.

    Args:
      rotations: float64 [n, 4], (x, y, z, w), as seen from the level frame whose Z is ahead.
    """
    x, y, z, w = rotations.T
    forward = np.stack((2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)), axis=-1)
    # Half way between the two directions: (cross, 1 + dot), made a unit; straight behind, about X.
    quats = np.concatenate((np.cross(forward, AHEAD), 1.0 + forward[:, 2:]), axis=1)
    length = np.linalg.norm(quats, axis=1, keepdims=True)
    return np.where(length > 1e-6, quats / np.maximum(length, 1e-6), (1.0, 0.0, 0.0, 0.0))


# Agents


class RunnerAgents(AgentBatch):
    """Runners. A subclass says what they observe.

    Args:
      runner: what the environment is.
      runners: one per agent.
      sensors: as for `AgentBatch`.
      rng: source of directions at the beginning, of speeds, and of the targets' places.
      parameters: `PARAMETERS`, read at every reset.
    """

    def __init__(
        self,
        runner: Runner,
        runners: Runners,
        sensors: Sequence[Sensor],
        rng: np.random.Generator,
        parameters: EnvironmentParameters,
    ) -> None:
        self.drives = JointDrives(runner.ragdoll, runners.ragdolls, runner.turned, runner.strengths, runner.most_force)
        actions = ActionSpec.create_continuous(self.drives.size)
        super().__init__(runner.behavior, len(runners.speed), sensors, actions, MAX_STEP)
        self.runner, self.runners = runner, runners
        self._rng, self._parameters = rng, parameters
        self._state_arrays: dict[str, NDArray[Any]] = {
            "ahead": runners.ahead,
            "speed": runners.speed,
            "gravity": runners.gravity,
            **{f"target_{name}": array for name, array in runners.targets.state_arrays().items()},
            **state_arrays(runners.ragdolls),
            **self.drives.state_arrays(),
        }

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Begin anew, turned to any side, with another speed and target; drives stay as they were set last."""
        runners, count = self.runners, len(rows)
        reset(runners.ragdolls, rows)
        yaw = self._rng.uniform(0.0, 360.0, count)
        turn_copies(runners.ragdolls, rows, self.runner.start, from_euler(0.0, yaw, 0.0))
        runners.speed[rows] = self._rng.uniform(*self.runner.speeds, count)
        runners.gravity[rows] = self._parameters.read("gravity", count)
        runners.targets.move(rows, self._rng)
        for row in rows:
            _look_ahead(runners, row)

    def decide(self, action: ActionTuple) -> None:
        """Set the drives: once per decision."""
        super().decide(action)
        self.drives.apply(self.arrays.continuous)

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the bodies, drives and targets."""
        return self._state_arrays

    def act(self) -> None:
        """Earn."""
        _act(self.runners, self.arrays)


def make_runners(runner: Runner, areas: int) -> Runners:
    """Return runners at rest."""
    ragdoll = runner.ragdoll
    return Runners(
        ragdolls=make_ragdolls(ragdoll, areas, runner.start),
        targets=make_targets(areas, len(ragdoll.bodies), (0.0, 0.0, 0.0), *runner.target),
        ahead=np.tile(AHEAD, (areas, 1)),
        speed=np.full(areas, runner.speeds[1]),
        gravity=np.full(areas, GRAVITY),
        fatal=_indices(ragdoll, runner.fatal),
        measured=_indices(ragdoll, runner.measured),
        looker=np.array((ragdoll.index(runner.looker), runner.by_angle), np.int64),
    )


def _indices(ragdoll: Ragdoll, names: Sequence[str]) -> NDArray[np.int64]:
    return np.array([ragdoll.index(name) for name in names], np.int64)


def walls(ground_m: float, half_m: float) -> list[Plane]:
    """Return a level ground and four walls around it."""
    sides = ((1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, -1.0))
    return [Plane(offset=ground_m), *(Plane(normal, -half_m) for normal in sides)]


class RunnerWorld(World):
    """Runners and their targets, each area for itself; `agents` is what they observe."""

    step_seconds = STEP_SECONDS
    view = View(pitch_deg=25.0)

    def __init__(self, agents: RunnerAgents, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.runner_agents, self.runners, self._rng = agents, agents.runners, rng
        super().__init__([agents], DECISION_PERIOD, parameters)
        self._advance = _advance.bind(self.runners, agents.arrays)

    def on_reset(self) -> None:
        """Let the drives be as if nobody had ever acted."""
        self.runner_agents.drives.clear()

    def bodies(self) -> VisualGeoms:
        """Return the runners on floors that move with them, and the way to their targets."""
        runner, runners = self.runner_agents.runner, self.runners
        return runners_on_floors(
            runner.ragdoll, runners.ragdolls, runners.targets.position, runner.colors, runner.scale
        )

    def agent_poses(self) -> list[Poses | None]:
        """Return where the first of their bodies are."""
        return [poses_on_floors(self.runners.ragdolls, self.runner_agents.runner.scale)]

    def integrate(self) -> None:
        """Move with joints and contacts, and end the episode of who falls."""
        _integrate(self.runners, self.runner_agents.arrays)
        refill(self.runners.targets, self._rng)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        done = self._advance(steps)
        refill(self.runners.targets, self._rng)
        return done
