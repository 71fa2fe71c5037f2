from __future__ import annotations

import pickle
from collections.abc import Mapping

import numpy as np
import pytest

from mlagents_envs import exception
from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    ActionType,
    BaseEnv,
    BehaviorMapping,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
    _ActionTupleBase,
)

VECTOR = ObservationSpec((3,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "vector")
IMAGE = ObservationSpec((1, 2, 2), (DimensionProperty.UNSPECIFIED,) * 3, ObservationType.GOAL_SIGNAL, "")
HYBRID = BehaviorSpec([VECTOR, IMAGE], ActionSpec.create_hybrid(2, (3, 2)))


def decisions() -> DecisionSteps:
    """Agents 7, 3 and 5 in this order; observation i of agent in row r is full of 10 i + r."""
    return DecisionSteps(
        [np.array([[r] * 3 for r in range(3)], np.float32), np.full((3, 1, 2, 2), 10, np.float32)],
        np.array([0.5, -1, 2], np.float32),
        np.array([7, 3, 5], np.int32),
        [np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], bool), np.zeros((3, 2), bool)],
        np.array([1, 0, 1], np.int32),
        np.array([4, 0, 4], np.float32),
    )


def test_decision_steps_is_a_mapping_from_id_to_row():
    steps = decisions()
    assert isinstance(steps, Mapping)
    assert len(steps) == 3
    assert list(steps) == [7, 3, 5]
    assert list(steps.keys()) == [7, 3, 5]
    assert [step.agent_id for step in steps.values()] == [7, 3, 5]
    assert 3 in steps
    assert np.int32(3) in steps
    assert 4 not in steps
    assert steps.get(4) is None
    assert steps.agent_id_to_index == {7: 0, 3: 1, 5: 2}
    step = steps[3]
    assert step.obs[0].tolist() == [1, 1, 1]
    assert step.obs[1].shape == (1, 2, 2)
    assert (step.reward, step.agent_id, step.group_id, step.group_reward) == (-1.0, 3, 0, 0.0)
    assert step.action_mask[0].tolist() == [False, True, False]
    assert step._fields == ("obs", "reward", "agent_id", "action_mask", "group_id", "group_reward")


def test_terminal_steps_is_a_mapping_from_id_to_row():
    steps = TerminalSteps(
        [np.zeros((2, 3), np.float32)],
        np.array([1, 2], np.float32),
        np.array([True, False]),
        np.array([4, 9], np.int32),
        np.array([0, 2], np.int32),
        np.array([0, 8], np.float32),
    )
    step = steps[9]
    assert step._fields == ("obs", "reward", "interrupted", "agent_id", "group_id", "group_reward")
    assert (step.reward, step.interrupted, step.agent_id, step.group_id, step.group_reward) == (
        2,
        False,
        9,
        2,
        8,
    )
    assert steps[4].interrupted is True
    assert steps[4].max_step is True
    assert steps.max_step is steps.interrupted


def test_an_absent_agent_is_a_key_error_that_names_those_here():
    with pytest.raises(KeyError, match="no agent 4 in this DecisionSteps; agents here: 7, 3, 5"):
        decisions()[4]
    with pytest.raises(KeyError, match="agents here: none"):
        TerminalSteps.empty(HYBRID)[0]


def test_of_one_id_twice_the_later_row_counts():
    ids = np.array([2, 1, 2], np.int32)
    steps = DecisionSteps([np.arange(3, dtype=np.float32)[:, None]], np.zeros(3, np.float32), ids, None)
    assert len(steps) == 3
    assert steps[2].obs[0] == [2.0]


def test_group_columns_may_be_left_out_as_before_groups_existed():
    ids = np.array([2, 1], np.int32)
    for steps in (
        DecisionSteps([], np.zeros(2, np.float32), ids, None),
        TerminalSteps([], np.zeros(2, np.float32), np.zeros(2, bool), ids),
    ):
        assert (steps.group_id.dtype, steps.group_id.tolist()) == (np.int32, [0, 0])
        assert (steps.group_reward.dtype, steps.group_reward.tolist()) == (np.float32, [0, 0])


