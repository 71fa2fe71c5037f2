"""What environments remember between steps: what their agents reported, and what they were told to do next."""

from __future__ import annotations

import io
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import (
    ActionTuple,
    AgentId,
    BaseEnv,
    BehaviorMapping,
    BehaviorName,
    BehaviorSpec,
    DecisionSteps,
    TerminalSteps,
)
from mlagents_envs.exception import UnityActionException, UnityException

Report = tuple[DecisionSteps, TerminalSteps]

_NOTEBOOK_SIZE = (480, 360)
"""Of pictures in notebooks, pixels."""


class SteppedEnv(BaseEnv):
    """A `BaseEnv` but for how it resets, steps and closes.

    A subclass enters specs and reports by behavior name. After the first `reset()` each behavior has a report.
    """

    def __init__(self) -> None:
        self._specs: dict[BehaviorName, BehaviorSpec] = {}
        self._reports: dict[BehaviorName, Report] = {}
        self._pending: dict[BehaviorName, ActionTuple] = {}

    @property
    def behavior_specs(self) -> BehaviorMapping:
        """Behavior name -> spec; grows when the environment announces one."""
        return BehaviorMapping(self._specs)

    def set_actions(self, behavior_name: BehaviorName, action: ActionTuple) -> None:
        """See `BaseEnv.set_actions`; does nothing before the first `reset()`."""
        report = self._reports.get(behavior_name)
        if report is not None:
            self._pending[behavior_name] = self._checked(action, behavior_name, report[0].agent_id)
        else:
            self._spec(behavior_name)

    def set_action_for_agent(self, behavior_name: BehaviorName, agent_id: AgentId, action: ActionTuple) -> None:
        """See `BaseEnv.set_action_for_agent`; does nothing before the first `reset()`."""
        spec = self._spec(behavior_name).action_spec
        if behavior_name not in self._reports:
            return
        decision_steps = self._reports[behavior_name][0]
        row = decision_steps.agent_id_to_index.get(agent_id)
        if row is None:
            raise IndexError(
                f"Agent {agent_id} of behavior {behavior_name!r} has no pending decision; waiting are agents "
                f"{decision_steps.agent_id.tolist()}."
            )
        action = self._checked(action, behavior_name, decision_steps.agent_id[row : row + 1])
        pending = self._pending.get(behavior_name) or spec.empty_action(len(decision_steps))
        continuous, discrete = pending.continuous.copy(), pending.discrete.copy()
        continuous[row], discrete[row] = action.continuous[0], action.discrete[0]
        self._pending[behavior_name] = ActionTuple(continuous, discrete)

    def get_steps(self, behavior_name: BehaviorName) -> Report:
        """See `BaseEnv.get_steps`; a `KeyError` before the first `reset()`."""
        report = self._reports.get(behavior_name)
        if report is None:
            self._spec(behavior_name)
            raise KeyError(f"{behavior_name!r} has not reported yet; call reset() first.")
        return report

    def _repr_png_(self) -> bytes | None:
        """Return a picture of the environment as it is now, which notebooks show; None if it cannot be seen here."""
        picture = getattr(self, "picture", None)
        if picture is None:
            return None
        from PIL import Image  # only who looks needs it

        file = io.BytesIO()
        try:
            Image.fromarray(picture(*_NOTEBOOK_SIZE)).save(file, "PNG")
        except UnityException:  # nothing to be seen, no OpenGL
            return None
        return file.getvalue()

    def _checked(self, action: ActionTuple, behavior_name: BehaviorName, agent_id: NDArray[np.int32]) -> ActionTuple:
        """Return the actions of these agents if the spec allows them; a subclass may look at more than shapes."""
        return self._spec(behavior_name).action_spec._validate_action(action, len(agent_id), behavior_name)

    def _take_actions(self) -> dict[BehaviorName, ActionTuple]:
        """Return what all who wait do in the next step, zeros unless set; to be called once per step."""
        chosen, self._pending = self._pending, {}
        return {
            name: chosen.get(name) or self._specs[name].action_spec.empty_action(len(decision_steps))
            for name, (decision_steps, _) in self._reports.items()
        }

    def _spec(self, behavior_name: BehaviorName) -> BehaviorSpec:
        try:
            return self._specs[behavior_name]
        except KeyError:
            near = get_close_matches(behavior_name, self._specs, n=1, cutoff=0.5)  # "?team=0" left out
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UnityActionException(
                f"There is no behavior {behavior_name!r} in this environment.{hint} Its behaviors: {list(self._specs)}."
            ) from None
