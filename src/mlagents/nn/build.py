"""From observation and action specs and network settings to a policy with fresh weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlagents.nn.critic import Critic
from mlagents.nn.layers import Mlp
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.policy import ActionHead, Policy
from mlagents.settings import NetworkSettings
from mlagents_envs.base_env import BehaviorSpec, ObservationSpec


class NetworkError(ValueError):
    """No network can be built for the behavior; the message says which observation or setting is the reason."""


def input_size(observation_specs: Sequence[ObservationSpec]) -> int:
    """Return the width of all vector observations together.

    Raises:
      NetworkError: there are no observations, or one is not a vector.
    """
    if not observation_specs:
        raise NetworkError("the behavior has no observations; add at least one sensor to the agent")
    for index, spec in enumerate(observation_specs):
        if len(spec.shape) != 1:
            raise NetworkError(
                f"observation {index} ({spec.name or 'unnamed'}) has shape {list(spec.shape)}; this version trains"
                " on vector observations (rank 1) only"
            )
    return sum(spec.shape[0] for spec in observation_specs)


def make_policy(
    rng: np.random.Generator, spec: BehaviorSpec, settings: NetworkSettings, squashed: bool = False
) -> Policy:
    """Return a policy with initial weights for the behavior; squashed: see `ActionHead`.

    Raises:
      NetworkError: the observations or settings ask for something this version cannot build.
    """
    if settings.memory is not None:
        raise NetworkError(
            "network_settings.memory (use_recurrent) is not available in this version; remove it to train without"
        )
    inputs = input_size(spec.observation_specs)
    action = spec.action_spec
    return Policy(
        Normalizer.initial(inputs) if settings.normalize else None,
        Mlp(rng, inputs, settings.hidden_units, settings.num_layers),
        ActionHead(rng, settings.hidden_units, action.continuous_size, tuple(action.discrete_branches), squashed),
    )


def make_critic(rng: np.random.Generator, spec: BehaviorSpec, settings: NetworkSettings, signals: int) -> Critic:
    """Return a critic with initial weights for the behavior and number of reward signals."""
    inputs = input_size(spec.observation_specs)
    return Critic(rng, inputs, settings.hidden_units, settings.num_layers, signals)
