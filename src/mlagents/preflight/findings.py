"""What was looked at, what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is.

    Attributes:
      OK: as it should be. NOTE: worth knowing. WARNING: something will be slow or missing. ERROR: something is wrong.
    """

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
      topic: a word or two, such as `memory`.
      level: how bad it is.
      text: what was found.
      advice: what to do; empty where there is nothing to do.
    """

    topic: str
    level: Level
    text: str
    advice: str = ""


Check = Callable[[], Iterable[Finding]]


def look(checks: Iterable[tuple[str, Check]]) -> Iterator[Finding]:
    """Yield what all checks find; a check that fails itself is a finding, and hides none of the others.

    Args:
      checks: topic and check each.
    """
    for topic, check in checks:
        try:
            yield from check()
        except Exception as error:
            text = f"could not be looked at: {type(error).__name__}: {error}"
            yield Finding(topic, Level.WARNING, text, "Please report this, with the line above.")


def is_wrong(findings: Sequence[Finding]) -> bool:
    """Return whether something is wrong; warnings are not."""
    return any(finding.level is Level.ERROR for finding in findings)


def in_words(size: float) -> str:
    """Return a number of bytes for people: 1.5 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
