"""Who plays besides models, and recording of what is played."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from mlagents.inference import Model
    from mlagents_envs.base_env import ActionTuple, BaseEnv, DecisionSteps


class HeuristicPlayer:
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


def heuristic_players(env: BaseEnv) -> dict[str, Model]:
    """Return a player for each behavior.

    Raises:
      UsageError: the environment is not of a kind that has rules.
    """
    heuristic: Callable[[str], ActionTuple] | None = getattr(env, "heuristic", None)
    if heuristic is None:
        raise UsageError("--heuristic is for environments of mlagents_sim, and this is none; give --model")
    return {behavior: HeuristicPlayer(heuristic, behavior) for behavior in env.behavior_specs}


def recorded(env: BaseEnv, path: Path | None) -> BaseEnv:
    """Return the environment, recorded to a demonstration if there is a path for it."""
    if path is None:
        return env
    from mlagents_envs.demonstrations import RecordedEnv

    return RecordedEnv(env, path)
