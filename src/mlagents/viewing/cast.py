"""Who plays which behavior, chosen while the play goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mlagents.artifacts.checkpoints import CheckpointError
from mlagents.inference import Model, ModelError
from mlagents.viewing.candidates import Candidate, Run
from mlagents_envs.base_env import BehaviorSpec

UNREADABLE: Final = (CheckpointError, ModelError, OSError, ValueError)


class ChosenCast:
    """A player for each behavior, out of candidates.

    Args:
      candidates: the first that plays a behavior is who begins; of several with one label the first counts.
      specs: of all behaviors.

    Attributes:
      chosen: behavior -> label of its candidate.

    Raises:
      ModelError: nobody plays a behavior, or who begins cannot be used.
      CheckpointError: likewise.
    """

    def __init__(self, candidates: Sequence[Candidate], specs: Mapping[str, BehaviorSpec]) -> None:
        self._candidates: dict[str, Candidate] = {}
        for candidate in candidates:
            self._candidates.setdefault(candidate.label, candidate)
        self._specs = dict(specs)
        self._players: dict[str, Model] = {}
        self._steps: dict[str, int | None] = {}
        self.chosen: dict[str, str] = {}
        for behavior in specs:
            self.choose(behavior, self.options(behavior)[0])

    def options(self, behavior: str) -> list[str]:
        """Return the labels of who can play a behavior.

        Raises:
          ModelError: nobody can.
        """
        if options := [label for label, candidate in self._candidates.items() if candidate.plays(behavior)]:
            return options
        raise ModelError(f"nobody plays behavior {behavior!r}; there are {', '.join(self._candidates) or 'no players'}")

    def choose(self, behavior: str, label: str) -> None:
        """Let a candidate play a behavior from its next decision on.

        Raises:
          ModelError, CheckpointError: it cannot be used; who played goes on.
        """
        candidate = self._candidates[label]
        step = candidate.news(behavior)
        self._players[behavior] = candidate.load(behavior, self._specs[behavior])
        self._steps[behavior], self.chosen[behavior] = step, label

    def player(self, behavior: str) -> Model:
        """Return who plays a behavior now."""
        return self._players[behavior]

    def describe(self, behavior: str) -> str:
        """Return who plays, with the step of its checkpoint."""
        label = self.chosen[behavior]
        if (step := self._steps[behavior]) is not None:
            return f"{label}, step {step:,}"
        waits = isinstance(self._candidates[label], Run)
        return f"{label}, which has no checkpoint yet: random actions" if waits else label

    def follow(self) -> list[str]:
        """Take over newer checkpoints of the runs that play; return what cannot be read, in words."""
        problems = []
        for behavior, label in self.chosen.items():
            candidate = self._candidates[label]
            step = candidate.news(behavior)
            if step is None or step == self._steps[behavior]:
                continue
            try:
                self.choose(behavior, label)
            except UNREADABLE as error:
                self._steps[behavior] = step  # said once
                problems.append(str(error))
        return problems
