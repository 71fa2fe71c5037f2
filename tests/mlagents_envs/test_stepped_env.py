"""What waits for the next step, and what was reported in the last one."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.exception import UnityActionException
from mlagents_envs.stepped_env import SteppedEnv

BALL, GRID = "Ball?team=0", "Grid?team=1"
SENSOR = ObservationSpec((1,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "vector")
SPECS = {BALL: BehaviorSpec([SENSOR], ActionSpec(1, (3,))), GRID: BehaviorSpec([SENSOR], ActionSpec(0, (4,)))}


class Game(SteppedEnv):
    """Agents 30 and 7 of Ball wait in every step, nobody of Grid. `actions` are those of the last step."""

    def __init__(self):
        super().__init__()
        self._specs.update(SPECS)
        self.actions = None

    def reset(self):
        self._pending.clear()
        ids = np.array([30, 7], np.int32)
        waiting = DecisionSteps([np.float32([[1], [2]])], np.zeros(2, np.float32), ids, [np.zeros((2, 3), np.bool_)])
        self._reports = {
            BALL: (waiting, TerminalSteps.empty(SPECS[BALL])),
            GRID: (DecisionSteps.empty(SPECS[GRID]), TerminalSteps.empty(SPECS[GRID])),
        }

    def step(self):
        self.actions = self._take_actions()

    def close(self):
        pass

    def sent(self):
        self.step()
        return self.actions[BALL].continuous.ravel().tolist(), self.actions[BALL].discrete.ravel().tolist()


@pytest.fixture
def game():
    made = Game()
    made.reset()
    return made


def ball(continuous, discrete):
    return ActionTuple(np.float32(continuous), np.int32(discrete))


def test_actions_count_for_one_step(game):
    game.set_actions(BALL, ball([[0.25], [0.75]], [[1], [2]]))
    assert game.sent() == ([0.25, 0.75], [1, 2])
    assert game.sent() == ([0.0, 0.0], [0, 0])
    assert game.actions[GRID].discrete.shape == (0, 1)
    game.set_actions(BALL, ball([[0.25], [0.75]], [[1], [2]]))
    game.reset()
    assert game.sent() == ([0.0, 0.0], [0, 0])


def test_an_action_for_one_agent_changes_neither_the_others_nor_the_callers_arrays(game):
    game.set_action_for_agent(BALL, 7, ball([[0.5]], [[2]]))
    assert game.sent() == ([0.0, 0.5], [0, 2])
    everybody = ball([[0.25], [0.75]], [[1], [1]])
    game.set_actions(BALL, everybody)
    game.set_action_for_agent(BALL, 30, ball([[-1.0]], [[0]]))
    assert game.sent() == ([-1.0, 0.75], [0, 1])
    assert everybody.continuous.ravel().tolist() == [0.25, 0.75]
    assert everybody.discrete.ravel().tolist() == [1, 1]


def test_before_the_first_reset_nobody_waits():
    game = Game()
    assert dict(game.behavior_specs) == SPECS
    game.set_actions(BALL, ball([[1.0]] * 9, [[0]] * 9))
    game.set_action_for_agent(BALL, 99, ball([[1.0]], [[0]]))
    with pytest.raises(KeyError, match=r"Ball\?team=0' has not reported yet; call reset\(\) first"):
        game.get_steps(BALL)
    game.reset()
    assert game.sent() == ([0.0, 0.0], [0, 0])


def test_steps_are_those_that_were_reported(game):
    decision_steps, terminal_steps = game.get_steps(BALL)
    assert decision_steps.agent_id.tolist() == [30, 7]
    assert len(terminal_steps) == len(game.get_steps(GRID)[0]) == 0


def test_a_wrong_name_is_answered_with_the_nearest(game):
    action = ball([[0.0], [0.0]], [[0], [0]])
    message = (
        r"no behavior 'Ball' in this environment\. Did you mean 'Ball\?team=0'\? Its behaviors: \['Ball\?team=0', 'G"
    )
    for call in (
        lambda: game.get_steps("Ball"),
        lambda: game.set_actions("Ball", action),
        lambda: game.set_action_for_agent("Ball", 7, action),
    ):
        with pytest.raises(UnityActionException, match=message):
            call()
    with pytest.raises(UnityActionException, match=r"no behavior 'xyz' in this environment\. Its behaviors"):
        game.get_steps("xyz")


@pytest.mark.parametrize("agent", [4, -1, 2**40])
def test_an_agent_that_does_not_wait(game, agent):
    with pytest.raises(IndexError, match=rf"Agent {agent} of .*no pending decision; waiting are agents \[30, 7\]"):
        game.set_action_for_agent(BALL, agent, ball([[1.0]], [[1]]))


def test_wrong_shapes(game):
    with pytest.raises(UnityActionException, match=r"discrete.*shape \(2, 2\); expected \(2, 1\)"):
        game.set_actions(BALL, ball([[0.0], [0.0]], [[0, 0], [0, 0]]))
    with pytest.raises(UnityActionException, match=r"continuous.*shape \(2, 1\); expected \(1, 1\)"):
        game.set_action_for_agent(BALL, 7, ball([[0.0], [0.0]], [[0], [0]]))
    assert game.sent() == ([0.0, 0.0], [0, 0])
