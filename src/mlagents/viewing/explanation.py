"""Why does it do that? What a player would do with which probability, and what it thinks the situation is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mlagents.inference import HeuristicPolicy, Model, RandomPolicy
from mlagents_envs.base_env import ActionSpec, DecisionSteps

SAMPLES: Final = 64
"""So often a model that does not tell probabilities is asked what it would do."""


class Explanation(NamedTuple):
    """What a player thinks at one decision of one agent.

    Attributes:
      probabilities: of every choice, float [choices], one per branch of discrete actions.
      mean: of continuous actions, as the environment gets them, float [size].
      deviation: their standard deviation, float [size].
      values: what the situation is worth, by reward signal; empty if nobody estimates that.
      samples: 0 if the numbers are exact, otherwise from how many samples they come.
    """

    probabilities: tuple[NDArray[np.floating], ...]
    mean: NDArray[np.floating]
    deviation: NDArray[np.floating]
    values: Mapping[str, float]
    samples: int


@runtime_checkable
class Explaining(Protocol):
    """A player that says itself why it does what."""

    def explain(self, steps: DecisionSteps) -> Explanation:
        """Return what it thinks; called with one agent, before it acts."""


def explain(
    model: Model, steps: DecisionSteps, action_spec: ActionSpec, rng: np.random.Generator
) -> Explanation | None:
    """Return what a player thinks before it acts for one agent; None if it cannot be told.

    A model that does not tell is asked many times, which is no answer for one that remembers, nor for a rule.

    Args:
      model: the player.
      steps: one agent.
      action_spec: of its behavior.
      rng: the source of the samples: not that of the play, which stays as it would be.
    """
    if isinstance(model, Explaining):
        return model.explain(steps)
    if isinstance(model, RandomPolicy):
        return _uniform(steps, action_spec)
    if isinstance(model, HeuristicPolicy) or getattr(model, "remembers", True):
        return None
    action = model.act(_copies(steps, SAMPLES), False, rng)
    probabilities = tuple(
        np.bincount(action.discrete[:, branch], minlength=size) / SAMPLES
        for branch, size in enumerate(action_spec.discrete_branches)
    )
    return Explanation(probabilities, action.continuous.mean(axis=0), action.continuous.std(axis=0), {}, SAMPLES)


def _uniform(steps: DecisionSteps, action_spec: ActionSpec) -> Explanation:
    """Return what `RandomPolicy` does: all that is allowed alike; continuous actions uniform in [-1, 1)."""
    probabilities = []
    for branch, size in enumerate(action_spec.discrete_branches):
        allowed = np.ones(size) if steps.action_mask is None else 1.0 - steps.action_mask[branch][0]
        probabilities.append(allowed / max(allowed.sum(), 1.0))
    size = action_spec.continuous_size
    return Explanation(tuple(probabilities), np.zeros(size), np.full(size, 1.0 / np.sqrt(3.0)), {}, 0)


def _copies(steps: DecisionSteps, count: int) -> DecisionSteps:
    """Return one agent `count` times, under ids that nobody has."""
    masks = None if steps.action_mask is None else [np.repeat(mask, count, axis=0) for mask in steps.action_mask]
    return DecisionSteps(
        [np.repeat(column, count, axis=0) for column in steps.obs],
        np.repeat(steps.reward, count),
        np.arange(-count, 0, dtype=np.int32),
        masks,
    )
