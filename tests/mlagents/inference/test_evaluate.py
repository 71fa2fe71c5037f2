"""Averages over episodes, and which episodes are averaged."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlagents.inference import Evaluation, ModelError, evaluate
from mlagents_envs.base_env import ActionTuple, BaseEnv, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityEnvironmentException


class ScriptedEnv(BaseEnv):
    """Agents whose episodes have given lengths, one reward per decision; the next one begins in the same step.

    Args:
      spec: of every behavior.
      lengths: behavior -> agent id -> length of each episode, the last one for ever.
      renamed: agents get a new id for every episode.
    """

    def __init__(self, spec, lengths, renamed=False):
        self._spec = spec
        self._lengths = lengths
        self._renamed = renamed
        self.actions = []

    @property
    def behavior_specs(self):
        return dict.fromkeys(self._lengths, self._spec)

    def reset(self):
        self._agents = {
            behavior: [[agent, list(lengths), 0] for agent, lengths in agents.items()]
            for behavior, agents in self._lengths.items()
        }
        self._ended = {behavior: [] for behavior in self._lengths}

    def step(self):
        for behavior, agents in self._agents.items():
            self._ended[behavior] = []
            for state in agents:
                state[2] += 1
                if state[2] == state[1][0]:
                    self._ended[behavior].append(state[0])
                    state[1:] = [state[1][1:] or state[1], 0]
                    state[0] += 100 * self._renamed

    def get_steps(self, behavior):
        ended, agents = self._ended[behavior], self._agents[behavior]
        rewards = [float(state[2] > 0) for state in agents]
        decisions = DecisionSteps(
            [np.zeros((len(agents), 1), np.float32)],
            np.array(rewards, np.float32),
            np.array([state[0] for state in agents], np.int32),
            None,
        )
        terminal = TerminalSteps(
            [np.zeros((len(ended), 1), np.float32)],
            np.ones(len(ended), np.float32),
            np.zeros(len(ended), bool),
            np.array(ended, np.int32),
        )
        return decisions, terminal

    def set_actions(self, behavior_name, action):
        self.actions.append((behavior_name, action))

    def set_action_for_agent(self, behavior_name, agent_id, action):
        raise NotImplementedError

    def close(self):
        pass


class Still:
    """Does nothing, and notes what it is told to forget."""

    def __init__(self):
        self.forgotten = []

    def act(self, decision_steps, deterministic, rng):
        return ActionTuple(np.zeros((len(decision_steps), 1), np.float32))

    def forget(self, agent_ids):
        self.forgotten += list(agent_ids)


@pytest.fixture
def make_env(make_spec):
    return lambda lengths, **options: ScriptedEnv(make_spec([(1,)], 1), lengths, **options)


def test_episodes_that_begin_first_count(make_env):
    """Agent 0 plays episodes of 5, agent 1 of 1. Of 4 episodes: 5 (agent 0) and 1, 1, 1 (agent 1).

    Counting ends instead would give 1, 1, 1, 1. A reward of 1 per decision makes the return the length.
    """
    model = Still()
    result = evaluate(make_env({"B": {0: [5], 1: [1]}}), {"B": model}, 4)["B"]
    assert result.episodes == 4
    assert result.mean == pytest.approx(2.0)
    assert result.std == pytest.approx(math.sqrt(3.0))  # deviations 3, -1, -1, -1
    assert result.mean_length == pytest.approx(2.0)
    assert model.forgotten == [1, 1, 1, 1, 0, 1]  # the play went on to the end of the long one


@pytest.mark.parametrize("renamed", [False, True])
def test_lengths_are_counted_once_each(make_env, renamed):
    """Two agents, lengths 2, 4, 3 and 3, 1, 9. The order of beginnings is 2, 3, 4, 1, 9 (step 4), 3 (step 6)."""
    env = make_env({"B": {0: [2, 4, 3], 1: [3, 1, 9]}}, renamed=renamed)
    result = evaluate(env, {"B": Still()}, 5)["B"]
    assert result.mean == pytest.approx((2 + 3 + 4 + 1 + 9) / 5)


def test_unbiased_where_lengths_are_random(make_env, rng):
    """8 agents, lengths 1 or 21 with equal chance, mean 11. The first 100 to end would give about 5."""
    env = make_env({"B": {agent: rng.choice([1, 21], 1000).tolist() for agent in range(8)}})
    result = evaluate(env, {"B": Still()}, 1000)["B"]
    assert result.mean == pytest.approx(11, abs=1.6)  # 5 standard errors of 10 / sqrt(1000)


def test_behaviors_are_apart(make_env):
    env = make_env({"A": {0: [1]}, "B": {0: [3], 1: [3]}})
    result = evaluate(env, {"A": Still(), "B": Still()}, 3)
    assert {name: (x.mean, x.episodes) for name, x in result.items()} == {"A": (1, 3), "B": (3, 3)}


def test_a_behavior_without_agents_is_left_out(make_env):
    assert list(evaluate(make_env({"A": {0: [1]}, "B": {}}), {"A": Still()}, 2)) == ["A"]


def test_a_behavior_without_model(make_env):
    with pytest.raises(ModelError, match="no model for behavior 'B'; there are models for A"):
        evaluate(make_env({"A": {0: [1]}, "B": {0: [1]}}), {"A": Still()}, 2)


def test_a_play_that_is_stopped_may_count_what_is_unfinished(make_env):
    """Stopped at the third question, after two steps: agent 1 has done 1 and 1, agent 0 is at 2 of 5."""
    answers = iter([False, False, True])
    evaluation = Evaluation(make_env({"B": {0: [5], 1: [1]}}), {"B": Still()}, 4)
    assert not evaluation.run(lambda: next(answers))
    finished, all_begun = evaluation.result()["B"], evaluation.result(unfinished=True)["B"]
    assert (finished.mean, finished.episodes) == (1, 2)
    assert (all_begun.episodes, all_begun.mean) == (4, pytest.approx((1 + 1 + 2 + 0) / 4))
    assert Evaluation(make_env({"B": {0: [1]}}), {"B": Still()}, 1).run(lambda: False)


def test_what_was_played_before_an_interruption(make_env):
    env = make_env({"B": {0: [2]}})
    evaluation = Evaluation(env, {"B": Still()}, 100)
    assert dict(evaluation.result()) == {}
    steps = iter(range(7))
    plain_step = env.step

    def step():
        if next(steps) == 6:
            raise KeyboardInterrupt
        plain_step()

    env.step = step
    with pytest.raises(KeyboardInterrupt):
        evaluation.run()
    assert (evaluation.result()["B"].episodes, evaluation.result()["B"].mean) == (3, 2)


def test_before_the_first_end_there_is_no_mean(make_env):
    env = make_env({"B": {0: [9]}})

    def step():
        raise KeyboardInterrupt

    env.step = step
    evaluation = Evaluation(env, {"B": Still()}, 1)
    with pytest.raises(KeyboardInterrupt):
        evaluation.run()
    result = evaluation.result()["B"]
    assert result.episodes == 0
    assert math.isnan(result.mean)


class Rewarding(ScriptedEnv):
    """Replaces what the agents get."""

    def __init__(self, spec, reward, group_reward):
        super().__init__(spec, {"B": {1: [2], 2: [3]}})
        self._given = reward, group_reward

    def get_steps(self, behavior):
        steps = super().get_steps(behavior)
        for part in steps:
            part.reward = np.full(len(part), self._given[0], np.float32)
            part.group_reward = np.full(len(part), self._given[1], np.float32)
        return steps


def test_group_rewards_count_and_are_told_apart(make_env):
    """Episodes of 2 and of 3 decisions: rewards come with each decision but the first, and with the end."""
    spec = make_env({"B": {1: [2]}}).behavior_specs["B"]
    env = Rewarding(spec, 1.0, 0.25)
    result = evaluate(env, {"B": Still()}, 2)["B"]
    rounds = np.array([3.0, 4.0])  # with the first report, whose rewards this environment gives, too
    assert result.mean == pytest.approx(1.25 * rounds.mean())
    assert result.group_mean == pytest.approx(0.25 * rounds.mean())
    assert result.std == pytest.approx(1.25 * rounds.std())


class Grouped(ScriptedEnv):
    """Agents 1 and 2 are a group, which earns 1 with every report, until they end; everybody else is in none."""

    def get_steps(self, behavior):
        steps = super().get_steps(behavior)
        for part in steps:
            part.group_id = np.where(part.agent_id < 3, 5, 0).astype(np.int32)
            part.group_reward = np.where(part.agent_id < 3, 1.0, 0.0).astype(np.float32)
        return steps


def test_who_leaves_before_its_group_does_not_tell_what_that_came_to(make_env):
    """Episodes of 2, 4 and 3 decisions. Agent 1 leaves with 3, agent 2 with 5 of the group's rewards, 3 has none."""
    spec = make_env({"B": {1: [2]}}).behavior_specs["B"]
    result = evaluate(Grouped(spec, {"B": {1: [2, 9], 2: [4, 9], 3: [3, 9]}}, renamed=True), {"B": Still()}, 3)["B"]
    assert result.episodes == 2
    assert result.group_mean == pytest.approx((5.0 + 0.0) / 2)
    assert result.mean == pytest.approx((5.0 + 4.0 + 3.0) / 2)


def test_where_groups_never_end_everybody_counts(make_env):
    """Agents that come back to their group at once: one of them always plays on."""
    spec = make_env({"B": {1: [2]}}).behavior_specs["B"]
    result = evaluate(Grouped(spec, {"B": {1: [2], 2: [3]}}), {"B": Still()}, 2)["B"]
    assert result.episodes == 2
    assert result.group_mean == pytest.approx((3.0 + 4.0) / 2)


@pytest.mark.parametrize(
    ("reward", "group_reward", "said"),
    [
        (math.nan, 0.0, "behavior B: the reward of agent 1 is nan"),
        (0.0, math.inf, "the group reward of agent 1 is inf"),
    ],
)
def test_a_reward_that_is_no_number_is_an_error(make_env, reward, group_reward, said):
    spec = make_env({"B": {1: [2]}}).behavior_specs["B"]
    with pytest.raises(UnityEnvironmentException, match=said):
        evaluate(Rewarding(spec, reward, group_reward), {"B": Still()}, 2)
