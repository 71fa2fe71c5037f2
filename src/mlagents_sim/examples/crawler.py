"""CrawlerStatic and CrawlerDynamic: a creature with four legs runs to its target."""

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
from mlagents_sim.examples.running import look_rotations, poses_on_floors, runners_on_floors
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
    origins_of,
    reset,
    state_arrays,
    step,
)
from mlagents_sim.physics.articulated.shapes import Vector3
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
LOOK_REWARD: Final = 0.01  # for looking there
FALL_REWARD: Final = -1.0
TARGET_REWARD: Final = 1.0

# Body
STIFFNESS: Final = 40_000.0
DAMPING: Final = 3_000.0
MOST_FORCE: Final = 10_000.0
MAX_ANGULAR_SPEED: Final = 100.0  # rad/s
BODY_SCALE: Final = 1.05  # of the frame in which positions are observed
HEIGHT_SEEN_M: Final = 10.0
START: Final = (0.0, 2.1, 0.0)
START_YAW_DEG: Final = 45.0
LEGS: Final = 4
_OUT: Final[tuple[Vector3, ...]] = ((0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
_ACROSS: Final[tuple[Vector3, ...]] = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0))

# Static: a strip with walls on both sides. Dynamic: a square with walls around it.
STATIC_GROUND_M: Final = 0.005
STATIC_TARGET: Final = (1375.0, 4.0, 0.0)  # from where the creature begins
STRIP_HALF_WIDTH_M: Final = 25.0
DYNAMIC_GROUND_M: Final = 0.5
DYNAMIC_START: Final = (0.0, 2.1, 6.3)
SQUARE_HALF_M: Final = 50.0
TARGET_EDGE_M: Final = 1.2357
TARGET_RADIUS_M: Final = 40.0
TARGET_HEIGHT_M: Final = 5.0

OBSERVATION_SIZE: Final = 126
COLORS: Final = (AGENT_BLUE, *((WHITE, ORANGE) * LEGS))
GRAVITY: Final = 9.81
PARAMETERS: Final = {"gravity": Parameter("gravity, m/s^2", GRAVITY, 4.0, 105.0)}


def make_crawler(planes: Sequence[Plane]) -> Ragdoll:
    """Return the creature as it hangs above the ground, its legs straight out."""
    w, x, y, z = from_euler(0.0, START_YAW_DEG, 0.0)
    bodies = [Body("body", [Sphere(0.315)], 20.0, (0.0, 0.15, 0.0), (w, x, y, z))]
    joints = []
    for i, (out, across) in enumerate(zip(_OUT, _ACROSS, strict=True)):
        axis = int(np.argmax(np.abs(out)))
        bodies += [
            Body(f"leg{i}", [Capsule(0.15, 0.816, axis)], 3.0, _at(0.9, out)),
            Body(f"foreleg{i}", [Capsule(0.15, 1.326, axis, _at(0.0936, out))], 1.0, _at(1.98, out)),
        ]
        joints += [
            _joint(f"leg{i}", "body", _at(0.42, out), across, (-60.0, 0.0), 20.0),
            _joint(f"foreleg{i}", f"leg{i}", _at(1.2, out), across, (0.0, 150.0), 0.0),
        ]
    return Ragdoll(bodies, joints, planes, max_angular_speed=MAX_ANGULAR_SPEED)


def _at(distance: float, out: Vector3) -> Vector3:
    return distance * out[0], distance * out[1], distance * out[2]


def _joint(child: str, parent: str, anchor: Vector3, across: Vector3, x: tuple[float, float], y: float) -> Joint:
    return Joint(child, parent, anchor, across, (0.0, -1.0, 0.0), x, y, 0.0, STIFFNESS, DAMPING)


STATIC: Final = make_crawler(
    [
        Plane(offset=STATIC_GROUND_M),
        Plane((0.0, 0.0, 1.0), -STRIP_HALF_WIDTH_M),
        Plane((0.0, 0.0, -1.0), -STRIP_HALF_WIDTH_M),
    ]
)
DYNAMIC: Final = make_crawler(
    [
        Plane(offset=DYNAMIC_GROUND_M),
        *(Plane(normal, -SQUARE_HALF_M) for normal in ((1.0, 0, 0), (-1.0, 0, 0), (0, 0, 1.0), (0, 0, -1.0))),
    ]
)
FATAL: Final = np.array([0, *range(1, 2 * LEGS, 2)])  # body and upper legs


