"""The learner around the updates: replay, cadence, schedules, checkpoints, compilations."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from mlagents.algorithms.sac.learner import UPDATES_PER_CALL, SACLearner
from mlagents.learning.protocols import NonFiniteUpdate
from mlagents.nn.tensors import TensorMismatch
from mlagents.reward_signals.stack import RewardSignals
from mlagents.settings import BehaviorSettings
from mlagents_envs.base_env import BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType
from toys.segments import make_segment
from toys.walk import Walk

SPEC = Walk("hybrid").behavior_specs["Walk?team=0"]


def make_learner(
    seed=0, *, spec=SPEC, signals=None, normalize=False, max_steps=10_000, more_signals=(), **hyperparameters
):
    sections = {
        "trainer_type": "sac",
        "max_steps": max_steps,
        "hyperparameters": {"batch_size": 16, "buffer_size": 1000, "steps_per_update": 4} | hyperparameters,
        "network_settings": {"hidden_units": 8, "num_layers": 1, "normalize": normalize},
        "reward_signals": {"extrinsic": {"gamma": 0.9, "strength": 2.0}} | dict(more_signals),
    }
    settings = BehaviorSettings.model_validate(sections)
    return SACLearner(
        "Walk", spec, settings, signals or RewardSignals("Walk", spec, settings.reward_signals, seed), seed
    )


def segment(steps, rng, reward=None):
    return make_segment(
        (rng.normal(3.0, 2.0, size=(steps + 1, 4)).astype(np.float32),),
        np.zeros((steps, 0), np.float32),
        rng.normal(size=(steps, 1)).astype(np.float32),
        rng.integers(0, 3, (steps, 1), np.int32),
        np.zeros((steps, 2), np.float32),
        np.ones((steps, 3), bool),
        rng.normal(size=steps).astype(np.float32) if reward is None else np.full(steps, reward, np.float32),
        False,
        False,
    )


def feed(learner, *lengths, seed=0):
    rng = np.random.default_rng(seed)
    for steps in lengths:
        learner.extend([segment(steps, rng)])


def tensors(learner):
    return learner.state_dict()["tensors"]


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_updates_keep_up_with_the_steps():
    """The rule, written as the loop that it is: while steps / updates > steps_per_update, one more update."""
    learner = make_learner(buffer_init_steps=30)
    rng = np.random.default_rng(0)
    updates = 1
    for _ in range(40):
        learner.extend([segment(int(rng.integers(1, 20)), rng)])
        if learner.steps >= 30:
            while (learner.steps - 30) / updates > 4:
                updates += 1
        assert learner.ready() == (updates > learner.updates)
        if learner.ready():
            learner.update()
        assert learner.updates == updates
    assert learner.steps > 300


def test_the_first_update_comes_soon_after_the_initial_steps():
    """Not only after buffer_init_steps x steps_per_update, which would be 1000 here."""
    learner = make_learner(buffer_init_steps=100, steps_per_update=10)
    feed(learner, 99)
    assert not learner.ready()
    feed(learner, 1)
    assert not learner.ready()
    feed(learner, 11)
    assert learner.ready()


def test_nothing_is_learned_before_a_minibatch_is_stored():
    learner = make_learner(steps_per_update=1)
    feed(learner, 16)
    assert not learner.ready()
    feed(learner, 2)
    assert learner.ready()
    learner.update()
    assert tensors(learner)["adam.count"] == 2  # and there is no catching up on the 16


def test_the_target_starts_as_the_value_network():
    found = tensors(make_learner())
    names = [name.removeprefix("target.") for name in found if name.startswith("target.")]
    assert len(names) == 4
    for name in names:
        np.testing.assert_array_equal(found[f"target.{name}"], found[f"weights.value.{name}"])


@pytest.fixture(scope="module")
def trained():
    """A learner after 100 of 400 steps and its 21 updates, and what the last call reported."""
    learner = make_learner(max_steps=400, learning_rate_schedule="linear", init_entcoef=0.5, learning_rate=1e-3)
    feed(learner, 100)
    return learner, learner.update()


def test_the_target_follows_slowly(trained):
    learner, _ = trained
    before, after = tensors(make_learner())["target.value.bias"], tensors(learner)
    moved, goal = after["target.value.bias"] - before, after["weights.value.value.bias"] - before
    assert 0 < np.abs(moved) < 21 * 0.005 * np.abs(goal)


def test_temperatures_start_at_the_setting_and_survive_a_checkpoint(trained):
    learner, statistics = trained
    other = make_learner(seed=1, init_entcoef=0.1)
    np.testing.assert_allclose(np.exp(tensors(other)["weights.log_alpha"]), [0.1, 0.1], rtol=1e-6)
    saved = tensors(learner)["weights.log_alpha"]
    assert (np.exp(saved) != np.float32(0.5)).all()
    assert statistics["Policy/Continuous Entropy Coeff"] == pytest.approx(np.exp(saved[0]), rel=1e-5)
    assert statistics["Policy/Discrete Entropy Coeff"] == pytest.approx(np.exp(saved[1]), rel=1e-5)
    other.load_state_dict(learner.state_dict())
    np.testing.assert_array_equal(tensors(other)["weights.log_alpha"], saved)


def test_statistics_have_the_usual_tags(trained):
    _, statistics = trained
    assert statistics.keys() == {
        "Losses/Policy Loss",
        "Losses/Value Loss",
        "Losses/Q1 Loss",
        "Losses/Q2 Loss",
        "Policy/Entropy",
        "Policy/Extrinsic Value",
        "Policy/Continuous Entropy Coeff",
        "Policy/Discrete Entropy Coeff",
        "Policy/Learning Rate",
    }
    assert statistics["Policy/Learning Rate"] == pytest.approx(0.75e-3)
    assert all(np.isfinite(value) for value in statistics.values())


CURIOUS = {"curiosity": {"network_settings": {"hidden_units": 8}}}


def test_models_of_reward_signals_have_a_pace_of_their_own():
    learner = make_learner(more_signals=CURIOUS, steps_per_update=4, reward_signal_steps_per_update=10)
    feed(learner, 100)
    assert "Losses/Curiosity Forward Loss" in learner.update()
    assert learner.updates == 25
    assert learner.signal_updates == 10
    assert tensors(learner)["adam.count"] == 25 - 4  # the first 16 steps are no minibatch yet
    assert tensors(learner)["signals.curiosity.adam.count"] == 10 - 2


@pytest.mark.parametrize("more_signals", [pytest.param({}, marks=pytest.mark.slow), CURIOUS])
def test_state_survives_bit_for_bit_with_the_replay_buffer(more_signals):
    options = {"save_replay_buffer": True, "normalize": True, "more_signals": more_signals}
    learner, other = make_learner(seed=1, **options), make_learner(seed=2, **options)
    feed(learner, 100, 50, 900)
    learner.update()
    other.load_state_dict(learner.state_dict())
    assert_same(tensors(learner), tensors(other))
    for one in (learner, other):
        feed(one, 60, seed=5)
        assert one.ready()
    assert learner.update() == other.update()
    assert learner.updates == other.updates
    assert_same(tensors(learner), tensors(other))


def test_without_the_setting_the_buffer_starts_empty_and_the_cadence_goes_on(trained):
    learner, other = trained[0], make_learner(seed=1)
    assert not any(name.startswith("replay.") for name in tensors(learner))
    feed(other, 400)
    other.load_state_dict(learner.state_dict())
    assert (other.steps, other.updates) == (100, 25)
    feed(other, 16)
    assert not other.ready()
    feed(other, 4)
    assert other.ready()
    other.update()
    assert other.updates == 30
    assert tensors(other)["adam.count"] == tensors(learner)["adam.count"] + 1


@pytest.mark.parametrize(("steps_per_update", "expected"), [(10, 2), (0.5, 40)])
def test_another_pace_holds_from_where_the_run_is_resumed(trained, steps_per_update, expected):
    """Neither a long pause until the old number of updates is due again, nor all at once that was not due before."""
    learner, other = trained[0], make_learner(seed=1, steps_per_update=steps_per_update)
    other.load_state_dict(learner.state_dict())
    feed(other, 16)  # a minibatch again
    before = other.updates
    feed(other, 20)
    other.update()
    assert other.updates - before == expected


def test_a_stopped_run_goes_on_with_its_replay_buffer(trained):
    learner, other = trained[0], make_learner(seed=1)
    other.load_state_dict(learner.state_dict())
    other.load_state_dict(other.state_dict() | {"experience": learner.state_dict(experience=True)["experience"]})
    assert_same(learner.state_dict(experience=True)["experience"], other.state_dict(experience=True)["experience"])
    feed(other, 8)
    assert other.ready()
    assert "experience" not in make_learner(save_replay_buffer=True).state_dict(experience=True)


def test_a_checkpoint_without_buffer_is_said_when_one_was_wanted(caplog):
    learner = make_learner(save_replay_buffer=True)
    learner.load_state_dict(make_learner().state_dict())
    assert "Walk: the checkpoint has no replay buffer" in caplog.text


def test_a_saved_buffer_is_left_alone_when_none_is_wanted():
    saver = make_learner(save_replay_buffer=True)
    feed(saver, 100)
    learner = make_learner()
    learner.load_state_dict(saver.state_dict())
    assert not learner.ready()


def test_initialising_takes_weights_but_neither_steps_nor_adam_nor_experience(trained):
    learner, other = trained[0], make_learner(seed=2)
    other.initialize_from(learner.state_dict())
    assert (other.steps, other.updates) == (0, 1)
    found, given = tensors(other), tensors(learner)
    for name in found:
        if name.startswith("adam."):
            assert not found[name].any()
        else:
            np.testing.assert_array_equal(found[name], given[name])


def test_another_network_is_refused_with_the_differences():
    with pytest.raises(TensorMismatch, match=r"normalizer.mean: saved, but not in this network"):
        make_learner().load_state_dict(make_learner(normalize=True).state_dict())


def test_the_normaliser_sees_every_decision_once():
    learner = make_learner(normalize=True)
    feed(learner, 5, 7)
    rng = np.random.default_rng(0)
    seen = np.concatenate([np.zeros((1, 4)), *(segment(n, rng).columns.observations[0][:-1] for n in (5, 7))])
    found = learner.snapshot().normalizer
    assert found.count == 13
    np.testing.assert_allclose(found.mean, seen.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.m2, 1 + ((seen - seen.mean(0)) ** 2).sum(0), rtol=1e-4)


def test_rewards_are_those_the_signals_give_now():
    """They are asked again for every sample, and see decisions in even rows with what followed in odd rows."""

    class Changing:
        names = ("changing",)
        gamma = np.float32([0.9])
        asked = 0

        def rewards(self, rows):
            self.asked += 1
            assert not rows.closing[: rows.used : 2].any()
            assert rows.closing[1 : rows.used : 2].all()
            return np.full((len(rows.columns.reward), 1), 1e3 * self.asked, np.float32)

        def terminated(self, rows):
            return np.zeros((len(rows.columns.reward), 1), bool)

        compile_seconds = 0.0
        learn_by_themselves = False

        def learn(self, rows, rewards, rng, epochs, batch_size):
            raise AssertionError

        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            raise AssertionError

    signals = Changing()
    learner = make_learner(signals=signals, learning_rate=1e-10)
    feed(learner, 20)
    first = learner.update()["Losses/Q1 Loss"]
    feed(learner, 20)
    second = learner.update()["Losses/Q1 Loss"]
    assert signals.asked == 2
    assert first == pytest.approx(1e6 / 2, rel=0.1)  # values are small beside the rewards
    assert second == pytest.approx(4e6 / 2, rel=0.1)


def test_a_broken_update_names_behavior_and_keeps_the_weights():
    learner = make_learner(buffer_size=100)
    feed(learner, 100)
    learner.update()
    before = tensors(learner)
    learner.extend([segment(100, np.random.default_rng(0), reward=np.nan)])
    with pytest.raises(NonFiniteUpdate, match=r"behavior Walk: a SAC update at step 200"):
        learner.update()
    assert_same(before, tensors(learner))
    feed(learner, 100)
    learner.update()
    assert learner.version == 2


def test_one_compilation_serves_any_number_of_updates():
    compilations = []

    def listen(event, duration, **_):
        if "backend_compile" in event:
            compilations.append(event)

    learner = make_learner(normalize=True, steps_per_update=1)
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        feed(learner, 20)
        learner.update()
        learner.snapshot()
        first = len(compilations)
        for steps in (1, 3, UPDATES_PER_CALL, UPDATES_PER_CALL + 1, 5 * UPDATES_PER_CALL + 7, 1500):
            before = learner.updates
            feed(learner, steps)
            learner.update()
            assert learner.updates - before == steps
            learner.snapshot()
    finally:
        jax.monitoring.clear_event_listeners()
    assert first >= 1
    assert len(compilations) == first


def test_the_replay_buffer_is_as_large_as_set():
    learner = make_learner(buffer_size=50, save_replay_buffer=True)
    feed(learner, 30, 30)
    assert len(tensors(learner)["replay.starts"]) == 50


def test_observations_of_size_0_are_learned_from():
    """A sensor of no numbers alone, in which the updates that fit into a call cannot be counted by its size."""
    sensor = ObservationSpec((0,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "nothing")
    learner = make_learner(spec=BehaviorSpec([sensor], SPEC.action_spec), normalize=True)
    shown = segment(40, np.random.default_rng(0))
    shown.columns.observations[0] = np.zeros((41, 0), np.float32)
    learner.extend([shown])
    name = next(name for name in tensors(learner) if name.endswith("head.mean.bias"))
    before = tensors(learner)[name].copy()
    learner.update()
    assert (tensors(learner)[name] != before).all()
