"""SAC with memory: padded sequences, and the values of what follows each decision."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlagents.algorithms.sac.networks import Structure, make_networks, target_of
from mlagents.algorithms.sac.update import Recipe, Transitions, minibatch, minibatch_loss, next_values
from mlagents.nn.build import make_policy
from mlagents.nn.flat import flattened
from mlagents.nn.observations import Inputs
from mlagents.settings import NetworkSettings
from toys.segments import make_columns
from toys.specs import behavior

SPEC = behavior(3, continuous=2, branches=(3,))
SETTINGS = NetworkSettings.model_validate({"hidden_units": 8, "num_layers": 1, "memory": {"memory_size": 6}})
LENGTHS = (5, 2)
GAMMA = np.float32([0.9])


def structure_and_parameters():
    rng = np.random.default_rng(0)
    policy = make_policy(rng, SPEC, SETTINGS, squashed=True)
    networks = make_networks(rng, SPEC, SETTINGS, policy, 1, -1.0)
    parameters, networks_of = flattened(networks)
    target, target_networks_of = flattened(target_of(networks))
    return Structure(networks_of, target_networks_of), jnp.asarray(parameters), jnp.asarray(target)


def sampled(steps):
    """Return two sequences in room for `steps` decisions each, and noise; what is padding differs from room to room."""
    filler, rng = np.random.default_rng(steps), np.random.default_rng(1)
    rows = len(LENGTHS) * (steps + 1)
    columns = make_columns(
        (filler.normal(size=(rows, 3)).astype(np.float32),),
        filler.normal(size=(rows, 6)).astype(np.float32),
        filler.normal(size=(rows, 2)).astype(np.float32),
        filler.integers(0, 3, (rows, 1)).astype(np.int32),
        np.zeros((rows, 3), np.float32),
        np.ones((rows, 3), bool),
    )
    transitions = Transitions(
        columns,
        filler.normal(size=(rows, 1)).astype(np.float32),
        np.zeros((rows, 1), bool),
        np.repeat(np.array(LENGTHS, np.int32), steps + 1),
    )
    noise = filler.normal(size=(1, len(LENGTHS) * steps, 2)).astype(np.float32)
    for sequence, length in enumerate(LENGTHS):
        first = sequence * (steps + 1)
        transitions.columns.memory[first] = rng.normal(size=6)
        transitions.columns.observations[0][first : first + length + 1] = rng.normal(size=(length + 1, 3))
        for column in (transitions.columns.continuous, transitions.reward):
            column[first : first + length] = rng.normal(size=(length, column.shape[1]))
        transitions.columns.discrete[first : first + length] = rng.integers(0, 3, (length, 1))
        transitions.terminated[first + length - 1] = True
        noise[0, sequence * steps : sequence * steps + length] = rng.normal(size=(length, 2))
    return jax.tree.map(jnp.asarray, (transitions, noise))


def loss_and_gradient(steps):
    structure, parameters, target = structure_and_parameters()
    recipe = Recipe(structure, len(LENGTHS), steps, 0.0, 0.01)
    layout = structure.networks(parameters).body.layout
    batch = minibatch(*sampled(steps), jnp.int32(0), None, layout, recipe)
    loss = jax.jit(jax.value_and_grad(minibatch_loss, has_aux=True), static_argnums=2)
    return jax.tree.leaves(loss(parameters, target, recipe, batch, GAMMA))


@pytest.mark.slow
def test_padding_changes_neither_losses_nor_gradients():
    """In the reference the squared errors are averaged before the mask is applied."""
    for exact, padded in zip(loss_and_gradient(5), loss_and_gradient(8), strict=True):
        np.testing.assert_allclose(exact, padded, atol=1e-5)


def test_the_next_value_is_that_of_the_same_sequence_one_step_on():
    structure, parameters, target = structure_and_parameters()
    steps = 5
    recipe = Recipe(structure, len(LENGTHS), steps, 0.0, 0.01)
    transitions, noise = sampled(steps)
    batch = minibatch(transitions, noise, jnp.int32(0), None, structure.networks(parameters).body.layout, recipe)
    found = np.asarray(next_values(structure.target(target), batch, steps)).reshape(len(LENGTHS), steps, 1)
    for sequence, length in enumerate(LENGTHS):
        first = sequence * (steps + 1)
        seen = Inputs(transitions.columns.observations[0][first : first + length + 1], (), ())
        whole, _ = structure.target(target).value(seen, jnp.zeros((1, 6)))
        np.testing.assert_allclose(found[sequence, :length], whole[1:], atol=1e-6)
