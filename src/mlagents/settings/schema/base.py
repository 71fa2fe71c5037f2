"""What all sections of the configuration have in common: strict keys, number types, rules across fields."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Violation:
    """A broken rule between fields: the paths it looked at (from its section) and what is wrong."""

    paths: tuple[KeyPath, ...]
    problem: str


class Settings(BaseModel):
    """A section of the configuration: frozen, and strict about its keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _knows_every_key(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and cls.model_config["extra"] == "forbid":
            unknown = [key for key in data if key not in cls.model_fields]
            if unknown:
                raise PydanticCustomError(
                    "unknown_keys",
                    "unknown keys {unknown}; expected {allowed}",
                    {"unknown": unknown, "allowed": list(cls.model_fields)},
                )
        return data

    @model_validator(mode="after")
    def _obeys_its_rules(self) -> Self:
        violations = tuple(self.violations())
        if violations:
            raise broken_rules(*violations)
        return self

    def violations(self) -> Iterator[Violation]:
        """Broken rules between valid fields of this section (and of those below it)."""
        yield from ()


def broken_rules(*violations: Violation) -> PydanticCustomError:
    """The error of valid fields that do not go together."""
    problems = "; ".join(violation.problem for violation in violations)
    return PydanticCustomError("rules", "{problems}", {"problems": problems, "violations": violations})


def wrong_type(expected: str) -> PydanticCustomError:
    """The error of a value of the wrong type."""
    return PydanticCustomError("wrong_type", "expected {expected}", {"expected": expected})


def unknown_choice(allowed: list[str]) -> PydanticCustomError:
    """The error of a name that is not in a table of choices."""
    return PydanticCustomError("unknown_choice", "expected one of {allowed}", {"allowed": allowed})


def number(value: object) -> int | float:
    """A number, also from text such as `1e7` (which YAML 1.1 does not read as a number)."""
    if isinstance(value, str):
        for convert in (int, float):
            try:
                return convert(value)
            except ValueError:
                continue
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise wrong_type("a number")


def whole(value: object) -> int:
    """A whole number, also written `5.0e5`."""
    try:
        found = number(value)
    except PydanticCustomError:
        raise wrong_type("a whole number") from None
    if not math.isfinite(found) or found != int(found):
        raise wrong_type("a whole number")
    return int(found)


def switch(value: object) -> bool:
    """True or false, also as the words that YAML 1.1 reads so."""
    if isinstance(value, str) and value.lower() in ("true", "yes", "on"):
        return True
    if isinstance(value, str) and value.lower() in ("false", "no", "off"):
        return False
    if isinstance(value, bool):
        return value
    raise wrong_type("true or false")


def _finite(value: object) -> float:
    try:
        return float(number(value))
    except OverflowError:
        raise wrong_type("a finite number") from None


# Pydantic applies these from the right: text becomes a number, and then meets the bounds.
Whole = Annotated[int, BeforeValidator(whole)]
Count = Annotated[int, Field(ge=1), BeforeValidator(whole)]
Natural = Annotated[int, Field(ge=0), BeforeValidator(whole)]
WholeOrUnlimited = Annotated[int, Field(ge=-1), BeforeValidator(whole)]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(whole)]
EvenCount = Annotated[int, Field(gt=0, multiple_of=2), BeforeValidator(whole)]
Number = Annotated[float, BeforeValidator(_finite)]
Positive = Annotated[float, Field(gt=0), BeforeValidator(_finite)]
NonNegative = Annotated[float, Field(ge=0), BeforeValidator(_finite)]
Fraction = Annotated[float, Field(ge=0, le=1), BeforeValidator(_finite)]
PositiveFraction = Annotated[float, Field(gt=0, le=1), BeforeValidator(_finite)]
Switch = Annotated[bool, BeforeValidator(switch)]
Name = Annotated[str, Field(min_length=1)]
Schedule = Literal["linear", "constant"]
Pairing = Literal["auto", "same", "next"]
