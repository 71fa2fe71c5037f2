"""All reward signals of a behavior as one axis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mlagents.data.segments import Rows
from mlagents.settings import RewardSignalSettings


class RewardSignalError(ValueError):
    """A configured reward signal cannot be used; the message names it."""


class RewardSignals:
    """The K reward signals of a behavior.

    Attributes:
      names: as configured, e.g. ("extrinsic",).
      gamma: float32 [K], discounts.
      strength: float32 [K], factors applied to the raw rewards.
    """

    def __init__(self, settings: Mapping[str, RewardSignalSettings]):
        for name in settings:
            if name != "extrinsic":
                raise RewardSignalError(f"reward_signals.{name} is not available in this version; available: extrinsic")
        self.names = tuple(settings)
        self.gamma = np.array([s.gamma for s in settings.values()], np.float32)
        self.strength = np.array([s.strength for s in settings.values()], np.float32)

    def rewards(self, rows: Rows) -> NDArray[np.float32]:
        """Return float32 [rows, K], strength applied."""
        return rows.columns.reward[:, None] * self.strength

    def ended(self, rows: Rows) -> NDArray[np.bool_]:
        """Return bool [rows, K]: where nothing follows, as each signal counts it (an interruption is not an end)."""
        return np.repeat((rows.ended & ~rows.interrupted)[:, None], len(self.names), axis=1)