@pytest.mark.parametrize("kind", [DecisionSteps, TerminalSteps])
def test_empty_has_zero_rows_of_the_spec(kind):
    steps = kind.empty(HYBRID)
    assert len(steps) == 0
    assert [(obs.shape, obs.dtype) for obs in steps.obs] == [((0, 3), np.float32), ((0, 1, 2, 2), np.float32)]
    assert (steps.reward.dtype, steps.agent_id.dtype) == (np.float32, np.int32)
    assert (steps.group_id.dtype, steps.group_reward.dtype) == (np.int32, np.float32)
    assert getattr(steps, "action_mask", None) is None
    assert getattr(steps, "interrupted", np.zeros(0, bool)).dtype == bool


def test_batches_compare_by_what_they_hold():
    assert decisions() == decisions()
    for change in ("obs", "reward", "agent_id", "action_mask", "group_id", "group_reward"):
        other = decisions()
        column = getattr(other, change)
        first = column[0] if isinstance(column, list) else column
        first[0] = first[0] == 0
        assert other != decisions()
    masked, free = decisions(), decisions()
    free.action_mask = None
    assert masked != free
    ended = [TerminalSteps(free.obs, free.reward, np.array(cut), free.agent_id) for cut in ([True] * 3, [False] * 3)]
    assert ended[0] == ended[0]
    assert ended[0] != ended[1]
    assert ended[0] != free
    assert TerminalSteps.empty(HYBRID) == TerminalSteps.empty(HYBRID)


def test_steps_and_actions_survive_pickling():
    copy = pickle.loads(pickle.dumps((decisions(), HYBRID, HYBRID.action_spec.random_action(2))))
    assert copy[0][5].obs[0].tolist() == [2, 2, 2]
    assert copy[1] == HYBRID
    assert copy[2].discrete.shape == (2, 2)


def test_action_tuple_keeps_arrays_of_the_right_dtype_and_converts_others():
    continuous, discrete = np.ones((2, 3), np.float32), np.ones((2, 1), np.int32)
    actions = ActionTuple(continuous, discrete)
    assert actions.continuous is continuous
    assert actions.discrete is discrete
    actions = ActionTuple(np.ones((2, 3), np.float64), np.ones((2, 1), np.int64))
    assert (actions.continuous.dtype, actions.discrete.dtype) == (np.float32, np.int32)
    assert actions.discrete_dtype is np.int32


def test_action_tuple_makes_the_missing_side_and_only_then():
    actions = ActionTuple(continuous=np.ones((2, 3)))
    assert (actions.discrete.shape, actions.discrete.dtype) == ((2, 0), np.int32)
    actions = ActionTuple(discrete=np.ones((4, 1)))
    assert (actions.continuous.shape, actions.continuous.dtype) == ((4, 0), np.float32)
    actions = ActionTuple()
    assert actions.continuous is None
    assert actions.discrete is None
    actions.add_discrete(np.ones((2, 1)))
    assert actions.continuous.shape == (2, 0)
    actions.add_continuous(np.ones((2, 5)))
    assert actions.continuous.shape == (2, 5)
    assert actions.discrete.shape == (2, 1)


def test_the_action_tuple_base_leaves_the_discrete_dtype_open():
    class LogProbs(_ActionTupleBase):
        @property
        def discrete_dtype(self):
            return np.float32

    assert LogProbs(discrete=np.ones((1, 2))).discrete.dtype == np.float32


def test_action_spec_says_what_kind_it_is():
    continuous, discrete = ActionSpec.create_continuous(2), ActionSpec.create_discrete((3, 2))
    hybrid, empty = ActionSpec.create_hybrid(2, (3, 2)), ActionSpec(0, ())
    kinds = [(spec.is_continuous(), spec.is_discrete()) for spec in (continuous, discrete, hybrid, empty)]
    assert kinds == [(True, False), (False, True), (False, False), (False, False)]
    assert [spec.discrete_size for spec in (continuous, discrete)] == [0, 2]
    assert str(hybrid) == "Continuous: 2, Discrete: (3, 2)"
    assert hybrid == ActionSpec(2, (3, 2))
    assert hybrid != ActionSpec(2, (3, 3))


