"""The learner around the update: buffer, schedules, checkpoints, compilations."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from mlagents.algorithms.ppo.learner import PPOLearner
from mlagents.learning.protocols import NonFiniteUpdate
from mlagents.nn.tensors import TensorMismatch
from mlagents.reward_signals.stack import RewardSignals
from toys.segments import make_walk_segment as segment
from toys.training import make_loop, ppo_settings
from toys.walk import Walk

SPEC = Walk("hybrid").behavior_specs["Walk?team=0"]


def make_learner(seed=0, **changes):
    settings = ppo_settings(10_000, **changes)
    return PPOLearner("Walk", SPEC, settings, RewardSignals("Walk", SPEC, settings.reward_signals, seed), seed)


def fill(learner, seed=0):
    rng = np.random.default_rng(seed)
    while not learner.ready():
        learner.extend([segment(60, rng)])


def weights(learner):
    return learner.state_dict()["tensors"]


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_ready_when_there_is_more_than_the_buffer_holds():
    learner = make_learner()
    rng = np.random.default_rng(0)
    learner.extend([segment(64, rng)])
    for _ in range(7):
        learner.extend([segment(64, rng)])
    assert learner.steps == 512
    assert not learner.ready()
    learner.extend([segment(1, rng)])
    assert learner.ready()


def test_an_update_moves_weights_and_empties_the_buffer():
    learner = make_learner()
    before = weights(learner)
    fill(learner)
    statistics = learner.update()
    assert not learner.ready()
    assert learner.version == 1
    assert statistics["Policy/Learning Rate"] == pytest.approx(3e-3)
    assert (
        np.abs(
            weights(learner)["weights.body.dense.layers.0.weight"] - before["weights.body.dense.layers.0.weight"]
        ).max()
        > 0
    )


CURIOUS = {"reward_signals": {"extrinsic": {}, "curiosity": {"network_settings": {"hidden_units": 8}}}}


@pytest.mark.parametrize("changes", [pytest.param({}, marks=pytest.mark.slow), CURIOUS])
def test_state_survives_bit_for_bit(changes):
    learner, other = make_learner(seed=1, **changes), make_learner(seed=2, **changes)
    fill(learner)
    learner.update()
    other.load_state_dict(learner.state_dict())
    assert_same(weights(learner), weights(other))
    for one in (learner, other):
        fill(one, seed=5)
    assert learner.update() == other.update()
    assert_same(weights(learner), weights(other))


def test_curiosity_is_a_second_value_and_learns_with_the_policy():
    learner = make_learner(**CURIOUS)
    assert weights(learner)["weights.value.bias"].shape == (2,)
    before = weights(learner)
    fill(learner)
    statistics = learner.update()
    assert {"Losses/Curiosity Forward Loss", "Policy/Curiosity Value Estimate"} <= statistics.keys()
    after = weights(learner)
    assert np.any(
        after["signals.curiosity.weights.forward.1.bias"] != before["signals.curiosity.weights.forward.1.bias"]
    )
    assert after["signals.curiosity.adam.count"] == 6 * -(-learner.steps // 64)


def test_initialising_takes_weights_but_neither_steps_nor_adam():
    learner, other = make_learner(seed=1), make_learner(seed=2)
    fill(learner)
    learner.update()
    other.initialize_from(learner.state_dict())
    assert other.steps == 0
    found, given = weights(other), weights(learner)
    np.testing.assert_array_equal(found["weights.head.log_std"], given["weights.head.log_std"])
    assert found["adam.count"] == 0
    assert not found["adam.mu.head.log_std"].any()


def test_another_network_is_refused_with_the_differences():
    saved = make_learner(network_settings={"hidden_units": 16, "normalize": True}).state_dict()
    with pytest.raises(TensorMismatch) as error:
        make_learner().load_state_dict(saved)
    text = str(error.value)
    assert "weights.body.dense.layers.0.weight: saved [16, 4], this network has [32, 4]" in text
    assert "normalizer.mean: saved, but not in this network" in text


def test_a_broken_update_names_behavior_and_keeps_the_weights():
    learner = make_learner()
    fill(learner)
    learner.update()
    before = weights(learner)
    rng = np.random.default_rng(0)
    while not learner.ready():
        learner.extend([segment(60, rng, reward=np.full(60, np.nan, np.float32))])
    with pytest.raises(NonFiniteUpdate, match="behavior Walk"):
        learner.update()
    assert_same(before, weights(learner))
    fill(learner)
    learner.update()
    assert learner.version == 2


def test_nothing_is_compiled_after_the_first_update():
    """However full the buffer is, and however many agents decide, the shapes stay."""
    compilations = []

    def listen(event, duration, **_):
        if "backend_compile" in event:
            compilations.append(event)

    class Comings(Walk):
        """Agents in a changing subset decide; the others pause."""

        def get_steps(self, behavior_name):
            decision, terminal = super().get_steps(behavior_name)
            count = 3 + self._rng.integers(6)
            decision.obs[0] = decision.obs[0][:count]
            decision.action_mask = [m[:count] for m in decision.action_mask]
            for name in ("reward", "agent_id", "group_id", "group_reward"):
                setattr(decision, name, getattr(decision, name)[:count])
            return decision, terminal

        def set_actions(self, behavior_name, action):
            rows = len(action.discrete)
            whole = self._spec.action_spec.empty_action(self._agents)
            whole.continuous[:rows], whole.discrete[:rows] = action.continuous, action.discrete
            super().set_actions(behavior_name, whole)

    loop = make_loop(Comings("hybrid"), ppo_settings(20_000))
    jax.monitoring.register_event_duration_secs_listener(listen)
    counts = []

    def stop():
        behavior = loop.behaviors.get("Walk")
        if behavior and len(counts) < behavior.learner.version:
            counts.append(len(compilations))
        return len(counts) >= 8

    try:
        loop.run(stop)
    finally:
        jax.monitoring.clear_event_listeners()
    assert len(counts) == 8
    assert counts[0] >= 1
    assert counts[-1] == counts[0]
