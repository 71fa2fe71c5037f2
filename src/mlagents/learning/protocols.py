"""What all learners share: how they see reward signals, and how they fail."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mlagents.data.segments import FlatSegments


class NonFiniteUpdate(RuntimeError):
    """An update met a loss or weight that is not finite; the weights are those before the update."""


@runtime_checkable
class Signals(Protocol):
    """What the learner needs to know of reward signals; K of them.

    Attributes:
      names: of the signals. gamma: float32 [K], their discounts.
      learn_by_themselves: whether there are models behind them, which `learn`.
    """

    names: tuple[str, ...]
    gamma: NDArray[np.float32]
    learn_by_themselves: bool

    def rewards(self, rows: FlatSegments) -> NDArray[np.float32]:
        """Return float32 [rows, K]."""

    def ended(self, rows: FlatSegments) -> NDArray[np.bool_]:
        """Return bool [rows, K]."""

    def learn(
        self, rows: FlatSegments, rewards: NDArray[np.float32], rng: np.random.Generator, epochs: int, batch_size: int
    ) -> dict[str, float]:
        """Let the models behind signals learn from all decisions, and return statistics by tag."""

    def named(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of these models, as trees of arrays."""

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `named` returned."""

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""
