"""Curiosity: the formulas against numpy, what it finds interesting, and what survives a checkpoint."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from mlagents.data.segments import FlatSegments
from mlagents.learning.protocols import NonFiniteUpdate
from mlagents.nn.tensors import named_tensors, with_tensors
from mlagents.reward_signals import transitions
from mlagents.reward_signals.curiosity import Curiosity, forward_errors, inverse_errors, make_models
from mlagents.reward_signals.transitions import acted, transitions_of
from mlagents.settings import CuriositySettings
from toys.segments import make_segment
from toys.specs import behavior, observation

SPEC = behavior(3, continuous=2, branches=(3, 2))
IMAGES = behavior(1, observation(1, 20, 20), branches=(4,))
SETTINGS = CuriositySettings.model_validate(
    {"strength": 0.1, "learning_rate": 3e-3, "network_settings": {"hidden_units": 16, "num_layers": 1}}
)


def segment(rng, steps, spec=SPEC, ended=False):
    """Observations that move by what is done: x' = x + (continuous, chosen - 1)."""
    action = spec.action_spec
    continuous = rng.normal(size=(steps, action.continuous_size)).astype(np.float32)
    branches = [rng.integers(0, n, steps) for n in action.discrete_branches]
    discrete = np.stack(branches, axis=1).astype(np.int32)
    observations = tuple(
        rng.random((steps + 1, *o.shape)).astype(np.float32) if len(o.shape) == 3 else _moved(continuous, discrete, o)
        for o in spec.observation_specs
    )
    width = action.continuous_size + action.discrete_size
    return make_segment(
        observations,
        np.zeros((steps, 0), np.float32),
        continuous,
        discrete,
        np.zeros((steps, width), np.float32),
        np.ones((steps, sum(action.discrete_branches)), bool),
        np.ones(steps, np.float32),
        ended,
        False,
    )


def _moved(continuous, discrete, spec):
    moves = np.concatenate([np.clip(continuous, -3, 3) / 3, discrete - 1.0], axis=1)[:, : spec.shape[0]]
    return np.concatenate([np.zeros((1, spec.shape[0])), np.cumsum(moves, axis=0)]).astype(np.float32)


def rows_of(*segments, spec=SPEC, capacity=100):
    rows = FlatSegments(spec, capacity)
    for part in segments:
        rows.extend(part)
    return rows


def silu(x):
    return x / (1.0 + np.exp(-x))


def dense(layer, x):
    return x @ np.asarray(layer.weight).T + np.asarray(layer.bias)


def test_errors_equal_the_formulas_in_numpy():
    rng = np.random.default_rng(0)
    models = make_models(rng, SPEC, SETTINGS)
    phi, following = rng.normal(size=(2, 5, 16)).astype(np.float32)
    action = np.zeros((5, 7), np.float32)
    action[:, :2] = rng.uniform(-1, 1, (5, 2))
    chosen = rng.integers(0, 3, 5), rng.integers(0, 2, 5)
    action[np.arange(5), 2 + chosen[0]] = action[np.arange(5), 5 + chosen[1]] = 1.0

    hidden, last = models.forward
    predicted = dense(last, silu(dense(hidden.layers[0], np.concatenate([phi, action], 1))))
    expected = 0.5 * ((predicted - following) ** 2).sum(1)
    np.testing.assert_allclose(forward_errors(models, phi, action, following), expected, rtol=1e-4)

    hidden, last = models.inverse
    told = dense(last, silu(dense(hidden.layers[0], np.concatenate([phi, following], 1))))
    expected = ((told[:, :2] - action[:, :2]) ** 2).sum(1)
    for start, size, choice in ((2, 3, chosen[0]), (5, 2, chosen[1])):
        p = np.exp(told[:, start : start + size])
        expected -= np.log(p[np.arange(5), choice] / p.sum(1))
    np.testing.assert_allclose(inverse_errors(models, phi, action, following, (3, 2)), expected, rtol=1e-4)


def test_actions_are_as_the_environment_gets_them():
    """A plain Gaussian's are clipped and divided by 3, a squashed one's go through tanh."""
    for squashed, expected in ((False, [-1.0, 0.5]), (True, np.tanh([-6.0, 1.5]))):
        rows = FlatSegments(SPEC, 1, squashed=squashed)
        rows.columns.continuous[0] = [-6.0, 1.5]
        rows.columns.discrete[0] = [2, 0]
        np.testing.assert_allclose(acted(transitions_of(rows), (3, 2))[0], [*expected, 0, 0, 1, 1, 0], rtol=1e-6)


def test_there_is_no_reward_before_anything_was_learned():
    rng = np.random.default_rng(0)
    rows = rows_of(segment(rng, 10))
    signal = Curiosity("B", SPEC, SETTINGS, seed=0)
    assert not signal.rewards(rows).any()
    signal.learn(rows, rng, 1, 4)
    assert (signal.rewards(rows)[:10] > 0.0).all()
    assert not signal.rewards(rows)[10:].any()


