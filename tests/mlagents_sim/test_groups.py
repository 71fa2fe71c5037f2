"""Agents that earn together: as objects, and in batches."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.testing import check_env
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.authoring import Agent, AgentGroup, AgentWorld, BehaviorParameters, DecisionRequester
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.sensors import VectorSensor

SPEC = ActionSpec.create_continuous(1)
NAME = "Member?team=0"


class Member(Agent):
    def __init__(self, script=lambda agent: None, name: str = "Member") -> None:
        super().__init__(BehaviorParameters(name, 1, SPEC), decision_requester=DecisionRequester(2))
        self.script = script
        self.acts = 0

    def collect_observations(self, sensor):
        sensor.add_observation(self.acts)

    def on_action_received(self, actions):
        self.acts += 1
        self.script(self)


def start(*agents: Agent) -> SimEnvironment:
    env = SimEnvironment(AgentWorld(agents))
    env.reset()
    return env


def advance(env: SimEnvironment, name: str = NAME):
    env.step()
    return env.get_steps(name)


def grouped(*agents: Agent) -> AgentGroup:
    group = AgentGroup()
    for agent in agents:
        group.register_agent(agent)
    return group


def test_rewards_reach_all_members_and_nobody_else():
    """The first member adds 0.5 in each of two acts; the second group sets 2; agent 3 is alone."""
    agents = [Member(lambda agent: agent.group.add_group_reward(0.5)), Member(), Member(), Member()]
    grouped(agents[0], agents[1])
    other = grouped(agents[2])
    env = start(*agents)
    decisions, _ = env.get_steps(NAME)
    assert decisions.group_id.tolist() == [1, 1, 2, 0]
    assert decisions.group_reward.tolist() == [0, 0, 0, 0]
    other.add_group_reward(7.0)
    other.set_group_reward(2.0)
    for expected in ([1, 1, 2, 0], [1, 1, 0, 0]):
        decisions, _ = advance(env)
        assert decisions.group_reward.tolist() == expected
        assert decisions.reward.tolist() == [0, 0, 0, 0]


def test_a_group_ends_together():
    def win(agent):
        if agent.acts == 3:
            agent.group.add_group_reward(1.0)
            agent.group.end_group_episode()

    agents = [Member(win), Member(), Member()]
    group = grouped(agents[0], agents[1])
    env = start(*agents)
    advance(env)
    _, terminals = advance(env)
    assert terminals.agent_id.tolist() == [0, 1]
    assert terminals.group_id.tolist() == [1, 1]
    assert terminals.group_reward.tolist() == [1, 1]
    assert not terminals.interrupted.any()
    assert group.registered_agents == (agents[0], agents[1])
    decisions, _ = advance(env)
    assert decisions.group_id.tolist() == [1, 1, 0]
    assert decisions.group_reward.tolist() == [0, 0, 0]


def test_a_group_may_be_interrupted():
    agents = [Member(), Member()]
    group = grouped(*agents)
    agents[1].script = lambda agent: group.group_episode_interrupted()
    _, terminals = advance(start(*agents))
    assert terminals.interrupted.tolist() == [True, True]


def test_groups_of_several_behaviors_have_one_number():
    keeper, striker = Member(name="Keeper"), Member(name="Striker")
    group = grouped(keeper, striker)
    env = start(keeper, striker)
    group.add_group_reward(1.0)
    for name in ("Keeper?team=0", "Striker?team=0"):
        assert env.get_steps(name)[0].group_id.tolist() == [1]
    env.step()
    for name in ("Keeper?team=0", "Striker?team=0"):
        assert env.get_steps(name)[0].group_reward.tolist() == [1.0]


def test_who_is_disabled_leaves_its_group_and_earns_no_more():
    agents = [Member(), Member()]
    group = grouped(*agents)
    env = start(*agents)
    group.add_group_reward(1.0)
    agents[1].disable()
    group.add_group_reward(2.0)
    assert group.registered_agents == (agents[0],)
    _, terminals = advance(env)
    assert terminals.agent_id.tolist() == [1]
    assert terminals.group_id.tolist() == [1]
    assert terminals.group_reward.tolist() == [1.0]
    decisions, _ = advance(env)
    assert decisions.group_reward.tolist() == [3.0]
    agents[1].enable()
    group.register_agent(agents[1])
    decisions, _ = advance(env)
    assert decisions.agent_id.tolist() == [0, 2]
    assert decisions.group_id.tolist() == [1, 1]


def test_an_agent_is_in_one_group_at_most():
    agent = Member()
    group = grouped(agent)
    group.register_agent(agent)
    with pytest.raises(ValueError, match="in another group; unregister it there first"):
        grouped(agent)
    group.unregister_agent(agent)
    group.unregister_agent(agent)
    assert agent.group is None
    grouped(agent)


def test_numbers_are_the_same_in_every_world():
    for _ in range(2):
        agents = [Member(), Member()]
        grouped(agents[1])
        grouped(agents[0])
        assert start(*agents).get_steps(NAME)[0].group_id.tolist() == [1, 2]


class Pairs(AgentBatch):
    """Four agents in two groups, or none; agent 0's group earns 1 per step, and ends in step 5."""

    def __init__(self, groups) -> None:
        super().__init__("Pairs?team=0", 4, [VectorSensor(1)], SPEC)
        self.steps = 0
        if groups is not None:
            self.assign_groups(groups)

    def reset(self, rows):
        pass

    def observe(self, rows):
        return [np.zeros((len(self.agent_id[rows]), 1))]

    def state_arrays(self):
        return {}

    def act(self):
        self.steps += 1
        if self.groups is not None:
            self.add_group_reward(1.0, self.groups.id == 1)
            if self.steps == 5:
                self.end_episode(self.groups.id == 1)