class Crawlers(NamedTuple):
    """The creatures of all areas.

    Attributes:
      ragdolls: their bodies.
      targets: where they are to run.
      direction: float64 [areas, 3], unit vector from the body to the target at the last decision.
      gravity: float64 [areas], m/s^2.
      fatal: int64 [n], bodies that must not touch the ground.
    """

    ragdolls: Ragdolls
    targets: Targets
    direction: NDArray[np.float64]
    gravity: NDArray[np.float64]
    fatal: NDArray[np.int64]


# One physics step


@compiled
def _act(crawlers: Crawlers, agents: AgentArrays) -> None:
    """Reward running to the target and looking there, and touching it, after which it is elsewhere."""
    bodies, targets = crawlers.ragdolls, crawlers.targets
    for i in range(len(agents.reward)):
        run = look = 0.0
        w, x, y, z = bodies.rotation[i, 0]
        forward = (2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y))
        for axis in range(3):
            run += bodies.velocity[i, 0, axis] * crawlers.direction[i, axis]
            look += forward[axis] * crawlers.direction[i, axis]
        agents.reward[i] += RUN_REWARD * run + LOOK_REWARD * look
        parts = 0
        for body in range(targets.touched.shape[1]):
            parts += targets.touched[i, body] == TOUCHED
        if parts > 0:
            agents.reward[i] += TARGET_REWARD * parts
            move_on(targets, i)


@compiled
def _integrate(crawlers: Crawlers, agents: AgentArrays) -> bool:
    """Run one physics step; who falls ends its episode. Returns: whether any episode is over."""
    step(crawlers.ragdolls, crawlers.gravity, STEP_SECONDS, SWEEPS)
    fall(crawlers.targets, crawlers.ragdolls, crawlers.gravity, STEP_SECONDS)
    any_over = False
    for i in range(len(agents.reward)):
        for body in crawlers.fatal:
            if crawlers.ragdolls.touches[i, body, 0] and agents.end[i] == PLAYING:
                agents.reward[i] = FALL_REWARD
                agents.end[i] = ENDED
        any_over |= agents.end[i] != PLAYING
    return any_over


@compiled
def _advance(crawlers: Crawlers, agents: AgentArrays, steps: int) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for k in range(steps):
        count_step(agents)
        _act(crawlers, agents)
        if interrupt(agents, MAX_STEP):
            return k, True
        if _integrate(crawlers, agents):
            return k + 1, False
    return steps, False


# Agents


