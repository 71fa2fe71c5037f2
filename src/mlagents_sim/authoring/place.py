"""Where an agent is in its world, and what it may ask there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.agent import AgentArrays
from mlagents_sim.authoring.actions import ActionBuffers


class Batch(Protocol):
    """The agents of a behavior with all their numbers, as one of them knows them; rows count the agents."""

    @property
    def arrays(self) -> AgentArrays:
        """What compiled code knows of the agents, a row for each."""

    @property
    def agent_id(self) -> NDArray[np.int32]:
        """Ids in the environment's reports, int32 [agents]."""

    @property
    def held_keys(self) -> Sequence[str]:
        """Names of the keys that the player holds, the newest last."""

    def actions_of(self, row: int) -> ActionBuffers:
        """Return what an agent does now."""

    def add_reward(self, value: float, rows: slice) -> None:
        """Add to what the agents earn in this decision window."""

    def set_reward(self, value: float, rows: slice) -> None:
        """Overwrite what the agents have earned in this decision window."""

    def add_group_reward(self, value: float, rows: slice) -> None:
        """Add to what the groups of the agents earn in this decision window."""

    def set_group_reward(self, value: float, rows: slice) -> None:
        """Overwrite what the groups of the agents have earned in this decision window."""

    def set_group(self, row: int, group: int) -> None:
        """Put one agent into a group, or with 0 into none."""

    def next_group_id(self) -> int:
        """Return a number that no other group of the world has."""

    def end(self, row: int, *, interrupted: bool) -> None:
        """End the episode of one agent, and begin its next."""

    def disable(self, row: int) -> None:
        """End the episode of one agent for good."""

    def enable(self, row: int) -> None:
        """Let one agent take part again."""


class Place(NamedTuple):
    """Where the numbers of an agent are kept."""

    batch: Batch
    row: int

    @property
    def rows(self) -> slice:
        """The row, for methods that take many."""
        return slice(self.row, self.row + 1)
