"""All reward signals of a behavior as one axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents import plugins
from mlagents.data.segments import FlatSegments
from mlagents.learning.protocols import Intrinsic
from mlagents.reward_signals.curiosity import Curiosity
from mlagents.reward_signals.gail import GAIL
from mlagents.reward_signals.rnd import RND
from mlagents.settings import (
    REWARD_SIGNAL_GROUP,
    CuriositySettings,
    ExtrinsicSettings,
    GAILSettings,
    RewardSignalSettings,
    RewardSignalType,
    RNDSettings,
    plugin_signal,
)
from mlagents_envs.base_env import BehaviorSpec


class RewardSignalError(ValueError):
    """A configured reward signal cannot be used; the message names it."""


BUILT_IN: Mapping[str, RewardSignalType] = {
    "curiosity": RewardSignalType(CuriositySettings, Curiosity),
    "gail": RewardSignalType(GAILSettings, GAIL),
    "rnd": RewardSignalType(RNDSettings, RND),
}
"""Signals with a model of their own: name -> settings and maker. Plug-ins add theirs (`REWARD_SIGNAL_GROUP`)."""


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
        return sum((signal.compile_seconds for signal in self._intrinsic.values()), 0.0)

    def rewards(self, rows: FlatSegments) -> NDArray[np.float32]:
        """Return float32 [rows, K], strength applied."""
        extrinsic = rows.columns.reward + rows.columns.group_reward
        columns = [
            self._intrinsic[name].rewards(rows) if name in self._intrinsic else extrinsic * np.float32(signal.strength)
            for name, signal in self._settings.items()
        ]
        return np.stack(columns, axis=1)

    def terminated(self, rows: FlatSegments) -> NDArray[np.bool_]:
        """Return bool [rows, K]: after which decisions nothing follows, as each signal counts it."""
        respects = [name not in self._intrinsic or self._intrinsic[name].respects_ends for name in self.names]
        terminated: NDArray[np.bool_] = rows.terminated[:, None] & np.array(respects)
        return terminated

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
        self._episodes += int((rows.terminated | rows.truncated).sum())
        if self._episodes:
            for name, earned in zip(self.names, self._earned / self._episodes, strict=True):
                if name in self._intrinsic:
                    statistics[f"Policy/{name.capitalize()} Reward"] = float(earned)
            self._earned[:] = 0.0
            self._episodes = 0
        return statistics

    def state_dict(self) -> dict[str, Any]:
        """Return weights, Adam's moments and normalisers of the signals' models by name, for checkpoints."""
        return {name: signal.state_dict() for name, signal in self._intrinsic.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        for name, signal in self._intrinsic.items():
            signal.load_state_dict(state[name])


def available() -> list[str]:
    """Return the names of the signals this version has, and of those that plug-ins bring."""
    return list(dict.fromkeys(["extrinsic", *BUILT_IN, *plugins.names(REWARD_SIGNAL_GROUP)]))


def _intrinsic(behavior: str, spec: BehaviorSpec, name: str, settings: RewardSignalSettings, seed: int) -> Intrinsic:
    row = BUILT_IN.get(name) or plugin_signal(name)
    if row is None:
        raise RewardSignalError(
            f"reward_signals.{name} is not available in this version; available: {', '.join(available())}"
        )
    made = row.make(behavior, spec, settings, seed)
    if not isinstance(made, Intrinsic):
        raise RewardSignalError(
            f"reward_signals.{name} made a {type(made).__name__}, which lacks what"
            " mlagents.learning.protocols.Intrinsic asks for; repair the plug-in that offers it."
        )
    return made
