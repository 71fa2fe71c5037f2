"""What a checkpoint says of the policy in it, so that it can be rebuilt without its environment."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mlagents.artifacts.checkpoints import CheckpointError, Checkpoints
from mlagents.nn.build import make_policy
from mlagents.nn.policy import Policy
from mlagents.nn.tensors import with_tensors
from mlagents.settings import NetworkSettings
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType

KEY = "interface"
"""Of a saved state, beside what the learner saves."""


class SavedPolicy(NamedTuple):
    """A policy and what it observes and does."""

    policy: Policy
    spec: BehaviorSpec


def interface(spec: BehaviorSpec, network: NetworkSettings, policy: Policy) -> dict[str, Any]:
    """Return observations, actions and network as plain values."""
    observations = [
        {
            "name": sensor.name,
            "shape": list(sensor.shape),
            "dimensions": [int(dimension) for dimension in sensor.dimension_property],
            "type": sensor.observation_type.value,
        }
        for sensor in spec.observation_specs
    ]
    return {
        "observations": observations,
        "continuous_size": spec.action_spec.continuous_size,
        "discrete_branches": list(spec.action_spec.discrete_branches),
        "network_settings": network.model_dump(mode="json"),
        "squashed": policy.head.squashed,
    }


def read_policy(checkpoints: Checkpoints, behavior: str, step: int | None = None) -> tuple[SavedPolicy, int]:
    """Return a policy from a run's checkpoints, and its step: the newest, or that of a step.

    Raises:
      CheckpointError: there is no such checkpoint, it is damaged, or it does not say what the policy observes.
      TensorMismatch: the weights do not fit the network that the checkpoint describes.
    """
    state = checkpoints.load(behavior, step)
    what = f"behavior {behavior} at step {state['steps']}"
    if KEY not in state:
        raise CheckpointError(
            f"{what}: the checkpoint does not say what the policy observes and does; an older version wrote it. Go on"
            " with the run for a moment (--resume): the checkpoint it then writes does, and it exports a model itself"
        )
    return saved_policy(state, what), state["steps"]


def saved_policy(state: dict[str, Any], what: str) -> SavedPolicy:
    """Return the policy in a saved state, whichever algorithm trained it.

    Args:
      state: as `Checkpoints.load` returns it.
      what: whose state it is, for errors.

    Raises:
      KeyError: the state does not say what the policy observes: an older version saved it.
      TensorMismatch: the weights do not fit the network that the state describes.
    """
    saved = state[KEY]
    observations = [
        ObservationSpec(
            tuple(sensor["shape"]),
            tuple(DimensionProperty(dimension) for dimension in sensor["dimensions"]),
            ObservationType(sensor["type"]),
            sensor["name"],
        )
        for sensor in saved["observations"]
    ]
    spec = BehaviorSpec(observations, ActionSpec(saved["continuous_size"], tuple(saved["discrete_branches"])))
    network = NetworkSettings.model_validate(saved["network_settings"])
    fresh = make_policy(np.random.default_rng(0), spec, network, saved["squashed"])
    tree = {"weights": {"body": fresh.body, "head": fresh.head}, "normalizer": fresh.normalizer}
    prefixes = ("weights.body.", "weights.head.", "normalizer.")
    tensors = {name: tensor for name, tensor in state["tensors"].items() if name.startswith(prefixes)}
    restored = with_tensors(tree, tensors, what)
    weights: Any = restored["weights"]
    normalizer: Any = restored["normalizer"]
    return SavedPolicy(Policy(normalizer, weights["body"], weights["head"]), spec)
