"""Experience to learn from that nobody had: noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlagents.data.columns import Columns
from mlagents.data.segments import Segment, WeightsId
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.behavior_id import BehaviorId

BEHAVIOR = BehaviorId("bench")


def noise_segment(
    rng: np.random.Generator, spec: BehaviorSpec, steps: int, seen: Sequence[NDArray[np.generic]] | None = None
) -> Segment:
    """Return an episode of continuous actions drawn from a standard normal distribution, each worth 0.1.

    Args:
      rng: source of it.
      spec: observations and actions.
      steps: decisions.
      seen: observations [steps + 1, *shape]; noise if not given.
    """
    columns = Columns.empty(spec, 0, steps)
    columns.continuous[:] = rng.standard_normal(columns.continuous.shape, np.float32)
    columns.log_prob[:] = -1.0
    columns.reward[:] = 0.1
    if seen is None:
        seen = [rng.standard_normal((steps + 1, *o.shape), np.float32) for o in spec.observation_specs]
    columns.observations[:] = seen
    return Segment(columns, BEHAVIOR, 0, WeightsId(BEHAVIOR.name), terminated=True)
