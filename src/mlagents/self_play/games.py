"""Which episodes are one game, and how it ended.

Environments do not say which agents play with each other, so games are found by three marks: worker, tick and order.
All episodes of at least two teams that end in the same worker and tick are games. The agents of a team that share a
group are one side of a game; without groups, a side is as many agents, in the order of the report, as the team has in
one game. That number is found out: the fewest of the team that ever ended at once, and never so many that some of them
won and others lost. So two games that end at once before any of the team has ended alone, all with the same result,
count as one until then; and agents that leave a game before its end do not count in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mlagents.data.trajectories import Episode
from mlagents_envs.behavior_id import BehaviorId


class Game(NamedTuple):
    """A finished game.

    Attributes:
      sides: team -> places of its agents' episodes in what `Games.finished` was given.
    """

    sides: Mapping[BehaviorId, Sequence[int]]


def final_reward(episodes: Sequence[Episode]) -> float:
    """Return what a side got as its game ended: the sum of its agents' own and group rewards of the last decision."""
    return sum(episode.last_reward for episode in episodes)


def score(reward: float) -> float:
    """Return 1 for a game that was won, 0.5 for a draw, 0 for one that was lost."""
    return 0.5 if reward == 0 else float(reward > 0)


class Games:
    """Joins episodes to games.

    Attributes:
      team_size: of every team without groups that has finished a game: its agents in one game, as far as is known.
    """

    def __init__(self) -> None:
        self.team_size: dict[BehaviorId, int] = {}

    def finished(self, episodes: Sequence[Episode]) -> Iterator[Game]:
        """Yield the games among episodes that ended; all those of a worker's tick come at once."""
        by_tick: dict[tuple[int, int], dict[BehaviorId, list[int]]] = {}
        for place, episode in enumerate(episodes):
            by_tick.setdefault((episode.worker, episode.tick), {}).setdefault(episode.behavior, []).append(place)
        for teams in by_tick.values():
            if len({team.team for team in teams}) > 1:
                yield from self._games(teams, episodes)

    def _games(self, teams: Mapping[BehaviorId, list[int]], episodes: Sequence[Episode]) -> Iterator[Game]:
        sides = {team: self._sides(team, places, episodes) for team, places in teams.items()}
        for game in range(min(len(found) for found in sides.values())):
            yield Game({team: found[game] for team, found in sides.items()})

    def _sides(self, team: BehaviorId, places: list[int], episodes: Sequence[Episode]) -> list[list[int]]:
        """Return the sides that a team had in the games that ended, in the order of the report."""
        if all(episodes[place].group_id for place in places):
            groups: dict[int, list[int]] = {}
            for place in places:
                groups.setdefault(episodes[place].group_id, []).append(place)
            return list(groups.values())
        size = min(self.team_size.get(team, len(places)), len(places))
        rewards = [episodes[place].last_reward for place in places]
        self.team_size[team] = size = next(s for s in range(size, 0, -1) if _is_team_size(s, rewards))
        return [places[start : start + size] for start in range(0, len(places) - size + 1, size)]

    def state_dict(self) -> list[Any]:
        """Return plain values."""
        return [[*team, size] for team, size in self.team_size.items()]

    def load_state_dict(self, state: Sequence[Any]) -> None:
        """Take over what `state_dict` returned."""
        self.team_size = {BehaviorId(name, team): size for name, team, size in state}


def _is_team_size(size: int, rewards: Sequence[float]) -> bool:
    """Return whether sides of this many agents leave nobody over, and no side has winners and losers."""
    if len(rewards) % size:
        return False
    sides = (rewards[start : start + size] for start in range(0, len(rewards), size))
    return all(min(side) >= 0 or max(side) <= 0 for side in sides)
