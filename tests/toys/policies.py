"""Small policies of every kind, which have seen data and have no weight or bias of 0."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np

from mlagents.nn.build import make_policy
from mlagents.nn.normalizer import Normalizer
from mlagents.settings import NetworkSettings
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType

MEMORY = {"memory": {"memory_size": 8, "sequence_length": 4}}


def sensor(*shape, goal=False, name=""):
    """A vector, an image or, of rank 2, entities."""
    dimensions = [DimensionProperty.NONE] * len(shape)
    if len(shape) == 2:
        dimensions[0] = DimensionProperty.VARIABLE_SIZE
    kind = ObservationType.GOAL_SIGNAL if goal else ObservationType.DEFAULT
    return ObservationSpec(shape, tuple(dimensions), kind, name)


def behavior(*sensors, continuous=0, branches=()):
    """A behavior with sensors, or shapes of sensors, in this order."""
    made = [s if isinstance(s, ObservationSpec) else sensor(*s) for s in sensors]
    return BehaviorSpec(made, ActionSpec(continuous, tuple(branches)))


def seasoned_policy(spec, seed=5, squashed=False, gain=4.0, **network):
    """A policy with initial weights, moved; outputs grow with the gain."""
    rng = np.random.default_rng(seed)
    settings = NetworkSettings(**{"hidden_units": 16, "num_layers": 2} | network)
    policy = make_policy(rng, spec, settings, squashed)
    policy = jax.tree.map(lambda leaf: np.asarray(leaf + 0.1 * rng.standard_normal(leaf.shape), np.float32), policy)
    policy = eqx.tree_at(lambda p: p.head, policy, jax.tree.map(lambda leaf: np.float32(gain) * leaf, policy.head))
    if policy.normalizer is None:
        return policy
    n = policy.normalizer.mean.size
    mean = np.float32(5 * rng.standard_normal(n))
    seen = Normalizer(mean, np.full(n, 400, np.float32), np.array(100, np.float32))
    return eqx.tree_at(lambda p: p.normalizer, policy, seen)


KINDS = {
    "vectors, both kinds of actions": (behavior((5,), (3,), continuous=2, branches=(3, 2)), {"normalize": True}),
    "squashed": (behavior((4,), continuous=3), {"squashed": True, "normalize": True}),
    "simple": (behavior((3, 20, 22), branches=(5,)), {}),
    "nature_cnn": (behavior((1, 36, 40), (4,), (3, 38, 36), continuous=2), {"vis_encode_type": "nature_cnn"}),
    "resnet": (behavior((3, 15, 17), (2,), continuous=2), {"vis_encode_type": "resnet"}),
    "match3": (behavior((4, 6, 5), branches=(4,)), {"vis_encode_type": "match3"}),
    "fully_connected": (behavior((2, 3, 4), continuous=1), {"vis_encode_type": "fully_connected"}),
    "memory": (behavior((6,), continuous=2, branches=(3,)), MEMORY | {"normalize": True}),
    "entities": (behavior((3,), (4, 5), (2, 3), continuous=2), {"normalize": True}),
    "entities alone": (behavior((4, 5), branches=(3,)), {}),
    "goal": (behavior(sensor(4), sensor(2, goal=True), continuous=2), {"normalize": True}),
    "goal, one layer": (behavior(sensor(4), sensor(2, goal=True), branches=(2, 2)), {"num_layers": 1}),
    "goal of variable size": (behavior(sensor(3), sensor(4, 5, goal=True), branches=(3,)), {"normalize": True}),
    "goal as an ordinary input": (
        behavior(sensor(4), sensor(2, goal=True), continuous=1),
        {"goal_conditioning_type": "none"},
    ),
    "all at once": (
        behavior(
            sensor(3), sensor(2, 5, 5, goal=True), sensor(4, 3), sensor(2, goal=True), continuous=1, branches=(3,)
        ),
        MEMORY | {"normalize": True, "vis_encode_type": "match3", "squashed": True},
    ),
}
"""What a behavior is, and the network settings (and whether actions are squashed) of its policy."""
