"""Environment parameters: constants, samplers, curricula."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mlagents.settings.schema.base import (
    LARGEST_FLOAT,
    Name,
    Natural,
    NonNegative,
    Number,
    SentNumber,
    SentOrUnset,
    Settings,
    Switch,
    Violation,
    unknown_choice,
)
from mlagents.settings.source.scalars import number, wrong_type
from mlagents_envs.sampler_class import SamplerFactory


class SamplerParameters(Settings):
    """What every sampler has."""

    seed: SentOrUnset = -1
    """Seed of the draws; -1: the run's seed plus the number of the sampler."""


class ConstantParameters(SamplerParameters):
    """Always the same value."""

    value: SentNumber = 0.0
    """The value."""


class UniformParameters(SamplerParameters):
    """Evenly from an interval."""

    min_value: SentNumber = 0.0
    """Lower end."""

    max_value: SentNumber = 1.0
    """Upper end."""

    def violations(self) -> Iterator[Violation]:
        """Yield the fault of an interval that is upside down."""
        if self.min_value > self.max_value:
            yield Violation(
                (("min_value",), ("max_value",)),
                f"min_value is {self.min_value:g}, but max_value is {self.max_value:g} "
                "(expected min_value <= max_value)",
            )


class GaussianParameters(SamplerParameters):
    """From a normal distribution."""

    mean: SentNumber = 1.0
    """Mean."""

    st_dev: NonNegative = 1.0
    """Standard deviation."""


def _two_ends(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise wrong_type("an interval [min, max]")
    return value


def _in_order(interval: tuple[float, float]) -> tuple[float, float]:
    if interval[0] > interval[1]:
        raise wrong_type("an interval [min, max] with min <= max")
    return interval


Interval = Annotated[tuple[SentNumber, SentNumber], BeforeValidator(_two_ends), AfterValidator(_in_order)]


class MultiRangeUniformParameters(SamplerParameters):
    """From several intervals: one is chosen by its width, then evenly inside it."""

    intervals: Annotated[tuple[Interval, ...], Field(min_length=1)] = ((0.0, 1.0),)
    """The intervals, each [min, max]."""


class CustomParameters(SamplerParameters):
    """Whatever the constructor of a user's own sampler takes."""

    model_config = ConfigDict(extra="allow")


SAMPLERS: dict[str, type[SamplerParameters]] = {
    "uniform": UniformParameters,
    "gaussian": GaussianParameters,
    "multirangeuniform": MultiRangeUniformParameters,
    "constant": ConstantParameters,
}


class SamplerSettings(Settings):
    """A value drawn anew at each reset of the environment. A bare number is a constant."""

    sampler_type: str
    """The distribution: uniform, gaussian, multirangeuniform or constant; your own: `my_package.module:Class`."""

    sampler_parameters: SerializeAsAny[SamplerParameters]
    """Parameters of that distribution."""

    @model_validator(mode="before")
    @classmethod
    def _constant(cls, data: Any) -> Any:
        if isinstance(data, Mapping | cls):
            return data
        try:
            value = number(data)
        except PydanticCustomError:
            raise wrong_type("a number, or a mapping with sampler_type and sampler_parameters") from None
        if not abs(value) <= LARGEST_FLOAT:  # nor not a number
            most = f"a number from -{LARGEST_FLOAT:g} to {LARGEST_FLOAT:g}"
            raise wrong_type(f"{most}, or a mapping with sampler_type and sampler_parameters")
        return {"sampler_type": "constant", "sampler_parameters": {"value": value}}

    @field_validator("sampler_type")
    @classmethod
    def _known_sampler(cls, value: str) -> str:
        if value not in SAMPLERS and ":" not in value and value not in SamplerFactory.names():
            raise unknown_choice(list(SAMPLERS))
        return value

    @field_validator("sampler_parameters", mode="before")
    @classmethod
    def _of_the_sampler(cls, value: Any, info: ValidationInfo) -> Any:
        if "sampler_type" not in info.data:  # it is at fault itself: nothing to judge these by
            return SamplerParameters()
        chosen = SAMPLERS.get(info.data["sampler_type"], CustomParameters)
        return chosen.model_validate({} if value is None else value)


class CompletionCriteriaSettings(Settings):
    """When a lesson is passed: the measure of a behavior exceeds the threshold."""

    behavior: Name
    """The behavior that is measured."""

    measure: Literal["reward", "progress", "elo", "win_rate"] = "reward"
    """Mean episode reward; progress: trainer steps / max_steps; in self-play: elo, or win_rate, the share of points in
    the latest 100 games."""

    min_lesson_length: Natural = 0
    """Episodes that the behavior must have ended in this lesson."""

    signal_smoothing: Switch = True
    """Smooth the measured reward: 0.25 x the last + 0.75 x the new."""

    threshold: Number = 0.0
    """The measure must be above this."""

    require_reset: Switch = False
    """Reset all environments when the lesson changes."""

    @field_validator("measure", mode="before")
    @classmethod
    def _in_small_letters(cls, value: Any) -> Any:
        return "elo" if value == "Elo" else value

    def violations(self) -> Iterator[Violation]:
        """Progress and win rate run from 0 to 1."""
        if self.measure in ("progress", "win_rate") and not 0 <= self.threshold <= 1:
            yield Violation(
                (("threshold",), ("measure",)),
                f"out of bounds (got {self.threshold:g}, expected 0 to 1 for the measure {self.measure})",
            )


class LessonSettings(Settings):
    """One lesson of a curriculum."""

    name: Name
    """The lesson's name in logs."""

    value: SamplerSettings
    """What the parameter is in this lesson: a number or a sampler."""

    completion_criteria: CompletionCriteriaSettings | None = None
    """When the next lesson begins; the last lesson has none."""


class CurriculumSettings(Settings):
    """A parameter that changes as training proceeds."""

    curriculum: Annotated[tuple[LessonSettings, ...], Field(min_length=1)]
    """The lessons, in order."""

    initial_lesson: Natural = 0
    """The lesson at the start, counted from 0."""

    def violations(self) -> Iterator[Violation]:
        """Every lesson but the last needs an end, and the first one must exist."""
        for index, lesson in enumerate(self.curriculum[:-1]):
            if lesson.completion_criteria is None:
                yield Violation(
                    (("curriculum", index),),
                    f"lesson {lesson.name!r} is not the last and would never end (expected completion_criteria)",
                )
        if self.initial_lesson >= len(self.curriculum):
            yield Violation(
                (("initial_lesson",),),
                f"out of bounds (got {self.initial_lesson}, expected at most {len(self.curriculum) - 1}: "
                f"there are {len(self.curriculum)} lessons, counted from 0)",
            )


def _parameter(value: object) -> SamplerSettings | CurriculumSettings:
    if isinstance(value, CurriculumSettings):
        return value
    if isinstance(value, Mapping) and get_close_matches("curriculum", map(str, value)):  # also a misspelt one
        return CurriculumSettings.model_validate(value)
    return SamplerSettings.model_validate(value)


ParameterSettings = Annotated[SamplerSettings | CurriculumSettings, BeforeValidator(_parameter)]
