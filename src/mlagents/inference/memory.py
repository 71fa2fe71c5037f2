"""What a recurrent model remembers of each agent."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class AgentMemory:
    """One float32 [width] row per agent id; zeros until something is stored."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._zeros = np.zeros(width, np.float32)
        self._rows: dict[int, NDArray[np.float32]] = {}

    def rows(self, agent_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 [n, width], one row per agent id in the given order."""
        return np.stack([self._rows.get(agent, self._zeros) for agent in agent_ids.tolist()])

    def store(self, agent_ids: NDArray[np.int32], rows: NDArray[np.generic]) -> None:
        """Remember rows [n, ...], each of `width` numbers."""
        table = rows.reshape(len(agent_ids), -1).astype(np.float32)
        self._rows.update(zip(agent_ids.tolist(), table, strict=True))

    def forget(self, agent_ids: Iterable[int]) -> None:
        """Go back to zeros for these agents; ids never seen are ignored."""
        for agent in agent_ids:
            self._rows.pop(int(agent), None)
