"""Batches that act by a rule: asked by who plays them, or by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_envs.exception import UnityActionException, UnityPolicyException
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.controllers import HeuristicController
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.sensors import VectorSensor


class Climbers(AgentBatch):
    """Climb by their action; at 3 an episode ends."""

    def __init__(self, behavior: str) -> None:
        super().__init__(behavior, 2, [VectorSensor(1)], ActionSpec.create_discrete((2,)))
        self.height = np.zeros(2)

    def reset(self, rows):
        self.height[rows] = 0.0

    def observe(self, rows):
        return [self.height[rows, np.newaxis]]

    def act(self):
        self.height += self.actions.discrete[:, 0]
        self.end_episode(self.height >= 3.0)


class RuledClimbers(Climbers):
    def heuristic(self):
        return ActionTuple(discrete=np.array([[1], [0]]))


def environment(*batches: AgentBatch) -> SimEnvironment:
    return SimEnvironment(World(batches, 1, EnvironmentParameters("Climb", {})))


def test_who_plays_may_ask_for_the_rule():
    env = environment(RuledClimbers("Ruled?team=0"))
    assert env.rules == {"Ruled?team=0"}
    assert env.heuristic("Ruled?team=0").discrete.shape == (0, 1)  # nobody waits yet
    env.reset()
    np.testing.assert_array_equal(env.heuristic("Ruled?team=0").discrete, [[1], [0]])
    with pytest.raises(UnityActionException, match="no behavior 'Other'"):
        env.heuristic("Other")


def test_without_a_rule_there_is_an_error():
    env = environment(Climbers("Climbers?team=0"))
    env.reset()
    assert env.rules == frozenset()
    with pytest.raises(UnityPolicyException, match=r"'Climbers\?team=0' has no heuristic: define Climbers.heuristic"):
        env.heuristic("Climbers?team=0")


def test_a_batch_with_a_policy_acts_beside_the_others():
    alone, played = RuledClimbers("Alone?team=0"), Climbers("Played?team=0")
    alone.controller = HeuristicController(alone.heuristic)
    env = environment(alone, played)
    env.reset()
    heights = []
    for _ in range(4):
        assert list(env.behavior_specs) == ["Played?team=0"]
        assert env.get_steps("Played?team=0")[0].agent_id.tolist() == [2, 3]
        env.step()
        heights.append(alone.height.tolist())
    assert heights == [[1, 0], [2, 0], [0, 0], [1, 0]]
    assert played.height.tolist() == [0, 0]
    with pytest.raises(UnityActionException):
        env.get_steps("Alone?team=0")
