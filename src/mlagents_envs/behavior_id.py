"""Which behavior of which team: `Striker?team=1`, as environments spell it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_TEAM = "?team="
_NUMBER = re.compile(r"-?[0-9]+")


class BehaviorId(NamedTuple):
    """A behavior and a team; `str()` gives the fully qualified name `Striker?team=1`.

    Attributes:
      name: what settings, model files and statistics call the behavior; all its teams share it.
      team: which side its agents are on, in games that are trained against themselves.
    """

    name: str
    team: int = 0

    @classmethod
    @lru_cache(maxsize=1024)  # every report names its behaviors
    def parse(cls, full_name: str) -> BehaviorId:
        """Return the behavior and team of a fully qualified name; without `?team=` the team is 0.

        Raises:
          ValueError: what follows `?team=` is not a whole number.
        """
        name, separator, team = full_name.partition(_TEAM)
        if separator and not _NUMBER.fullmatch(team):
            raise ValueError(f"Behavior {full_name!r}: expected a whole number after {_TEAM!r}, found {team!r}.")
        return cls(name, int(team) if separator else 0)

    def __str__(self) -> str:
        return f"{self.name}{_TEAM}{self.team}"
