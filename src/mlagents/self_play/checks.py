"""What may be wrong with a game that trains against itself, said once and in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlagents.data.trajectories import Episode
from mlagents.settings import SelfPlaySettings
from mlagents_envs.behavior_id import BehaviorId

_USUAL_REWARDS = (-1.0, 0.0, 1.0)


class Checks:
    """Watches a game, and gathers what is worth saying."""

    def __init__(self) -> None:
        self._messages: list[str] = []
        self._warnings: list[str] = []
        self._said: set[str] = set()
        self._sides: dict[BehaviorId, int] = {}
        self._games = 0
        self._snapshots = 0

    def _warn(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._warnings.append(text)

    def settings(self, behavior: str, settings: SelfPlaySettings, max_steps: int) -> None:
        """Compare settings that are fine alone and odd together."""
        where = f"{behavior}: self_play."
        if settings.swap_steps > max_steps:
            self._warn(f"{where}swap_steps ({settings.swap_steps}) is more than max_steps ({max_steps}): the opponents"
                       " hardly ever change; lower swap_steps")  # fmt: skip
        if settings.team_change > max_steps:
            self._warn(f"{where}team_change ({settings.team_change}) is more than max_steps ({max_steps}): only the"
                       " first team learns; in a game of two behaviors lower team_change")  # fmt: skip
        if settings.save_steps > max_steps:
            self._warn(f"{where}save_steps ({settings.save_steps}) is more than max_steps ({max_steps}): the only"
                       " snapshot is that of the untrained weights; lower save_steps")  # fmt: skip

    def side(self, side: BehaviorId, is_late: bool) -> None:
        """Take in agents of a team that was not known; late, if others have begun to play."""
        self._sides.setdefault(side, 0)
        if is_late:
            self._messages.append(f"{side.name}: team {side.team} takes part from now on.")

    def missing(self, behavior: str, snapshots: Sequence[int]) -> None:
        """Take in snapshots of the window that are not on the disk."""
        if snapshots:
            numbers = ", ".join(map(str, snapshots))
            self._warn(f"{behavior}: the snapshots {numbers} of this run are gone; opponents are drawn from the others")

    def ended(self, side: BehaviorId) -> None:
        """Take in the end of an episode."""
        self._sides[side] = self._sides.get(side, 0) + 1

    def game(self) -> None:
        """Take in a result."""
        self._games += 1

    def reward(self, side: BehaviorId, episodes: Sequence[Episode]) -> None:
        """Take in the final rewards of a side."""
        odd = next((e.last_reward for e in episodes if e.last_reward not in _USUAL_REWARDS), None)
        key = f"reward of {side.name}"
        if odd is not None and key not in self._said:
            self._said.add(key)
            self._messages.append(
                f"{side.name}: a game ended with the reward {odd:g}; results are read from the sign of the final reward"
                " of a team (+1 won, 0 draw, -1 lost), so make sure that it tells who won."
            )

    def take(self, teams: Sequence[int], steps: Mapping[str, int], is_snapshot: bool) -> tuple[list[str], list[str]]:
        """Return what there is to say for the first time, as messages and warnings.

        Args:
          teams: those that are known.
          steps: of the learners.
          is_snapshot: whether a snapshot was just taken: the time to look for what should have happened since the last.
        """
        if len(teams) == 1 and steps:
            self._warn(f"self_play is set, but only team {teams[0]} has been seen: until another team shows itself, it"
                       " trains without opponents; give the agents of the other side another team id")  # fmt: skip
        if is_snapshot:
            self._snapshots += 1
            if self._snapshots > 1 and len(teams) > 1:
                self._look_for_results()
        messages, self._messages = self._messages, []
        warnings, self._warnings = self._warnings, []
        return messages, warnings

    def _look_for_results(self) -> None:
        silent = [str(side) for side, ended in self._sides.items() if not ended]
        if silent:
            self._warn(f"no episode of {', '.join(silent)} has ended since the start: its opponents cannot change and"
                       " nothing can be rated; end the episodes of both teams when a game is over")  # fmt: skip
        elif not self._games:
            self._warn("episodes of the teams never end at the same time, so there are no results to rate; end the"
                       " episodes of all agents of a game in the same step")  # fmt: skip
