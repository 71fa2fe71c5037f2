"""RND: the error against numpy, what it finds new, and what survives a checkpoint."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from mlagents.data.segments import FlatSegments
from mlagents.learning.protocols import Intrinsic, NonFiniteUpdate
from mlagents.nn.tensors import named_tensors, with_tensors
from mlagents.reward_signals.rnd import RND
from mlagents.settings import RNDSettings
from toys.segments import make_segment
from toys.specs import behavior, observation

SPEC = behavior(3, branches=(2,))
SMALL = {"hidden_units": 16, "num_layers": 1}


def make(spec=SPEC, strength=0.5, seed=0, **network):
    settings = RNDSettings(strength=strength, learning_rate=3e-3, network_settings=SMALL | network)
    return RND("B", spec, settings, seed)


def rows_of(*observations, spec=SPEC, capacity=100, ended=True):
    rows = FlatSegments(spec, capacity)
    for seen in observations:
        steps = len(seen) - 1
        rows.extend(
            make_segment(
                (np.float32(seen),),
                np.zeros((steps, 0), np.float32),
                np.zeros((steps, 0), np.float32),
                np.zeros((steps, 1), np.int32),
                np.zeros((steps, 1), np.float32),
                np.ones((steps, 2), bool),
                np.zeros(steps, np.float32),
                ended,
            )
        )
    return rows


def body_of(tensors, prefix, x):
    hidden = x @ tensors[f"{prefix}.dense.layers.0.weight"].T + tensors[f"{prefix}.dense.layers.0.bias"]
    return hidden / (1.0 + np.exp(-hidden))


def test_the_reward_is_the_error_for_what_follows_in_numpy():
    seen = np.random.default_rng(0).normal(size=(5, 3))
    rows = rows_of(seen[:3], seen[2:])
    signal = make()
    tensors = named_tensors(signal.state_dict())
    difference = body_of(tensors, "weights", seen) - body_of(tensors, "target", seen)
    error = 0.5 * (difference**2).sum(axis=1)
    found = signal.rewards(rows)
    assert isinstance(signal, Intrinsic)
    np.testing.assert_allclose(found[:6], [error[1], error[2], 0.0, error[3], error[4], 0.0], rtol=1e-4)
    assert not found[6:].any()


def test_what_was_seen_bores_and_what_is_new_does_not():
    rng = np.random.default_rng(0)
    signal = make()
    known, new = rng.normal(size=(2, 51, 3))
    new += 4.0
    losses = [signal.learn(rows_of(known), rng, 3, 10)["Losses/RND Loss"] for _ in range(30)]
    assert losses[-1] < 0.25 * losses[0]
    assert signal.rewards(rows_of(new)).sum() > 5.0 * signal.rewards(rows_of(known)).sum()


def test_the_target_does_not_learn():
    signal = make()
    before = signal.state_dict()["target"]
    signal.learn(rows_of(np.random.default_rng(0).normal(size=(9, 3))), np.random.default_rng(0), 2, 4)
    after = signal.state_dict()["target"]
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True))


@pytest.mark.slow
def test_images_and_a_normaliser():
    spec = behavior(1, observation(1, 20, 20), branches=(2,))
    rng = np.random.default_rng(0)
    rows = FlatSegments(spec, 20)
    blank = np.zeros((12, 0), np.float32)
    seen = (np.float32(rng.normal(size=(13, 1))), np.float32(rng.integers(0, 256, (13, 1, 20, 20)) / 255))
    action = np.zeros((12, 1), np.int32), np.zeros((12, 1), np.float32), np.ones((12, 2), bool)
    rows.extend(make_segment(seen, blank, blank, *action, np.zeros(12, np.float32)))
    signal = make(spec, normalize=True, hidden_units=8)
    assert np.isfinite(signal.learn(rows, rng, 1, 4)["Losses/RND Loss"])
    assert signal.state_dict()["normalizer"].count == 13
    assert (signal.rewards(rows)[:12] > 0.0).all()


def test_numbers_that_are_not_finite_leave_the_weights_as_they_were():
    rng = np.random.default_rng(0)
    signal = make()
    before = named_tensors(signal.state_dict())
    seen = rng.normal(size=(9, 3))
    seen[4] = np.inf
    with pytest.raises(NonFiniteUpdate, match="behavior B: an RND update"):
        signal.learn(rows_of(seen), rng, 1, 4)
    for name, tensor in named_tensors(signal.state_dict()).items():
        np.testing.assert_array_equal(tensor, before[name], err_msg=name)


def test_a_checkpoint_goes_on_as_if_nothing_had_happened():
    rows = rows_of(np.random.default_rng(0).normal(size=(31, 3)))
    first, second = make(seed=0), make(seed=5)
    first.learn(rows, np.random.default_rng(1), 1, 8)
    second.load_state_dict(with_tensors(second.state_dict(), named_tensors(first.state_dict()), "B"))
    for signal in (first, second):
        signal.learn(rows, np.random.default_rng(2), 2, 8)
    np.testing.assert_array_equal(first.rewards(rows), second.rewards(rows))
