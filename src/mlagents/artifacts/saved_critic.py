"""The critic in a checkpoint: what an observation is worth, by reward signal."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mlagents.artifacts.interface import KEY, SavedPolicy
from mlagents.nn.body import Body
from mlagents.nn.build import features, make_body
from mlagents.nn.layers import Dense, glorot_dense
from mlagents.nn.tensors import with_tensors
from mlagents.settings import NetworkSettings

_OF_PPO = ("weights.critic_body.", "weights.value.")
_OF_SAC = ("weights.value.body.", "weights.value.value.")
_ENCODERS = ("encoders.", "weights.body.encoders.")
"""Of images: in a body, and in a checkpoint of SAC, whose critics have the policy's."""


class SavedCritic(NamedTuple):
    """A value function.

    Attributes:
      body: from observations to activations; None if it is the policy's.
      value: from activations to one value per reward signal.
    """

    body: Body | None
    value: Dense


def saved_critic(state: dict[str, Any], saved: SavedPolicy, what: str) -> SavedCritic | None:
    """Return the critic in a state that PPO or SAC saved; None for others, whose values are of groups or are not there.

    Args:
      state: as `Checkpoints.load` returns it.
      saved: the policy in it.
      what: whose state it is, for errors.

    Raises:
      TensorMismatch: the weights do not fit the network that the state describes.
    """
    tensors = state["tensors"]
    kinds = [kind for kind in (_OF_PPO, _OF_SAC) if f"{kind[1]}bias" in tensors]
    if not kinds:
        return None
    of_body, of_value = kinds[0]
    network = NetworkSettings.model_validate(state[KEY]["network_settings"])
    rng = np.random.default_rng(0)
    tree: dict[str, Any] = {"value": glorot_dense(rng, features(network), len(tensors[f"{of_value}bias"]))}
    found = {f"value.{name.removeprefix(of_value)}": tensors[name] for name in _names(tensors, of_value)}
    if of_own_body := _names(tensors, of_body):
        tree["body"] = make_body(rng, saved.spec.observation_specs, network)
        found |= {f"body.{name.removeprefix(of_body)}": tensors[name] for name in of_own_body}
        if kinds[0] is _OF_SAC:
            in_body, in_policy = _ENCODERS
            shared = _names(tensors, in_policy)
            found |= {f"body.{in_body}{name.removeprefix(in_policy)}": tensors[name] for name in shared}
    restored = with_tensors(tree, found, what)
    return SavedCritic(restored.get("body"), restored["value"])


def _names(tensors: dict[str, Any], prefix: str) -> list[str]:
    return [name for name in tensors if name.startswith(prefix)]