def test_empty_and_random_actions_fit_the_spec():
    spec = ActionSpec.create_hybrid(2, (3, 1))
    empty = spec.empty_action(4)
    assert not empty.continuous.any()
    assert not empty.discrete.any()
    np.random.seed(0)
    random = spec.random_action(1000)
    for actions, n in ((empty, 4), (random, 1000)):
        assert spec._validate_action(actions, n, "x") is actions
        assert (actions.continuous.dtype, actions.discrete.dtype) == (np.float32, np.int32)
    assert random.continuous.min() >= -1
    assert random.continuous.max() <= 1
    assert abs(random.continuous.mean()) < 0.05
    assert np.bincount(random.discrete[:, 0]).min() > 280
    assert not random.discrete[:, 1].any()
    np.random.seed(0)
    assert np.array_equal(spec.random_action(1000).continuous, random.continuous)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (ActionTuple(np.zeros((2, 2)), np.zeros((3, 2))), r"continuous.*'Walk'.*\(2, 2\); expected \(3, 2\)"),
        (ActionTuple(np.zeros((3, 1)), np.zeros((3, 2))), r"continuous.*\(3, 1\); expected \(3, 2\)"),
        (ActionTuple(np.zeros((3, 2)), np.zeros((3, 1))), r"discrete.*\(3, 1\); expected \(3, 2\)"),
        (ActionTuple(np.zeros((3, 2))), r"discrete.*\(3, 0\); expected \(3, 2\)"),
        (ActionTuple(), "empty ActionTuple"),
        (np.zeros((3, 2)), "continuous and discrete .* pass an ActionTuple"),
    ],
)
def test_misfitting_actions_are_refused(actions, message):
    with pytest.raises(exception.UnityActionException, match=message):
        ActionSpec.create_hybrid(2, (3, 2))._validate_action(actions, 3, "Walk")


def test_bare_arrays_of_2020_programs_become_action_tuples():
    spec = ActionSpec.create_continuous(2)
    assert spec._validate_action(np.ones((3, 2)), 3, "x").continuous.shape == (3, 2)
    assert spec._validate_action(np.ones(2), 1, "x").continuous.tolist() == [[1, 1]]
    spec = ActionSpec.create_discrete((3, 2))
    assert spec._validate_action(np.array([2, 1]), 1, "x").discrete.tolist() == [[2, 1]]
    with pytest.raises(exception.UnityActionException, match="discrete"):
        spec._validate_action(np.ones((3, 3)), 3, "x")


def test_enums_have_the_numbers_of_the_wire():
    assert [int(p) for p in DimensionProperty] == [1, 2, 4]
    assert DimensionProperty.UNSPECIFIED == 0
    assert (ObservationType.DEFAULT.value, ObservationType.GOAL_SIGNAL.value) == (0, 1)


def test_behavior_mapping_is_a_live_read_only_view():
    specs = {}
    view = BehaviorMapping(specs)
    assert len(view) == 0
    specs["a"] = HYBRID
    assert dict(view) == {"a": HYBRID}
    with pytest.raises(TypeError):
        view["b"] = HYBRID


