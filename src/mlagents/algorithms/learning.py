"""What all learners share: how they see reward signals, and how they fail."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mlagents.data.segments import Rows


class NonFiniteUpdate(RuntimeError):
    """An update met a loss or weight that is not finite; the weights are those before the update."""


@runtime_checkable
class Signals(Protocol):
    """What the learner needs to know of reward signals; K of them."""

    names: tuple[str, ...]
    gamma: NDArray[np.float32]

    def rewards(self, rows: Rows) -> NDArray[np.float32]:
        """Return float32 [rows, K]."""

    def ended(self, rows: Rows) -> NDArray[np.bool_]:
        """Return bool [rows, K]."""
