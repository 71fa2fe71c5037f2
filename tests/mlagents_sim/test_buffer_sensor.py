"""Lists of things whose number varies."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import DimensionProperty, ObservationType
from mlagents_sim.row_index import ALL
from mlagents_sim.sensors import BufferSensor


def test_the_first_axis_is_of_variable_size() -> None:
    spec = BufferSensor(4, 2).spec
    assert (spec.name, spec.shape, spec.observation_type) == ("BufferSensor", (4, 2), ObservationType.DEFAULT)
    assert spec.dimension_property == (DimensionProperty.VARIABLE_SIZE, DimensionProperty.NONE)
    assert BufferSensor(1, 1, "Enemies").spec.name == "Enemies"


@pytest.mark.parametrize(
    ("things", "expected"),
    [([], [[0, 0]] * 3), ([[1, 2]], [[1, 2], [0, 0], [0, 0]]), ([[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 4], [5, 6]])],
)
def test_things_are_padded_with_zeros(things, expected) -> None:
    sensor = BufferSensor(3, 2)
    frame = sensor.pad(things)
    assert frame.dtype == np.float32
    np.testing.assert_array_equal(frame, expected)
    np.testing.assert_array_equal(sensor.observe(ALL, frame[np.newaxis]), [expected])


@pytest.mark.parametrize("things", [[[1, 2]] * 4, [[1, 2, 3]], [1, 2]])
def test_too_many_or_otherwise_described_things_are_refused(things) -> None:
    with pytest.raises(ValueError, match=r"'BufferSensor': expected at most 3 things of 2 numbers each; got .*shape"):
        BufferSensor(3, 2).pad(things)
