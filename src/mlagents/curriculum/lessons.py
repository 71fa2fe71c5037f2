"""Lessons: when each parameter goes on to its next value."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mlagents.settings import CompletionCriteriaSettings, CurriculumSettings, LessonSettings

_OLD_SHARE = 0.25  # of the last smoothed value in the new one


class Progress(NamedTuple):
    """How far a behavior is.

    Attributes:
      share: steps / max_steps.
      returns: undiscounted returns of the episodes that ended since the last time this was told.
      measures: other measures, by name: in self-play `elo` and `win_rate`, as far as they are known.
    """

    share: float
    returns: Iterable[float]
    measures: Mapping[str, float] = MappingProxyType({})


class Lessons:
    """The lesson of every parameter that has a curriculum.

    A lesson is passed when its behavior has ended `min_lesson_length` episodes since any lesson last changed, and the
    measure is above the threshold: the share of `max_steps` done, the rating or win rate in self-play, or the mean
    return of those last episodes, smoothed if asked to (m <- 0.25 s + 0.75 m, s <- m, s = 0 at first; s is kept when
    the lesson changes).

    Attributes:
      number: parameter -> its lesson, counted from 0.
    """

    def __init__(self, curricula: Mapping[str, CurriculumSettings]) -> None:
        self._curricula = dict(curricula)
        self.number = {name: curriculum.initial_lesson for name, curriculum in curricula.items()}
        self._smoothed = dict.fromkeys(curricula, 0.0)
        self._returns = {
            behavior: deque[float](maxlen=length) for behavior, length in _longest_lessons(curricula).items()
        }

    def current(self, parameter: str) -> LessonSettings:
        """Return the lesson that a parameter is in."""
        return self._curricula[parameter].curriculum[self.number[parameter]]

    def advance(self, progress: Mapping[str, Progress]) -> dict[str, CompletionCriteriaSettings]:
        """Take in how far the behaviors are, and return the parameters that go on, with what they have fulfilled."""
        for behavior, returns in self._returns.items():
            if behavior in progress:
                returns.extend(progress[behavior].returns)
        passed = {}
        for name, curriculum in self._curricula.items():
            criteria = self.current(name).completion_criteria
            if criteria is None or self.number[name] + 1 >= len(curriculum.curriculum):
                continue
            if criteria.behavior in progress and self._fulfilled(name, criteria, progress[criteria.behavior]):
                passed[name] = criteria
        for name in passed:
            self.number[name] += 1
        if passed:
            for returns in self._returns.values():
                returns.clear()
        return passed

    def _fulfilled(self, name: str, criteria: CompletionCriteriaSettings, progress: Progress) -> bool:
        returns = self._returns[criteria.behavior]
        if len(returns) < criteria.min_lesson_length:
            return False
        if criteria.measure == "progress":
            return progress.share > criteria.threshold
        if criteria.measure != "reward":
            return progress.measures.get(criteria.measure, -math.inf) > criteria.threshold
        if not returns:
            return False
        measure = math.fsum(returns) / len(returns)
        if math.isnan(measure):
            return False
        if criteria.signal_smoothing:
            measure = _OLD_SHARE * self._smoothed[name] + (1.0 - _OLD_SHARE) * measure
            self._smoothed[name] = measure
        return measure > criteria.threshold

    def state_dict(self) -> dict[str, Any]:
        """Return plain values that `load_state_dict` takes."""
        return {
            "number": dict(self.number),
            "smoothed": dict(self._smoothed),
            "returns": {behavior: list(returns) for behavior, returns in self._returns.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; parts that it does not have, and parameters that are gone, are left out."""
        for name, number in state.get("number", {}).items():
            if name in self.number:
                self.number[name] = min(int(number), len(self._curricula[name].curriculum) - 1)
        for name, value in state.get("smoothed", {}).items():
            if name in self._smoothed:
                self._smoothed[name] = float(value)
        for behavior, values in state.get("returns", {}).items():
            if behavior in self._returns:
                self._returns[behavior].extend(values)


def _longest_lessons(curricula: Mapping[str, CurriculumSettings]) -> dict[str, int]:
    """Return how many returns of each measured behavior are wanted: its longest lesson, at least one."""
    longest: dict[str, int] = {}
    for curriculum in curricula.values():
        for lesson in curriculum.curriculum:
            criteria = lesson.completion_criteria
            if criteria is not None:
                longest[criteria.behavior] = max(1, criteria.min_lesson_length, longest.get(criteria.behavior, 1))
    return longest
