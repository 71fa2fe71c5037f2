"""Policies of this toolkit as players: the form in which matches know everybody who plays."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mlagents.inference.memory import AgentMemory
from mlagents.nn.policy import Policy
from mlagents.rollout.actor import Actor
from mlagents_envs.base_env import ActionTuple, DecisionSteps


class PolicyModel:
    """A policy that plays; a `Model`.

    Args:
      policy: whose weights do not change any more.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._memory = AgentMemory(policy.memory_size)
        self._actor: tuple[bool, np.random.Generator, Actor] | None = None

    def act(self, decision_steps: DecisionSteps, deterministic: bool, rng: np.random.Generator) -> ActionTuple:
        """Return one row of actions per waiting agent; see `Model.act`."""
        agents = decision_steps.agent_id
        mask = decision_steps.action_mask
        allowed = None if mask is None else np.logical_not(np.concatenate(mask, axis=1))
        remembers = self._policy.memory_size > 0
        memory = self._memory.rows(agents) if remembers else None
        decision = self._actor_of(deterministic, rng).act(decision_steps.obs, allowed, memory)
        if decision.memory is not None and remembers:
            self._memory.store(agents, decision.memory)
        return decision.action

    def forget(self, agent_ids: Iterable[int]) -> None:
        """Start these agents' next episodes without memory."""
        if self._policy.memory_size:
            self._memory.forget(list(agent_ids))

    def memory_of(self, agent_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return what is remembered of agents, float32 [n, memory size], before they act next."""
        return self._memory.rows(agent_ids)

    def _actor_of(self, deterministic: bool, rng: np.random.Generator) -> Actor:
        if self._actor is None or self._actor[0] != deterministic or self._actor[1] is not rng:
            self._actor = deterministic, rng, Actor(self._policy, rng, deterministic)
        return self._actor[2]