def test_older_names_on_the_spec():
    continuous = BehaviorSpec([VECTOR, IMAGE], ActionSpec.create_continuous(2))
    discrete = BehaviorSpec([VECTOR], ActionSpec.create_discrete((3, 2)))
    assert continuous.observation_shapes == [(3,), (1, 2, 2)]
    assert (continuous.action_type, discrete.action_type) == (ActionType.CONTINUOUS, ActionType.DISCRETE)
    assert (continuous.action_shape, discrete.action_shape) == (2, (3, 2))
    assert (continuous.action_size, discrete.action_size) == (2, 2)
    assert (continuous.discrete_action_branches, discrete.discrete_action_branches) == (None, (3, 2))
    assert (continuous.is_action_continuous(), continuous.is_action_discrete()) == (True, False)
    assert continuous.create_empty_action(4).shape == (4, 2)
    assert discrete.create_empty_action(4).dtype == np.int32
    with pytest.raises(exception.UnityActionException, match="Use action_spec"):
        _ = HYBRID.action_type


class Minimal(BaseEnv):
    closed = False

    def reset(self):
        pass

    def step(self):
        pass

    def close(self):
        self.closed = True

    @property
    def behavior_specs(self):
        return {"a": HYBRID}

    def set_actions(self, behavior_name, action):
        pass

    def set_action_for_agent(self, behavior_name, agent_id, action):
        pass

    def get_steps(self, behavior_name):
        return DecisionSteps.empty(HYBRID), TerminalSteps.empty(HYBRID)


def test_an_environment_closes_itself_and_answers_to_older_names():
    with Minimal() as env:
        assert env.get_behavior_names() == env.get_agent_groups() == ["a"]
        assert env.get_behavior_spec("a") is env.get_agent_group_spec("a")
    assert env.closed


def test_exceptions_are_one_flat_tree():
    names = {name for name in vars(exception) if name.startswith("Unity")} - {"UnityException"}
    assert len(names) == 10
    assert exception.UnityNotFiniteException.__bases__ == (exception.UnityObservationException, RuntimeError)
    for name in names - {"UnityNotFiniteException"}:
        assert getattr(exception, name).__bases__ == (exception.UnityException,)
    assert "worker 3" in str(exception.UnityWorkerInUseException(3))


def test_lists_become_columns():
    decisions = DecisionSteps([np.zeros((2, 1), np.float32)], [0.0, 0.5], [0, 1], None, [3, 0], [1.0, 2.0])
    assert 1 in decisions
    assert decisions[1].reward == 0.5
    assert decisions[0].group_id == 3
    terminals = TerminalSteps([np.zeros((2, 1), np.float32)], [0.0, 0.5], [True, False], [0, 7])
    assert list(terminals) == [0, 7]
    assert terminals[0].interrupted
    columns = (decisions.reward, decisions.agent_id, decisions.group_reward, terminals.interrupted)
    assert [column.dtype for column in columns] == [np.float32, np.int32, np.float32, np.bool_]


def test_a_list_set_later_is_looked_up_too():
    decisions = DecisionSteps([], np.zeros(2, np.float32), np.arange(2, dtype=np.int32), None)
    decisions.agent_id = [8, 9]
    assert 9 in decisions
    assert 1 not in decisions


def test_arrays_stay_what_they_are():
    reward = np.zeros(2)
    assert DecisionSteps([], reward, np.arange(2, dtype=np.int32), None).reward is reward


def test_what_objects_look_like():
    decisions = DecisionSteps([np.zeros((3, 8), np.float32)], np.float32([0, 0.5, 1]), np.int32([4, 5, 6]), None)
    assert repr(decisions) == "DecisionSteps(3 agents ask for an action: 4, 5, 6; observations [(8,)]; reward 0 to 1)"
    ends = TerminalSteps([np.zeros((9, 2), np.float32)], np.ones(9), np.arange(9) < 2, np.arange(9))
    shown = "0, 1, 2, 3, 4, 5, 6, 7, ..."
    assert repr(ends) == f"TerminalSteps(9 agents ended: {shown}; observations [(2,)]; reward 1, 2 interrupted)"
    assert repr(DecisionSteps([], [], [], None)) == "DecisionSteps(no agents)"
    assert repr(ActionTuple(np.float32([[0.5]]))).startswith("ActionTuple(continuous=array([[0.5]]")
    assert repr(BehaviorMapping({})) == "BehaviorMapping({})"