def pairs(groups=(1, 1, 2, 0)) -> SimEnvironment:
    world = World([Pairs(groups)], 3, EnvironmentParameters("Pairs", {}))
    return SimEnvironment(world, rng=np.random.default_rng(0))


def test_batches_report_groups():
    env = pairs()
    env.reset()
    decisions, _ = advance(env, "Pairs?team=0")
    assert decisions.group_id.tolist() == [1, 1, 2, 0]
    assert decisions.group_reward.tolist() == [3, 3, 0, 0]
    _, terminals = advance(env, "Pairs?team=0")
    assert terminals.group_id.tolist() == [1, 1]
    assert terminals.group_reward.tolist() == [2, 2]
    decisions, _ = advance(env, "Pairs?team=0")
    assert decisions.group_reward.tolist() == [1, 1, 0, 0]


def test_batches_without_groups_report_none():
    env = pairs(None)
    env.reset()
    decisions, _ = advance(env, "Pairs?team=0")
    assert decisions.group_id.tolist() == [0, 0, 0, 0]
    assert decisions.group_id.dtype == np.int32
    assert decisions.group_reward.dtype == np.float32


def test_groups_are_part_of_the_state():
    env = pairs()
    env.reset()
    env.step()
    state = env.state_dict()
    assert state is not None
    other = pairs()
    other.reset()
    other.load_state_dict(state)
    for one, two in zip(env.get_steps("Pairs?team=0"), other.get_steps("Pairs?team=0"), strict=True):
        np.testing.assert_array_equal(one.group_reward, two.group_reward)


def test_faults_of_groups_are_told():
    batch = Pairs((1, 1, 2, 0))
    with pytest.raises(ValueError, match="a group reward for an agent that is in no group"):
        batch.add_group_reward(1.0)
    with pytest.raises(ValueError, match="a group number of at least 0 per agent"):
        batch.assign_groups([1, 2])
    with pytest.raises(ValueError, match="a group number of at least 0 per agent"):
        batch.assign_groups([1, 2, -1, 0])


def test_contract():
    check_env(pairs)

    def make():
        agents = [Member() for _ in range(3)]
        grouped(agents[0], agents[2])
        agents[0].script = lambda agent: agent.group.end_group_episode() if agent.acts % 5 == 0 else None
        return SimEnvironment(AgentWorld(agents))

    check_env(make, deterministic=True)
