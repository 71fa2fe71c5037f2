"""Behavioral cloning: its loss by hand, where its gradient goes, its rate, its minibatches, its checkpoints."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlagents.algorithms.cloning import Cloning, cloning_loss
from mlagents.nn.build import make_policy
from mlagents.nn.policy import ActionDistribution
from mlagents.nn.tensors import named_tensors
from mlagents.settings import BehaviorSettings
from mlagents.training.build import make_learner
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.demonstrations import Demonstration, DemonstrationError, Episode, save_demonstration
from toys.segments import make_segment
from toys.specs import behavior, observation

SPEC = behavior(3, continuous=2, branches=(3, 2))
NOTHING = np.zeros((2, 0), np.float32)


def demo(path, lengths=(20, 12), spec=SPEC, seed=0):
    rng = np.random.default_rng(seed)
    episodes = []
    for steps in lengths:
        seen = [rng.random((steps + 1, *o.shape)).astype(np.float32) for o in spec.observation_specs]
        action = spec.action_spec
        chosen = np.stack([rng.integers(0, n, steps) for n in action.discrete_branches] or [np.zeros(steps)], axis=1)
        acted = ActionTuple(
            rng.uniform(-1, 1, (steps, action.continuous_size)).astype(np.float32),
            chosen[:, : action.discrete_size].astype(np.int32),
        )
        masks = [np.zeros((steps, n), np.bool_) for n in action.discrete_branches] or None
        zeros = np.zeros(steps, np.float32)
        episodes.append(Episode(seen, acted, masks, 0.0, zeros, zeros, True, False))
    save_demonstration(Demonstration("made", "B?team=0", spec, tuple(episodes)), path)
    return path


def settings(path, trainer="ppo", cloning=(), network=(), **hyperparameters):
    small = {"batch_size": 8, "buffer_size": 32, "learning_rate": 1e-2, "learning_rate_schedule": "constant"}
    return BehaviorSettings.model_validate(
        {
            "trainer_type": trainer,
            "max_steps": 1_000,
            "hyperparameters": small | hyperparameters,
            "network_settings": {"hidden_units": 8, "num_layers": 1} | dict(network),
            "behavioral_cloning": {"demo_path": str(path)} | dict(cloning),
        }
    )


def experience(spec, steps, memory_size=0, squashed=False):
    rng, action = np.random.default_rng(3), spec.action_spec
    chosen = [rng.integers(0, n, steps) for n in action.discrete_branches] or [np.zeros(steps)]
    return make_segment(
        tuple(rng.random((steps + 1, *o.shape)).astype(np.float32) for o in spec.observation_specs),
        np.zeros((steps, memory_size), np.float32),
        rng.normal(size=(steps, action.continuous_size)).astype(np.float32),
        np.stack(chosen, axis=1)[:, : action.discrete_size].astype(np.int32),
        np.full((steps, action.continuous_size + action.discrete_size), -1.0, np.float32),
        np.ones((steps, sum(action.discrete_branches)), bool),
        np.ones(steps, np.float32),
        True,
    )


def gaussian(mean, std):
    return ActionDistribution(np.float32(mean), np.log(np.float32(std)), ())


def test_the_continuous_loss_by_hand():
    """Means 3 and -1.5 reach the environment as 1 and -0.5; a standard deviation of 0.3 as 0.1."""
    actions = gaussian([[3.0], [-1.5]], [0.3])
    no_choice = np.zeros((2, 0), np.int32)
    found = cloning_loss(actions, False, np.float32([[0.5], [-0.5]]), no_choice, np.zeros((2, 1), np.float32))
    assert float(found) == pytest.approx((0.25 + 0.0) / 2 + 0.01, rel=1e-6)
    noise = np.float32([[1.0], [-2.0]])
    expected = ((np.tanh(3.3) - 0.5) ** 2 + (np.tanh(-2.1) + 0.5) ** 2) / 2
    assert float(cloning_loss(actions, True, np.float32([[0.5], [-0.5]]), no_choice, noise)) == pytest.approx(
        expected, rel=1e-5
    )


def test_the_policy_ends_up_with_the_action_itself_not_with_a_third_of_it():
    """A policy whose raw mean was taught to be the expert's 0.9 would send the environment 0.3."""
    target = np.full((1, 1), 0.9, np.float32)
    loss = lambda mean: cloning_loss(  # noqa: E731
        gaussian([[0.0]], [1.0])._replace(mean=mean), False, target, np.zeros((1, 0), np.int32), target
    )
    mean = jnp.zeros((1, 1))
    for _ in range(200):
        mean -= jax.grad(loss)(mean)
    assert float(np.clip(mean[0, 0], -3.0, 3.0) / 3.0) == pytest.approx(0.9, rel=1e-4)