@pytest.mark.parametrize("capacity", [30, 5_000])
def test_rewards_of_rows_do_not_depend_on_the_chunks(capacity, monkeypatch):
    """Every decision's reward is that of its own two observations, wherever it lies."""
    rng = np.random.default_rng(0)
    parts = [segment(rng, steps) for steps in (1, 7, 20)]
    signal = Curiosity("B", SPEC, SETTINGS, seed=0)
    signal.learn(rows_of(*parts), rng, 1, 8)
    alone = [signal.rewards(rows_of(part))[: len(part)] for part in parts]
    together = rows_of(*parts, capacity=capacity)
    found = signal.rewards(together)
    np.testing.assert_allclose(found[~together.closing], np.concatenate(alone), rtol=1e-5)
    monkeypatch.setattr(transitions, "CHUNK", 7)
    again = Curiosity("B", SPEC, SETTINGS, seed=0)
    again.load_state_dict(signal.state_dict())
    np.testing.assert_allclose(again.rewards(together), found, rtol=1e-5)


def test_what_is_familiar_bores_and_what_is_new_does_not():
    """Trained on moves of one kind; then the same actions move agents twice as far."""
    rng = np.random.default_rng(0)
    signal = Curiosity("B", SPEC, SETTINGS, seed=0)
    parts = []
    for _ in range(30):
        rows = rows_of(*(segment(rng, 10) for _ in range(8)))
        parts.append(signal.learn(rows, rng, 2, 16))
    forward = [p["Losses/Curiosity Forward Loss"] for p in parts]
    inverse = [p["Losses/Curiosity Inverse Loss"] for p in parts]
    assert np.mean(inverse[-3:]) < 0.5 * np.mean(inverse[:3])
    assert forward[-1] < max(forward)
    usual = segment(rng, 60)
    strange = segment(rng, 60)
    strange.columns.observations[0][:] *= 3.0
    rewards = [signal.rewards(rows_of(part))[:60].mean() for part in (usual, strange)]
    assert rewards[1] > 3.0 * rewards[0]


def test_strength_scales_the_reward_up_to_1():
    rng = np.random.default_rng(0)
    rows = rows_of(segment(rng, 20))
    weak, strong = (Curiosity("B", SPEC, SETTINGS.model_copy(update={"strength": s}), seed=0) for s in (0.01, 1_000.0))
    weak.learn(rows, np.random.default_rng(1), 1, 20)
    strong.load_state_dict(weak.state_dict())
    np.testing.assert_allclose(strong.rewards(rows), np.minimum(1e5 * weak.rewards(rows), 1.0), rtol=1e-4)
    assert strong.rewards(rows).max() == 1.0


def test_every_decision_is_used_in_every_epoch(monkeypatch):
    signal = Curiosity("B", SPEC, SETTINGS, seed=0)
    taken = []

    def learned(state, transitions, order, minibatches, rate):
        taken.append(order[:minibatches])
        return state, np.zeros(2), np.True_

    monkeypatch.setattr(signal, "_learn", learned)
    rng = np.random.default_rng(0)
    signal.learn(rows_of(segment(rng, 10), segment(rng, 3)), rng, 2, 5)
    (order,) = taken
    assert order.shape == (6, 5)
    decisions = {*range(10), *range(11, 14)}
    for epoch in (order[:3], order[3:]):
        assert set(epoch.ravel().tolist()) == decisions
        assert len(set(epoch.ravel()[:13].tolist())) == 13
    assert order[:3].tolist() != order[3:].tolist()


def test_images_and_a_normaliser():
    settings = SETTINGS.model_validate(
        SETTINGS.model_dump() | {"network_settings": {"hidden_units": 8, "num_layers": 1, "normalize": True}}
    )
    rng = np.random.default_rng(0)
    signal = Curiosity("B", IMAGES, settings, seed=0)
    rows = rows_of(segment(rng, 12, IMAGES), spec=IMAGES)
    statistics = signal.learn(rows, rng, 1, 4)
    assert np.isfinite(list(statistics.values())).all()
    assert signal.state_dict()["normalizer"].count == 13
    assert (signal.rewards(rows)[:12] > 0.0).all()


def test_memory_of_its_network_is_ignored():
    settings = SETTINGS.model_validate(SETTINGS.model_dump() | {"network_settings": {"memory": {}}})
    assert make_models(np.random.default_rng(0), SPEC, settings).body.lstm is None


def test_numbers_that_are_not_finite_leave_the_weights_as_they_were():
    rng = np.random.default_rng(0)
    signal = Curiosity("B", SPEC, SETTINGS, seed=0)
    signal.learn(rows_of(segment(rng, 10)), rng, 1, 5)
    before = named_tensors(signal.state_dict())
    broken = segment(rng, 10)
    broken.columns.observations[0][3] = np.inf
    with pytest.raises(NonFiniteUpdate, match="behavior B: a curiosity update"):
        signal.learn(rows_of(broken), rng, 1, 5)
    for name, tensor in named_tensors(signal.state_dict()).items():
        np.testing.assert_array_equal(tensor, before[name], err_msg=name)


def test_a_checkpoint_goes_on_as_if_nothing_had_happened():
    rng = np.random.default_rng(0)
    rows = rows_of(segment(rng, 30))
    first = Curiosity("B", SPEC, SETTINGS, seed=0)
    first.learn(rows, np.random.default_rng(1), 1, 8)
    second = Curiosity("B", SPEC, SETTINGS, seed=5)
    second.load_state_dict(with_tensors(second.state_dict(), named_tensors(first.state_dict()), "B"))
    for signal in (first, second):
        signal.learn(rows, np.random.default_rng(2), 2, 8)
    leaves = zip(jax.tree.leaves(first.state_dict()), jax.tree.leaves(second.state_dict()), strict=True)
    assert all(np.array_equal(a, b) for a, b in leaves)
    np.testing.assert_array_equal(first.rewards(rows), second.rewards(rows))
