"""The actor against the policy it plays."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from mlagents.nn import build
from mlagents.nn.normalizer import Normalizer
from mlagents.rollout.actor import Actor
from mlagents.rollout.bodies import CompiledBody, NumpyBody
from mlagents.settings import NetworkSettings
from toys.specs import behavior, observation


def make_policy(sizes=(3, 2), continuous=2, branches=(3, 4), *, normalize=True, layers=2, squashed=False):
    rng = np.random.default_rng(0)
    normalizer = None
    if normalize:
        data = jnp.array(rng.normal(2.0, 3.0, (40, sum(sizes))), jnp.float32)
        normalizer = Normalizer.initial(sum(sizes)).updated(data, jnp.ones(40, bool))
    settings = NetworkSettings(hidden_units=16, num_layers=layers)
    policy = build.make_policy(rng, behavior(*sizes, continuous=continuous, branches=branches), settings, squashed)
    policy = dataclasses.replace(policy, normalizer=normalizer)
    if squashed:
        return policy
    log_std = jnp.linspace(-1.0, 0.5, continuous)
    return eqx.tree_at(lambda p: p.head.log_std, policy, log_std)


def observe(rng, agents, sizes=(3, 2)):
    return [rng.normal(2.0, 3.0, (agents, n)).astype(np.float32) for n in sizes]


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
def test_deterministic_actions_are_the_policys(normalize, layers):
    policy = make_policy(normalize=normalize, layers=layers)
    rng = np.random.default_rng(1)
    observations = observe(rng, 200)
    allowed = rng.random((200, 7)) < 0.6
    allowed[:, [0, 3]] = True
    expected, _ = policy(tuple(map(jnp.array, observations)), jnp.array(allowed))
    found = Actor(policy, rng, deterministic=True).act(observations, allowed)
    np.testing.assert_allclose(found.continuous, expected.mean, atol=1e-5)
    choice = np.stack([np.argmax(p, axis=1) for p in expected.log_probs], axis=1)
    np.testing.assert_array_equal(found.discrete, choice)
    np.testing.assert_allclose(found.action.continuous, np.clip(expected.mean, -3, 3) / 3, atol=1e-5)


def test_samples_follow_the_policys_distribution():
    policy = make_policy()
    agents = 40_000
    row = observe(np.random.default_rng(2), 1)
    observations = [np.repeat(o, agents, axis=0) for o in row]
    allowed = np.ones((agents, 7), bool)
    allowed[:, 1] = False
    expected, _ = policy(tuple(map(jnp.array, row)), jnp.array(allowed[:1]))
    found = Actor(policy, np.random.default_rng(3)).act(observations, allowed)
    # Five standard errors of a mean, a standard deviation and a frequency.
    std = np.exp(expected.log_std)
    np.testing.assert_allclose(found.continuous.mean(0), expected.mean[0], atol=5 * std.max() / agents**0.5)
    np.testing.assert_allclose(found.continuous.std(0), std, rtol=5 / (2 * agents) ** 0.5)
    for branch, log_probs in enumerate(expected.log_probs):
        size = log_probs.shape[1]
        frequency = np.bincount(found.discrete[:, branch], minlength=size) / agents
        np.testing.assert_allclose(frequency, np.exp(log_probs[0]), atol=5 * 0.5 / agents**0.5)
    assert not (found.discrete[:, 0] == 1).any()


def test_environment_actions_are_clipped_and_divided():
    policy = make_policy(branches=())
    policy = dataclasses.replace(policy, head=eqx.tree_at(lambda h: h.mean.bias, policy.head, jnp.array([50.0, -50.0])))
    found = Actor(policy, np.random.default_rng(0)).act(observe(np.random.default_rng(0), 4), None)
    np.testing.assert_array_equal(found.action.continuous, [[1.0, -1.0]] * 4)
    assert found.continuous[0, 0] > 3
    assert found.action.discrete.shape == (4, 0)


def test_squashed_actions_are_tanh_of_the_policys_means():
    policy, rng = make_policy(squashed=True), np.random.default_rng(1)
    observations = observe(rng, 200)
    expected, _ = policy(tuple(map(jnp.array, observations)))
    found = Actor(policy, rng, deterministic=True).act(observations, None)
    np.testing.assert_allclose(found.continuous, expected.mean, atol=1e-5)
    np.testing.assert_allclose(found.action.continuous, np.tanh(expected.mean), atol=1e-5)


@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_squashed_samples_have_each_rows_own_deviation(shift):
    """A shift of log sigma by 100 meets its upper limit, e^2."""
    policy = make_policy(squashed=True, branches=())
    policy = eqx.tree_at(lambda p: p.head.log_std.bias, policy, jnp.array([shift, -1.0]))
    rng, agents = np.random.default_rng(4), 20_000
    row = observe(rng, 2)
    expected, _ = policy(tuple(map(jnp.array, row)))
    found = Actor(policy, rng).act([np.repeat(o, agents, axis=0) for o in row], None)
    for i, sampled in enumerate(np.split(found.continuous, 2)):
        std = np.exp(expected.log_std[i])
        np.testing.assert_allclose(sampled.mean(0), expected.mean[i], atol=5 * std.max() / agents**0.5)
        np.testing.assert_allclose(sampled.std(0), std, rtol=5 / (2 * agents) ** 0.5)
    np.testing.assert_allclose(found.action.continuous, np.tanh(found.continuous), atol=1e-6)
    assert shift == 0.0 or expected.log_std[0, 0] == 2.0


@pytest.mark.parametrize("deterministic", [True, False])
def test_log_probabilities_are_the_policys(deterministic):
    policy = make_policy()
    rng = np.random.default_rng(4)
    observations = observe(rng, 50)
    allowed = rng.random((50, 7)) < 0.6
    allowed[:, [0, 3]] = True
    found = Actor(policy, rng, deterministic).act(observations, allowed)
    distribution, _ = policy(tuple(map(jnp.array, observations)), jnp.array(allowed))
    expected = distribution.log_prob(jnp.array(found.continuous), jnp.array(found.discrete))
    np.testing.assert_allclose(found.log_prob, expected, atol=1e-4)


def recurrent_policy():
    """A policy with memory, and a critic's memory behind it."""
    settings = NetworkSettings.model_validate({"hidden_units": 16, "memory": {"memory_size": 12}})
    spec, rng = behavior(3, 2, continuous=2, branches=(3, 4)), np.random.default_rng(0)
    policy = build.make_policy(rng, spec, settings)
    return dataclasses.replace(policy, critic_body=build.make_body(rng, spec.observation_specs, settings))


