"""The networks of PPO: a policy and its critic."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float

from mlagents.arrays import Array
from mlagents.nn.body import Body, Memory
from mlagents.nn.layers import Dense
from mlagents.nn.observations import Inputs
from mlagents.nn.policy import ActionDistribution, ActionHead


class Networks(NamedTuple):
    """What gradients train.

    Attributes:
      body, head: of the policy.
      critic_body: of the critic; None if it shares the policy's.
      value: dense layer to one value per reward signal.
    """

    body: Body
    head: ActionHead
    critic_body: Body | None
    value: Dense

    def values(self, inputs: Inputs, memory: Memory | None) -> Float[Array, "rows signals"]:
        """Return V_k of every row; memory is the policy's and then the critic's (see `Body.__call__`)."""
        own, others = memories(memory, self.body)
        if self.critic_body is None:
            hidden, _ = self.body(inputs, own)
        else:
            hidden, _ = self.critic_body(inputs, others)
        return self.value(hidden)

    def evaluate(
        self, inputs: Inputs, allowed: Bool[Array, "rows s"] | None, memory: Memory | None
    ) -> tuple[ActionDistribution, Float[Array, "rows signals"]]:
        """Return what the policy would do and V_k of every row."""
        own, others = memories(memory, self.body)
        hidden, _ = self.body(inputs, own)
        critic_hidden = hidden if self.critic_body is None else self.critic_body(inputs, others)[0]
        return self.head(hidden, allowed), self.value(critic_hidden)


def memories(memory: Memory | None, body: Body) -> tuple[Memory | None, Memory | None]:
    """Return the policy's part of what is stored, and the critic's behind it; `body` is the policy's."""
    return (None, None) if memory is None else (memory[:, : body.memory_size], memory[:, body.memory_size :])
