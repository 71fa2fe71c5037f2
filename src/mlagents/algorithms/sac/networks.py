"""The networks of soft actor-critic.

A frame is encoded once for all of them: critics read the encodings that the policy's encoders make, and their losses
are what trains these encoders; to the policy's loss encodings are given (Yarats et al., arXiv:1910.01741 section 5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float

from mlagents.arrays import Array
from mlagents.nn.body import Body, Memory
from mlagents.nn.build import features, make_body, make_critic
from mlagents.nn.critic import Critic
from mlagents.nn.image_encoders import ImageEncoder
from mlagents.nn.layers import Dense, glorot_dense
from mlagents.nn.observations import Inputs
from mlagents.nn.policy import ActionHead, Policy
from mlagents.settings import NetworkSettings
from mlagents_envs.base_env import BehaviorSpec


class QNetwork(eqx.Module):
    """Values of actions, Q_k(s, a): continuous actions go in, one column for each discrete action comes out.

    Attributes:
      body: on observation and continuous action.
      value: dense layer to K x max(S, 1) values, S the sum of branch sizes.
      signals: K.
    """

    body: Body
    value: Dense
    signals: int = eqx.field(static=True)

    def __call__(
        self, inputs: Inputs, action: Float[Array, "rows c"], memory: Memory | None
    ) -> Float[Array, "rows signals s"]:
        """Return Q_k for each row and continuous actions in [-1, 1] (see `Body.__call__`)."""
        hidden, _ = self.body(inputs, memory, action)
        return self.value(hidden).reshape(len(hidden), self.signals, -1)


class Networks(NamedTuple):
    """What gradients train.

    Attributes:
      value: V. Its weights and then those of the encoders come first in the parameter vector: the target network
        follows both.
      body, head: of the policy. The body has the encoders of images, the critics have none.
      q1, q2: the twins.
      log_alpha: float32 [t], logarithms of the temperatures: one for all continuous actions, if there are any, then
        one for each discrete branch.
    """

    value: Critic
    body: Body
    head: ActionHead
    q1: QNetwork
    q2: QNetwork
    log_alpha: Float[Array, " t"]


class Target(NamedTuple):
    """What the target network follows, in the order of `Networks`: V and the encoders whose encodings it reads."""

    value: Critic
    encoders: tuple[ImageEncoder, ...]


class Structure(NamedTuple):
    """From vectors of weights to networks.

    Attributes:
      networks: of all parameters.
      target: of the weights of a target network alone.
    """

    networks: Callable[[Float[Array, " p"]], Networks]
    target: Callable[[Float[Array, " v"]], Target]


def target_of(networks: Networks) -> Target:
    """Return what a target network begins with."""
    return Target(networks.value, networks.body.encoders)


def make_networks(
    rng: np.random.Generator,
    spec: BehaviorSpec,
    settings: NetworkSettings,
    policy: Policy,
    signals: int,
    log_alpha: float,
) -> Networks:
    """Return networks with initial weights around the policy."""
    action = spec.action_spec
    value = make_critic(rng, spec, settings, signals, encoders=False)

    def q_network() -> QNetwork:
        body = make_body(rng, spec.observation_specs, settings, action.continuous_size, encoders=False)
        outputs = signals * max(sum(action.discrete_branches), 1)
        return QNetwork(body, glorot_dense(rng, features(settings), outputs), signals)

    temperatures = (action.continuous_size > 0) + action.discrete_size
    start = np.full(temperatures, log_alpha, np.float32)
    return Networks(value, policy.body, policy.head, q_network(), q_network(), start)
