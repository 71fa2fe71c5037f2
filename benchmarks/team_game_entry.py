"""`team_game` as an environment for `mlagents-learn --env=benchmarks/team_game_entry.py`."""

from __future__ import annotations

from typing import Any

from team_game import TeamGame

from mlagents_envs.registry import BaseRegistryEntry


class _Entry(BaseRegistryEntry):
    def __init__(self) -> None:
        super().__init__("TeamGame", None, "A game of groups, for benchmarks.")

    def make(self, seed: int = 0, **_: Any) -> TeamGame:
        return TeamGame(seed)


ENTRY = _Entry()
