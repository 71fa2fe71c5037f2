"""All reward signals of a behavior as one axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlagents.data.segments import FlatSegments
from mlagents.reward_signals.curiosity import Curiosity
from mlagents.settings import CuriositySettings, ExtrinsicSettings, RewardSignalSettings
from mlagents_envs.base_env import BehaviorSpec


class RewardSignalError(ValueError):
    """A configured reward signal cannot be used; the message names it."""


class Intrinsic(Protocol):
    """A reward signal that is not the environment's, but that of a model.

    Attributes:
      respects_ends: whether nothing follows an episode's end; otherwise its returns go on as if it were cut.
    """

    respects_ends: bool

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""

    def rewards(self, rows: FlatSegments) -> NDArray[np.float32]:
        """Return float32 [rows], strength applied."""

    def learn(self, rows: FlatSegments, rng: np.random.Generator, epochs: int, batch_size: int) -> dict[str, float]:
        """Learn from all decisions and return statistics by tag."""

    def named(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, as trees of arrays."""

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `named` returned."""


class RewardSignals:
    """The K reward signals of a behavior.

    Args:
      behavior: name, for messages.
      spec: observations and actions.
      settings: of each signal, by name.
      seed: of the signals' initial weights.

    Attributes:
      names: as configured, e.g. ("extrinsic", "curiosity").
      gamma: float32 [K], discounts.
      learn_by_themselves: whether there are models behind them, which `learn`.

    Raises:
      NetworkError: an observation is of a kind or size that a signal's network cannot read.
      RewardSignalError: this version does not have a signal.
    """

    def __init__(self, behavior: str, spec: BehaviorSpec, settings: Mapping[str, RewardSignalSettings], seed: int):
        self.names = tuple(settings)
        self.gamma = np.array([s.gamma for s in settings.values()], np.float32)
        self._settings = settings
        self._intrinsic = {
            name: _intrinsic(behavior, spec, name, signal, seed)
            for name, signal in settings.items()
            if not isinstance(signal, ExtrinsicSettings)
        }
        self.learn_by_themselves = bool(self._intrinsic)
        self._earned = np.zeros(len(settings))
        self._episodes = 0

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""
        return sum(signal.compile_seconds for signal in self._intrinsic.values())

    def rewards(self, rows: FlatSegments) -> NDArray[np.float32]:
        """Return float32 [rows, K], strength applied."""
        extrinsic = rows.columns.reward
        columns = [
            self._intrinsic[name].rewards(rows) if name in self._intrinsic else extrinsic * np.float32(signal.strength)
            for name, signal in self._settings.items()
        ]
        return np.stack(columns, axis=1)

    def ended(self, rows: FlatSegments) -> NDArray[np.bool_]:
        """Return bool [rows, K]: where nothing follows, as each signal counts it (an interruption is not an end)."""
        respects = [name not in self._intrinsic or self._intrinsic[name].respects_ends for name in self.names]
        ended: NDArray[np.bool_] = (rows.ended & ~rows.interrupted)[:, None] & np.array(respects)
        return ended

    def learn(
        self, rows: FlatSegments, rewards: NDArray[np.float32], rng: np.random.Generator, epochs: int, batch_size: int
    ) -> dict[str, float]:
        """Let the signals that have models learn from all decisions.

        Args:
          rows: what was experienced.
          rewards: float32 [rows, K], what it was rewarded with.
          rng: orders the decisions.
          epochs: how often each decision is used.
          batch_size: decisions in a minibatch.

        Returns: Statistics by tag; "Policy/<Signal> Reward" is the reward per episode, all rewards since it was last
          said over the number of episodes that ended meanwhile.

        Raises:
          NonFiniteUpdate: a loss or weight became NaN or infinite; the weights of that signal stay as they were.
        """
        statistics: dict[str, float] = {}
        for signal in self._intrinsic.values():
            statistics |= signal.learn(rows, rng, epochs, batch_size)
        self._earned += rewards[~rows.closing].sum(axis=0)
        self._episodes += int(rows.ended.sum())
        if self._episodes:
            for name, earned in zip(self.names, self._earned / self._episodes, strict=True):
                if name in self._intrinsic:
                    statistics[f"Policy/{name.capitalize()} Reward"] = float(earned)
            self._earned[:] = 0.0
            self._episodes = 0
        return statistics

    def named(self) -> dict[str, Any]:
        """Return weights, Adam's moments and normalisers of the signals' models by name, for checkpoints."""
        return {name: signal.named() for name, signal in self._intrinsic.items()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `named` returned."""
        for name, signal in self._intrinsic.items():
            signal.restore(saved[name])


def _intrinsic(behavior: str, spec: BehaviorSpec, name: str, settings: RewardSignalSettings, seed: int) -> Intrinsic:
    if isinstance(settings, CuriositySettings):
        return Curiosity(behavior, spec, settings, seed)
    raise RewardSignalError(
        f"reward_signals.{name} is not available in this version; available: {', '.join(AVAILABLE)}"
    )


AVAILABLE = ("extrinsic", "curiosity")
"""Names of the signals this version has."""
