"""The critic of agents that win together: it sees everybody, for every agent anew, and whatever their number."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from mlagents.arrays import Array
from mlagents.nn.attention import attention_weights
from mlagents.nn.body import Body, Memory
from mlagents.nn.build import features, make_body
from mlagents.nn.distributions import CLIP
from mlagents.nn.layers import Dense, glorot_dense, scaled_normal_dense
from mlagents.nn.observations import Inputs
from mlagents.settings import NetworkSettings
from mlagents_envs.base_env import ActionSpec, BehaviorSpec

HEADS = 4


class Members(NamedTuple):
    """Decisions of agents that may be somebody's mates.

    Attributes:
      features: g(o), what the critic's body makes of their observations.
      action: what they did, see `action_vector`.
    """

    features: Float[Array, "members h"]
    action: Float[Array, "members a"]


class GroupCritic(eqx.Module):
    """Values and counterfactual baselines of agents, each seen together with its mates.

    A body g encodes every agent's observation. An agent attends to its mates: its query comes from its own g(o), keys
    and contents from theirs, W g(o) for the value and silu(W g(o) + E a) for the baseline, f(o, a). A last hidden
    layer reads the agent's own g(o), what the attention found and the logarithm of how many they are; the value and
    the baseline differ in whether the mates' actions are known, and in their linear heads.

    Attributes:
      body: g.
      query, key, content: dense layers from g(o); each head reads its share of the outputs.
      acting_key, acting_content: the same from a mate's action, added for the baseline.
      own, found, number: dense layers from g(o), from the attention's result and from log(agents) to the last layer.
      value, baseline: dense layers to one number per reward signal.
      branches: sizes of the discrete branches.
    """

    body: Body
    query: Dense
    key: Dense
    content: Dense
    acting_key: Dense
    acting_content: Dense
    own: Dense
    found: Dense
    number: Dense
    value: Dense
    baseline: Dense
    branches: tuple[int, ...] = eqx.field(static=True)

    def features(self, inputs: Inputs, memory: Memory | None) -> Float[Array, "rows h"]:
        """Return g(o) of every row (see `Body.__call__`)."""
        return self.body(inputs, memory)[0]

    def action_vector(
        self, continuous: Float[Array, "rows c"], discrete: Int[Array, "rows d"]
    ) -> Float[Array, "rows a"]:
        """Return what was done as the environment gets it: numbers in [-1, 1], then each branch's choice, one-hot."""
        choices = [jax.nn.one_hot(discrete[:, i], size) for i, size in enumerate(self.branches)]
        return jnp.concatenate([jnp.clip(continuous, -CLIP, CLIP) / CLIP, *choices], axis=1)

    def __call__(
        self, own: Float[Array, "rows h"], members: Members, mates: Int[Array, "rows mates"]
    ) -> tuple[Float[Array, "rows signals"], Float[Array, "rows signals"]]:
        """Return V_k and the baselines b_k of every row.

        Args:
          own: g(o) of every row.
          members: where the mates are found.
          mates: numbers of each row's mates among the members; -1: none.
        """
        present = mates >= 0
        query = _split(self.query(own))[:, None]
        agents = jnp.log1p(jnp.sum(present, axis=1, keepdims=True).astype(jnp.float32))
        itself = self.own(own) + self.number(agents)
        key, content, acting_key, acting_content = self._seen(members, jnp.maximum(mates, 0))
        value = self._attended(itself, query, key, content, present)
        baseline = self._attended(itself, query, acting_key, acting_content, present)
        return self.value(value), self.baseline(baseline)

    def _attended(
        self,
        itself: Float[Array, "rows hidden"],
        query: Float[Array, "rows 1 heads d"],
        key: Float[Array, "rows mates k"],
        content: Float[Array, "rows mates c"],
        present: Bool[Array, "rows mates"],
    ) -> Float[Array, "rows hidden"]:
        weights = attention_weights(query, _split(key), present)
        found = jnp.einsum("rhqm,rmhd->rqhd", weights, _split(content)).reshape(len(present), -1)
        return jax.nn.silu(itself + self.found(found))

    def _seen(self, members: Members, mates: Int[Array, "rows mates"]) -> list[Float[Array, "rows mates _"]]:
        """Return keys and contents of all mates, without and with their actions.

        What is computed for every member first, or for every mate, is what there are fewer of.
        """
        if len(members.features) <= mates.size:
            parts = self._shown(members)[mates]
        else:
            part: Members = jax.tree.map(lambda column: column[mates.ravel()], members)
            parts = self._shown(part).reshape(*mates.shape, -1)
        widths = 2 * [self.key.bias.size, self.content.bias.size]
        return [*jnp.split(parts, np.cumsum(widths[:-1]).tolist(), axis=2)]

    def _shown(self, members: Members) -> Float[Array, "members shown"]:
        key, content = self.key(members.features), self.content(members.features)
        acting_key, acting_content = self.acting_key(members.action), self.acting_content(members.action)
        shown = [key, jax.nn.silu(content), key + acting_key, jax.nn.silu(content + acting_content)]
        return jnp.concatenate(shown, axis=1)


def _split(x: Float[Array, "... n"]) -> Float[Array, "... heads d"]:
    return x.reshape(*x.shape[:-1], HEADS, -1)


def make_group_critic(
    rng: np.random.Generator, spec: BehaviorSpec, settings: NetworkSettings, signals: int
) -> GroupCritic:
    """Return a critic with initial weights for the behavior and number of reward signals.

    The last of `num_layers` hidden layers is the one that reads what the attention found; if there is only one, the
    body has one, too. Keys and contents have a quarter of `hidden_units`: contents of a half cost a third more.

    Raises:
      NetworkError: an observation is of a kind or size that the network cannot read.
    """
    layers, hidden = max(settings.num_layers - 1, 1), settings.hidden_units
    body = make_body(rng, spec.observation_specs, settings.model_copy(update={"num_layers": layers}))
    wide, action = features(settings), _action_size(spec.action_spec)
    seen = HEADS * max(hidden // (4 * HEADS), 1)
    return GroupCritic(
        body,
        query=scaled_normal_dense(rng, wide, seen),
        key=scaled_normal_dense(rng, wide, seen),
        content=scaled_normal_dense(rng, wide, seen),
        acting_key=scaled_normal_dense(rng, action, seen),
        acting_content=scaled_normal_dense(rng, action, seen),
        own=scaled_normal_dense(rng, wide, hidden),
        found=scaled_normal_dense(rng, seen, hidden),
        number=scaled_normal_dense(rng, 1, hidden),
        value=glorot_dense(rng, hidden, signals),
        baseline=glorot_dense(rng, hidden, signals),
        branches=tuple(spec.action_spec.discrete_branches),
    )


def _action_size(spec: ActionSpec) -> int:
    return spec.continuous_size + sum(spec.discrete_branches)
