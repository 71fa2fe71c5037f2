"""Reward signals of plug-ins, under the entry-point group `mlagents.reward_signal`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

from mlagents import plugins
from mlagents.plugins import PluginError
from mlagents.settings.schema.reward_signals import REWARD_SIGNALS, RewardSignalSettings

REWARD_SIGNAL_GROUP = "mlagents.reward_signal"


@dataclass(frozen=True)
class RewardSignalType:
    """A reward signal with a model behind it: what an entry point of the group `mlagents.reward_signal` names.

    Attributes:
      settings: class of the signal's section.
      make: makes the `mlagents.learning.protocols.Intrinsic` of a behavior from its name, what it observes and does
        (BehaviorSpec), the signal's settings and the seed of the run.
    """

    settings: type[RewardSignalSettings]
    make: Callable[..., Any]


_loaded: dict[str, RewardSignalType] = {}


def plugin_signal(name: str) -> RewardSignalType | None:
    """Return the plug-in of that name, loaded and known to the schema; None if there is none.

    Raises:
      PluginError: it cannot be loaded, is no `RewardSignalType`, or its name belongs to another signal.
    """
    entry_point = plugins.find(REWARD_SIGNAL_GROUP, name)
    if entry_point is None:
        return None
    if name not in _loaded:
        if name in REWARD_SIGNALS:
            raise PluginError(
                f"{plugins.described(entry_point)} has the name of another reward signal. Give the entry point another"
                f" name, or uninstall {plugins.package(entry_point)}."
            )
        found = _checked(plugins.load(entry_point), entry_point)
        REWARD_SIGNALS[name] = found.settings
        _loaded[name] = found
    return _loaded[name]


def _checked(found: object, entry_point: EntryPoint) -> RewardSignalType:
    if not isinstance(found, RewardSignalType):
        raise PluginError(
            f"{plugins.described(entry_point)} is {found!r}; expected a mlagents.settings.RewardSignalType(settings,"
            " make). Let the entry point name one."
        )
    if not (isinstance(found.settings, type) and issubclass(found.settings, RewardSignalSettings)):
        raise PluginError(
            f"{plugins.described(entry_point)} has the settings {found.settings!r}; expected a class derived from"
            " mlagents.settings.RewardSignalSettings."
        )
    return found
