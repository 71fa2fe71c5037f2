"""What settings ask for and this version does not have; and which behaviors they cover."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from difflib import get_close_matches

from mlagents.reward_signals.stack import available
from mlagents.settings import BehaviorSettings, RunSettings, SettingsError
from mlagents.settings.curricula import gates
from mlagents.settings.sizes import lacks_memory
from mlagents.settings.source.faults import KeyPath, did_you_mean
from mlagents.training.sizes import needs_with
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)


Lacking = tuple[KeyPath, str]
"""Where something stands that this version does not have, and what it is and there is instead."""


def unavailable(behavior: BehaviorSettings, trainers: Collection[str]) -> Iterator[Lacking]:
    """Yield everything a behavior asks for that this version does not have."""
    if behavior.trainer_type not in trainers:
        problem = f"{behavior.trainer_type!r} is not available in this version (available: {', '.join(trainers)})"
        yield ("trainer_type",), problem
    signals = available()
    for name in behavior.reward_signals:
        if name not in signals:
            yield ("reward_signals", name), f"not available in this version (available: {', '.join(signals)})"


def refuse_hopeless(settings: RunSettings, trainers: Collection[str]) -> None:
    """Raise an error, before anything is started, if no behavior could be trained with these settings.

    Raises:
      SettingsError: naming every key of every section.
    """
    sections: dict[KeyPath, BehaviorSettings] = {("behaviors", name): b for name, b in settings.behaviors.items()}
    if settings.default_settings is not None:
        sections[("default_settings",)] = settings.default_settings
    lacking = {path: list(unavailable(section, trainers)) for path, section in sections.items()}
    if lacking and all(lacking.values()):
        faults = [fault for path, found in lacking.items() for fault in _faults(settings, path, found)]
        raise SettingsError(*dict.fromkeys(faults))  # what was inherited is said once


def _faults(settings: RunSettings, section: KeyPath, lacking: Iterable[Lacking]) -> list[str]:
    return [f"{settings.place((*section, *keys))}: {problem}" for keys, problem in lacking]


def _section_of(settings: RunSettings, name: str) -> KeyPath:
    """Return where the settings of a behavior are."""
    return ("behaviors", name) if name in settings.behaviors else ("default_settings",)


class Coverage:
    """Which section is whose: compares the behaviors of the configuration with those of the environment.

    Args:
      settings: of the run.
      trainers: trainer types of this version.
      shown: names, without team, of the behaviors that the environment has shown so far.
    """

    def __init__(self, settings: RunSettings, trainers: Collection[str], shown: Callable[[], Collection[str]]) -> None:
        self._settings = settings
        self._trainers = trainers
        self._shown = shown
        self._compared = False

    def settings_of(self, name: str) -> BehaviorSettings:
        """Return the settings of a behavior of the environment.

        The first time, sections that match no behavior are said in the log.

        Raises:
          SettingsError: nothing covers it, or its section asks for what this version does not have.
        """
        self._compare()
        behavior = self._settings.behavior(name)
        if lacking := list(unavailable(behavior, self._trainers)):
            raise SettingsError(*_faults(self._settings, _section_of(self._settings, name), lacking))
        return behavior

    def _compare(self) -> None:
        """Hold both lists against each other.

        Raises:
          SettingsError: the environment has behaviors that nothing covers; with both lists.
        """
        if self._compared:
            return
        self._compared = True
        shown, configured = sorted(self._shown()), list(self._settings.behaviors)
        uncovered = [] if self._settings.default_settings is not None else [n for n in shown if n not in configured]
        unmatched = [name for name in configured if name not in shown]
        if uncovered:
            near = {name: get_close_matches(name, unmatched, n=1, cutoff=0.5) for name in uncovered}
            hints = [f"did you write {found[0]!r} for {name!r}?" for name, found in near.items() if found]
            raise SettingsError(
                f"no section covers {_list(uncovered)}: rename a section, or add `default_settings`",
                f"  behaviors of the environment: {_list(shown)}",
                f"  behaviors of the configuration: {_list(configured)}",
                *(f"  {hint}" for hint in hints),
            )
        if unmatched:
            _log.warning(
                "No agents (so far) for the sections %s; the environment has the behaviors %s.",
                _list(unmatched),
                _list(shown),
            )
        for gate in gates(self._settings):
            if (measured := gate.criteria.behavior) not in shown:
                _log.warning(
                    "%s: the environment has no behavior %r (so far; it has %s), so that %s%s",
                    self._settings.place((*gate.path, "behavior")),
                    measured,
                    _list(shown),
                    gate.consequence,
                    did_you_mean(_meant(measured, shown)),
                )


def _meant(name: str, shown: Collection[str]) -> list[str]:
    """Return which of the behaviors was probably meant; lessons name them without their team."""
    bare = name.partition("?")[0]
    return [bare] if bare in shown else get_close_matches(bare, shown, n=1, cutoff=0.5)


def warn_of_unknown_parameters(settings: RunSettings, environment: str, known: Collection[str]) -> None:
    """Say which environment parameters the environment does not have, which it ignores, and where they stand."""
    for name in settings.environment_parameters:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            _log.warning(
                "%s: %s has no such parameter, it is ignored (it has %s)%s",
                settings.place(("environment_parameters", name)),
                environment,
                _list(known),
                f"; did you mean {near[0]!r}?" if near else "",
            )


_MOST_NAMED = 5


def _list(names: Iterable[str]) -> str:
    """Name a few, and count the others: files of 2020 have sections for two dozen environments."""
    every = list(names)
    more = f" and {len(every) - _MOST_NAMED} more" if len(every) > _MOST_NAMED else ""
    return (", ".join(every[:_MOST_NAMED]) or "none") + more


def refuse_untrainable(settings: RunSettings, name: str, spec: BehaviorSpec) -> None:
    """Raise an error if a behavior of the environment cannot be trained; see `refuse_idle` and `refuse_oversized`."""
    refuse_idle(name, spec)
    refuse_oversized(settings, name, spec)


def refuse_idle(behavior: str, spec: BehaviorSpec) -> None:
    """Raise an error if agents of a behavior cannot do anything.

    Raises:
      SettingsError: naming the behavior.
    """
    if not (spec.action_spec.continuous_size or spec.action_spec.discrete_size):
        raise SettingsError(
            f"{behavior}: its agents have no actions, neither continuous ones nor branches, so there is nothing to"
            " learn. Give the behavior actions in the environment, or let its agents act by their own heuristic."
        )


def refuse_oversized(settings: RunSettings, name: str, spec: BehaviorSpec) -> None:
    """Raise an error if what agents observe and do makes a size of the settings more than this machine has memory for.

    Args:
      settings: of the run.
      name: of the behavior, without team.
      spec: its observations and actions.

    Raises:
      SettingsError: naming every key that asks for too much.
    """
    section = _section_of(settings, name)
    workers = settings.env_settings.num_envs if settings.ray_settings.address is None else 1
    needs = needs_with(settings.behavior(name), spec, workers)
    if lacking := [fault for path, needed, why in needs for fault in lacks_memory(path, needed, why)]:
        raise SettingsError(*_faults(settings, section, lacking))
