"""Self-play against snapshots: one team learns, the others play with earlier or the newest weights."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlagents.data.segments import NEWEST, WeightsId
from mlagents.data.trajectories import Episode
from mlagents.rollout.collected import Assignment, Weights
from mlagents.self_play.checks import Checks
from mlagents.self_play.games import Games, final_reward, score
from mlagents.self_play.league import BaselineResult, Move
from mlagents.self_play.opponents import draw
from mlagents.self_play.ratings import Rating
from mlagents.self_play.standings import Standings
from mlagents.settings import SelfPlaySettings
from mlagents_envs.behavior_id import BehaviorId

Plays = Mapping[tuple[BehaviorId, int], WeightsId]


@dataclass
class _Entrant:
    """A behavior in self-play.

    Attributes:
      count: snapshots taken so far. saved_at: step of the last one.
      ghost_steps: of its teams while they did not learn, in finished episodes. swapped_at: of them, at the last change.
      learned_since: its step as the learning team last changed.
      window: the latest snapshots, by number, oldest first.
    """

    settings: SelfPlaySettings
    max_steps: int
    count: int = 0
    saved_at: int = 0
    ghost_steps: int = 0
    swapped_at: int = 0
    learned_since: int = 0
    window: dict[int, Weights] = field(default_factory=dict)

    def numbers(self) -> dict[str, int]:
        """Return what must survive besides the window."""
        names = ("count", "saved_at", "ghost_steps", "swapped_at", "learned_since")
        return {name: getattr(self, name) for name in names}


class SnapshotLeague:
    """The `League` of behaviors that train against themselves.

    The teams take turns in learning, in the order in which they were first seen; one team learns at a time, in all
    behaviors. Opponents are drawn for each worker by itself.

    Args:
      workers: number of environments.
      rng: for drawing opponents.
    """

    def __init__(self, workers: int, rng: np.random.Generator) -> None:
        self.standings = Standings()
        self._workers = workers
        self._rng = rng
        self._entrants: dict[str, _Entrant] = {}
        self._sides: list[BehaviorId] = []
        self._teams: list[int] = []
        self._games = Games()
        self._plays: dict[tuple[BehaviorId, int], WeightsId] = {}
        self._assignment = Assignment()
        self._unpublished: dict[WeightsId, Weights] = {}
        self._checks = Checks()
        self._told: int | None = None
        self._met: set[str] = set()
        self._has_news = True  # whether `advance` is to look at anything but the steps
        self._statistics: list[tuple[str, str, float]] | None = None
        self._measures: dict[str, Mapping[str, float]] = {}

    def _note_change(self) -> None:
        """Forget what was found out about the present state."""
        self._has_news = True
        self._statistics = None
        self._measures.clear()

    def add(self, behavior: str, settings: SelfPlaySettings, max_steps: int, first: Rating | None = None) -> None:
        """Let a behavior take part.

        Args:
          behavior: name.
          settings: of its self-play.
          max_steps: after which it learns no more.
          first: rating to begin with; `initial_elo` if None.
        """
        self._note_change()
        restored = self._entrants.get(behavior)
        entrant = self._entrants[behavior] = _Entrant(settings, max_steps)
        if restored is not None:
            entrant.__dict__ |= restored.numbers()
        self.standings.add(behavior, first or Rating(settings.initial_elo))
        self._checks.settings(behavior, settings, max_steps)

    @property
    def learning_team(self) -> int | None:
        """The team that learns; None before any was seen."""
        return self._teams[0] if self._teams else None

    def meet(self, full_names: Iterable[str]) -> None:
        """See `League`."""
        for full_name in full_names:
            if full_name in self._met:
                continue
            side = BehaviorId.parse(full_name)
            if side.name in self._entrants:
                self._met.add(full_name)
            if side.name in self._entrants and side not in self._sides:
                self._note_change()
                self._sides.append(side)
                is_new = side.team not in self._teams
                if is_new:
                    self._teams.append(side.team)
                self._checks.side(side, is_late=is_new and bool(self._assignment.plays))

    def learns(self, behavior: BehaviorId) -> bool:
        """Return whether it is this team's turn; a behavior without self-play always learns."""
        return behavior.name not in self._entrants or behavior.team == self.learning_team

    def record(self, episodes: Sequence[Episode]) -> None:
        """See `League`."""
        if not episodes:
            return
        self._note_change()
        ours = [episode for episode in episodes if episode.behavior.name in self._entrants]
        for episode in ours:
            self._checks.ended(episode.behavior)
            if not self.learns(episode.behavior):
                self._entrants[episode.behavior.name].ghost_steps += episode.length
        for game in self._games.finished(ours) if ours else ():
            self._record_game({side: [ours[place] for place in places] for side, places in game.sides.items()})

    def _record_game(self, sides: Mapping[BehaviorId, Sequence[Episode]]) -> None:
        for learner, episodes in sides.items():
            if not self.learns(learner) or episodes[0].weights.snapshot != NEWEST:
                continue
            reward = final_reward(episodes)
            self._checks.reward(learner, episodes)
            for other, theirs in sides.items():
                if other.team != learner.team:
                    self.standings.record(learner.name, theirs[0].weights, score(reward))
        self._checks.game()

    def record_baselines(self, results: Iterable[BaselineResult]) -> None:
        """See `League`."""
        self._note_change()
        for behavior, baseline, found in results:
            self.standings.record_match(behavior, baseline, found)

    def due(self, steps: Mapping[str, int]) -> Collection[str]:
        """See `League`."""
        return [name for name in self._entrants if name in steps and self._is_due(name, steps[name])]

    def _is_due(self, name: str, step: int) -> bool:
        entrant = self._entrants[name]
        return entrant.count == 0 or step - entrant.saved_at >= entrant.settings.save_steps

    def advance(self, steps: Mapping[str, int], newest: Mapping[str, Weights]) -> Move:
        """See `League`."""
        if not (newest or self._has_news or self._may_change_team(steps)):
            return Move(self._assignment)
        self._has_news = False
        snapshots = {self._take(name, steps[name], weights): weights for name, weights in newest.items()}
        changed = self._change_team(steps)
        swapped = self._swap(steps, everybody=changed)
        learning = self.learning_team if self.learning_team != self._told else None
        self._told = self.learning_team
        publish, self._unpublished = self._unpublished, {}
        if swapped:
            self._assignment = Assignment(dict(self._plays))
        messages, warnings = self._checks.take(self._teams, steps, bool(snapshots))
        if changed:
            messages = [f"Self-play: team {learning} learns now.", *messages]
        return Move(self._assignment._replace(reset=changed), publish, snapshots, learning, messages, warnings)

    def _take(self, name: str, step: int, weights: Weights) -> WeightsId:
        entrant, taken = self._entrants[name], WeightsId(name, self._entrants[name].count)
        entrant.window[taken.snapshot] = weights
        while len(entrant.window) > entrant.settings.window:
            entrant.window.pop(next(iter(entrant.window)))
        self._note_change()
        entrant.count += 1
        entrant.saved_at = step
        self.standings.take_snapshot(taken)
        return taken

    def _may_change_team(self, steps: Mapping[str, int]) -> bool:
        """Return whether `_change_team` has anything to do."""
        return len(self._teams) < 2 or any(
            self._has_had_its_turn(name, steps[name]) or not self._may_learn(name, steps)
            for name in self._entrants
            if name in steps
        )

    def _change_team(self, steps: Mapping[str, int]) -> bool:
        """Let the next team learn if it is time; return whether it was."""
        learners = {s.name for s in self._sides if s.team == self.learning_team and s.name in steps}
        if len(self._teams) < 2:
            for name in learners:
                self._entrants[name].learned_since = steps[name]
            return False
        if not any(self._has_had_its_turn(name, steps[name]) for name in learners) and any(
            self._may_learn(name, steps) for name in learners
        ):
            return False
        others = self._teams[1:]
        can_learn = [t for t in others if any(s.team == t and self._may_learn(s.name, steps) for s in self._sides)]
        if not can_learn:
            return False
        turn = self._teams.index(can_learn[0])
        self._teams = self._teams[turn:] + self._teams[:turn]
        for name, entrant in self._entrants.items():
            entrant.learned_since = steps.get(name, 0)
        return True

    def _has_had_its_turn(self, name: str, step: int) -> bool:
        entrant = self._entrants[name]
        return step - entrant.learned_since >= entrant.settings.team_change

    def _may_learn(self, name: str, steps: Mapping[str, int]) -> bool:
        return name in steps and steps[name] <= self._entrants[name].max_steps

    def _swap(self, steps: Mapping[str, int], everybody: bool) -> bool:
        """Draw opponents anew where it is time, for the teams that do not learn; return whether any were."""
        swapped = False
        for name, entrant in self._entrants.items():
            if name not in steps:
                continue
            is_time = everybody or entrant.ghost_steps - entrant.swapped_at >= entrant.settings.swap_steps
            for side in self._sides:
                if side.name == name and (is_time or (side, 0) not in self._plays):
                    self._seat(side, entrant)
                    swapped = True
            if is_time:
                entrant.swapped_at = entrant.ghost_steps
        return swapped

    def _seat(self, side: BehaviorId, entrant: _Entrant) -> None:
        """Say with what a team plays in every worker."""
        learners = [s.name for s in self._sides if s.team == self.learning_team]
        window = [WeightsId(side.name, number) for number in entrant.window]
        rates = self.standings.win_rates(learners[0], window) if learners else {}
        settings = entrant.settings
        for worker in range(self._workers):
            number = NEWEST
            if side.team != self.learning_team:
                ratio = settings.play_against_latest_model_ratio
                number = draw(self._rng, [w.snapshot for w in window], ratio, settings.opponent_sampling, rates)
            self._plays[side, worker] = WeightsId(side.name, number)
            if number != NEWEST:
                self._unpublished[WeightsId(side.name, number)] = entrant.window[number]

    def measures(self, behavior: str) -> Mapping[str, float]:
        """See `League`."""
        if behavior not in self._entrants:
            return {}
        if behavior not in self._measures:
            rate, elo = self.standings.win_rate(behavior), self.standings.ratings[behavior].elo
            self._measures[behavior] = {"elo": elo} if rate is None else {"elo": elo, "win_rate": rate}
        return self._measures[behavior]

    def statistics(self) -> Iterator[tuple[str, str, float]]:
        """See `League`."""
        if self._statistics is None:  # most rounds end no game
            self._statistics = list(self._found_statistics())
        yield from self._statistics

    def _found_statistics(self) -> Iterator[tuple[str, str, float]]:
        for name in self._entrants:
            teams = {side.team for side in self._sides if side.name == name}
            rivals = {s.name for s in self._sides if len(teams) > 1 or s.name != name}
            opponents = [
                WeightsId(rival, number) for rival in sorted(rivals) for number in self._entrants[rival].window
            ]
            for tag, value in self.standings.statistics(name, opponents):
                yield name, tag, value

    def kept(self) -> Collection[WeightsId]:
        """See `League`."""
        window = {WeightsId(name, number) for name, e in self._entrants.items() for number in e.window}
        return window | {weights for weights in self._plays.values() if weights.snapshot != NEWEST}

    def state_dict(self) -> dict[str, Any]:
        """See `League`."""
        return {
            "standings": self.standings.state_dict(),
            "games": self._games.state_dict(),
            "entrants": {name: entrant.numbers() for name, entrant in self._entrants.items()},
            "sides": [str(side) for side in self._sides],
            "teams": list(self._teams),
            "plays": [[str(side), worker, *weights] for (side, worker), weights in self._plays.items()],
            "rng": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, before `add` and `restore`."""
        self._note_change()
        self.standings.load_state_dict(state["standings"])
        self._games.load_state_dict(state["games"])
        for name, numbers in state["entrants"].items():
            self._entrants[name] = _Entrant(SelfPlaySettings(), 0, **numbers)
        self._sides = [BehaviorId.parse(side) for side in state["sides"]]
        self._teams = list(state["teams"])
        for side, worker, name, number in state["plays"]:
            if worker < self._workers:
                self._plays[BehaviorId.parse(side), worker] = WeightsId(name, number)
        self._assignment = Assignment(dict(self._plays))
        self._rng.bit_generator.state = state["rng"]

    def restore(self, behavior: str, snapshots: Mapping[int, Weights]) -> None:
        """Take over the snapshots there are; whoever played with one that is gone plays with the newest weights."""
        self._note_change()
        entrant = self._entrants[behavior]
        usable = {number: w for number, w in sorted(snapshots.items()) if number < entrant.count}
        first = entrant.count - entrant.settings.window
        entrant.window = {number: w for number, w in usable.items() if number >= first}
        self._unpublished |= {WeightsId(behavior, number): weights for number, weights in usable.items()}
        for seat, weights in self._plays.items():
            if weights.behavior == behavior and weights.snapshot not in (NEWEST, *usable):
                self._plays[seat] = WeightsId(behavior)
        self._assignment = Assignment(dict(self._plays))
        self._checks.missing(
            behavior, [number for number in range(max(first, 0), entrant.count) if number not in usable]
        )
