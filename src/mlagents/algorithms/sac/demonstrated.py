"""Demonstrations in SAC's minibatches: offline experience beside that of the policy, as in arXiv:1707.08817 sec. 3."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlagents.data.columns import Columns
from mlagents.data.demonstrations import DemonstratedRows
from mlagents.data.replay import Replay
from mlagents.data.segments import FlatSegments, Segment, WeightsId
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.behavior_id import BehaviorId

EXPERT = "expert"
"""Who acts, for segments."""

ALMOST_1 = 0.999
"""Where experts' continuous actions are kept, since no finite number has a tanh of 1."""


class DemonstrationReplay:
    """A replay buffer of demonstrations that are never overwritten, and their share of every minibatch.

    Args:
      rows: what was demonstrated.
      spec: of the observations and actions.
      ratio: share of a minibatch, above 0 (`demo_replay_ratio`).
      sequences: in a minibatch. steps: most decisions in a sequence.
      memory_size: of the networks; demonstrated sequences begin with an empty memory.
    """

    def __init__(
        self,
        rows: DemonstratedRows,
        spec: BehaviorSpec,
        ratio: float,
        sequences: int,
        steps: int,
        memory_size: int,
    ):
        self._sequences, self._steps = sequences, steps
        self._share = min(max(round(ratio * sequences), 1), sequences)
        self._replay = Replay(spec, len(rows), steps, memory_size)
        self._sample = FlatSegments(spec, 1, memory_size, squashed=True)
        for number in range(len(rows.starts)):
            self._replay.extend(_segment(rows, number, spec, memory_size))

    def mix(
        self, rng: np.random.Generator, minibatches: int, sample: FlatSegments, lengths: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """Replace the last sequences of every minibatch in a sample by demonstrated ones.

        Args:
          rng: draws them.
          minibatches: behind one another in the sample, as `Replay.sample` filled it.
          sample: changed in place.
          lengths: int32 [sequences], decisions in each.

        Returns: The new lengths.
        """
        number = np.arange(minibatches)[:, None] * self._sequences + np.arange(self._sequences)[-self._share :]
        replaced = number.ravel()
        rows = (replaced[:, None] * (self._steps + 1) + np.arange(self._steps + 1)).ravel()
        self._sample.reserve(-(-len(rows) // 2))
        drawn = self._replay.sample(rng, len(replaced), self._sample)
        found, filled = self._sample.columns, sample.columns
        for position, observation in enumerate(found.observations):
            filled.write(rows, position, observation[: len(rows)])
        for (name, column), (_, source) in zip(filled.named(), found.named(), strict=True):
            if not name.startswith("observations."):
                column[rows] = source[: len(rows)]
        for name in ("terminated", "truncated", "worker", "closing"):
            getattr(sample, name)[rows] = getattr(self._sample, name)[: len(rows)]
        lengths = lengths.copy()
        lengths[replaced] = drawn
        sample.steps = int(lengths.sum())
        return lengths


def _segment(rows: DemonstratedRows, number: int, spec: BehaviorSpec, memory_size: int) -> Segment:
    start, length = int(rows.starts[number]), int(rows.lengths[number])
    part = slice(start, start + length)
    observations = [
        np.concatenate([seen[part], last[number : number + 1]])
        for seen, last in zip(rows.observations, rows.final_observations, strict=True)
    ]
    columns = Columns.empty(spec, memory_size, length)._replace(
        observations=observations,
        continuous=np.arctanh(np.clip(rows.continuous[part], -ALMOST_1, ALMOST_1)),
        discrete=rows.discrete[part],
        allowed=rows.allowed[part],
        reward=rows.reward[part],
    )
    last = start + length - 1
    return Segment(
        columns,
        BehaviorId(EXPERT),
        0,
        WeightsId(EXPERT),
        terminated=bool(rows.terminated[last]),
        truncated=bool(rows.truncated[last]),
    )
