"""Specs and policies to export."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlagents.nn.build import make_policy
from mlagents.nn.normalizer import Normalizer
from mlagents.settings import NetworkSettings
from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)


def vector_spec(sizes, continuous=0, branches=()):
    sensors = [ObservationSpec((n,), (DimensionProperty.NONE,), ObservationType.DEFAULT, f"sensor {n}") for n in sizes]
    return BehaviorSpec(sensors, ActionSpec(continuous, tuple(branches)))


def random_policy(spec, hidden_units=16, num_layers=2, normalize=True, seed=0, gain=1.0, squashed=False):
    """A policy that has seen data far from 0, and whose means leave [-3, 3] if the gain is large."""
    settings = NetworkSettings(hidden_units=hidden_units, num_layers=num_layers, normalize=normalize)
    rng = np.random.default_rng(seed)
    policy = jax.tree.map(lambda leaf: _weights(rng, leaf.shape), make_policy(rng, spec, settings, squashed))
    policy = eqx.tree_at(lambda p: p.head.mean.weight, policy, policy.head.mean.weight * gain)
    if normalize:
        n = policy.normalizer.mean.size
        seen = Normalizer(5 * _weights(rng, (n,)), jnp.full(n, 400.0), jnp.float32(100))
        policy = eqx.tree_at(lambda p: p.normalizer, policy, seen)
    return policy


def _weights(rng, shape):
    fan_in = shape[-1] if shape else 1
    return jnp.asarray(rng.normal(0, 1 / np.sqrt(max(1, fan_in)), shape), jnp.float32)


@pytest.fixture(scope="session")
def make_spec():
    return vector_spec


@pytest.fixture(scope="session")
def make_random_policy():
    return random_policy
