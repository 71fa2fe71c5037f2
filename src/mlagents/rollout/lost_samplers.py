"""When lost samplers end a run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from mlagents.rollout.cluster import ClusterError, is_loss_of_node

MOST_LOSSES = 3
"""Actors that may be lost in a row, per sampler, while nobody hands anything in."""

PATIENCE_S = 600.0
"""For anybody to hand in anything, where somebody has before: what loses samplers then is not how they are started."""


class LostSamplers:
    """Counts the samplers that were lost since anybody handed anything in; those whose node died do not count.

    Args:
      samplers: how many there are.
      clock: seconds, on any scale that only grows.
    """

    def __init__(self, samplers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = MOST_LOSSES * samplers
        self._clock = clock
        self._in_a_row = 0
        self._heard_s = -math.inf

    def forget(self) -> None:
        """Begin to count anew: somebody has handed something in."""
        self._in_a_row, self._heard_s = 0, self._clock()

    def add(self, sampler: int, reason: str) -> None:
        """Count a loss.

        Args:
          sampler: its index.
          reason: what `cluster.loss` says of it.

        Raises:
          ClusterError: these are too many in a row, and nobody has ever handed anything in, or not for `PATIENCE_S`.
        """
        self._in_a_row += not is_loss_of_node(reason)
        if self._in_a_row < self._most or self._clock() <= self._heard_s + PATIENCE_S:
            return
        since = "before any of them handed anything in"
        if math.isfinite(self._heard_s):
            since = f"since the last one of them handed anything in, {self._clock() - self._heard_s:.0f} s ago"
        raise ClusterError(
            f"Samplers were lost {self._in_a_row} times in a row {since}, the last one, {sampler}, with: {reason}"
        )
