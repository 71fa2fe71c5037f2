"""Who decides for agents that act by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityPolicyException

MODEL_LOADERS: Final = "mlagents.models"
"""Entry-point group: file suffix without its dot -> a function (path, BehaviorSpec) -> `Model`."""


class Controller(Protocol):
    """Decides for the agents of one behavior."""

    def end(self, terminal_steps: TerminalSteps) -> None:
        """Take note of the episodes that ended; before the next `decide`."""

    def decide(self, decision_steps: DecisionSteps) -> ActionTuple:
        """Return a row of actions for each of the agents, of which there is at least one."""

    def reset(self, agent_ids: Iterable[int]) -> None:
        """Forget the episodes that went on: all begin anew, without an end."""


class Model(Protocol):
    """What a model file becomes; the protocol of `mlagents.inference`."""

    def act(self, decision_steps: DecisionSteps, deterministic: bool, rng: np.random.Generator) -> ActionTuple:
        """Return a row of actions per agent; `rng` is the only source of randomness."""

    def forget(self, agent_ids: Iterable[int]) -> None:
        """Drop what is remembered of agents whose episode has ended."""


class HeuristicController:
    """The author's own rule.

    Args:
      heuristic: returns the actions of the agents that reported last.
    """

    def __init__(self, heuristic: Callable[[], ActionTuple]) -> None:
        self._heuristic = heuristic

    def end(self, terminal_steps: TerminalSteps) -> None:
        """Do nothing: nothing is remembered."""

    def decide(self, decision_steps: DecisionSteps) -> ActionTuple:
        """Ask the rule; it needs no reports."""
        return self._heuristic()

    def reset(self, agent_ids: Iterable[int]) -> None:
        """Do nothing: nothing is remembered."""


class ModelController:
    """A trained model.

    Args:
      model: of the behavior.
      deterministic: take the most likely actions instead of samples.
      rng: source of the samples.
    """

    def __init__(self, model: Model, *, deterministic: bool, rng: np.random.Generator) -> None:
        self._model = model
        self._deterministic = deterministic
        self._rng = rng

    def end(self, terminal_steps: TerminalSteps) -> None:
        """Let the model forget whose episode ended."""
        self._model.forget(terminal_steps.agent_id.tolist())

    def decide(self, decision_steps: DecisionSteps) -> ActionTuple:
        """Let the model act."""
        return self._model.act(decision_steps, self._deterministic, self._rng)

    def reset(self, agent_ids: Iterable[int]) -> None:
        """Let the model forget all agents."""
        self._model.forget(agent_ids)


def load_model(path: Path, spec: BehaviorSpec) -> Model:
    """Return a model from a file, by what an installed package offers for files of its kind.

    Raises:
      UnityPolicyException: no package does.
    """
    suffix = path.suffix.removeprefix(".")
    offers = {point.name: point for point in entry_points(group=MODEL_LOADERS)}
    if suffix not in offers:
        known = ", ".join(f".{name}" for name in sorted(offers)) or "none"
        raise UnityPolicyException(
            f"{path}: no installed package runs models of this kind; known are {known}. The package mlagents brings "
            ".onnx, if it is installed whole."
        )
    loader: Any = offers[suffix].load()
    model: Model = loader(path, spec)
    return model
