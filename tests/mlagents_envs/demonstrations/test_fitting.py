"""Which observation of a recording is which of a behavior."""

from __future__ import annotations

import pytest

from mlagents_envs.base_env import ActionSpec, BehaviorSpec, ObservationSpec
from mlagents_envs.base_env import DimensionProperty as Axis
from mlagents_envs.base_env import ObservationType as Kind
from mlagents_envs.demonstrations.fitting import describe_misfit, match_observations


def spec(*sensors: tuple[int, str], actions: ActionSpec | None = None) -> BehaviorSpec:
    """Vectors of (size, name)."""
    observations = [ObservationSpec((size,), (Axis.NONE,), Kind.DEFAULT, name) for size, name in sensors]
    return BehaviorSpec(observations, actions or ActionSpec(0, (3,)))


@pytest.mark.parametrize(
    ("found", "expected", "order"),
    [
        ([(3, "a"), (4, "b")], [(3, "a"), (4, "b")], (0, 1)),
        ([(4, "b"), (3, "a")], [(3, "a"), (4, "b")], (1, 0)),
        ([(3, "b"), (3, "a")], [(3, "a"), (3, "b")], (1, 0)),  # by name alone
        ([(4, ""), (3, "")], [(3, "a"), (4, "b")], (1, 0)),  # by shape alone, as in files of 2019
        ([(3, ""), (3, "")], [(3, "a"), (3, "b")], (0, 1)),  # by place
        ([(3, "x"), (3, "y")], [(3, "a"), (3, "b")], (0, 1)),  # renamed
        ([(5, "c"), (3, "x"), (3, "b")], [(3, "a"), (3, "b"), (5, "c")], (1, 2, 0)),  # one renamed, the rest known
        ([(3, "s"), (3, "s")], [(3, "s"), (3, "s")], (0, 1)),  # two sensors of one name
    ],
)
def test_observations_find_their_place(found, expected, order):
    assert describe_misfit(spec(*found), spec(*expected)) is None
    assert match_observations(spec(*found), spec(*expected)) == order


def test_an_order_that_cannot_be_told_is_refused_naming_both():
    found, expected = spec((3, "x"), (3, "y"), (5, "z")), spec((5, "c"), (3, "a"), (3, "b"))
    misfit = describe_misfit(found, expected)
    assert misfit == (
        "its observations are [(3,) 'x', (3,) 'y', (5,) 'z']; expected [(5,) 'c', (3,) 'a', (3,) 'b'], and neither "
        "names nor shapes tell which is which"
    )
    with pytest.raises(ValueError, match="neither names nor shapes"):
        match_observations(found, expected)


@pytest.mark.parametrize("expected", [[(3, "a")], [(3, "a"), (5, "b")], [(3, "a"), (4, "b"), (4, "c")]])
def test_other_shapes_or_another_number(expected):
    misfit = describe_misfit(spec((3, "a"), (4, "b")), spec(*expected))
    assert misfit is not None
    assert misfit.startswith("its observations have the shapes [(3,) 'a', (4,) 'b']; expected [(3,) 'a'")


def test_other_actions_name_both():
    misfit = describe_misfit(spec((3, "a")), spec((3, "a"), actions=ActionSpec(2, ())))
    assert misfit == f"its actions are {ActionSpec(0, (3,))}; expected {ActionSpec(2, ())}"
