"""All environment parameters of a run: from progress to what the environments are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mlagents.curriculum.lessons import Lessons, Progress
from mlagents.curriculum.samplers import Value, is_constant, python_samplers, sent, text
from mlagents.settings import CurriculumSettings, SamplerSettings
from mlagents_envs.sampler_class import Sampler


class Changes(NamedTuple):
    """What follows from progress; empty in nearly every round.

    Attributes:
      values: parameters to tell the environments.
      reset: start new episodes everywhere, at once; otherwise the values hold from each agent's next episode.
      messages: for the log.
    """

    values: Mapping[str, Value] = MappingProxyType({})
    reset: bool = False
    messages: tuple[str, ...] = ()


_NOTHING = Changes()


class ParameterSchedule:
    """Environment parameters over a run; one without parameters never changes anything.

    Constants and the usual samplers are told to the environments, which draw from samplers at every episode. Samplers
    of users' own, and all samplers of a run with a resampling interval, are drawn here instead: for each worker
    separately, at the start, at every reset, and at every multiple of the interval.

    Args:
      parameters: by name.
      seed: of the run; the sampler number n of those without a seed gets seed + n, counted over parameters and lessons.
      workers: number of environments.
      resampling_interval: environment steps, of all workers together; 0 for none.

    Raises:
      SamplerException: a sampler is not there, or does not accept its arguments.
    """

    def __init__(
        self,
        parameters: Mapping[str, SamplerSettings | CurriculumSettings],
        seed: int = 0,
        workers: int = 1,
        resampling_interval: int = 0,
    ) -> None:
        self._curricula = {n: p for n, p in parameters.items() if isinstance(p, CurriculumSettings)}
        self._lessons = Lessons(self._curricula)
        self._fixed = {n: p for n, p in parameters.items() if isinstance(p, SamplerSettings)}
        self._interval = resampling_interval
        self._environment_steps = 0
        self._draws = 0
        self._seeds: dict[tuple[str, int], int] = {}
        self._samplers: dict[tuple[str, int], list[Sampler]] = {}
        for number, (name, lesson, settings) in enumerate(_samplers_of(parameters)):
            self._seeds[name, lesson] = seed + number
            if sent(settings, 0) is None or (resampling_interval and not is_constant(settings)):
                self._samplers[name, lesson] = python_samplers(settings, seed + number, workers)

    def draw(self) -> dict[str, Value]:
        """Return the value of every parameter for new episodes."""
        self._draws += 1
        drawn = {
            key: tuple(sampler.sample_parameter() for sampler in samplers) for key, samplers in self._samplers.items()
        }  # also those of other lessons, so that the number of draws alone tells where every sampler stands
        return {name: self._value(name, drawn) for name in (*self._fixed, *self._curricula)}

    def advance(self, progress: Mapping[str, Progress], environment_steps: int) -> Changes:
        """Count a round of the run, and return which parameters change by it.

        Args:
          progress: by behavior.
          environment_steps: done in this round, by all workers.
        """
        before = self._environment_steps
        self._environment_steps += environment_steps
        due = bool(self._interval and self._samplers) and self._environment_steps // self._interval > (
            before // self._interval
        )
        passed = self._lessons.advance(progress)
        if not passed and not due:
            return _NOTHING
        messages = tuple(self._message(name) for name in passed)
        if due or any(criteria.require_reset for criteria in passed.values()):
            return Changes(self.draw(), True, messages)
        values = self.draw()
        return Changes({name: values[name] for name in passed}, False, messages)

    def messages(self) -> list[str]:
        """Return a line about the lesson of every curriculum."""
        return [self._message(name) for name in self._curricula]

    def statistics(self) -> Iterator[tuple[str | None, str, float]]:
        """Yield what is worth a curve: the behavior that it belongs to (None: all), its tag and its value."""
        for name, curriculum in self._curricula.items():
            number = float(self._lessons.number[name])
            yield None, f"Environment/Lesson Number/{name}", number
            criteria = curriculum.curriculum[0].completion_criteria
            if criteria is not None:
                yield criteria.behavior, "Environment/Lesson", number
            value = sent(self._settings(name), 0)
            if isinstance(value, float):
                yield None, f"Environment/Parameter/{name}", value

    @property
    def lessons(self) -> dict[str, int]:
        """The lesson of every parameter that has a curriculum, counted from 0."""
        return dict(self._lessons.number)

    def state_dict(self) -> dict[str, Any]:
        """Return plain values that `load_state_dict` takes."""
        return {
            "lessons": self._lessons.state_dict(),
            "environment_steps": self._environment_steps,
            "draws": self._draws,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, or from the lessons alone."""
        self._lessons.load_state_dict(state.get("lessons", {}))
        self._environment_steps = state.get("environment_steps", 0)
        while self._draws < state.get("draws", 0):
            self.draw()

    def _settings(self, name: str) -> SamplerSettings:
        return self._fixed[name] if name in self._fixed else self._lessons.current(name).value

    def _value(self, name: str, drawn: Mapping[tuple[str, int], tuple[float, ...]]) -> Value:
        key = name, self._lessons.number.get(name, 0)
        if key in drawn:
            return drawn[key]
        value = sent(self._settings(name), self._seeds[key])
        assert value is not None  # or it would have been drawn
        return value

    def _message(self, name: str) -> str:
        lesson = self._lessons.current(name)
        return f"Parameter '{name}' is in lesson '{lesson.name}' and has value '{text(lesson.value)}'."


def _samplers_of(
    parameters: Mapping[str, SamplerSettings | CurriculumSettings],
) -> Iterator[tuple[str, int, SamplerSettings]]:
    """Yield parameter, lesson and value of everything that a parameter ever is."""
    for name, parameter in parameters.items():
        if isinstance(parameter, SamplerSettings):
            yield name, 0, parameter
        else:
            for number, lesson in enumerate(parameter.curriculum):
                yield name, number, lesson.value
