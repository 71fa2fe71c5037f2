"""Which lessons of curricula can never be passed, as far as the settings tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mlagents.settings.schema import BehaviorSettings, CompletionCriteriaSettings, CurriculumSettings, RunSettings
from mlagents.settings.source.faults import KeyPath

_OF_SELF_PLAY = ("elo", "win_rate")


class Gate(NamedTuple):
    """A lesson that has to be passed for a curriculum to go on.

    Attributes:
      path: of its completion criteria.
      lesson: its name. behind: names of the lessons after it.
      criteria: when it is passed.
    """

    path: KeyPath
    lesson: str
    behind: tuple[str, ...]
    criteria: CompletionCriteriaSettings

    @property
    def consequence(self) -> str:
        """What it means if it is never passed."""
        behind = ", ".join(map(repr, self.behind))
        return f"lesson {self.lesson!r} is never passed, and what follows it ({behind}) never begins"


def gates(settings: RunSettings) -> Iterator[Gate]:
    """Yield all lessons that have to be passed; not the last ones, nor those before the first one played."""
    for name, parameter in settings.environment_parameters.items():
        if not isinstance(parameter, CurriculumSettings):
            continue
        names = [lesson.name for lesson in parameter.curriculum]
        for index in range(parameter.initial_lesson, len(names) - 1):
            if (criteria := parameter.curriculum[index].completion_criteria) is not None:
                path = ("environment_parameters", name, "curriculum", index, "completion_criteria")
                yield Gate(path, names[index], tuple(names[index + 1 :]), criteria)


def impassable(settings: RunSettings) -> Iterator[tuple[KeyPath, str]]:
    """Yield the keys that keep lessons from ever being passed, and why."""
    for gate in gates(settings):
        behavior = settings.behaviors.get(gate.criteria.behavior, settings.default_settings)
        if behavior is not None and (found := _obstacle(gate.criteria, behavior)) is not None:
            key, problem = found
            yield (*gate.path, key), f"{problem}, so that {gate.consequence}"


def _obstacle(criteria: CompletionCriteriaSettings, behavior: BehaviorSettings) -> tuple[str, str] | None:
    """Return the key of criteria that can never be fulfilled, and why they cannot; None if they can."""
    measure, name = criteria.measure, criteria.behavior
    if measure in _OF_SELF_PLAY and behavior.self_play is None:
        return "measure", f"only behaviors with self_play have the measure {measure}, and {name!r} has none"
    if measure == "progress" and criteria.threshold >= 1:
        return "threshold", f"progress is not above {criteria.threshold:g} before the training of {name!r} is over"
    if measure == "win_rate" and criteria.threshold >= 1:
        return "threshold", f"no win rate is above {criteria.threshold:g}"
    if criteria.min_lesson_length > behavior.max_steps:
        return "min_lesson_length", (
            f"{criteria.min_lesson_length:,} episodes take more than the {behavior.max_steps:,} steps that {name!r} is"
            " trained for (max_steps)"
        )
    return None
