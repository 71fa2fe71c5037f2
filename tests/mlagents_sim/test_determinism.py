"""The same seed and actions give the same reports, bit for bit: in another run, and as any worker of a pool."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.rollout.processes import ProcessPool
from mlagents.rollout.source import EnvironmentSource
from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.registry import default_registry

SEED = 8
AREAS = 2
STEPS = 40
NAMES = (
    "Basic",
    "3DBall",
    "3DBallHard",
    "GridWorld",
    "PushBlock",
    "WallJump",
    "Hallway",
    pytest.param("Pyramids", marks=pytest.mark.slow),  # its code takes a minute to compile
    "Bouncer",
    "FoodCollector",
    "GridFoodCollector",
    "Sorter",
    "Match3",
    "Reacher",
    "CrawlerDynamic",
    "WormDynamic",
    "Crawler",
    "Tennis",
    "SoccerTwosGroups",
    "PushBlockCollab",
    "DungeonEscape",
)

Reports = dict[str, tuple[DecisionSteps, TerminalSteps]]


def random_action(spec: BehaviorSpec, agents: int, rng: np.random.Generator) -> ActionTuple:
    action = spec.action_spec
    discrete = np.array([[rng.integers(size) for size in action.discrete_branches] for _ in range(agents)], np.int32)
    continuous = rng.uniform(-1.0, 1.0, (agents, action.continuous_size)).astype(np.float32)
    return ActionTuple(continuous, discrete.reshape(agents, action.discrete_size))


def bits(reports: Reports) -> list[bytes]:
    return [
        np.asarray(column).tobytes()
        for decisions, terminals in reports.values()
        for steps in (decisions, terminals)
        for column in (*steps.obs, steps.reward, steps.agent_id)
    ]


def play(env: BaseEnv) -> list[list[bytes]]:
    """What is reported in this process."""
    rng = np.random.default_rng(0)
    env.reset()
    seen = []
    for _ in range(STEPS):
        reports = {name: env.get_steps(name) for name in env.behavior_specs}
        seen.append(bits(reports))
        for name, (decisions, _) in reports.items():
            if len(decisions):
                env.set_actions(name, random_action(env.behavior_specs[name], len(decisions), rng))
        env.step()
    return seen


def play_as_workers(name: str, num_envs: int) -> list[list[bytes]]:
    """What is reported by the last worker of a pool, whose seed is SEED; all of them play."""
    source = EnvironmentSource(name, seed=SEED - num_envs + 1, num_areas=AREAS)
    pool = ProcessPool(source, num_envs)
    rngs = [np.random.default_rng(num_envs - 1 - worker) for worker in range(num_envs)]
    seen: list[list[bytes]] = []
    try:
        pool.reset({})
        while len(seen) < STEPS:
            for step in pool.receive():
                if step.worker == num_envs - 1:
                    seen.append(bits(step.steps))
                actions = {
                    behavior: random_action(pool.behavior_specs[behavior], len(decisions), rngs[step.worker])
                    for behavior, (decisions, _) in step.steps.items()
                    if len(decisions)
                }
                pool.send(step.worker, actions)
    finally:
        pool.close()
    return seen[:STEPS]


@pytest.mark.parametrize("name", NAMES)
def test_runs_repeat(name: str) -> None:
    first, second = (play(default_registry[name].make(seed=SEED, num_areas=AREAS)) for _ in range(2))
    assert first == second
    other = play(default_registry[name].make(seed=SEED + 1, num_areas=AREAS))
    assert (first == other) == (name == "Basic")  # in which nothing is drawn


@pytest.mark.parametrize("name", ["WallJump", *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES)])
def test_workers_do_what_one_environment_does(name: str) -> None:
    alone = play(default_registry[name].make(seed=SEED, num_areas=AREAS))
    for num_envs in (1, 2):
        assert play_as_workers(name, num_envs) == alone
