"""What may be added in `collect_observations`."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.exception import UnityObservationException
from mlagents_sim.authoring import ObservationWriter


def written(size: int, add) -> list[float]:
    writer = ObservationWriter(size)
    add(writer)
    values = writer.take("Behavior 'B', agent 0 (A)")
    assert values.dtype == np.float32
    return values.tolist()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, [1.5]),
        (3, [3]),
        (True, [1]),
        (np.bool_(False), [0]),
        (np.float32(0.5), [0.5]),
        ([1, 2, 3], [1, 2, 3]),
        ((0.5, -0.5), [0.5, -0.5]),
        (np.array([[1.0, 2.0], [3.0, 4.0]]), [1, 2, 3, 4]),
        (np.array([True, False]), [1, 0]),
    ],
)
def test_numbers_truth_values_and_vectors(value, expected):
    assert written(len(expected), lambda sensor: sensor.add_observation(value)) == expected


def test_rotations_are_turned_into_unitys_order():
    assert written(4, lambda sensor: sensor.add_quaternion_observation((1, 2, 3, 4))) == [2, 3, 4, 1]


def test_one_hot():
    assert written(4, lambda sensor: sensor.add_one_hot_observation(2, 4)) == [0, 0, 1, 0]
    for choice in (-1, 4):
        with pytest.raises(UnityObservationException, match=f"choice {choice}; expected 0 to 3"):
            ObservationWriter(4).add_one_hot_observation(choice, 4)


def test_the_next_observation_starts_empty():
    writer = ObservationWriter(1)
    for value in (1.0, 2.0):
        writer.add_observation(value)
        assert writer.take("agent").tolist() == [value]
    writer.add_observation([1.0, 2.0])
    with pytest.raises(UnityObservationException):
        writer.take("agent")
    writer.add_observation(3.0)
    assert writer.take("agent").tolist() == [3.0]


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e39])
def test_numbers_must_be_finite(number):
    with np.errstate(over="ignore"), pytest.raises(UnityObservationException, match="number 1 of collect_observations"):
        written(2, lambda sensor: sensor.add_observation([0.0, number]))
