"""How much samplers still play before an update."""

from __future__ import annotations

import math


class Quota:
    """What a learner waits for that wants experience of its newest weights.

    Args:
      wanted: decisions that the next update waits for.
      ahead: updates for which samplers play beyond that one.

    Attributes:
      received: decisions that have come since the weights were published.
    """

    def __init__(self, wanted: int, ahead: int) -> None:
        self._wanted = max(wanted, 1)
        self._ahead = ahead
        self.received = 0

    @property
    def is_full(self) -> bool:
        """Whether enough has come for the next update."""
        return self.received >= self._wanted

    def share(self, outstanding: int, samplers: int) -> int:
        """Return how many decisions each of these samplers should play, when others still play so many; 0 for none."""
        left = self._wanted * (1 + self._ahead) - self.received - outstanding
        return max(math.ceil(left / samplers), 0)

    def renew(self) -> None:
        """Ask for as much once more: what came was not what the learner counts, or its update failed."""
        self.received = 0
