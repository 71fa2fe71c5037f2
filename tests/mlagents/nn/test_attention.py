"""Attention over entities against one entity at a time in numpy; order, padding and gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from mlagents.nn.attention import attention_weights, make_entity_attention, make_residual_self_attention
from mlagents.nn.errors import NetworkError

ROWS, SELF, SHAPES, EMBEDDING, HEADS = 4, 3, ((5, 2), (3, 4)), 8, 2


def random_module(self_size=SELF, seed=0):
    """Return attention all of whose weights, biases too, matter."""
    rng = np.random.default_rng(seed)
    module = make_entity_attention(rng, self_size, SHAPES, EMBEDDING, HEADS)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), module)


def observations(seed=1):
    """Return the others' encodings and entities; row 0 has all, row 1 some, row 2 one, row 3 none."""
    rng = np.random.default_rng(seed)
    x_self = rng.normal(size=(ROWS, SELF)).astype(np.float32)
    entities = [rng.normal(size=(ROWS, *shape)).astype(np.float32) for shape in SHAPES]
    entities[0][1, 3:] = 0
    entities[1][1, 1] = 0
    entities[0][2, 1:] = 0
    entities[1][2] = 0
    for sensor in entities:
        sensor[3] = 0
    return x_self, tuple(entities)


@jax.jit
def attend(module, x_self, entities):
    return module(x_self, entities)


@jax.jit
def gradient(module, x_self, entities):
    """Return the gradients of the sum of squares."""
    return jax.grad(lambda *parts: jnp.sum(parts[0](*parts[1:]) ** 2), argnums=(0, 1, 2))(module, x_self, entities)


def dense(layer, x):
    return layer.weight.astype(float) @ x + layer.bias


def norm(x):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


def one_by_one(module, x_self, entities):
    """The definition, float64, for one entity, one head at a time; padding is left out instead of masked."""
    results = np.zeros((ROWS, EMBEDDING))
    size = EMBEDDING // HEADS
    for row in range(ROWS):
        own = []
        if module.self_embedding is not None:
            a = dense(module.self_embedding, x_self[row].astype(float))
            own = a * special.expit(a)
        embedded = []
        for layer, sensor in zip(module.entity_embeddings, entities, strict=True):
            for entity in sensor[row].astype(float):
                if (entity**2).sum() >= 0.01:
                    a = dense(layer, np.array([*own, *entity]))
                    embedded.append(norm(a * special.expit(a)))
        for i, x in enumerate(embedded):
            heads = []
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                query = dense(module.attention.query, x)[part]
                keys = [dense(module.attention.key, other)[part] for other in embedded]
                values = [dense(module.attention.value, other)[part] for other in embedded]
                weights = special.softmax([query @ key / np.sqrt(size) for key in keys])
                heads += list(sum(w * v for w, v in zip(weights, values, strict=True)))
            results[row] += norm(dense(module.attention.out, np.array(heads)) + embedded[i]) / len(embedded)
    return results


def test_it_is_the_definition():
    module, (x_self, entities) = random_module(), observations()
    found = attend(module, x_self, entities)
    np.testing.assert_allclose(found, one_by_one(module, x_self, entities), atol=2e-5)
    assert np.abs(found[:3]).max(axis=1).min() > 0.1


def test_without_other_observations():
    module, (_, entities) = random_module(self_size=0), observations()
    assert module.self_embedding is None
    nothing = np.zeros((ROWS, 0), np.float32)
    np.testing.assert_allclose(attend(module, nothing, entities), one_by_one(module, nothing, entities), atol=2e-5)


def test_the_order_of_entities_does_not_matter():
    module, (x_self, entities) = random_module(), observations()
    rng = np.random.default_rng(2)
    shuffled = tuple(sensor[:, rng.permutation(sensor.shape[1])] for sensor in entities)
    assert not np.array_equal(shuffled[0], entities[0])
    np.testing.assert_allclose(attend(module, x_self, shuffled), attend(module, x_self, entities), atol=1e-5)


def test_more_padding_changes_nothing():
    module, (x_self, entities) = random_module(), observations()
    padded = tuple(np.pad(sensor, ((0, 0), (0, 4), (0, 0))) for sensor in entities)
    np.testing.assert_allclose(attend(module, x_self, padded), attend(module, x_self, entities), atol=1e-5)


def test_what_counts_as_padding():
    """A squared sum of 0.0098 is padding, bit for bit; one of 0.0128 is an entity."""
    module, (x_self, entities) = random_module(), observations()
    below, above = (tuple(sensor.copy() for sensor in entities) for _ in range(2))
    below[0][1, 3:] = 0.07
    above[0][1, 3:] = 0.08
    before = attend(module, x_self, entities)
    np.testing.assert_array_equal(attend(module, x_self, below), before)
    assert np.abs(attend(module, x_self, above)[1] - before[1]).max() > 1e-3


def test_masked_weights_are_exactly_zero():
    rng = np.random.default_rng(3)
    query, key = (100 * rng.normal(size=(3, 4, HEADS, 5)).astype(np.float32) for _ in range(2))
    present = np.array([[True, False, True, True], [False, True, False, False], [False] * 4])
    weights = np.asarray(attention_weights(query, key, present))
    shape = weights.shape
    assert shape == (3, HEADS, 4, 4)
    assert not weights[~np.broadcast_to(present[:, None, None, :], shape)].any()
    sums = weights.sum(axis=3)
    np.testing.assert_allclose(sums[:2], 1.0, rtol=1e-6)
    np.testing.assert_array_equal(sums[2], 0.0)


def test_without_entities_the_result_is_zero_and_gradients_are_finite():
    module, (x_self, entities) = random_module(), observations()
    np.testing.assert_array_equal(attend(module, x_self, entities)[3], 0.0)

    only_padding = tuple(np.zeros_like(sensor) for sensor in entities)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient(module, x_self, only_padding)))
    on_weights, on_self, on_entities = gradient(module, x_self, entities)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((on_weights, on_self, on_entities)))
    # the bias of the keys moves all logits of a query alike: its gradient is 0 but for rounding
    attention = on_weights.attention
    np.testing.assert_allclose(attention.key.bias, 0.0, atol=1e-4)
    layers = on_weights.self_embedding, *on_weights.entity_embeddings, attention.query, attention.value, attention.out
    assert all(np.abs(leaf).max() > 0.01 for leaf in jax.tree.leaves((layers, attention.key.weight)))
    for sensor, slope in zip(entities, on_entities, strict=True):
        missing = (sensor**2).sum(axis=2) < 0.01
        assert not slope[missing].any()
        assert (np.abs(slope[~missing]).max(axis=1) > 0).all()


def test_initial_weights():
    module = make_entity_attention(np.random.default_rng(0), 40, [(20, 9), (7, 30)])
    leaves = jax.tree.leaves(module)
    assert all(isinstance(leaf, np.ndarray) and leaf.dtype == np.float32 for leaf in leaves)
    attention = module.attention
    layers = [module.self_embedding, *module.entity_embeddings]
    layers += [attention.query, attention.key, attention.value, attention.out]
    assert [layer.weight.shape for layer in layers] == [(128, 40), (128, 137), (128, 158)] + 4 * [(128, 128)]
    for layer in layers:
        np.testing.assert_allclose(layer.weight.std(), (0.125 / 128) ** 0.5, rtol=0.03)
        assert not layer.bias.any()
    assert attention.heads == 4


def test_heads_share_the_embedding_evenly():
    with pytest.raises(NetworkError, match="10 numbers cannot be shared evenly by 4"):
        make_residual_self_attention(np.random.default_rng(0), 10, 4)
