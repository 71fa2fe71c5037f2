"""What a sampler and its caller hand each other: plain values, which may cross the border of a machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mlagents.data.segments import Segment, WeightsId
from mlagents.data.trajectories import Episode
from mlagents.nn.policy import Policy
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.side_channel.stats_side_channel import EnvironmentStats


class Collected(NamedTuple):
    """What came back from environments since the last time.

    Attributes:
      segments: finished pieces of trajectories; they hold until the sampler collects again.
      episodes: results of the episodes that ended.
      statistics: what environments reported on the statistics channel, with their worker.
      environment_steps: reports of environments that were taken in.
      lanes: behavior name -> agents that ever lived at once, of all its teams.
    """

    segments: Sequence[Segment]
    episodes: Sequence[Episode]
    statistics: Sequence[tuple[int, EnvironmentStats]]
    environment_steps: int
    lanes: Mapping[str, int]


class Sampling(NamedTuple):
    """How the experience of a behavior is collected.

    Attributes:
      horizon: longest segment, in decisions (`time_horizon`).
      deterministic: take the most likely actions instead of samples.
      rng: source of the sampled actions.
    """

    horizon: int
    deterministic: bool
    rng: np.random.Generator


class Weights(NamedTuple):
    """A policy that may act.

    Attributes:
      policy: a copy, which never changes.
      version: number of updates behind it.
      wanted: decisions that the next update waits for; None if its learner takes experience of any weights.
    """

    policy: Policy
    version: int
    wanted: int | None = None


class Assignment(NamedTuple):
    """Who plays with which weights from the next episode on.

    Attributes:
      plays: (behavior, worker) -> weights; whoever is not named plays with its behavior's newest ones.
      reset: drop all open trajectories and begin new episodes everywhere, at once.
    """

    plays: Mapping[tuple[BehaviorId, int], WeightsId] = {}
    reset: bool = False
