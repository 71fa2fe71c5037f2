"""The rule that an environment's author gave the agents, as a player."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from mlagents_envs.base_env import ActionTuple, DecisionSteps


class HeuristicPolicy:
    """Plays a behavior by the rule that its author gave it; a `Model`.

    Args:
      heuristic: behavior -> actions of the agents that wait.
      behavior: the one to play.
    """

    def __init__(self, heuristic: Callable[[str], ActionTuple], behavior: str) -> None:
        self._heuristic = heuristic
        self._behavior = behavior

    def act(self, decision_steps: DecisionSteps, deterministic: bool, rng: np.random.Generator) -> ActionTuple:
        """Return what the rule says; the rule knows the agents, and needs nothing else."""
        return self._heuristic(self._behavior)

    def forget(self, agent_ids: Iterable[int]) -> None:
        """Nothing is remembered."""
