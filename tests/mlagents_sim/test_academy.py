"""The order of events, with agents that do what a table says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_sim.academy import Academy, World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.sensors import StackingSensor, VectorSensor

PERIOD = 5
Script = Callable[["Scripted", int], None]


class Scripted(AgentBatch):
    """Observes (number of the episode, physics steps acted in it); `script(self, step)` runs in every act.

    `step` counts physics steps from 0 and is never reset; `acted` keeps every step's actions.
    """

    def __init__(self, count: int = 2, script: Script = lambda agents, step: None, **kwargs) -> None:
        sensors = kwargs.pop("sensors", [VectorSensor(2)])
        behavior = kwargs.pop("behavior", "Scripted?team=0")
        super().__init__(behavior, count, sensors, ActionSpec.create_continuous(1), **kwargs)
        self.script = script
        self.episode = np.zeros(count)
        self.acted_steps = np.zeros(count)
        self.acted: list[list[float]] = []

    def reset(self, rows):
        self.episode[rows] += 1
        self.acted_steps[rows] = 0

    def observe(self, rows):
        return [np.stack([self.episode[rows], self.acted_steps[rows]], axis=1)]

    def act(self):
        self.acted_steps += 1
        self.script(self, len(self.acted))
        self.acted.append(self.actions.continuous[:, 0].tolist())


class ScriptedWorld(World):
    """`contacts(agents, step)` runs after the physics of every step, as collision callbacks do."""

    def __init__(self, agents: Scripted, contacts: Script = lambda agents, step: None) -> None:
        super().__init__([agents], PERIOD, EnvironmentParameters("Scripted", {}))
        self.contacts = contacts
        self.integrated = 0

    def integrate(self):
        self.contacts(self.agents[0], self.integrated)
        self.integrated += 1


def at(step: int, action: Callable[[Scripted], None]) -> Script:
    return lambda agents, now: action(agents) if now == step else None


def start(agents: Scripted, contacts: Script = lambda agents, step: None) -> Academy:
    academy = Academy(ScriptedWorld(agents, contacts))
    academy.reset()
    return academy


def advance(academy: Academy, agents: Scripted, action: float = 0.0):
    """Step with the same action for everybody who waits."""
    if len(academy.reports[agents.behavior][0]):
        agents.actions.assign(ActionTuple(np.full((len(agents), 1), action)))
    academy.step()
    return academy.reports[agents.behavior]


def test_the_first_observation_comes_before_any_action() -> None:
    agents = Scripted()
    decisions, terminals = start(agents).reports[agents.behavior]
    assert agents.acted == []
    np.testing.assert_array_equal(decisions.obs[0], [[1, 0], [1, 0]])
    np.testing.assert_array_equal(decisions.reward, [0, 0])
    assert len(terminals) == 0


def test_an_action_is_repeated_on_every_step_until_the_next_decision() -> None:
    agents = Scripted()
    academy = start(agents)
    advance(academy, agents, 0.5)
    decisions, _ = advance(academy, agents, -1.0)
    assert agents.acted == 5 * [[0.5, 0.5]] + 5 * [[-1.0, -1.0]]
    np.testing.assert_array_equal(decisions.obs[0], [[1, 10], [1, 10]])


def test_added_rewards_sum_up_over_the_window_and_a_set_one_overwrites_it() -> None:
    # Agent 0 adds 1 on each of 5 steps; agent 1 also sets 0.25 on the fourth, then adds 1: 1.25.
    def script(agents: Scripted, step: int) -> None:
        agents.add_reward(1.0)
        if step % PERIOD == 3:
            agents.set_reward(0.25, np.array([1]))

    agents = Scripted(script=script)
    academy = start(agents)
    for _ in range(2):  # the window is cleared in between
        decisions, _ = advance(academy, agents)
        np.testing.assert_array_equal(decisions.reward, [5.0, 1.25])


def test_an_end_is_reported_at_once_and_the_agent_idles_until_the_common_decision() -> None:
    # Agent 1 ends in its third act (step 2), with 0.5 per step: 1.5 are reported. Steps 3 and 4 belong to its
    # next episode, with zero action; what it earns there, 1.0, comes with the first decision of that episode.
    def script(agents: Scripted, step: int) -> None:
        agents.add_reward(0.5)
        if step == 2:
            agents.end_episode(np.array([1]))

    agents = Scripted(script=script)
    academy = start(agents)
    decisions, terminals = advance(academy, agents, 0.7)
    assert len(decisions) == 0
    assert len(agents.acted) == 3
    np.testing.assert_array_equal(terminals.agent_id, [1])
    np.testing.assert_array_equal(terminals.obs[0], [[1, 3]])
    np.testing.assert_array_equal(terminals.reward, [1.5])
    np.testing.assert_array_equal(terminals.interrupted, [False])

    decisions, terminals = advance(academy, agents)
    assert len(terminals) == 0
    np.testing.assert_allclose(agents.acted[2:], [[0.7, 0.7], [0.7, 0.0], [0.7, 0.0]])
    np.testing.assert_array_equal(decisions.agent_id, [0, 1])
    np.testing.assert_array_equal(decisions.obs[0], [[1, 5], [2, 2]])
    np.testing.assert_array_equal(decisions.reward, [2.5, 1.0])


def test_an_end_and_the_next_decision_of_one_agent_come_in_one_report() -> None:
    agents = Scripted(script=at(4, lambda agents: agents.end_episode(np.array([0]))))
    decisions, terminals = advance(start(agents), agents)
    np.testing.assert_array_equal(terminals.agent_id, [0])
    np.testing.assert_array_equal(terminals.obs[0], [[1, 5]])
    np.testing.assert_array_equal(decisions.agent_id, [0, 1])
    np.testing.assert_array_equal(decisions.obs[0], [[2, 0], [1, 5]])


def test_an_end_in_a_contact_callback_comes_after_the_physics_of_the_step() -> None:
    def hit(agents: Scripted) -> None:
        agents.add_reward(1.0, np.array([0]))
        agents.end_episode(np.array([0]))

    for step, both in ((1, False), (4, True)):
        agents = Scripted()
        academy = start(agents, contacts=at(step, hit))
        decisions, terminals = advance(academy, agents)
        assert len(agents.acted) == step + 1
        np.testing.assert_array_equal(terminals.obs[0], [[1, step + 1]])
        np.testing.assert_array_equal(terminals.reward, [1.0])
        assert len(decisions) == (2 if both else 0)


def test_the_step_limit_interrupts_and_is_counted_from_the_agents_own_reset() -> None:
    # Limit 7. Agent 1 ends itself in step 2; so agent 0 is interrupted in step 6, agent 1 in step 9.
    agents = Scripted(script=at(2, lambda agents: agents.end_episode(np.array([1]))), max_step=7)
    academy = start(agents)
    seen = {}
    while len(agents.acted) < 10:
        _, terminals = advance(academy, agents)
        for agent_id in terminals:
            seen[len(agents.acted) - 1, int(agent_id)] = terminals[agent_id].interrupted
    assert seen == {(2, 1): False, (6, 0): True, (9, 1): True}


def test_an_end_on_the_last_allowed_step_is_an_end() -> None:
    agents = Scripted(script=at(2, lambda agents: agents.end_episode(np.array([1]))), max_step=3)
    _, terminals = advance(start(agents), agents)
    np.testing.assert_array_equal(terminals.agent_id, [0, 1])
    np.testing.assert_array_equal(terminals.interrupted, [True, False])


def test_an_interrupted_end_can_be_asked_for() -> None:
    agents = Scripted(script=at(0, lambda agents: agents.end_episode(np.array([1]), interrupted=True)))
    _, terminals = advance(start(agents), agents)
    assert terminals[1].interrupted


def test_a_second_end_before_the_next_decision_is_kept_quiet() -> None:
    # Ends in steps 1 and 3: the second one resets, but nobody acted in between.
    def script(agents: Scripted, step: int) -> None:
        agents.add_reward(1.0, np.array([0]))
        if step in (1, 3):
            agents.end_episode(np.array([0]))

    agents = Scripted(script=script)
    academy = start(agents)
    _, terminals = advance(academy, agents)
    assert terminals[0].reward == 2.0
    decisions, terminals = advance(academy, agents)
    assert len(terminals) == 0
    np.testing.assert_array_equal(decisions.obs[0], [[3, 1], [1, 5]])
    assert decisions[0].reward == 3.0  # steps 2, 3, 4


def test_ends_before_and_after_the_physics_of_one_step_come_in_one_report() -> None:
    agents = Scripted(script=at(1, lambda agents: agents.end_episode(np.array([1]))))
    academy = start(agents, contacts=at(1, lambda agents: agents.end_episode(np.array([0]))))
    _, terminals = advance(academy, agents)
    np.testing.assert_array_equal(terminals.agent_id, [1, 0])
    np.testing.assert_array_equal(terminals.obs[0], [[1, 2], [1, 2]])
    np.testing.assert_array_equal(terminals.reward, [0, 0])


def test_stacks_are_oldest_first_and_empty_at_the_start_of_an_episode() -> None:
    sensor = StackingSensor(VectorSensor(2), 3, agents=2)
    assert sensor.spec.name == "StackingSensor_size3_VectorSensor_size2"
    assert sensor.spec.shape == (6,)
    agents = Scripted(script=at(9, lambda agents: agents.end_episode(np.array([1]))), sensors=[sensor])
    academy = start(agents)
    np.testing.assert_array_equal(academy.reports[agents.behavior][0].obs[0][0], [0, 0, 0, 0, 1, 0])
    decisions, _ = advance(academy, agents)
    np.testing.assert_array_equal(decisions.obs[0][0], [0, 0, 1, 0, 1, 5])
    decisions, terminals = advance(academy, agents)
    np.testing.assert_array_equal(terminals.obs[0], [[1, 0, 1, 5, 1, 10]])
    np.testing.assert_array_equal(decisions.obs[0], [[1, 0, 1, 5, 1, 10], [0, 0, 0, 0, 2, 0]])
    decisions, _ = advance(academy, agents)
    np.testing.assert_array_equal(decisions.obs[0][1], [0, 0, 2, 0, 2, 5])


def test_reset_begins_anew_without_ends_and_restarts_the_clock() -> None:
    agents = Scripted(script=lambda agents, step: agents.add_reward(1.0))
    academy = start(agents)
    agents.script = lambda agents, step: agents.end_episode(np.array([0])) if step == 1 else None
    advance(academy, agents)  # stops after step 1, in the middle of a window
    academy.reset()
    decisions, terminals = academy.reports[agents.behavior]
    assert len(terminals) == 0
    np.testing.assert_array_equal(decisions.reward, [0, 0])
    np.testing.assert_array_equal(decisions.obs[0], [[3, 0], [2, 0]])
    advance(academy, agents)
    assert len(agents.acted) == 2 + PERIOD


def test_all_behaviors_of_a_world_share_the_clock_and_the_agent_ids() -> None:
    first, second = Scripted(2, behavior="First?team=0"), Scripted(3, behavior="Second?team=0")
    second.script = at(1, lambda agents: agents.end_episode(np.array([2])))
    world = World([first, second], PERIOD, EnvironmentParameters("Two", {}))
    academy = Academy(world)
    academy.reset()
    np.testing.assert_array_equal(academy.reports["First?team=0"][0].agent_id, [0, 1])
    np.testing.assert_array_equal(academy.reports["Second?team=0"][0].agent_id, [2, 3, 4])
    academy.step()
    assert [len(steps) for steps in academy.reports["First?team=0"]] == [0, 0]
    assert list(academy.reports["Second?team=0"][1]) == [4]
    academy.step()
    assert len(first.acted) == len(second.acted) == PERIOD


def test_a_report_is_the_callers() -> None:
    agents = Scripted(script=lambda agents, step: agents.add_reward(1.0))
    academy = start(agents)
    earlier, _ = advance(academy, agents)
    obs, reward = earlier.obs[0].copy(), earlier.reward.copy()
    advance(academy, agents)
    np.testing.assert_array_equal(earlier.obs[0], obs)
    np.testing.assert_array_equal(earlier.reward, reward)


def test_sensors_must_be_listed_by_name() -> None:
    with pytest.raises(ValueError, match="VectorSensor_size3"):
        Scripted(sensors=[VectorSensor(3), VectorSensor(2)])


# Agents that ask for decisions at different times


class Turns(Scripted):
    """Agent i asks on every (i + 2)nd decision of the world, counted from 1; its keys mean 1."""

    keys = (Keys(("up",), "one", number=(0, 1.0)),)
    round = 0

    def deciding(self):
        self.round += 1
        return np.flatnonzero([self.round % (row + 2) == 0 for row in range(len(self))])


def test_only_who_asks_reports_and_decides() -> None:
    # Decisions are due at steps 0, 5, 10, ...: rounds 1, 2, 3, ... Agent 0 asks in 2, 4 and 6, agent 1 in 3 and 6.
    agents = Turns(script=lambda agents, step: agents.add_reward(1.0))
    academy = Academy(ScriptedWorld(agents))
    academy.reset()
    seen = []
    for value in (0.2, 0.3, 0.4, 0.6):
        decisions, _ = academy.reports[agents.behavior]
        seen.append((decisions.agent_id.tolist(), decisions.reward.tolist(), len(agents.acted)))
        agents.decide(ActionTuple(np.full((len(decisions), 1), value, np.float32)))
        academy.step()
    assert seen == [([0], [5.0], 5), ([1], [10.0], 10), ([0], [10.0], 15), ([0, 1], [10.0, 15.0], 25)]
    windows = [[0, 0], [0.2, 0], [0.2, 0.3], [0.4, 0.3], [0.4, 0.3], [0.6, 0.6], [0.6, 0.6]]
    np.testing.assert_allclose(agents.acted[4::5], windows)


def test_the_players_keys_are_for_those_who_asked() -> None:
    agents = Turns()
    academy = Academy(ScriptedWorld(agents))
    academy.reset()
    agents.held_keys = ("up",)
    np.testing.assert_array_equal(agents.heuristic().continuous, [[1.0]])


def test_an_end_before_the_first_decision_is_kept_quiet() -> None:
    # Both end in step 3. Agent 0 has not asked yet, nor has agent 1: nobody knows of their episodes.
    agents = Turns(script=at(3, lambda agents: agents.end_episode(np.array([0, 1]))))
    academy = Academy(ScriptedWorld(agents))
    academy.reset()
    decisions, terminals = academy.reports[agents.behavior]
    assert len(terminals) == 0
    np.testing.assert_array_equal(decisions.obs[0], [[2, 1]])


def test_who_waits_belongs_to_the_state() -> None:
    """A batch that takes over the arrays of another gives the decision to the same agent."""
    one, other = Turns(), Turns()
    one.state_arrays = other.state_arrays = dict
    academies = [Academy(ScriptedWorld(agents)) for agents in (one, other)]
    for academy in academies:
        academy.reset()
    one.decide(ActionTuple(np.full((1, 1), 0.5, np.float32)))
    academies[0].step()  # now agent 1 waits, and in the other batch agent 0
    for name, array in other.all_state_arrays().items():
        array[...] = one.all_state_arrays()[name]
    other.decide(ActionTuple(np.full((1, 1), 0.25, np.float32)))
    np.testing.assert_array_equal(other.arrays.continuous[:, 0], [0.5, 0.25])
