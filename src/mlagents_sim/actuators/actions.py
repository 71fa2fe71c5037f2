"""The actions of a batch of agents."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_envs.exception import UnityActionException
from mlagents_sim.row_index import ALL, RowIndex


class Actions:
    """What every agent of a batch does now: its last action, repeated until the next decision.

    The arrays stay the same objects for the whole life of the batch, so that compiled code may hold them.

    Attributes:
      spec: continuous size and branches.
      continuous: float32 [agents, continuous size].
      discrete: int32 [agents, branches].
    """

    def __init__(self, spec: ActionSpec, agents: int) -> None:
        self.spec = spec
        self.continuous: NDArray[np.float32] = np.zeros((agents, spec.continuous_size), np.float32)
        self.discrete: NDArray[np.int32] = np.zeros((agents, spec.discrete_size), np.int32)

    def assign(self, action: ActionTuple, rows: RowIndex = ALL) -> None:
        """Take over the decisions of the agents `rows`, arrays of the shapes above with a row for each."""
        if self.spec.continuous_size:
            self.continuous[rows] = action.continuous
        if self.spec.discrete_branches:
            self.discrete[rows] = action.discrete

    def clear(self, rows: RowIndex) -> None:
        """Zero the actions of the agents `rows`."""
        self.continuous[rows] = 0.0
        self.discrete[rows] = 0


def check_action_values(spec: ActionSpec, action: ActionTuple, behavior: str, agent_id: NDArray[np.int32]) -> None:
    """Hold the numbers of an action against its spec; its shapes are taken to be right.

    Args:
      spec: of the behavior.
      action: float32 [n, continuous size] and int32 [n, branches].
      behavior: named in errors.
      agent_id: int32 [n], named in errors.

    Raises:
      UnityActionException: a continuous action is NaN or infinite, or a discrete one is not a choice of
        its branch.
    """
    continuous, discrete = action.continuous, action.discrete
    # A finite sum of squares proves all terms finite in one pass; the search for the culprit comes after.
    if continuous.size and not math.isfinite(np.vdot(continuous, continuous)):
        bad = np.argwhere(~np.isfinite(continuous))
        if len(bad):
            row, column = bad[0]
            raise UnityActionException(
                f"Behavior {behavior!r}: continuous action {column} of agent {agent_id[row]} (row {row}) is "
                f"{continuous[row, column]}; expected a finite number. The policy that made it may have "
                "diverged."
            )
    # Seen as unsigned, negative numbers are larger than any branch.
    if discrete.size and (discrete.view(np.uint32) >= spec.discrete_branches).any():
        row, branch = np.argwhere(discrete.view(np.uint32) >= spec.discrete_branches)[0]
        raise UnityActionException(
            f"Behavior {behavior!r}: the choice in branch {branch} of agent {agent_id[row]} (row {row}) is "
            f"{discrete[row, branch]}; expected 0 to {spec.discrete_branches[branch] - 1}."
        )
