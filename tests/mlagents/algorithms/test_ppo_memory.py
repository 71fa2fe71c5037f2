"""PPO with memory: sequences, their padding, and the memory they start from."""

from __future__ import annotations

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlagents.algorithms.ppo.estimates import Batch, sequence_values
from mlagents.algorithms.ppo.networks import Networks
from mlagents.algorithms.ppo.update import Coefficients, minibatch_loss
from mlagents.data.segments import FlatSegments
from mlagents.learning.sequences import Sequences, past_burn_in, rows_of
from mlagents.nn.build import features, make_body, make_policy
from mlagents.nn.flat import flattened
from mlagents.nn.layers import glorot_dense
from mlagents.nn.observations import Inputs
from mlagents.settings import NetworkSettings
from toys.segments import make_segment
from toys.specs import behavior

SPEC = behavior(3, continuous=1)
SETTINGS = NetworkSettings.model_validate({"hidden_units": 8, "num_layers": 1, "memory": {"memory_size": 6}})


def make_networks():
    rng = np.random.default_rng(0)
    policy = make_policy(rng, SPEC, SETTINGS)
    critic_body = make_body(rng, SPEC.observation_specs, SETTINGS)
    value = glorot_dense(rng, features(SETTINGS), 2)
    return Networks(policy.body, policy.head, critic_body, value)


def episode(networks, steps):
    """Return an episode as one segment, with the memory that acting leaves before every decision."""
    rng = np.random.default_rng(1)
    seen = rng.normal(size=(steps + 1, 3)).astype(np.float32)
    memory, before = np.zeros((1, 12), np.float32), []
    for x in seen[:-1]:
        before.append(memory[0])
        inputs = Inputs(x[None], (), ())
        _, own = networks.body(inputs, memory[:, :6])
        _, critics = networks.critic_body(inputs, memory[:, 6:])
        memory = np.concatenate([own, critics], axis=1)
    return make_segment(
        (seen,),
        np.array(before),
        rng.normal(size=(steps, 1)).astype(np.float32),
        np.zeros((steps, 0), np.int32),
        np.full((steps, 1), -1.0, np.float32),
        np.ones((steps, 0), bool),
        rng.normal(size=steps).astype(np.float32),
        terminated=True,
    )


def part(segment, start, stop):
    last = stop == len(segment)
    columns = segment.columns.part(slice(start, stop), slice(start, stop + 1))
    return dataclasses.replace(segment, columns=columns, terminated=last)


def in_rows(segments):
    rows = FlatSegments(SPEC, 40, memory_size=12)
    for segment in segments:
        rows.extend(segment)
    return rows


def values(networks, rows, steps, room=30):
    start, length = rows.sequences(steps)
    sequences = Sequences(np.zeros(room, np.int32), np.ones(room, np.int32))
    sequences.start[: len(start)], sequences.length[: len(start)] = start, length
    inputs, memory, closing = Inputs(rows.columns.observations[0], (), ()), rows.columns.memory, rows.closing
    networks, *arguments = jax.tree.map(jnp.asarray, (networks, inputs, memory, closing, sequences))
    found = sequence_values(networks.values, networks.value.bias.size, *arguments, jnp.int32(len(start)), steps)
    return np.asarray(found)[: rows.used]


@pytest.mark.parametrize("steps", [4, *(pytest.param(steps, marks=pytest.mark.slow) for steps in (1, 3, 23, 50))])
def test_values_are_the_same_whether_trajectories_are_cut_or_whole(steps):
    networks = make_networks()
    whole = episode(networks, 23)
    expected = np.asarray(networks.values(Inputs(whole.columns.observations[0], (), ()), np.zeros((1, 12), np.float32)))
    np.testing.assert_allclose(values(networks, in_rows([whole]), steps), expected, atol=1e-5)

    cuts = [0, 5, 6, 15, 23]
    pieces = [part(whole, a, b) for a, b in itertools.pairwise(cuts)]
    found = values(networks, in_rows(pieces), steps)
    start = 0
    for piece, first in zip(pieces, cuts, strict=False):
        stop = start + len(piece) + 1
        np.testing.assert_allclose(found[start:stop], expected[first : first + len(piece) + 1], atol=1e-5)
        start = stop


def gradient(networks, rows, steps):
    """Return loss and gradient over all sequences."""
    start, length = map(jnp.asarray, rows.sequences(steps))
    at, valid = rows_of(Sequences(start, length), steps)
    c = rows.columns
    batch = Batch(
        Inputs(c.observations[0][at], (), ()),
        c.part(at, at)._replace(observations=[]),
        jnp.sin(c.reward)[at],
        jnp.stack([c.reward, -c.reward], axis=1)[at],
    )
    coefficients = Coefficients(np.float32(1.0), np.float32(0.2), np.float32(0.01))
    parameters, networks_of = flattened(networks)
    loss = jax.jit(jax.value_and_grad(minibatch_loss, has_aux=True), static_argnums=1)
    return loss(jnp.asarray(parameters), networks_of, batch, c.memory[start], valid, coefficients)


def test_padding_changes_neither_loss_nor_gradient():
    networks = make_networks()
    rows = in_rows([episode(networks, 5)])
    exact, padded = gradient(networks, rows, 5), gradient(networks, rows, 9)
    for a, b in zip(jax.tree.leaves(exact), jax.tree.leaves(padded), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_where_sequences_are():
    networks = make_networks()
    whole = episode(networks, 7)
    rows = in_rows([whole, part(whole, 0, 3), part(whole, 3, 4)])
    start, length = rows.sequences(3)
    assert start.tolist() == [0, 3, 6, 8, 12]
    assert length.tolist() == [3, 3, 1, 3, 1]
    assert FlatSegments(SPEC, 4).sequences(3)[0].tolist() == []
    at, valid = rows_of(Sequences(start[1:3], length[1:3]), 4)
    assert at.tolist() == [3, 4, 5, 6, 6, 7, 7, 7]
    assert valid.tolist() == [True, True, True, False, True, False, False, False]


def test_burn_in_leaves_out_the_first_part_of_sequences_within_episodes():
    memory = np.array([[0.0, 0.0], [0.0, 0.3]], np.float32)
    valid = np.array([True, True, True, False] * 2)
    found = past_burn_in(jnp.asarray(valid), memory, 4, 0.5)
    assert found.tolist() == [True, True, True, False, False, False, True, False]
    assert past_burn_in(valid, memory, 4, 0.2) is valid
