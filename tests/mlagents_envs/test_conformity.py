"""Each wrong value in a spec or a batch is named: where, what was expected, what was found."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs._conformity import check_batch, check_same, check_spec, columns_of
from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)

POSITION = ObservationSpec((2,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "position")
IMAGE = ObservationSpec((1, 2, 2), (DimensionProperty.UNSPECIFIED,) * 3, ObservationType.GOAL_SIGNAL, "")
SPEC = BehaviorSpec([POSITION, IMAGE], ActionSpec.create_hybrid(1, (3, 2)))
double = np.float64


def decisions() -> DecisionSteps:
    """Agents 0, 5 and 2, the first without a group."""
    masks = [np.zeros((3, 3), bool), np.zeros((3, 2), bool)]
    masks[0][0, 1] = True
    return DecisionSteps(
        [np.zeros((3, 2), np.float32), np.zeros((3, 1, 2, 2), np.float32)],
        np.zeros(3, np.float32),
        np.array([0, 5, 2], np.int32),
        masks,
        np.array([0, 1, 1], np.int32),
        np.array([0, 2, 2], np.float32),
    )


def terminals() -> TerminalSteps:
    full = decisions()
    return TerminalSteps(
        full.obs, full.reward, np.array([True, False, False]), full.agent_id, full.group_id, full.group_reward
    )


def poisoned(column):
    column = column.copy()
    column[-1] = np.inf
    return column


def test_correct_specs_and_batches_pass():
    check_spec("Walk?team=0", SPEC)
    for batch in (decisions(), terminals(), DecisionSteps.empty(SPEC), TerminalSteps.empty(SPEC)):
        check_batch("here", batch, SPEC)
    unmasked = decisions()
    unmasked.action_mask = None
    check_batch("here", unmasked, SPEC)


@pytest.mark.parametrize("make", [decisions, terminals])
@pytest.mark.parametrize(
    ("column", "change", "message"),
    [
        (
            "reward",
            lambda c: c.astype(double),
            r"reward: expected an array float32 \(3,\), found float64 \(3,\)",
        ),
        ("reward", lambda c: c[:, None], r"reward: expected an array float32 \(3,\), found float32 \(3, 1\)"),
        ("reward", list, r"reward: expected an array float32 \(3,\), found a list"),
        ("reward", poisoned, r"reward: expected finite numbers, found NaN or infinity for agents \[2\]"),
        ("agent_id", lambda c: c.astype(np.int64), r"agent_id: expected an array int32 \(3,\), found int64"),
        ("agent_id", lambda c: c * 0, r"agent_id: expected ids of at least 0, each once, found \[0, 0, 0\]"),
        ("agent_id", lambda c: c - 1, r"agent_id: expected ids of at least 0, each once, found \[-1, 4, 1\]"),
        ("agent_id", list, r"agent_id: expected an int32 array \[n\]"),
        ("group_id", list, r"group_id: expected an array int32 \(3,\), found a list"),
        (
            "group_id",
            lambda c: c - 1,
            r"group_id: expected 0 \(no group\) or a positive number, found \[-1, 0, 0\]",
        ),
        (
            "group_id",
            lambda c: c * 0,
            r"group_reward: expected 0 for agents without a group, such as \[5, 2\]",
        ),
        ("group_reward", poisoned, r"group_reward: expected finite numbers"),
        ("obs", lambda c: c[:1], r"obs: expected 2 arrays, one per observation spec, found 1"),
        ("obs", lambda c: [c[0][:, :1], c[1]], r"obs\[0\] \(position\): .*\(3, 2\), found float32 \(3, 1\)"),
        ("obs", lambda c: [c[0], c[1].astype(double)], r"obs\[1\]: expected an array float32 \(3, 1, 2, 2\)"),
        ("obs", lambda c: [c[0], poisoned(c[1])], r"obs\[1\]: expected finite numbers, .* agents \[2\]"),
    ],
)
def test_each_wrong_column_of_either_batch_is_named(make, column, change, message):
    batch = make()
    setattr(batch, column, change(getattr(batch, column)))
    with pytest.raises(AssertionError, match=f"^here.{message}"):
        check_batch("here", batch, SPEC)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: [mask.astype(np.int8) for mask in m],
            r"action_mask\[0\]: expected an array bool \(3, 3\), found int8",
        ),
        (lambda m: m[::-1], r"action_mask\[0\]: expected an array bool \(3, 3\), found bool \(3, 2\)"),
        (lambda m: m[:1], "action_mask: expected None or 2 arrays, one per branch, found 1 arrays"),
        (lambda m: [m[0], ~m[1]], r"action_mask\[1\]: expected an allowed choice \(False\) in each row"),
    ],
)
def test_each_wrong_mask_is_named(change, message):
    batch = decisions()
    batch.action_mask = change(batch.action_mask)
    with pytest.raises(AssertionError, match=message):
        check_batch("here", batch, SPEC)


def test_masks_without_branches_and_a_wrong_interrupted_are_named():
    with pytest.raises(AssertionError, match="action_mask: expected None, as there are no discrete branches"):
        check_batch("here", decisions(), SPEC._replace(action_spec=ActionSpec.create_continuous(1)))
    batch = terminals()
    batch.interrupted = batch.interrupted.astype(np.int32)
    with pytest.raises(AssertionError, match=r"interrupted: expected an array bool \(3,\), found int32"):
        check_batch("here", batch, SPEC)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shape": [2]}, r"\.shape: expected a tuple of positive ints, found \[2\]"),
        ({"shape": (0,)}, r"\.shape: expected a tuple of positive ints, found \(0,\)"),
        (
            {"dimension_property": ()},
            r"\.dimension_property: expected a DimensionProperty for each axis of \(2,\)",
        ),
        ({"observation_type": 0}, r"\.observation_type: expected an ObservationType, found 0"),
        ({"name": None}, r"\.name: expected a str, found None"),
    ],
)
def test_each_wrong_observation_spec_is_named(fields, message):
    spec = BehaviorSpec([IMAGE, POSITION._replace(**fields)], SPEC.action_spec)
    with pytest.raises(AssertionError, match=r"^behavior_specs\['Walk'\]\.observation_specs\[1\]" + message):
        check_spec("Walk", spec)


@pytest.mark.parametrize(
    ("name", "spec", "message"),
    [
        ("", SPEC, r"names such as '3DBall\?team=0', found ''"),
        (3, SPEC, "names such as"),
        ("Walk?team=blue", SPEC, r"names such as .*found Behavior 'Walk\?team=blue'"),
        ("Walk", tuple(SPEC), r"behavior_specs\['Walk'\]: expected a BehaviorSpec"),
        ("Walk", SPEC._replace(observation_specs=[]), "observation_specs: expected at least one observation"),
        (
            "Walk",
            SPEC._replace(observation_specs=[(2,)]),
            r"observation_specs\[0\]: expected an ObservationSpec",
        ),
        ("Walk", SPEC._replace(action_spec=(1, ())), "action_spec: expected an ActionSpec"),
        (
            "Walk",
            SPEC._replace(action_spec=ActionSpec(-1, ())),
            "continuous_size: expected an int of at least 0",
        ),
        ("Walk", SPEC._replace(action_spec=ActionSpec(1, (3, 0))), r"discrete_branches: .*, found \(3, 0\)"),
        ("Walk", SPEC._replace(action_spec=ActionSpec(1, [3])), r"discrete_branches: .*, found \[3\]"),
    ],
)
def test_each_wrong_behavior_is_named(name, spec, message):
    with pytest.raises(AssertionError, match=message):
        check_spec(name, spec)


def test_columns_are_compared_by_label_and_content():
    one, other = columns_of("here", decisions()), columns_of("here", decisions())
    assert {label for label, _ in one} == {
        *("here.obs[0]", "here.obs[1]", "here.action_mask", "here.reward"),
        *("here.agent_id", "here.group_id", "here.group_reward"),
    }
    check_same(one, other, "the same")
    other[0][1][1, 0] = 9
    with pytest.raises(AssertionError, match=r"^here\.obs\[0\]: expected the same, found .* and .*9\.0"):
        check_same(one, other, "the same")
    with pytest.raises(AssertionError, match="expected the same, found 8 and 7 arrays"):
        check_same(one, one[:-1], "the same")
    with pytest.raises(AssertionError, match=r"here\.obs\[0\]: expected the same, found there\.obs\[0\]"):
        check_same(one, columns_of("there", decisions()), "the same")
