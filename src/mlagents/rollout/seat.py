"""A sampler as its driver sees it: the actor, what it was told, and what it still owes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlagents.data.segments import WeightsId
from mlagents.rollout.collected import Sampling
from mlagents.rollout.parameters import ParameterValue


@dataclass
class Seat:
    """One sampler of a cluster; its actor may be replaced, by one that knows nothing.

    Attributes:
      index: of the sampler. generation: actors that it has had before. actor: that of now.
      pending: what Ray will answer; None while it waits for orders. started: its environments answer.
      deadline: of the answer, on the monotonic clock. late: nobody waits for the answer any more.
      granted: behavior -> decisions that it was asked for.
      played_with: behavior -> updates behind the newest weights that it has. known: weights -> publication.
      added: behaviors that it knows. reset: it is to begin new episodes. parameters: it is to be told.
      lanes: behavior -> agents that ever lived at once.
    """

    index: int
    generation: int = -1
    actor: Any = None
    pending: Any = None
    started: bool = False
    deadline: float = float("inf")
    late: bool = False
    granted: dict[str, int] = field(default_factory=dict)
    played_with: dict[str, int] = field(default_factory=dict)
    known: dict[WeightsId, int] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)
    reset: bool = True
    parameters: dict[str, ParameterValue] = field(default_factory=dict)
    lanes: dict[str, int] = field(default_factory=dict)

    def take(self, actor: Any, pending: Any) -> None:
        """Begin with a new actor, whose environments are being started."""
        self.generation += 1
        self.actor, self.pending, self.started = actor, pending, False
        self.deadline, self.late, self.reset = float("inf"), False, True
        for told in (self.granted, self.played_with, self.known, self.added, self.parameters, self.lanes):
            told.clear()

    @property
    def is_idle(self) -> bool:
        """Whether it waits for orders."""
        return self.started and self.pending is None

    @property
    def is_playing(self) -> bool:
        """Whether something is expected of it soon."""
        return self.started and self.pending is not None and not self.late

    def own_stream(self, sampling: Sampling) -> Sampling:
        """Return how it samples: the first as a sampler of this machine would, all others with streams of their own."""
        if self.index == self.generation == 0:
            return sampling
        seed = sampling.rng.bit_generator.seed_seq
        assert isinstance(seed, np.random.SeedSequence)
        key = (*seed.spawn_key, self.index, self.generation)
        return sampling._replace(rng=np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key)))
