"""One environment written both ways, agent by agent and as a batch, gives the same reports, bit for bit."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.authoring import Agent, AgentWorld, BehaviorParameters, DecisionRequester
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples.basic import ENTRY as BASIC
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.sensors import VectorSensor

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "roller_ball" / "roller_ball.py"


class BasicAgent(Agent):
    """Basic, as the batch of `mlagents_sim.examples.basic` describes it."""

    def __init__(self) -> None:
        behavior = BehaviorParameters("Basic", vector_observation_size=20, action_spec=ActionSpec.create_discrete((3,)))
        super().__init__(behavior, decision_requester=DecisionRequester(period=1))
        self.position = 10

    def on_episode_begin(self):
        self.position = 10

    def collect_observations(self, sensor):
        sensor.add_one_hot_observation(self.position, 20)

    def on_action_received(self, actions):
        self.position = min(max(self.position + (0, -1, 1)[actions.discrete[0]], 0), 20)
        self.add_reward(-0.01)
        for goal, reward in ((7, 0.1), (17, 1.0)):
            if self.position == goal:
                self.add_reward(reward)
                self.end_episode()


def load_example():
    if "roller_ball_example" not in sys.modules:
        spec = importlib.util.spec_from_file_location("roller_ball_example", EXAMPLE)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["roller_ball_example"] = module
        spec.loader.exec_module(module)
    return sys.modules["roller_ball_example"]


class RollerBatch(AgentBatch):
    """RollerBall's agents as arrays."""

    def __init__(self, scene, areas: int, rng: np.random.Generator) -> None:
        super().__init__("RollerBall?team=0", areas, [VectorSensor(8)], ActionSpec.create_continuous(2))
        self.example = load_example()
        self.rng = rng
        self.origin = self.example.origins(areas)
        self.ball = scene.data.qpos.reshape(areas, 7)
        self.velocity = scene.data.qvel.reshape(areas, 6)
        self.target = scene.data.mocap_pos

    def reset(self, rows):
        fallen = rows[self.ball[rows, 1] < 0.0]
        self.ball[fallen, :3] = self.origin[fallen] + self.example.START
        self.velocity[fallen] = 0.0
        place = np.full((len(rows), 3), self.example.TARGET_HEIGHT)
        place[:, [0, 2]] = self.rng.uniform(-self.example.TARGET_SPREAD, self.example.TARGET_SPREAD, (len(rows), 2))
        self.target[rows] = self.origin[rows] + place

    def observe(self, rows):
        origin = self.origin[rows]
        parts = (self.target[rows] - origin, self.ball[rows, :3] - origin, self.velocity[rows][:, [0, 2]])
        return [np.concatenate(parts, axis=1)]

    def act(self):
        self.velocity[:, [0, 2]] += self.example.FORCE * self.actions.continuous * 0.02
        reached = np.linalg.norm(self.ball[:, :3] - self.target, axis=1) < self.example.REACH
        self.set_reward(1.0, reached)
        self.end_episode(reached | (self.ball[:, 1] < 0.0))


def as_batch(world, areas: int, rng: np.random.Generator) -> World:
    """The world of the example with a batch instead of its agents."""

    class BatchWorld(World):
        scene = world.scene
        integrate = type(world).integrate

    parameters = EnvironmentParameters("RollerBall", {})
    return BatchWorld([RollerBatch(world.scene, areas, rng)], load_example().DECISION_PERIOD, parameters)


def reports(env: SimEnvironment, steps: int) -> list[list]:
    """What is reported while random actions are taken."""
    rng = np.random.default_rng(5)
    (name,) = env.behavior_specs
    spec = env.behavior_specs[name].action_spec
    env.reset()
    seen = []
    for _ in range(steps):
        decisions, terminals = env.get_steps(name)
        columns = [column for batch in (decisions, terminals) for column in (*batch.obs, batch.reward, batch.agent_id)]
        columns += [*(decisions.action_mask or ()), terminals.interrupted]
        seen.append([column.tolist() for column in columns])
        n = len(decisions)
        discrete = np.stack([rng.integers(0, size, n) for size in spec.discrete_branches] or [np.zeros(0)], axis=-1)
        continuous = rng.uniform(-1.0, 1.0, (n, spec.continuous_size))
        env.set_actions(name, ActionTuple(continuous, discrete.reshape(n, spec.discrete_size)))
        env.step()
    return seen


@pytest.mark.parametrize("areas", [1, 3])
def test_basic(areas):
    objects = SimEnvironment(AgentWorld([BasicAgent() for _ in range(areas)]))
    seen = reports(objects, 400)
    assert seen == reports(BASIC.make(num_areas=areas), 400)
    assert sum(len(row[-1]) for row in seen) > 5  # episodes ended


@pytest.mark.parametrize("areas", [1, 3])
def test_roller_ball(areas):
    entry = load_example().ENTRY
    seen = reports(entry.make(seed=3, num_areas=areas), 150)
    rng = np.random.default_rng(3)
    batch = as_batch(load_example().RollerBallWorld(areas, None, EnvironmentParameters("", {})), areas, rng)
    assert seen == reports(SimEnvironment(batch), 150)
    assert sum(len(row[-1]) for row in seen) > 5
