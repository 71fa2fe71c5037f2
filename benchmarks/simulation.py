"""What simulation costs: 3DBall against the bare `mj_step` calls it stands on, and decisions per second of others.

Before every decision the simulation's state is copied into a second MjData of the same model (with gravity
switched on, so that balls stay on their platforms), which then makes the decision's `mj_step` calls in one
go. A balancing controller with a little noise keeps the balls moving and in contact on both sides.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import copy
import time
from collections.abc import Callable
from typing import NamedTuple

import mujoco
import numpy as np
from measure import Figure
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.registry import default_registry
from mlagents_sim.examples.ball3d import DECISION_PERIOD, SUBSTEPS
from mlagents_sim.physics.cells import fill
from mlagents_sim.physics.ray_casts import RayOrigins, Shapes
from mlagents_sim.row_index import ALL
from mlagents_sim.sensors import GridSensor
from mlagents_sim.visual_geoms import yaw_rotations

AREAS = (1, 12, 64, 256)
COMPARED_AREAS = 12
RANDOMLY_PLAYED = {
    "Basic": 500_000,
    "GridWorld": 20_000,
    "PushBlock": 10_000,
    "Hallway": 10_000,
    "WallJump": 10_000,
    "Tennis": 100_000,
    "SoccerTwos": 25_000,
    "StrikersVsGoalie": 25_000,
}
"""What is aimed at with PLAYED_AREAS areas, decisions per CPU-second."""
PLAYED_AREAS = 64
STEPS = 100
GRID_AGENTS, GRID_CELLS, GRID_TAGS = 64, 20, "abcdef"
GRID_MOVERS, GRID_BALLS, GRID_FIELD_M = 11, 3, 25.0
GRAVITY = (0.0, -9.81, 0.0)


class Cost(NamedTuple):
    """CPU microseconds per decision of one agent, and the share of balls in contact at its end."""

    decision: float
    mj_step: float
    contacts: float
    mj_step_contacts: float


def balance(observation: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return actions, float32 [agents, 2], that turn the platform against the ball's motion, with noise."""
    tilt_z, tilt_x, x, _, z, speed_x, _, speed_z = observation.T
    wanted = np.stack([0.04 * x + 0.06 * speed_x - tilt_z, -0.04 * z - 0.06 * speed_z - tilt_x], axis=1)
    return 10.0 * wanted + 0.1 * rng.standard_normal(wanted.shape, np.float32)


def ball_cost(areas: int, seconds: float) -> Cost:
    """Measure 3DBall; both sides take turns, decision by decision."""
    env = default_registry["3DBall"].make(seed=1, num_areas=areas)
    behavior = next(iter(env.behavior_specs))
    rng = np.random.default_rng(1)
    scene = env._world.scene
    model = copy.copy(scene.model)
    model.opt.gravity[:] = GRAVITY
    data = mujoco.MjData(model)
    kind = mujoco.mjtState.mjSTATE_INTEGRATION
    state = np.zeros(mujoco.mj_stateSize(model, kind))
    env.reset()
    for _ in range(20):
        _decide(env, behavior, balance(env.get_steps(behavior)[0].obs[0], rng))
    ours = bare = 0.0
    decisions = contacts = bare_contacts = 0
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        action = balance(env.get_steps(behavior)[0].obs[0], rng)
        mujoco.mj_getState(scene.model, scene.data, state, kind)
        mujoco.mj_setState(model, data, state, kind)
        start = time.process_time()
        mujoco.mj_step(model, data, DECISION_PERIOD * SUBSTEPS)
        bare += time.process_time() - start
        start = time.process_time()
        _decide(env, behavior, action)
        ours += time.process_time() - start
        decisions += 1
        contacts += scene.data.ncon
        bare_contacts += data.ncon
    agent_decisions = decisions * areas
    env.close()
    return Cost(
        1e6 * ours / agent_decisions,
        1e6 * bare / agent_decisions,
        contacts / agent_decisions,
        bare_contacts / agent_decisions,
    )


def _decide(env: BaseEnv, behavior: str, action: NDArray[np.float32]) -> None:
    env.set_actions(behavior, ActionTuple(action))
    env.step()
    while not len(env.get_steps(behavior)[0]):
        env.step()


def random_cost(environment: str, areas: int, seconds: float) -> float:
    """Return CPU microseconds per decision of one agent that chooses at random, observations included."""
    env = default_registry[environment].make(seed=1, num_areas=areas)
    most = max(len(batch) for batch in env._world.agents)
    actions = {
        name: [spec.action_spec.random_action(most) for _ in range(STEPS)] for name, spec in env.behavior_specs.items()
    }
    env.reset()
    decided = 0

    def decisions() -> None:
        nonlocal decided
        decided = 0
        for step in range(STEPS):
            for behavior, chosen in actions.items():  # an area's agent may play as one or another
                waiting = len(env.get_steps(behavior)[0])
                decided += waiting
                action = chosen[step]
                env.set_actions(behavior, ActionTuple(action.continuous[:waiting], action.discrete[:waiting]))
            env.step()
            while not any(len(env.get_steps(behavior)[0]) for behavior in actions):
                env.step()

    cost = measure.cpu_us({environment: decisions}, seconds)[environment]
    return cost / decided


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
        target = 1.3 if areas == COMPARED_AREAS else None
        against = cost.decision / cost.mj_step
        figures += [
            Figure(f"3DBall, {areas} areas: decision / bare mj_step calls", against, "x", at_most=target),
            Figure(f"3DBall, {areas} areas: decision of one agent", cost.decision, "us"),
            Figure(f"3DBall, {areas} areas: its bare mj_step calls", cost.mj_step, "us"),
            Figure(f"3DBall, {areas} areas: balls in contact", cost.contacts, "share"),
            Figure(f"3DBall, {areas} areas: the same, bare", cost.mj_step_contacts, "share"),
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
    objects = GRID_MOVERS + 4
    name = f"grid sensor, {GRID_CELLS} x {GRID_CELLS} cells, {objects} objects: agent observations per CPU-second"
    figures.append(Figure(name, 1e6 / grid_cost(seconds), "1/s", at_least=10_000))
    measure.emit("simulation", figures)


if __name__ == "__main__":
    main()
