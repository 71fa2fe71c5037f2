"""Networks that share the encodings of images: whose losses train the encoders, and who follows them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlagents.algorithms.sac.learner import SACLearner
from mlagents.algorithms.sac.networks import Structure, make_networks, target_of
from mlagents.algorithms.sac.update import Batch, Recipe, minibatch_loss
from mlagents.artifacts.interface import KEY, interface, saved_policy
from mlagents.artifacts.saved_critic import saved_critic
from mlagents.nn.body import encoded
from mlagents.nn.build import make_policy
from mlagents.nn.flat import flattened
from mlagents.nn.observations import Inputs
from mlagents.reward_signals.stack import RewardSignals
from mlagents.settings import BehaviorSettings, NetworkSettings
from toys.segments import make_segment
from toys.specs import behavior, observation

SPEC = behavior(observation(1, 2, 3, name="camera"), observation(2), branches=(3,))
NETWORK = {"hidden_units": 8, "num_layers": 1, "vis_encode_type": "fully_connected"}
BATCH, GAMMA = 4, np.float32([0.9])


def batch(rng):
    def seen():
        return Inputs(rng.normal(size=(BATCH, 2)).astype(np.float32), (rng.random((BATCH, 1, 2, 3), np.float32),), ())

    return Batch(
        inputs=seen(),
        later=seen(),
        memory=None,
        valid=None,
        action=np.zeros((BATCH, 0), np.float32),
        discrete=rng.integers(0, 3, (BATCH, 1)).astype(np.int32),
        allowed=np.ones((BATCH, 3), bool),
        reward=rng.normal(size=(BATCH, 1)).astype(np.float32),
        terminated=np.zeros((BATCH, 1), bool),
        noise=np.zeros((BATCH, 0), np.float32),
    )


def test_encoders_learn_by_what_critics_make_of_them():
    """Against the papers' three squared errors, with targets that are numbers."""
    rng = np.random.default_rng(0)
    settings = NetworkSettings.model_validate(NETWORK)
    policy = make_policy(rng, SPEC, settings, squashed=True)
    networks = make_networks(rng, SPEC, settings, policy, 1, -1.0)
    parameters, networks_of = flattened(networks)
    target, target_networks_of = flattened(target_of(networks))
    recipe = Recipe(Structure(networks_of, target_networks_of), BATCH, steps=1, burn_in=0.0, tau=0.1)
    seen = batch(rng)
    gradient, _ = jax.grad(minibatch_loss, has_aux=True)(parameters, target, recipe, seen, GAMMA)
    found = networks_of(np.asarray(gradient)).body.encoders

    empty = np.zeros((BATCH, 0), np.float32)
    hidden, _ = networks.body(seen.inputs)
    log_p = np.asarray(networks.head(hidden, None).log_probs[0])
    p = np.exp(log_p)

    def q_of(network, encoders):
        return network(encoded(encoders, seen.inputs), empty, None)[:, 0]

    q1, q2 = (np.asarray(q_of(network, networks.body.encoders)) for network in (networks.q1, networks.q2))
    entropy_cost = np.exp(-1.0) * np.sum(p * log_p, axis=1)
    v_target = np.minimum(np.sum(p * q1, axis=1), np.sum(p * q2, axis=1)) - entropy_cost
    later, _ = networks.value(encoded(networks.body.encoders, seen.later))
    q_target = seen.reward[:, 0] + 0.9 * np.asarray(later)[:, 0]

    def critics(encoders):
        v = networks.value(encoded(encoders, seen.inputs))[0][:, 0]
        errors = [v - v_target]
        errors += [
            q_of(q, encoders)[np.arange(BATCH), seen.discrete[:, 0]] - q_target for q in (networks.q1, networks.q2)
        ]
        return sum(0.5 * jnp.mean(error**2) for error in errors)

    expected = jax.grad(critics)(networks.body.encoders)
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected)) > 1e-3
    for ours, plain in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, plain, atol=1e-5)


@pytest.fixture(scope="module")
def learner():
    sections = {
        "trainer_type": "sac",
        "hyperparameters": {"batch_size": 16, "buffer_size": 100, "steps_per_update": 20, "tau": 0.25},
        "network_settings": NETWORK,
    }
    settings = BehaviorSettings.model_validate(sections)
    return SACLearner("Walk", SPEC, settings, RewardSignals("Walk", SPEC, settings.reward_signals, 0), 0)


def steps_of(rng, count):
    return make_segment(
        (rng.random((count + 1, 1, 2, 3), np.float32), rng.normal(size=(count + 1, 2)).astype(np.float32)),
        np.zeros((count, 0), np.float32),
        np.zeros((count, 0), np.float32),
        rng.integers(0, 3, (count, 1)).astype(np.int32),
        np.zeros((count, 1), np.float32),
        np.ones((count, 3), bool),
        rng.normal(size=count).astype(np.float32),
    )


def test_a_checkpoint_has_the_encoders_once_and_again_in_the_target(learner):
    before = learner.snapshot().body.encoders
    learner.extend([steps_of(np.random.default_rng(0), 40)])
    assert learner._due() == 1
    learner.update()
    state = learner.state_dict()
    names = [name for name in state["tensors"] if "encoders" in name and not name.startswith("adam.")]
    assert {name.split("encoders")[0] for name in names} == {"weights.body.", "target_"}
    after = learner.snapshot().body.encoders
    for start, now, target in zip(*map(jax.tree.leaves, (before, after)), _target_encoders(state), strict=True):
        assert np.abs(now - start).max() > 1e-5
        np.testing.assert_allclose(target, start + 0.25 * (now - start), atol=1e-7)

    saved = state | {KEY: interface(SPEC, NetworkSettings.model_validate(NETWORK), learner.snapshot())}
    again = saved_policy(saved, "the state")
    critic = saved_critic(saved, again, "the state")
    inputs = batch(np.random.default_rng(2)).inputs
    hidden, _ = critic.body(inputs)
    networks = learner._trained.networks()
    expected, _ = networks.value(encoded(networks.body.encoders, inputs))
    np.testing.assert_array_equal(np.asarray(critic.value(hidden)), np.asarray(expected))


def _target_encoders(state):
    return [tensor for name, tensor in state["tensors"].items() if name.startswith("target_encoders.")]
