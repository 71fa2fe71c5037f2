"""Networks that learn: one step of Adam by hand, what is kept when numbers break, and what a checkpoint has."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from mlagents.learning.trained import Trained, TrainedState, at_rest, finite_or_before
from mlagents.nn.normalizer import Normalizer


def networks():
    return {"a": np.float32([[1.0, 2.0]]), "b": np.float32([3.0])}


def test_two_steps_of_adam_by_hand():
    """Algorithm 1 of arXiv:1412.6980 with beta 0.9 and 0.999 in plain floats."""
    state = TrainedState(np.float32([1.0]), at_rest(np.float32([1.0])), None)
    weight = m = v = 0.0
    weight = 1.0
    for t, gradient in enumerate((0.5, -2.0), start=1):
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        weight -= 0.01 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)
        state = jax.jit(lambda s, g: s.descended(g, np.float32(0.01)))(state, np.float32([gradient]))
        assert float(state.parameters[0]) == pytest.approx(weight, abs=1e-6)
    assert int(state.adam.count) == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_keeps_everything_as_it_was(bad):
    before, after = {"x": np.float32([1.0, 2.0])}, {"x": np.float32([5.0, 6.0])}
    kept, finite = finite_or_before(before, after, np.float32([0.0, bad]), np.float32([1.0]))
    assert not finite
    np.testing.assert_array_equal(kept["x"], before["x"])
    kept, finite = finite_or_before(before, after, np.float32([0.0]), np.float32([1.0]))
    assert finite
    np.testing.assert_array_equal(kept["x"], after["x"])


def test_networks_are_copies():
    trained = Trained(networks())
    trained.networks()["a"][:] = 0.0
    np.testing.assert_array_equal(trained.networks()["a"], [[1.0, 2.0]])


def test_all_of_it_survives():
    one, other = Trained(networks(), Normalizer.initial(2)), Trained(networks(), Normalizer.initial(2))
    one.state = one.state.descended(np.float32([1.0, 2.0, 3.0]), np.float32(0.1))
    assert one.updates == 1
    other.load_state_dict(one.state_dict())
    assert other.updates == 1
    for a, b in zip(jax.tree.leaves(one.state), jax.tree.leaves(other.state), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.state_dict()["adam"]["mu"]["a"].shape == (1, 2)
