"""The critic of a group: who is seen, in whatever order, and what is known of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlagents.nn.group_critic import Members, make_group_critic
from mlagents.nn.observations import layout_of
from mlagents.settings import NetworkSettings
from toys.specs import behavior, observation

SPEC = behavior(3, continuous=2, branches=(3, 2))


def make_critic(spec=SPEC, **network):
    settings = NetworkSettings.model_validate({"hidden_units": 16, "num_layers": 2} | network)
    return make_group_critic(np.random.default_rng(0), spec, settings, signals=2)


def members(critic, count=5, seed=1):
    rng = np.random.default_rng(seed)
    inputs = layout_of(SPEC.observation_specs).sorted([jnp.asarray(rng.normal(size=(count, 3)), jnp.float32)])
    action = critic.action_vector(
        jnp.asarray(rng.normal(size=(count, 2)), jnp.float32), jnp.asarray(rng.integers(0, 2, (count, 2)), jnp.int32)
    )
    return Members(critic.features(inputs, None), action)


def judged(critic, all_members, mates):
    rows = jnp.asarray(mates, jnp.int32)
    return [np.asarray(x) for x in critic(all_members.features[: len(rows)], all_members, rows)]


def test_actions_are_what_the_environment_gets_and_one_hot():
    found = make_critic().action_vector(jnp.array([[-6.0, 1.5]]), jnp.array([[2, 0]]))
    np.testing.assert_allclose(found, [[-1.0, 0.5, 0, 0, 1, 1, 0]])


def test_the_order_of_mates_does_not_matter():
    critic = make_critic()
    group = members(critic)
    for a, b in zip(judged(critic, group, [[1, 2, 3]]), judged(critic, group, [[3, 1, 2]]), strict=True):
        assert np.abs(a).max() > 0
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_room_for_mates_that_are_not_there_changes_nothing():
    critic = make_critic()
    group = members(critic)
    wide = judged(critic, group, [[-1, 1, -1, 2, -1, -1]])
    other = group._replace(features=group.features.at[3:].set(99.0))
    for a, b, c in zip(
        judged(critic, group, [[1, 2]]), wide, judged(critic, other, [[-1, 1, -1, 2, -1, -1]]), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)
        np.testing.assert_array_equal(b, c)


def test_mates_count_and_so_does_their_number():
    critic = make_critic()
    group = members(critic)
    alone, one, twice = (judged(critic, group, mates) for mates in ([[-1, -1]], [[1, -1]], [[1, 1]]))
    for a, b, c in zip(alone, one, twice, strict=True):
        assert np.abs(a - b).max() > 1e-3
        assert np.abs(b - c).max() > 1e-3


def test_the_baseline_knows_what_mates_did_and_the_value_does_not_and_neither_knows_ones_own_action():
    critic = make_critic()
    group = members(critic)
    changed = group._replace(action=group.action.at[1].add(1.0))
    own = group._replace(action=group.action.at[0].add(1.0))
    value, baseline = judged(critic, group, [[1, 2]])
    changed_value, changed_baseline = judged(critic, changed, [[1, 2]])
    np.testing.assert_array_equal(value, changed_value)
    assert np.abs(baseline - changed_baseline).max() > 1e-3
    for a, b in zip((value, baseline), judged(critic, own, [[1, 2]]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_mates_computed_once_for_all_or_for_everyone_are_the_same():
    critic = make_critic()
    group = members(critic, count=6)
    mates = np.array([[1, 2], [0, 2], [0, 1], [4, 5]])  # 8 mates of 6 members: all members at once
    together = judged(critic, group, mates)
    for row in range(3):  # 2 mates of 6 members
        found = critic(group.features[row : row + 1], group, jnp.asarray(mates[row : row + 1]))
        for a, b in zip(together, found, strict=True):
            np.testing.assert_allclose(a[row], np.asarray(b)[0], atol=1e-6)


def test_gradients_reach_every_weight_through_own_and_mates():
    critic = make_critic()
    inputs = layout_of(SPEC.observation_specs).sorted([jnp.ones((3, 3)) * jnp.arange(1.0, 4.0)[:, None]])
    action = jnp.eye(3, 7)

    def loss(critic, own_weight):
        features = critic.features(inputs, None)
        value, baseline = critic(own_weight * features[:1], Members(features, action), jnp.array([[1, 2]]))
        return jnp.sum(value**2) + jnp.sum(baseline**2)

    for own_weight in (0.0, 1.0):  # 0: the body is reached through mates alone
        gradient = jax.grad(loss)(critic, own_weight)
        assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient.body))
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_last_hidden_layer_comes_after_the_attention(layers):
    assert len(make_critic(num_layers=layers).body.dense.layers) == max(layers - 1, 1)


def test_images_and_entities_are_read():
    spec = behavior(observation(3, 20, 20), observation(4, 5, variable=True), 2, branches=(2,))
    critic = make_critic(spec)
    seen = [jnp.ones((2, 3, 20, 20)), jnp.ones((2, 4, 5)), jnp.ones((2, 2))]
    features = critic.features(layout_of(spec.observation_specs).sorted(seen), None)
    value, _ = critic(features, Members(features, jnp.zeros((2, 2))), jnp.array([[1], [0]]))
    assert np.isfinite(value).all()
