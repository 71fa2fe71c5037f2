"""A checkpoint of this toolkit as a player that says why it does what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from mlagents.artifacts.interface import SavedPolicy
from mlagents.artifacts.saved_critic import SavedCritic
from mlagents.nn.distributions import CLIP
from mlagents.nn.policy import Policy
from mlagents.self_play.players import PolicyModel
from mlagents.viewing.explanation import Explanation
from mlagents_envs.base_env import ActionTuple, DecisionSteps


class CheckpointPlayer:
    """A policy with its critic; a `Model`, and `Explaining`.

    Args:
      saved: the policy.
      critic: that came with it, if any.
      signals: names of the reward signals that the critic values, in its order.
      step: of the checkpoint.
    """

    def __init__(self, saved: SavedPolicy, critic: SavedCritic | None, signals: Sequence[str], step: int) -> None:
        policy = saved.policy
        if critic is not None and critic.body is not None and critic.body.memory_size:
            policy = Policy(policy.normalizer, policy.body, policy.head, critic.body)  # so that its memory is kept
        self.step = step
        self._policy, self._critic, self._signals = policy, critic, signals
        self._model = PolicyModel(policy)

    def act(self, decision_steps: DecisionSteps, deterministic: bool, rng: np.random.Generator) -> ActionTuple:
        """Return one row of actions per waiting agent; see `Model.act`."""
        return self._model.act(decision_steps, deterministic, rng)

    def forget(self, agent_ids: Iterable[int]) -> None:
        """Start these agents' next episodes without memory."""
        self._model.forget(agent_ids)

    def explain(self, steps: DecisionSteps) -> Explanation:
        """Return the exact probabilities, and values if there is a critic."""
        mask = steps.action_mask
        allowed = None if mask is None else np.logical_not(np.concatenate(mask, axis=1))
        memory = self._model.memory_of(steps.agent_id)
        found = jax.device_get(_look(self._policy, self._critic, tuple(steps.obs), allowed, memory))
        mean, log_std, log_probs, values = found
        std = np.exp(np.broadcast_to(log_std, mean.shape))
        squashed = self._policy.head.squashed
        actions = np.tanh(mean) if squashed else np.clip(mean, -CLIP, CLIP) / CLIP
        deviation = std * (1.0 - actions**2) if squashed else std / CLIP
        named = {} if values is None else dict(zip(self._signals, values[0].tolist(), strict=False))
        return Explanation(tuple(np.exp(each[0]) for each in log_probs), actions[0], deviation[0], named, 0)


@eqx.filter_jit
def _look(policy: Policy, critic: SavedCritic | None, observations: Any, allowed: Any, memory: Any) -> tuple[Any, ...]:
    """Return mean, log of the deviation, log-probabilities and values of every row, before they act."""
    inputs = policy.inputs(observations)
    own = policy.body.memory_size
    hidden, _ = policy.body(inputs, memory[:, :own] if own else None)
    distribution = policy.head(hidden, allowed)
    values = None
    if critic is not None:
        if critic.body is not None:
            hidden, _ = critic.body(inputs, memory[:, own:] if critic.body.memory_size else None)
        values = critic.value(jnp.asarray(hidden))
    return distribution.mean, distribution.log_std, distribution.log_probs, values
