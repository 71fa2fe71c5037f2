"""`training_status.json`: the list of a run's checkpoints and lessons, in the form that other tools read.

Top-level keys are names of behaviors (`checkpoints`, `final_checkpoint`), of environment parameters (`lesson_num`), and
`metadata`, which is ours.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlagents_envs
from mlagents.files import write_atomically

FORMAT_VERSION = "0.3.0"
PROVISIONAL = "provisional"
"""Key of listed checkpoints that the next one replaces."""

RATING = "rating"
"""Key of the mean return of listed checkpoints in episodes of their own; in self-play, of their Elo."""

LEAGUE = "league"
"""Key, beside the versions, of what self-play remembers."""

_OURS = "metadata"

Entry = dict[str, Any]
"""A listed checkpoint: `steps`, `file_path`, `reward`, `creation_time` (s since 1970), `auxillary_file_paths`."""


class StatusError(ValueError):
    """The file has another form; the message says which, without the file's name."""


class Status:
    """What is listed; changed in memory, written as a whole."""

    def __init__(self, content: Mapping[str, Any] | None = None) -> None:
        """Take over the content of the file.

        Raises:
          StatusError: it has another form.
        """
        if content is not None and not isinstance(content, dict):
            raise StatusError(f"expected an object with a key for each behavior, got {_kind(content)}")
        self._content: dict[str, Any] = dict(content or {})
        for key, entry in self._content.items():
            _check(key, entry)

    @staticmethod
    def read(path: Path) -> Status:
        """Return the content of a file.

        Raises:
          FileNotFoundError: it is not there.
          StatusError: it is not JSON, or has another form.
        """
        try:
            return Status(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise
        except (ValueError, RecursionError) as error:
            raise StatusError(str(error) or "nested too deeply") from None

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        self._content[_OURS] = {
            "stats_format_version": FORMAT_VERSION,
            "mlagents_version": mlagents_envs.__version__,
            **({LEAGUE: league} if (league := self.league()) else {}),
        }
        write_atomically(path, json.dumps(self._content, indent=4).encode())

    def behaviors(self) -> Iterator[str]:
        """Yield the names of behaviors with a checkpoint."""
        for key, entry in self._content.items():
            if key != _OURS and entry.get("checkpoints"):
                yield _name(key)

    def lessons(self) -> dict[str, int]:
        """Return the lesson of every environment parameter that has been saved."""
        return {
            _name(key): entry["lesson_num"]
            for key, entry in self._content.items()
            if key != _OURS and "lesson_num" in entry
        }

    def checkpoints(self, behavior: str) -> list[Entry]:
        """Return what is listed for a behavior, oldest first."""
        entries: list[Entry] = self._content.get(_key(behavior), {}).get("checkpoints", [])
        return entries

    def set_checkpoints(self, behavior: str, entries: list[Entry]) -> None:
        """Replace what is listed for a behavior."""
        self._content.setdefault(_key(behavior), {})["checkpoints"] = entries

    def set_final(self, behavior: str, entry: Entry) -> None:
        """List a checkpoint as the final one of a behavior."""
        self._content.setdefault(_key(behavior), {})["final_checkpoint"] = entry

    def league(self) -> dict[str, Any]:
        """Return what self-play remembers besides its snapshots; empty without self-play."""
        found: dict[str, Any] = self._content.get(_OURS, {}).get(LEAGUE, {})
        return found

    def set_league(self, state: Mapping[str, Any]) -> None:
        """Note what self-play remembers."""
        self._content.setdefault(_OURS, {})[LEAGUE] = dict(state)

    def set_lesson(self, parameter: str, number: int) -> None:
        """Note the lesson of an environment parameter."""
        self._content.setdefault(_key(parameter), {})["lesson_num"] = number


def listed(steps: int, state: Path, reward: float | None = None) -> Entry:
    """Return the entry of a checkpoint that is made now.

    Args:
      steps: of the behavior.
      state: file of its state; its model stands beside it.
      reward: mean return since the last update, if known.
    """
    return {
        "steps": steps,
        "file_path": str(state.with_suffix(".onnx")),
        "reward": reward,
        "creation_time": time.time(),
        "auxillary_file_paths": [str(state)],
    }


def newest_and_best(entries: list[Entry], newest: int, best: int) -> list[Entry]:
    """Return the newest entries (all if that is 0 or less) and those of the best ratings, in their order."""
    if newest <= 0:
        return entries
    rated = sorted((e for e in entries if RATING in e), key=lambda e: (e[RATING], e["steps"]))
    kept = [*entries[-newest:], *rated[len(rated) - min(best, len(rated)) :]]
    return [entry for entry in entries if entry in kept]


def _key(name: str) -> str:
    """Return the key of a behavior or parameter; one that is called like our own key gets a `%` before it."""
    return f"%{name}" if name.lstrip("%") == _OURS else name


def _name(key: str) -> str:
    return key[1:] if key.startswith("%") and key.lstrip("%") == _OURS else key


def _check(key: str, entry: object) -> None:
    """Raise an error unless the value of a key is what is read later.

    Raises:
      StatusError: it is not.
    """
    if not isinstance(entry, dict):
        raise StatusError(f"expected an object for {key!r}, got {_kind(entry)}")
    lesson = entry.get("lesson_num", 0)
    if not _is_count(lesson):
        raise StatusError(f"expected a whole number for {key!r}: 'lesson_num', got {_kind(lesson)}")
    checkpoints = entry.get("checkpoints", [])
    if not isinstance(checkpoints, list):
        raise StatusError(f"expected a list for {key!r}: 'checkpoints', got {_kind(checkpoints)}")
    for number, checkpoint in enumerate(checkpoints):
        where = f"{key!r}: checkpoint {number + 1}"
        if not isinstance(checkpoint, dict) or not _is_count(checkpoint.get("steps")):
            raise StatusError(f"expected an object with whole 'steps' for {where}, got {_kind(checkpoint)}")
        rating = checkpoint.get(RATING, 0.0)
        if not isinstance(rating, int | float):
            raise StatusError(f"expected a number for {where}: {RATING!r}, got {_kind(rating)}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _kind(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
