"""Agents that are objects: what is called when, and what the environment reports."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_envs.exception import (
    UnityActionException,
    UnityEnvironmentException,
    UnityObservationException,
    UnityPolicyException,
)
from mlagents_envs.testing import check_env
from mlagents_sim.academy import PATIENCE
from mlagents_sim.authoring import Agent, AgentWorld, BehaviorParameters, DecisionRequester, FrameSensor
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.sensors import StackingSensor, VectorSensor

NAME = "Talker?team=0"
BEHAVIOR = BehaviorParameters("Talker", vector_observation_size=2, action_spec=ActionSpec.create_hybrid(1, (3,)))
PERIOD = 3


class Talker(Agent):
    """Notes what is called. Observes (number of the episode, its step count); `script(self)` runs in every act."""

    def __init__(self, script=lambda agent: None, *, requester=DecisionRequester(PERIOD), behavior=BEHAVIOR, **options):  # noqa: B008
        super().__init__(behavior, decision_requester=requester, **options)
        self.script = script
        self.heard: list[str] = []
        self.did: list[float] = []
        self.episode = 0

    def on_episode_begin(self):
        self.episode += 1
        self.heard.append("begin")

    def collect_observations(self, sensor):
        self.heard.append("observe")
        sensor.add_observation([self.episode, self.step_count])

    def write_discrete_action_mask(self, mask):
        self.heard.append("mask")

    def on_action_received(self, actions):
        self.heard.append("act")
        self.did.append(float(actions.continuous[0]))
        self.script(self)


class NotedWorld(AgentWorld):
    """Notes its physics in what the first agent heard; `contacts(world)` then runs, as collision callbacks do."""

    def __init__(self, agents, contacts=lambda world: None) -> None:
        super().__init__(agents)
        self.objects = agents
        self.contacts = contacts

    def on_reset(self):
        self.objects[0].heard.append("world")

    def integrate(self):
        self.objects[0].heard.append("physics")
        self.contacts(self)


def start(*agents: Agent, contacts=lambda world: None) -> SimEnvironment:
    env = SimEnvironment(NotedWorld(agents, contacts))
    env.reset()
    return env


def advance(env: SimEnvironment, action: float = 0.0):
    """Step with the same action for everybody who waits."""
    waiting = len(env.get_steps(NAME)[0])
    env.set_actions(NAME, ActionTuple(np.full((waiting, 1), action), np.zeros((waiting, 1), np.int32)))
    env.step()
    return env.get_steps(NAME)


def observed(steps) -> list[list[float]]:
    return steps.obs[0].tolist()


def test_the_order_of_events():
    agent = Talker()
    env = start(agent)
    assert agent.heard == ["world", "begin", "observe", "mask"]
    agent.heard.clear()
    advance(env, 0.5)
    assert agent.heard == 3 * ["act", "physics"] + ["observe", "mask"]
    assert agent.did == [0.5, 0.5, 0.5]


def test_without_actions_between_decisions_an_agent_acts_once():
    agent = Talker(requester=DecisionRequester(PERIOD, take_actions_between_decisions=False))
    env = start(agent)
    advance(env, 0.5)
    advance(env, 0.7)
    assert agent.did == pytest.approx([0.5, 0.7])
    assert agent.step_count == 2 * PERIOD


def test_an_end_is_reported_and_the_next_episode_begun_at_once():
    """The agent ends in its second act; what it does afterwards in the same call belongs to the next episode."""

    def script(agent):
        agent.add_reward(1.0)
        if len(agent.did) == 2:
            agent.end_episode()
            agent.heard.append("went on")
            agent.add_reward(0.25)

    agent = Talker(script)
    env = start(agent)
    agent.heard.clear()
    decisions, terminals = advance(env, 0.5)
    assert agent.heard == ["act", "physics", "act", "observe", "begin", "went on", "physics"]
    assert len(decisions) == 0
    assert observed(terminals) == [[1, 2]]
    assert terminals.reward.tolist() == [2.0]
    assert terminals.interrupted.tolist() == [False]
    assert agent.cumulative_reward == 0.25
    assert agent.completed_episodes == 1
    decisions, terminals = advance(env)
    assert len(terminals) == 0
    assert observed(decisions) == [[2, 1]]
    assert decisions.reward.tolist() == [1.25]
    assert agent.did == [0.5, 0.5, 0.0]  # until it decides anew, zeros


def test_an_end_after_the_physics():
    def contacts(world):
        if world.objects[0].heard.count("physics") == PERIOD:
            world.objects[0].set_reward(-1.0)
            world.objects[0].end_episode()

    decisions, terminals = advance(start(Talker(), contacts=contacts))
    assert observed(terminals) == [[1, PERIOD]]
    assert terminals.reward.tolist() == [-1.0]
    assert observed(decisions) == [[2, 0]]  # the next decision was due then, too


def test_a_second_end_before_the_next_decision_is_kept_quiet():
    def script(agent):
        agent.add_reward(1.0)
        if len(agent.did) < PERIOD:
            agent.end_episode()

    agent = Talker(script)
    env = start(agent)
    _, terminals = advance(env)
    assert terminals.reward.tolist() == [1.0]
    decisions, terminals = advance(env)
    assert len(terminals) == 0
    assert observed(decisions) == [[3, 1]]
    assert decisions.reward.tolist() == [2.0]
    assert agent.completed_episodes == 2


def test_the_step_limit_is_the_agents_own_and_interrupts():
    env = start(Talker(), Talker(max_step=2), Talker(max_step=4))
    _, terminals = advance(env)
    assert terminals.agent_id.tolist() == [1]
    assert terminals.interrupted.tolist() == [True]
    assert observed(terminals) == [[1, 2]]
    decisions, _ = advance(env)
    assert observed(decisions) == [[1, 3], [2, 1], [1, 3]]
    ended = {}
    for _ in range(2):
        _, terminals = advance(env)
        ended |= {agent: terminals[agent].interrupted for agent in terminals}
    assert ended == {1: True, 2: True}


def test_agents_that_ask_by_themselves_report_alone():
    """Agent 0 asks in every second act, agent 1 in every third; nobody else is bothered."""

    class Asking(Talker):
        def on_episode_begin(self):
            super().on_episode_begin()
            self.request_decision()

    def every(count):
        return lambda agent: agent.request_decision() if len(agent.did) % count == 0 else agent.request_action()

    first, second = Asking(every(2), requester=None), Asking(every(3), requester=None)
    env = start(first, second)
    assert env.get_steps(NAME)[0].agent_id.tolist() == [0, 1]
    reported = []
    for action in (0.1, 0.2, 0.3, 0.4):
        decisions, _ = advance(env, action)
        reported.append(decisions.agent_id.tolist())
    assert reported == [[0], [1], [0], [0, 1]]  # after 2, 3, 4 and 6 steps
    np.testing.assert_allclose(first.did, [0.1, 0.1, 0.2, 0.2, 0.4, 0.4])
    np.testing.assert_allclose(second.did, [0.1, 0.1, 0.1, 0.3, 0.3, 0.3])


def test_a_set_reward_overwrites_the_window_and_counts_once_in_the_episode():
    def script(agent):
        agent.add_reward(1.0)
        agent.set_reward(0.25)

    agent = Talker(script)
    env = start(agent)
    for _ in range(2):
        decisions, _ = advance(env)
        assert decisions.reward.tolist() == [0.25]
    assert agent.cumulative_reward == pytest.approx(0.5)


def test_reset_begins_anew_without_ends():
    agent = Talker(lambda agent: agent.add_reward(1.0))
    env = start(agent)
    advance(env, 0.5)
    env.reset()
    decisions, terminals = env.get_steps(NAME)
    assert len(terminals) == 0
    assert observed(decisions) == [[2, 0]]
    assert decisions.reward.tolist() == [0.0]
    assert agent.cumulative_reward == 0.0


def test_actions_cannot_be_written_to():
    def script(agent):
        agent.actions.continuous[0] = 1.0

    with pytest.raises(ValueError, match="read-only"):
        advance(start(Talker(script)))


def test_masks_reach_the_report():
    """Choice 1 is forbidden before the first act, and choice 0 from then on; 2 is allowed again at once."""

    class Careful(Talker):
        def write_discrete_action_mask(self, mask):
            mask.set_action_enabled(0, 0 if self.did else 1, False)
            mask.set_action_enabled(0, 2, False)
            mask.set_action_enabled(0, 2, True)

    env = start(Careful(), Talker())
    masks = env.get_steps(NAME)[0].action_mask
    assert masks is not None
    np.testing.assert_array_equal(masks[0], [[False, True, False], [False, False, False]])
    later = advance(env)[0].action_mask
    assert later is not None
    np.testing.assert_array_equal(later[0], [[True, False, False], [False, False, False]])
    np.testing.assert_array_equal(masks[0][0], [False, True, False])  # the earlier report is the caller's


@pytest.mark.parametrize(("branch", "choice"), [(1, 0), (0, 3), (-1, 0)])
def test_a_choice_that_does_not_exist_cannot_be_forbidden(branch, choice):
    class Careless(Talker):
        def write_discrete_action_mask(self, mask):
            mask.set_action_enabled(branch, choice, False)

    with pytest.raises(UnityActionException, match=rf"no choice {choice} in branch {branch}; the branches have \[3\]"):
        start(Careless())


def test_not_everything_may_be_forbidden():
    class Strict(Talker):
        def write_discrete_action_mask(self, mask):
            for choice in range(3):
                mask.set_action_enabled(0, choice, False)

    with pytest.raises(UnityActionException, match=r"agent 1 \(Strict\): all choices of branch 0"):
        start(Talker(), Strict())


@pytest.mark.parametrize(("numbers", "message"), [([1], "added 1 numbers; expected 2"), ([1, 2, 3], "3 numbers")])
def test_a_wrong_number_of_observations_is_told_with_the_agent(numbers, message):
    class Wrong(Talker):
        def collect_observations(self, sensor):
            sensor.add_observation(numbers)

    with pytest.raises(UnityObservationException, match=message) as error:
        start(Talker(), Wrong())
    assert "Behavior 'Talker?team=0', agent 1 (Wrong)" in str(error.value)


def test_observations_are_stacked_oldest_first():
    behavior = BehaviorParameters("Talker", 2, BEHAVIOR.action_spec, stacked_vectors=2)
    env = start(Talker(behavior=behavior))
    assert env.behavior_specs[NAME].observation_specs[0].name == "StackingSensor_size2_VectorSensor_size2"
    assert observed(env.get_steps(NAME)[0]) == [[0, 0, 1, 0]]
    assert observed(advance(env)[0]) == [[1, 0, 1, 3]]


def test_own_sensors_are_sorted_by_name_and_forget_at_an_end():
    """One after the vector by its name, and a stack of two before it."""

    class Looking(Talker):
        def __init__(self, seen) -> None:
            stack = StackingSensor(VectorSensor(1), 2, agents=1)
            far = VectorSensor(3)
            far.spec = far.spec._replace(name="Z far")
            super().__init__(
                lambda agent: agent.end_episode() if len(agent.did) == PERIOD else None,
                sensors=[FrameSensor(far, lambda: [seen, seen, seen]), FrameSensor(stack, lambda: [seen])],
            )

    env = start(Looking(5), Looking(7))
    assert [spec.name for spec in env.behavior_specs[NAME].observation_specs] == [
        "StackingSensor_size2_VectorSensor_size1",
        "VectorSensor_size2",
        "Z far",
    ]
    decisions, terminals = advance(env)
    np.testing.assert_array_equal(terminals.obs[0], [[5, 5], [7, 7]])
    np.testing.assert_array_equal(decisions.obs[0], [[0, 5], [0, 7]])
    np.testing.assert_array_equal(decisions.obs[1], [[2, 0], [2, 0]])
    np.testing.assert_array_equal(decisions.obs[2], [[5, 5, 5], [7, 7, 7]])


def test_a_sensor_that_breaks_its_word():
    class Ray:
        spec = VectorSensor(4).spec

        def observe(self):
            return np.zeros(3)

        def reset(self):
            pass

    with pytest.raises(UnityObservationException, match=r"sensor 'VectorSensor_size4' observed .*\(3,\); expected \(4"):
        start(Talker(sensors=[Ray()]))


def test_disabled_agents_take_no_part_and_come_back_with_a_new_id():
    first, second = Talker(), Talker()
    env = start(first, second)
    second.disable()
    second.end_episode()  # nothing is left to end
    second.request_decision()  # nor to decide
    _, terminals = advance(env, 0.5)
    assert terminals.agent_id.tolist() == [1]
    assert not terminals.interrupted[0]
    decisions, _ = advance(env)
    assert decisions.agent_id.tolist() == [0]
    assert second.did == []
    env.reset()
    assert second.heard.count("begin") == 1
    second.enable()
    assert second.heard.count("begin") == 2
    decisions, _ = advance(env)
    assert decisions.agent_id.tolist() == [0, 2]
    assert second.step_count == PERIOD


def test_place_is_a_word_for_games():
    class Walking(Talker):
        def on_episode_begin(self):
            super().on_episode_begin()
            self.place = 0

    agent = Walking()
    env = start(agent)
    advance(env)
    assert agent.place == 0
    assert agent.agent_id == 0


def test_where_an_episode_cannot_end():
    class Endless(Talker):
        def on_episode_begin(self):
            if self._place is not None:
                self.end_episode()

    with pytest.raises(UnityEnvironmentException, match=r"cannot end in its own on_episode_begin"):
        start(Endless())

    class Giving(Talker):
        def collect_observations(self, sensor):
            self.end_episode()

    with pytest.raises(UnityEnvironmentException, match=r"cannot end in collect_observations"):
        start(Giving())


def test_an_agent_without_a_world_says_so():
    agent = Talker()
    for call in (agent.end_episode, lambda: agent.add_reward(1.0), lambda: agent.step_count):
        with pytest.raises(UnityEnvironmentException, match="Give the agent to an AgentWorld"):
            call()


def test_agents_that_never_ask_are_found_out(monkeypatch):
    assert PATIENCE >= 10_000
    monkeypatch.setattr("mlagents_sim.academy.PATIENCE", 50)
    with pytest.raises(UnityEnvironmentException, match=r"asked for a decision.*DecisionRequester"):
        start(Talker(requester=None))


def test_agents_of_one_behavior_must_agree():
    wide = BehaviorParameters("Talker", 3, BEHAVIOR.action_spec)
    with pytest.raises(ValueError, match="must have the same parameters"):
        AgentWorld([Talker(), Talker(behavior=wide)])
    with pytest.raises(ValueError, match="must have the same sensors"):
        AgentWorld([Talker(), Talker(sensors=[FrameSensor(VectorSensor(1), lambda: [0])])])
    agent = Talker()
    AgentWorld([agent])
    with pytest.raises(ValueError, match="in a world already"):
        AgentWorld([agent])
    with pytest.raises(ValueError, match="at least one agent"):
        AgentWorld([])


def test_teams_are_behaviors_of_their_own():
    blue = BehaviorParameters("Talker", 2, BEHAVIOR.action_spec, team_id=1)
    env = start(Talker(), Talker(behavior=blue), Talker())
    assert list(env.behavior_specs) == [NAME, "Talker?team=1"]
    assert env.get_steps(NAME)[0].agent_id.tolist() == [0, 1]
    assert env.get_steps("Talker?team=1")[0].agent_id.tolist() == [2]


def test_heuristics_are_asked_of_those_who_wait():
    class Ruled(Talker):
        def heuristic(self, actions_out):
            assert not actions_out.continuous.any()
            actions_out.continuous[0] = self.agent_id + 0.5
            actions_out.discrete[0] = 2

    env = start(Ruled(), Ruled(), Ruled(requester=None))
    assert env.rules == {NAME}
    assert start(Talker()).rules == frozenset()
    actions = env.heuristic(NAME)
    np.testing.assert_array_equal(actions.continuous, [[0.5], [1.5]])
    np.testing.assert_array_equal(actions.discrete, [[2], [2]])
    with pytest.raises(UnityPolicyException, match=r"agent 0 \(Talker\): no heuristic; define Talker.heuristic"):
        start(Talker()).heuristic(NAME)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"vector_observation_size": -1}, "vector_observation_size is -1; at least 0"),
        ({"stacked_vectors": 0}, "stacked_vectors is 0; at least 1"),
        ({"team_id": -1}, "team_id is -1"),
        ({"model": "a.onnx"}, "a model belongs to INFERENCE_ONLY"),
    ],
)
def test_parameters_are_checked(parameters, message):
    with pytest.raises(ValueError, match=message):
        BehaviorParameters("Talker", **parameters)


def test_periods_are_checked():
    with pytest.raises(ValueError, match="at least 1; got 0"):
        DecisionRequester(0)


def test_contract():
    def make():
        ends = {0: 4, 1: 7, 2: 11}
        agents = [Talker(max_step=ends[number]) for number in range(3)]
        return SimEnvironment(NotedWorld(agents))

    check_env(make, deterministic=True)


def test_an_agent_that_forgot_to_initialise_itself_is_named():
    class Forgetful(Agent):
        def __init__(self):
            self.speed = 1.0

    with pytest.raises(ValueError, match=r"Forgetful is not initialised: its __init__ must call super"):
        AgentWorld([Forgetful()])


@pytest.mark.parametrize("earn", [lambda a: a.add_reward(float("nan")), lambda a: a.set_reward(float("inf"))])
def test_a_reward_that_is_no_number_is_refused_at_once(earn):
    env = start(Talker(earn))
    with pytest.raises(UnityEnvironmentException, match=r"a reward of (nan|inf); expected a finite number"):
        advance(env)
