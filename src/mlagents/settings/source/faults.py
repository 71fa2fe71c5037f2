"""Faults of a configuration, each with its place; all of them are reported at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

KeyPath = tuple[str | int, ...]

_LONGEST = 10**100
"""Python writes whole numbers of thousands of digits in hexadecimal only."""


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: `behaviors.3DBall.max_steps`, `curriculum[0].value`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


@dataclass(frozen=True)
class Place:
    """Where a value was written: by which file (or command line), under which keys, in which line."""

    source: str
    path: KeyPath
    line: int = 0
    """Counted from 1; 0: not known."""
    column: int = 0

    def __str__(self) -> str:
        position = f":{self.line}:{self.column}" if self.line else ""
        return ": ".join(part for part in (f"{self.source}{position}", dotted(self.path)) if part)

    def below(self, *keys: str | int) -> Place:
        """Return the same position, named by a longer path."""
        return replace(self, path=(*self.path, *keys))


class SettingsError(Exception):
    """The configuration is wrong. Its text has one line per fault."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass
class FaultReport:
    """What was found while a configuration was read."""

    warnings: list[str] = field(default_factory=list)
    doubtful: set[KeyPath] = field(default_factory=set)
    """Paths of the modern mapping whose value is not what the user meant: no rule may judge them."""
    strict: bool = False
    """Whether everything that is only tolerated is a fault."""
    _faults: dict[str, Place] = field(default_factory=dict)
    _repeated: list[tuple[Place, int]] = field(default_factory=list)

    def fault(self, place: Place, problem: str) -> None:
        """Note a fault; the same one twice (by an alias, or through default_settings) counts once."""
        self._faults.setdefault(f"{place}: {problem}", place)

    def warn(self, place: Place, text: str) -> None:
        """Note what is accepted, but may not do what its author expects."""
        line = f"{place}: {text}"
        if line not in self.warnings:
            self.warnings.append(line)

    def tolerate(self, place: Place, problem: str, reading: str) -> None:
        """Note what is wrong but can be read, and how it is read; a fault if the report is strict."""
        if self.strict:
            self.fault(place, problem)
        else:
            self.warn(place, f"{problem} ({reading})")

    def adopt(self, other: FaultReport) -> None:
        """Note the faults of another report, too."""
        for line, place in other._faults.items():
            self._faults.setdefault(line, place)

    def repeat(self, place: Place, first_line: int) -> None:
        """Note a key that is given again; `settle_repeated` says whether that is a fault."""
        self._repeated.append((place, first_line))

    def settle_repeated(self, *, tolerated: bool) -> None:
        """Make faults of all keys noted by `repeat` so far, or warnings if that is `tolerated`."""
        for place, first_line in self._repeated:
            if tolerated:
                self.tolerate(place, f"given twice (first in line {first_line})", "the last one counts, as in 2020")
            else:
                self.fault(place, f"given twice (first in line {first_line}); keep one")
        self._repeated.clear()

    @property
    def faults(self) -> list[str]:
        """One line per fault, in the order of the files."""

        def order(line: str) -> tuple[str, int, int]:
            place = self._faults[line]
            return place.source, place.line, place.column

        return sorted(self._faults, key=order)

    def raise_faults(self) -> None:
        """Raise what was found, if anything was.

        Raises:
            SettingsError: with every fault.
        """
        if self._faults:
            raise SettingsError(*self.faults)


def shown(value: object, limit: int = 60) -> str:
    """Return a value as part of a message."""
    if value is None:
        return "nothing"
    text = hex(value) if isinstance(value, int) and abs(value) > _LONGEST else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def did_you_mean(names: Iterable[str]) -> str:
    """Return the end of a message about an unknown name."""
    quoted = [repr(name) for name in names]
    return f"; did you mean {' or '.join(quoted)}?" if quoted else ""
