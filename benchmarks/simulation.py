"""What simulation costs: CPU time per decision, observations included, and per observation of a grid sensor.

A balancing controller with a little noise keeps the balls of 3DBall moving and in contact; the others play at random.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from measure import Figure
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.registry import default_registry
from mlagents_sim.examples.ball3d import DECISION_PERIOD
from mlagents_sim.physics.cells import fill
from mlagents_sim.physics.ray_casts import RayOrigins, Shapes
from mlagents_sim.row_index import ALL
from mlagents_sim.sensors import GridSensor
from mlagents_sim.visual_geoms import yaw_rotations

AREAS = (1, 12, 64, 256)
COMPARED_AREAS = 12
RANDOMLY_PLAYED = {
    "Bouncer": 10_000,
    "FoodCollector": 30_000,
    "GridFoodCollector": 10_000,
    "Sorter": 10_000,
    "Basic": 500_000,
    "GridWorld": 20_000,
    "PushBlock": 10_000,
    "Hallway": 10_000,
    "WallJump": 10_000,
    "Tennis": 100_000,
    "SoccerTwos": 25_000,
    "StrikersVsGoalie": 25_000,
    "DungeonEscape": 10_000,
}
"""What is aimed at with PLAYED_AREAS areas, decisions per CPU-second."""
PLAYED_AREAS = 64
STEPS = 100
GRID_AGENTS, GRID_CELLS, GRID_TAGS = 64, 20, "abcdef"
GRID_MOVERS, GRID_BALLS, GRID_FIELD_M = 11, 3, 25.0


RAGDOLLS = {"CrawlerStatic": 50.0, "Walker": 80.0}
"""What is aimed at, CPU microseconds per physics step of one ragdoll."""
RAGDOLL_AREAS = (1, 10)


class Cost(NamedTuple):
    """CPU microseconds per decision of one agent: all of it, and the physics alone."""

    decision: float
    physics: float


def balance(observation: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return actions, float32 [agents, 2], that turn the platform against the ball's motion, with noise."""
    tilt_z, tilt_x, x, _, z, speed_x, _, speed_z = observation.T
    wanted = np.stack([0.04 * x + 0.06 * speed_x - tilt_z, -0.04 * z - 0.06 * speed_z - tilt_x], axis=1)
    return 10.0 * wanted + 0.1 * rng.standard_normal(wanted.shape, np.float32)


def ball_cost(areas: int, seconds: float) -> Cost:
    """Measure 3DBall; the physics alone goes on from where decisions lead, and is then put back."""
    env = default_registry["3DBall"].make(seed=1, num_areas=areas)
    behavior = next(iter(env.behavior_specs))
    rng = np.random.default_rng(1)
    env.reset()
    world = env._world
    moving = (world.areas.position, world.areas.velocity, world.areas.spin, world.areas.quat)
    whole = physics = 0.0
    decisions = 0
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        action = balance(env.get_steps(behavior)[0].obs[0], rng)
        start = time.process_time()
        _decide(env, behavior, action)
        whole += time.process_time() - start
        kept = [array.copy() for array in moving]
        start = time.process_time()
        for _ in range(DECISION_PERIOD):
            world.integrate()
        physics += time.process_time() - start
        for array, before in zip(moving, kept, strict=True):
            array[:] = before
        decisions += areas
    env.close()
    return Cost(1e6 * whole / decisions, 1e6 * physics / decisions)


def _decide(env: BaseEnv, behavior: str, action: NDArray[np.float32]) -> None:
    env.set_actions(behavior, ActionTuple(action))
    env.step()
    while not len(env.get_steps(behavior)[0]):
        env.step()


def random_cost(environment: str, areas: int, seconds: float) -> float:
    """Return CPU microseconds per decision of one agent that chooses at random, observations included."""
    env = default_registry[environment].make(seed=1, num_areas=areas)
    env.reset()
    agents = sum(len(batch) for batch in env._world.agents)
    specs = {name: spec.action_spec for name, spec in env.behavior_specs.items()}
    actions = {name: [spec.random_action(agents) for _ in range(STEPS)] for name, spec in specs.items()}
    made = [0, 0]  # steps, decisions

    def decisions() -> None:
        for step in range(STEPS):
            for behavior, chosen in actions.items():  # not everybody decides at once
                waiting = len(env.get_steps(behavior)[0])
                action = chosen[step]
                env.set_actions(behavior, ActionTuple(action.continuous[:waiting], action.discrete[:waiting]))
                made[1] += waiting
            env.step()
            made[0] += 1

    cost = measure.cpu_us({environment: decisions}, seconds)[environment] / STEPS
    return cost * made[0] / made[1]


