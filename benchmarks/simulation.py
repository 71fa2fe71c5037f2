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

AREAS = (1, 12, 64, 256)
COMPARED_AREAS = 12
RANDOMLY_PLAYED = ("Basic", "PushBlock", "Hallway")
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
    behavior, spec = next(iter(env.behavior_specs.items()))
    actions = [spec.action_spec.random_action(areas) for _ in range(100)]
    env.reset()

    def decisions() -> None:
        for action in actions:
            env.set_actions(behavior, action)
            env.step()
            while not len(env.get_steps(behavior)[0]):
                env.step()

    return measure.cpu_us({environment: decisions}, seconds)[environment] / len(actions) / areas


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
    for environment in RANDOMLY_PLAYED:
        for areas in (1, 64, 640):
            rate = 1e6 / random_cost(environment, areas, seconds)
            figures.append(Figure(f"{environment}, {areas} areas: agent decisions per CPU-second", rate, "1/s"))
    measure.emit("simulation", figures)


if __name__ == "__main__":
    main()
