"""Numbers and switches as people write them in files and on command lines."""

from __future__ import annotations

from pydantic_core import PydanticCustomError


def wrong_type(expected: str) -> PydanticCustomError:
    """Return the error of a value of the wrong type."""
    return PydanticCustomError("wrong_type", "expected {expected}", {"expected": expected})


def number(value: object) -> int | float:
    """Return a number, also from text such as `1e7` (which YAML 1.1 does not read as a number).

    Raises:
        PydanticCustomError: it is none; a ValueError, as pydantic's validators raise.
    """
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
    """Return a whole number, also written `5.0e5`.

    Raises:
        PydanticCustomError: it is none.
    """
    try:
        found = number(value)
    except PydanticCustomError:
        raise wrong_type("a whole number") from None
    if isinstance(found, float) and not found.is_integer():
        raise wrong_type("a whole number")
    return int(found)


def switch(value: object) -> bool:
    """Return True or false, also from the words that YAML 1.1 reads so.

    Raises:
        PydanticCustomError: it is neither.
    """
    if isinstance(value, str) and value.lower() in ("true", "yes", "on"):
        return True
    if isinstance(value, str) and value.lower() in ("false", "no", "off"):
        return False
    if isinstance(value, bool):
        return value
    raise wrong_type("true or false")


def finite(value: object) -> float:
    """Return a number that a float can hold.

    Raises:
        PydanticCustomError: it is none.
    """
    try:
        return float(number(value))
    except OverflowError:
        raise wrong_type("a finite number") from None