@pytest.mark.parametrize("agents", [1, 5])
@pytest.mark.parametrize("make", [NumpyBody, CompiledBody])
def test_memory_is_the_policys_and_then_the_critics(make, agents):
    policy, rng = recurrent_policy(), np.random.default_rng(5)
    observations = observe(rng, agents)
    memory = rng.normal(size=(agents, 24)).astype(np.float32)
    inputs = policy.inputs(tuple(map(jnp.array, observations)))
    expected, after = policy.body(inputs, jnp.array(memory[:, :12]))
    _, critic_after = policy.critic_body(inputs, jnp.array(memory[:, 12:]))
    hidden, found = make(policy)(observations, memory)
    np.testing.assert_allclose(hidden, expected, atol=1e-6)
    np.testing.assert_allclose(found, np.concatenate([after, critic_after], axis=1), atol=1e-6)


@pytest.mark.parametrize(
    "spec",
    [
        behavior(observation(3, 20, 24), 4, branches=(3,)),
        behavior(observation(6, 4, variable=True), 4, continuous=2),
        behavior(4, observation(2, goal=True), branches=(3,)),
    ],
    ids=["image", "entities", "goal"],
)
def test_other_bodies_are_compiled_and_give_what_the_policy_gives(spec):
    policy = build.make_policy(np.random.default_rng(0), spec, NetworkSettings(hidden_units=16))
    rng = np.random.default_rng(1)
    observations = [rng.random((5, *o.shape), np.float32) for o in spec.observation_specs]
    expected, _ = policy(tuple(map(jnp.array, observations)))
    actor = Actor(policy, rng, deterministic=True)
    found = actor.act(observations, None)
    np.testing.assert_allclose(found.continuous, expected.mean, atol=1e-5)
    for branch, log_probs in enumerate(expected.log_probs):
        np.testing.assert_array_equal(found.discrete[:, branch], np.argmax(log_probs, axis=1))
