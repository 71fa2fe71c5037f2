"""What an environment is: agents, grouped by behavior, that report observations and take actions in batches.

```
env.reset()
while playing:
    for name, spec in env.behavior_specs.items():
        decision_steps, terminal_steps = env.get_steps(name)
        env.set_actions(name, spec.action_spec.random_action(len(decision_steps)))
    env.step()
```

An agent in `decision_steps` waits for an action; an agent in `terminal_steps` ended its episode. One agent
may be in both: it ended, and has begun its next episode. `n` is the number of agents in a batch throughout.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from mlagents_envs._actions import ActionSpec, ActionTuple, ActionType, _ActionTupleBase
from mlagents_envs._imported_names import names_of
from mlagents_envs._specs import (
    AgentId,
    BehaviorMapping,
    BehaviorName,
    BehaviorSpec,
    DimensionProperty,
    GroupId,
    ObservationSpec,
    ObservationType,
)
from mlagents_envs._steps import DecisionStep, DecisionSteps, TerminalStep, TerminalSteps

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


__all__ = [
    "ActionSpec",
    "ActionTuple",
    "ActionType",
    "AgentId",
    "BaseEnv",
    "BehaviorMapping",
    "BehaviorName",
    "BehaviorSpec",
    "DecisionStep",
    "DecisionSteps",
    "DimensionProperty",
    "GroupId",
    "ObservationSpec",
    "ObservationType",
    "TerminalStep",
    "TerminalSteps",
    "_ActionTupleBase",
]

MOST_AREAS = 10_000
"""Copies of an area that one environment is ever asked for; a number above it is a mistake, or worse."""


def checked_areas(num_areas: int) -> int:
    """Return the number of copies of an area.

    Raises:
      ValueError: it is less than 1, or more than `MOST_AREAS`.
    """
    if num_areas < 1:
        raise ValueError(f"num_areas must be at least 1; got {num_areas}.")
    if num_areas > MOST_AREAS:
        raise ValueError(f"num_areas must be at most {MOST_AREAS:,}; got {num_areas:,}.")
    return num_areas


class BaseEnv(ABC):
    """An environment. `mlagents_envs.testing.check_env` holds an implementation against this contract.

    Usable as a context manager, which closes it.
    """

    @abstractmethod
    def step(self) -> None:
        """Advance until at least one agent reports; the first step ever resets.

        Agents without actions get zeros.
        """

    @abstractmethod
    def reset(self) -> None:
        """Begin a new episode for every agent. No terminal steps come of it, agent ids stay."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; `step()` and `reset()` then raise `UnityEnvironmentException`."""

    @property
    @abstractmethod
    def behavior_specs(self) -> Mapping[BehaviorName, BehaviorSpec]:
        """Behavior name -> spec; may grow, and may be empty before the first `reset()`."""

    @abstractmethod
    def set_actions(self, behavior_name: BehaviorName, action: ActionTuple) -> None:
        """Set what all agents of the last DecisionSteps do in the next step, in the order of its rows.

        Raises:
          UnityActionException: unknown behavior, or shapes other than [n, continuous size] and [n, branches].
        """

    @abstractmethod
    def set_action_for_agent(self, behavior_name: BehaviorName, agent_id: AgentId, action: ActionTuple) -> None:
        """Set what one agent does in the next step; the others of its behavior get zeros unless set too.

        Args:
          behavior_name: the agent's behavior.
          agent_id: an agent in the last DecisionSteps.
          action: arrays [1, continuous size] and [1, branches].

        Raises:
          UnityActionException: unknown behavior, or other shapes.
          IndexError: the agent has no pending decision.
        """

    @abstractmethod
    def get_steps(self, behavior_name: BehaviorName) -> tuple[DecisionSteps, TerminalSteps]:
        """Return what the agents of a behavior reported in the last `step()` or `reset()`.

        The arrays are the caller's: a later step does not write into them.

        Raises:
          UnityActionException: unknown behavior.
        """

    def __repr__(self) -> str:
        try:
            names = ", ".join(self.behavior_specs) or "no behavior known before reset()"
        except Exception:  # of a subclass that was not initialised, or is closed: who prints it wants no second fault
            names = "behaviors not known"
        return f"{type(self).__name__}({names})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_behavior_names(self) -> list[BehaviorName]:
        """Return `list(behavior_specs)`."""
        return list(self.behavior_specs)

    def get_behavior_spec(self, behavior_name: BehaviorName) -> BehaviorSpec:
        """Return `behavior_specs[behavior_name]`."""
        return self.behavior_specs[behavior_name]

    get_agent_groups = get_behavior_names
    get_agent_group_spec = get_behavior_spec
