"""How a learning rate or coefficient moves over a run."""

from __future__ import annotations

from typing import Literal


def scheduled(kind: Literal["linear", "constant"], initial: float, final: float, progress: float) -> float:
    """Return the value at `progress` in [0, 1] of the run: initial for ever, or linear from initial to final."""
    if kind == "constant":
        return initial
    return final + (initial - final) * (1.0 - min(max(progress, 0.0), 1.0))