def test_the_discrete_loss_by_hand_is_per_branch():
    """Branches of 2 and 3 with probabilities of their own: -(ln 0.8 + ln 0.5) / 2.

    A softmax over all five entries together would give 0.4 and 0.25 for the same choices, and never reach 0.
    """
    branches = (np.log(np.float32([[0.8, 0.2]])), np.log(np.float32([[0.25, 0.5, 0.25]])))
    actions = ActionDistribution(NOTHING[:1], np.zeros(0, np.float32), branches)
    chosen = np.int32([[0, 1]])
    found = cloning_loss(actions, False, NOTHING[:1], chosen, NOTHING[:1])
    assert float(found) == pytest.approx(-(math.log(0.8) + math.log(0.5)) / 2, rel=1e-6)
    sure = (np.float32([[0.0, -1e8]]), np.float32([[-1e8, 0.0, -1e8]]))
    assert float(cloning_loss(actions._replace(log_probs=sure), False, NOTHING[:1], chosen, NOTHING[:1])) == 0.0


def test_hybrid_adds_both_and_rows_that_do_not_count_do_not():
    branches = (np.log(np.float32([[0.8, 0.2], [0.1, 0.9]])),)
    actions = ActionDistribution(np.float32([[0.0], [9.0]]), np.log(np.float32([0.6])), branches)
    found = cloning_loss(
        actions,
        False,
        np.float32([[0.5], [0.0]]),
        np.int32([[0], [0]]),
        np.zeros((2, 1), np.float32),
        np.array([True, False]),
    )
    assert float(found) == pytest.approx(0.25 + 0.04 - math.log(0.8), rel=1e-5)


def make(path, updates=None, **more):
    policy = make_policy(np.random.default_rng(0), SPEC, BehaviorSettings().network_settings)
    return Cloning("B", SPEC, settings(path, **more), (policy.body, policy.head), (), updates)


def test_the_rate_falls_to_0_over_the_steps_and_stays_without_them(tmp_path):
    path = demo(tmp_path / "a.demo")
    cloning = make(path, cloning={"strength": 0.5, "steps": 100})
    rates = [cloning.rate(step) for step in (0, 50, 100, 1_000)]
    assert rates == pytest.approx([5e-3, 2.5e-3, 0.0, 0.0])
    rng = np.random.default_rng(0)
    assert int(cloning.course(99, rng).steps) > 0
    before = rng.bit_generator.state
    assert int(cloning.course(100, rng).steps) == 0
    assert rng.bit_generator.state == before
    assert make(path, cloning={"strength": 0.5}).rate(10**9) == pytest.approx(5e-3)


@pytest.mark.parametrize(
    ("cloning", "shape"),
    [
        ({}, (12, 8)),  # 32 decisions in batches of the trainer's 8, three times
        ({"num_epoch": 1, "batch_size": 5}, (6, 5)),
        ({"samples_per_update": 16}, (6, 8)),
        ({"samples_per_update": 3, "num_epoch": 2}, (2, 8)),
        ({"batch_size": 1_000, "num_epoch": 2}, (2, 32)),
    ],
)
def test_minibatches_of_an_update(tmp_path, cloning, shape):
    found = make(demo(tmp_path / "a.demo"), cloning=cloning).course(0, np.random.default_rng(0))
    assert found.order.shape == shape
    assert int(found.steps) == shape[0]
    epochs = cloning.get("num_epoch", 3)
    for epoch in found.order.reshape(epochs, -1):
        assert len(set(epoch.tolist())) == epoch.size


def test_sequences_are_those_of_episodes(tmp_path):
    memory = {"memory": {"sequence_length": 8, "memory_size": 4}}
    cloning = make(demo(tmp_path / "a.demo"), network=memory, batch_size=16, buffer_size=32)
    course = cloning.course(0, np.random.default_rng(0))
    assert course.order.shape == (3 * 2, 2)  # five pieces: 8, 8, 4 and 8, 4
    np.testing.assert_array_equal(course.lessons.sequences.start, [0, 8, 16, 20, 28])
    np.testing.assert_array_equal(course.lessons.sequences.length, [8, 8, 4, 8, 4])


def test_many_steps_beside_sac_are_said(tmp_path, caplog):
    path = demo(tmp_path / "a.demo", (200,))
    make(path, updates=2)
    assert "75 gradient steps after each one of SAC. Set samples_per_update: 8" in caplog.text
    caplog.clear()
    course = make(path, updates=2, cloning={"samples_per_update": 8, "num_epoch": 1}).course(
        0, np.random.default_rng(0), 2
    )
    assert course.order.shape == (2, 1, 8)
    assert "SAC" not in caplog.text


def updated(learner, spec, memory_size=0, steps=48):
    learner.reserve(1)
    learner.extend([experience(spec, steps, memory_size)])
    assert learner.ready()
    return learner.update()