def ragdoll_cost(environment: str, areas: int, seconds: float) -> float:
    """Return CPU microseconds per physics step of one ragdoll that falls and begins anew."""
    world = default_registry[environment].make(seed=1, num_areas=areas)._world
    (batch,) = world.agents
    batch.begin_all_episodes()
    batch.decide(ActionTuple(np.full(batch.arrays.continuous.shape, 0.5, np.float32)))

    def play() -> None:
        for _ in range(STEPS):
            done = 0
            while done < world.decision_period:
                steps, acted = world.advance(world.decision_period - done)
                done += steps + acted
                if batch.has_ended():
                    batch.finish_episodes()

    play()
    return measure.cpu_us({environment: play}, seconds)[environment] / STEPS / world.decision_period / areas


def grid_cost(seconds: float) -> float:
    """Return CPU microseconds per agent and observation of a grid sensor: boxes, some balls, and four walls."""
    rng = np.random.default_rng(1)
    half = 0.5 * GRID_FIELD_M
    across, along = (half, 1.0, 0.25), (0.25, 1.0, half)
    walls = np.array([(half, 0.0, 0.0), (-half, 0.0, 0.0), (0.0, 0.0, half), (0.0, 0.0, -half)])
    movers = rng.uniform(-half, half, (GRID_AGENTS, GRID_MOVERS, 3)) * (1.0, 0.0, 1.0)
    sizes = rng.uniform(0.5, 1.5, movers.shape)
    sizes[:, :GRID_BALLS] = 0.0
    center, half_size = (
        np.concatenate([moving, np.tile(fixed, (GRID_AGENTS, 1, 1))], axis=1)
        for moving, fixed in ((movers, walls), (sizes, np.array([along, along, across, across])))
    )
    shape = center.shape[:2]
    yaw = np.zeros(shape)
    yaw[:, :GRID_MOVERS] = rng.uniform(-np.pi, np.pi, sizes.shape[:2])
    rounding = np.zeros(shape)
    rounding[:, :GRID_BALLS] = 0.5
    tag = rng.integers(0, len(GRID_TAGS), shape)
    shapes = Shapes(center, yaw_rotations(yaw), half_size, rounding, tag)
    agents, own = np.arange(GRID_AGENTS), np.full(GRID_AGENTS, GRID_BALLS)
    eyes = RayOrigins(agents, own, center[:, GRID_BALLS], shapes.rotation[:, GRID_BALLS])
    sensor = GridSensor("GridSensor-OneHot", GRID_TAGS, (GRID_CELLS, 1, GRID_CELLS), (1.0, 0.5, 1.0))
    observe = lambda: sensor.observe(ALL, fill(sensor.grid, shapes, eyes, agents))  # noqa: E731
    return measure.cpu_us({"grid": observe}, seconds)["grid"] / GRID_AGENTS


def figures_of(measured: Callable[[int], Cost]) -> list[Figure]:
    """Return the figures of 3DBall for all numbers of areas."""
    figures = []
    for areas in AREAS:
        cost = measured(areas)
        target = 3.0 if areas == COMPARED_AREAS else None
        figures += [
            Figure(f"3DBall, {areas} areas: decision of one agent", cost.decision, "us", at_most=target),
            Figure(f"3DBall, {areas} areas: its physics, called step by step", cost.physics, "us"),
        ]
    return figures


def main() -> None:
    seconds = 0.5 if measure.arguments(__doc__).quick else 5.0
    figures = figures_of(lambda areas: ball_cost(areas, seconds))
    for environment, aim in RANDOMLY_PLAYED.items():
        for areas in (1, PLAYED_AREAS, 10 * PLAYED_AREAS):
            rate = 1e6 / random_cost(environment, areas, seconds)
            target = aim if areas == PLAYED_AREAS else None
            name = f"{environment}, {areas} areas: agent decisions per CPU-second"
            figures.append(Figure(name, rate, "1/s", at_least=target))
    for environment, aim in RAGDOLLS.items():
        for areas in RAGDOLL_AREAS:
            name = f"{environment}, {areas} areas: physics step of one ragdoll"
            figures.append(Figure(name, ragdoll_cost(environment, areas, seconds), "us", at_most=aim))
    objects = GRID_MOVERS + 4
    name = f"grid sensor, {GRID_CELLS} x {GRID_CELLS} cells, {objects} objects: agent observations per CPU-second"
    figures.append(Figure(name, 1e6 / grid_cost(seconds), "1/s", at_least=10_000))
    measure.emit("simulation", figures)


if __name__ == "__main__":
    main()
