"""The section `search`: which values `mlagents tune` tries, for which keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlagents.settings.schema.base import Number, Positive, Settings, Violation, Whole

_RANGES = ("log_uniform", "uniform", "int")
_KINDS = (*_RANGES, "choice")
_Choice = bool | int | float | str


class SearchSettings(Settings):
    """Values of one key that are tried: one of the four forms."""

    log_uniform: tuple[Positive, ...] | None = None
    """[low, high]: numbers between these two, every order of magnitude as often as the next."""

    uniform: tuple[Number, ...] | None = None
    """[low, high]: numbers between these two."""

    int: tuple[Whole, ...] | None = None
    """[low, high]: whole numbers between these two, which are among them."""

    choice: tuple[_Choice, ...] | None = None
    """One of these numbers, words or switches."""

    @property
    def form(self) -> tuple[str, tuple[Any, ...]]:
        """Which of the four it is, and its values."""
        return next((kind, values) for kind in _KINDS if (values := getattr(self, kind)) is not None)

    def violations(self) -> Iterator[Violation]:
        """There is one form, with low below high, or with something to choose."""
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            said = " and ".join(given) or "nothing"
            yield Violation(
                tuple((kind,) for kind in given) or ((),), f"expected one of {', '.join(_KINDS)}; got {said}"
            )
            return
        kind, values = self.form
        if kind in _RANGES and (len(values) != 2 or values[0] >= values[1]):
            yield Violation(((kind,),), f"expected [low, high] with low < high; got {list(values)}")
        if kind == "choice" and len(values) < 2:
            yield Violation(((kind,),), f"expected at least two numbers, words or switches; got {list(values)}")