class CrawlerAgents(AgentBatch):
    """The creatures. They observe themselves as they lie to the target, and where their drives turn to.

    Args:
      behavior: fully qualified name.
      crawler: what a creature is made of.
      crawlers: one per agent.
      rng: source of the targets' places.
      parameters: `PARAMETERS`, read at every reset.
      moving_target: whether every episode has a target of its own.
    """

    def __init__(
        self,
        behavior: str,
        crawler: Ragdoll,
        crawlers: Crawlers,
        rng: np.random.Generator,
        parameters: EnvironmentParameters,
        *,
        moving_target: bool,
    ) -> None:
        legs, forelegs = ([f"{name}{i}" for i in range(LEGS)] for name in ("leg", "foreleg"))
        turned = [*((name, "xy") for name in legs), *((name, "x") for name in forelegs)]
        self.drives = JointDrives(crawler, crawlers.ragdolls, turned, [*legs, *forelegs], MOST_FORCE)
        actions = ActionSpec.create_continuous(self.drives.size)
        count = len(crawlers.direction)
        super().__init__(behavior, count, [VectorSensor(OBSERVATION_SIZE)], actions, MAX_STEP)
        self._crawlers, self._rng, self._parameters, self._moving_target = crawlers, rng, parameters, moving_target
        self._state_arrays: dict[str, NDArray[Any]] = {
            "direction": crawlers.direction,
            "gravity": crawlers.gravity,
            **{f"target_{name}": array for name, array in crawlers.targets.state_arrays().items()},
            **state_arrays(crawlers.ragdolls),
            **self.drives.state_arrays(),
        }

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Let the creatures fall from where they began; their drives stay as they were set last."""
        reset(self._crawlers.ragdolls, rows)
        self._crawlers.gravity[rows] = self._parameters.read("gravity", len(rows))
        if self._moving_target:
            self._crawlers.targets.move(rows, self._rng)

    def decide(self, action: ActionTuple) -> None:
        """Set the drives: once per decision."""
        super().decide(action)
        self.drives.apply(self.arrays.continuous)

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return height; the body's directions; of every part contact, velocities, place, drive: see the documentation.

        Directions are seen by somebody who looks from the body to the target.
        """
        crawlers, ragdolls = self._crawlers, self._crawlers.ragdolls
        origins = origins_of(ragdolls)[rows]
        to_target = crawlers.targets.position[rows] - origins[:, 0]
        looking = look_rotations(to_target)
        crawlers.direction[rows] = looking[:, :, 2]
        body = matrices_of(ragdolls.rotation[rows, 0])
        ground = ragdolls.model.points.plane[0, 3]
        height = np.minimum(origins[:, 0, 1] - ground, HEIGHT_SEEN_M)
        count = len(height)
        part = np.empty((count, 1 + 2 * LEGS, 14))
        part[:, :, 0] = ragdolls.touches[rows, :, 0]
        part[:, :, 1:4] = ragdolls.velocity[rows] @ looking
        part[:, :, 4:7] = ragdolls.angular_velocity[rows] @ looking
        part[:, :, 7:10] = (origins - origins[:, :1]) @ body / BODY_SCALE
        part[:, 1:, 10:13] = self.drives.rotation[rows]
        part[:, 1:, 13] = self.drives.strength[rows]
        up_and_forward = (body[:, :, (2, 1)].swapaxes(1, 2) @ looking).reshape(count, 6)
        legs = part[:, 1:].reshape(count, -1)
        return [np.concatenate((height[:, np.newaxis], up_and_forward, part[:, 0, :7], legs), axis=1)]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the bodies, drives and targets."""
        return self._state_arrays

    def act(self) -> None:
        """Earn."""
        _act(self._crawlers, self.arrays)


class CrawlerWorld(World):
    """Creatures and their targets, each area for itself."""

    step_seconds = STEP_SECONDS
    view = View(pitch_deg=25.0)

    def __init__(
        self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters, *, dynamic: bool = False
    ) -> None:
        self.crawler, start = (DYNAMIC, DYNAMIC_START) if dynamic else (STATIC, START)
        turned = from_euler(0.0, START_YAW_DEG, 0.0)
        ragdolls = make_ragdolls(self.crawler, areas, start, turned)
        edge = TARGET_EDGE_M if dynamic else 0.0
        targets = make_targets(areas, len(self.crawler.bodies), STATIC_TARGET, edge, TARGET_RADIUS_M, TARGET_HEIGHT_M)
        self.crawlers = Crawlers(ragdolls, targets, np.zeros((areas, 3)), np.full(areas, GRAVITY), FATAL)
        self.crawlers.direction[:, 0] = 1.0
        self._rng = rng
        behavior = "CrawlerDynamic?team=0" if dynamic else "CrawlerStatic?team=0"
        self.crawler_agents = CrawlerAgents(
            behavior, self.crawler, self.crawlers, rng, parameters, moving_target=dynamic
        )
        super().__init__([self.crawler_agents], DECISION_PERIOD, parameters)
        self._advance = _advance.bind(self.crawlers, self.crawler_agents.arrays)

    def on_reset(self) -> None:
        """Let the drives be as if nobody had ever acted."""
        self.crawler_agents.drives.clear()

    def bodies(self) -> VisualGeoms:
        """Return the creatures on floors that move with them, and the way to their targets."""
        crawlers = self.crawlers
        return runners_on_floors(self.crawler, crawlers.ragdolls, crawlers.targets.position, COLORS)

    def agent_poses(self) -> list[Poses | None]:
        """Return where the first of their bodies are."""
        return [poses_on_floors(self.crawlers.ragdolls)]

    def integrate(self) -> None:
        """Move with joints and contacts, and end the episode of who falls."""
        _integrate(self.crawlers, self.crawler_agents.arrays)
        refill(self.crawlers.targets, self._rng)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        done = self._advance(steps)
        refill(self.crawlers.targets, self._rng)
        return done


# Registration


def _entry(identifier: str, description: str, expected_reward: float, areas: int, *, dynamic: bool) -> SimEntry:
    return SimEntry(
        identifier,
        expected_reward=expected_reward,
        description=description,
        make_world=functools.partial(CrawlerWorld, dynamic=dynamic),
        num_areas=areas,
        parameters=PARAMETERS,
        model=Path(__file__).with_name("models") / f"{identifier}.onnx",
    )


STATIC_ENTRY = _entry("CrawlerStatic", "A creature with four legs runs straight ahead.", 2000.0, 10, dynamic=False)
DYNAMIC_ENTRY = _entry(
    "CrawlerDynamic", "A creature with four legs runs to one target after another.", 400.0, 8, dynamic=True
)