@pytest.mark.parametrize("trainer", ["ppo", "poca", "sac"])
def test_cloning_changes_the_policy_only_and_its_loss_falls(tmp_path, trainer):
    """With the trainer's own rate next to nothing, what moves is moved by cloning."""
    path = demo(tmp_path / "a.demo")
    more = {"buffer_size": 40} if trainer != "sac" else {"steps_per_update": 16, "tau": 1e-9, "buffer_size": 100}
    cloning = {"strength": 1e10, "num_epoch": 20}
    learner = make_learner("B", SPEC, settings(path, trainer, cloning, learning_rate=1e-12, **more), 0)
    before = named_tensors(learner.state_dict()["tensors"])
    losses = [updated(learner, SPEC)["Losses/Pretraining Loss"] for _ in range(3)]
    after = learner.state_dict()["tensors"]
    assert losses[2] < losses[0] - 0.05
    for name in before:
        if name.startswith("weights."):
            moved = float(np.abs(after[name] - before[name]).max())
            is_policy = name.startswith(("weights.body.", "weights.head."))
            assert moved > 1e-3 if is_policy else moved < 1e-8, name
    assert after["cloning.count"] > 0


def test_once_the_steps_are_over_cloning_says_0(tmp_path):
    learner = make_learner("B", SPEC, settings(demo(tmp_path / "a.demo"), cloning={"steps": 60}), 0)
    assert updated(learner, SPEC)["Losses/Pretraining Loss"] > 0.0
    moments = learner.state_dict()["tensors"]["cloning.count"]
    assert updated(learner, SPEC)["Losses/Pretraining Loss"] == 0.0
    assert learner.state_dict()["tensors"]["cloning.count"] == moments


@pytest.mark.parametrize("trainer", ["ppo", pytest.param("poca", marks=pytest.mark.slow), "sac"])
def test_checkpoints_with_and_without_the_moments_of_cloning(tmp_path, trainer):
    path = demo(tmp_path / "a.demo")
    configured = settings(path, trainer, buffer_size=40)
    plain = configured.model_copy(update={"behavioral_cloning": None})
    first, second = (make_learner("B", SPEC, configured, seed) for seed in (0, 1))
    updated(first, SPEC)
    second.load_state_dict(first.state_dict())
    for name, tensor in first.state_dict()["tensors"].items():
        np.testing.assert_array_equal(second.state_dict()["tensors"][name], tensor, err_msg=name)
    older = make_learner("B", SPEC, plain, 2)
    older.load_state_dict(first.state_dict())  # cloning is no longer wanted
    assert not [name for name in older.state_dict()["tensors"] if name.startswith("cloning.")]
    second.load_state_dict(older.state_dict())  # it is wanted from here on
    assert second.state_dict()["tensors"]["cloning.count"] == 0
    second.initialize_from(first.state_dict())
    assert second.state_dict()["tensors"]["cloning.count"] == 0


@pytest.mark.parametrize(
    "trainer", [pytest.param(trainer, marks=pytest.mark.slow) for trainer in ("ppo", "poca", "sac")]
)
def test_memory_and_images(tmp_path, trainer):
    spec = behavior(2, observation(1, 20, 20), branches=(3,))
    path = demo(tmp_path / "a.demo", spec=spec)
    network = {"memory": {"sequence_length": 4, "memory_size": 4}}
    cloning = {"num_epoch": 5, "strength": 1e9}  # at ten times this rate so small a memory may die
    configured = settings(path, trainer, cloning, network, buffer_size=40, learning_rate=1e-12)
    learner = make_learner("B", spec, configured, 0)
    size = learner.snapshot().memory_size
    losses = [updated(learner, spec, size)["Losses/Pretraining Loss"] for _ in range(3)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] - 0.01


@pytest.mark.slow
def test_noise_on_observations_blurs_what_is_cloned(tmp_path):
    """The loss of the same weights differs with the noise, and from update to update."""
    path = demo(tmp_path / "a.demo")
    losses = {}
    for noise in (0.0, 2.0):
        cloning = {"observation_noise": noise, "strength": 1e-10}
        learner = make_learner("B", SPEC, settings(path, cloning=cloning, learning_rate=1e-12), 0)
        losses[noise] = [updated(learner, SPEC)["Losses/Pretraining Loss"] for _ in range(2)]
    assert losses[0.0][0] == pytest.approx(losses[0.0][1], rel=1e-4)
    assert abs(losses[2.0][0] - losses[2.0][1]) > 1e-3
    assert np.mean(losses[2.0]) > np.mean(losses[0.0])


def test_demonstrations_that_do_not_fit_are_named(tmp_path):
    path = demo(tmp_path / "a.demo", spec=behavior(4, continuous=2, branches=(3, 2)))
    with pytest.raises(DemonstrationError, match=r"a\.demo"):
        make(path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        make(tmp_path / "nowhere.demo")
