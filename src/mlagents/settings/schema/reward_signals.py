"""Reward signals: the settings of each, and the table name -> class of those that there are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import Field, create_model

from mlagents.settings.schema.base import Fraction, Name, Number, Pairing, Positive, Settings, Switch
from mlagents.settings.schema.network import NetworkSettings


class RewardSignalSettings(Settings):
    """What every reward signal has."""

    gamma: Fraction = 0.99
    """Discount factor of this signal's returns."""

    strength: Number = 1.0
    """Factor on this signal's rewards."""

    network_settings: NetworkSettings = NetworkSettings()
    """The signal's own network; memory is ignored."""


class ExtrinsicSettings(RewardSignalSettings):
    """The reward that the environment gives."""


class CuriositySettings(RewardSignalSettings):
    """Intrinsic curiosity: reward for transitions that a forward model predicts badly."""

    learning_rate: Positive = 3e-4
    """Step size of Adam for the curiosity networks."""


class GAILSettings(RewardSignalSettings):
    """Generative adversarial imitation: reward for looking like the demonstrations."""

    demo_path: Name
    """A `.demo` file or a folder of them."""

    demo_pairing: Pairing = "auto"
    """Which action answers an observation: that of the same pair or of the next one; auto finds out for each file."""

    learning_rate: Positive = 3e-4
    """Step size of Adam for the discriminator."""

    use_actions: Switch = False
    """Let the discriminator see actions as well as observations."""

    use_vail: Switch = False
    """Put a variational bottleneck into the discriminator."""


class RNDSettings(RewardSignalSettings):
    """Random network distillation: reward for observations that a random network was not distilled on."""

    learning_rate: Positive = 1e-4
    """Step size of Adam for the predictor network."""


REWARD_SIGNALS: dict[str, type[RewardSignalSettings]] = {
    "extrinsic": ExtrinsicSettings,
    "curiosity": CuriositySettings,
    "gail": GAILSettings,
    "rnd": RNDSettings,
}


@lru_cache(maxsize=4)
def _table(classes: tuple[tuple[str, type[RewardSignalSettings]], ...]) -> type[Settings]:
    fields: dict[str, Any] = {name: (cls, Field(default=None)) for name, cls in classes}
    return create_model("RewardSignals", __base__=Settings, **fields)


def signals_by_name(value: Mapping[str, object]) -> dict[str, RewardSignalSettings]:
    """Each signal as the class of its name.

    Raises:
        pydantic.ValidationError: unknown signals, or faults inside them, with their paths.
    """
    table = _table(tuple(REWARD_SIGNALS.items())).model_validate(value)
    return {name: getattr(table, name) for name in value}
