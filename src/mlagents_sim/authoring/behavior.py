"""What an agent's behavior is, who decides for it, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.behavior_id import BehaviorId
from mlagents_sim.controllers import Model

_NO_ACTIONS: Final = ActionSpec(0, ())


class BehaviorType(Enum):
    """Who decides."""

    DEFAULT = "default"
    """Whoever plays the environment: a trainer, `mlagents play`, a program of yours."""

    HEURISTIC_ONLY = "heuristic_only"
    """The agent's own `heuristic`; it does not appear in the environment's reports."""

    INFERENCE_ONLY = "inference_only"
    """A trained model; likewise."""


@dataclass(frozen=True)
class BehaviorParameters:
    """The behavior of an agent. Agents of the same name and team share a policy, so all of this must be the same.

    Attributes:
      name: of the behavior, as the trainer's YAML calls it.
      vector_observation_size: how many numbers `collect_observations` adds.
      action_spec: what the agent does.
      team_id: which side it is on, in games that are trained against themselves.
      stacked_vectors: how many of the last vector observations the agent sees at once.
      behavior_type: who decides.
      model: for INFERENCE_ONLY: a model file, or a model that was loaded already.
      deterministic_inference: the model's most likely actions instead of samples.

    Raises:
      ValueError: a negative size or team, less than one stacked vector, or a model missing or without use.
    """

    name: str
    vector_observation_size: int = 0
    action_spec: ActionSpec = _NO_ACTIONS
    team_id: int = 0
    stacked_vectors: int = 1
    behavior_type: BehaviorType = BehaviorType.DEFAULT
    model: Path | str | Model | None = None
    deterministic_inference: bool = False

    def __post_init__(self) -> None:
        for field, lowest in (("vector_observation_size", 0), ("team_id", 0), ("stacked_vectors", 1)):
            if getattr(self, field) < lowest:
                raise ValueError(f"Behavior {self.name!r}: {field} is {getattr(self, field)}; at least {lowest}.")
        if (self.model is None) == (self.behavior_type is BehaviorType.INFERENCE_ONLY):
            raise ValueError(
                f"Behavior {self.name!r}: a model belongs to INFERENCE_ONLY, and only there; the behavior type is "
                f"{self.behavior_type.name} and the model {self.model!r}."
            )

    @property
    def qualified_name(self) -> str:
        """`Name?team=0`."""
        return str(BehaviorId(self.name, self.team_id))


@dataclass(frozen=True)
class DecisionRequester:
    """Asks for decisions at a steady pace, counted for the whole world.

    Attributes:
      period: physics steps from one decision to the next.
      take_actions_between_decisions: act on every physics step, repeating the last decision.

    Raises:
      ValueError: `period` is less than 1.
    """

    period: int = 5
    take_actions_between_decisions: bool = True

    def __post_init__(self) -> None:
        if self.period < 1:
            raise ValueError(f"The period of a DecisionRequester must be at least 1; got {self.period}.")
