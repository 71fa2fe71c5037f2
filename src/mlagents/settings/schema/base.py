"""What all sections of the configuration have in common: strict keys, number types, rules across fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from mlagents.settings.source.faults import KeyPath
from mlagents.settings.source.scalars import finite, switch, whole


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
    """Return the error of valid fields that do not go together."""
    problems = "; ".join(violation.problem for violation in violations)
    return PydanticCustomError("rules", "{problems}", {"problems": problems, "violations": violations})


def unknown_choice(allowed: list[str]) -> PydanticCustomError:
    """Return the error of a name that is not in a table of choices."""
    return PydanticCustomError("unknown_choice", "expected one of {allowed}", {"allowed": allowed})


MOST = 10**15
"""No count is larger: more steps than any machine takes, and exact as a float."""

LARGEST_ON_THE_WIRE = 2**31 - 1
"""Environments get whole numbers as 32 bits."""

LARGEST_FLOAT = 3.4e38
"""And numbers as floats of 32 bits."""

# Pydantic applies these from the right: text becomes a number, and then meets the bounds.
Whole = Annotated[int, BeforeValidator(whole)]
Count = Annotated[int, Field(ge=1, le=MOST), BeforeValidator(whole)]
Natural = Annotated[int, Field(ge=0, le=MOST), BeforeValidator(whole)]
WholeOrUnlimited = Annotated[int, Field(ge=-1, le=MOST), BeforeValidator(whole)]
Sent = Annotated[int, Field(ge=0, le=LARGEST_ON_THE_WIRE), BeforeValidator(whole)]
SentOrUnset = Annotated[int, Field(ge=-1, le=LARGEST_ON_THE_WIRE), BeforeValidator(whole)]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(whole)]
EvenCount = Annotated[int, Field(gt=0, le=MOST, multiple_of=2), BeforeValidator(whole)]
Number = Annotated[float, BeforeValidator(finite)]
SentNumber = Annotated[float, Field(ge=-LARGEST_FLOAT, le=LARGEST_FLOAT), BeforeValidator(finite)]
Positive = Annotated[float, Field(gt=0), BeforeValidator(finite)]
NonNegative = Annotated[float, Field(ge=0), BeforeValidator(finite)]
Fraction = Annotated[float, Field(ge=0, le=1), BeforeValidator(finite)]
PositiveFraction = Annotated[float, Field(gt=0, le=1), BeforeValidator(finite)]
Switch = Annotated[bool, BeforeValidator(switch)]
Name = Annotated[str, Field(min_length=1)]
Schedule = Literal["linear", "constant"]
Pairing = Literal["auto", "same", "next"]
