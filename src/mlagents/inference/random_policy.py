"""The baseline that any training should beat."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps


class RandomPolicy:
    """Uniform actions: continuous ones in [-1, 1), discrete ones among those that are not masked."""

    def __init__(self, behavior_spec: BehaviorSpec) -> None:
        self._action_spec = behavior_spec.action_spec

    def act(self, decision_steps: DecisionSteps, deterministic: bool, rng: np.random.Generator) -> ActionTuple:
        """Return random actions, one row per agent; `deterministic` changes nothing here."""
        n = len(decision_steps)
        actions = ActionTuple(rng.uniform(-1.0, 1.0, (n, self._action_spec.continuous_size)))
        actions.add_discrete(np.zeros((n, self._action_spec.discrete_size), np.int32))
        for branch, size in enumerate(self._action_spec.discrete_branches):
            order = rng.random((n, size))
            if decision_steps.action_mask is not None:
                order[decision_steps.action_mask[branch]] = -1.0
            actions.discrete[:, branch] = order.argmax(axis=1)
        return actions

    def forget(self, agent_ids: Iterable[int]) -> None:
        """Nothing is remembered."""
