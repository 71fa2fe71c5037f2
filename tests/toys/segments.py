"""Segments by hand."""

from __future__ import annotations

import numpy as np

from mlagents.data.columns import Columns
from mlagents.data.segments import Segment, WeightsId
from mlagents_envs.behavior_id import BehaviorId

BEHAVIOR = BehaviorId("Toy")


def make_columns(
    observations,
    memory,
    continuous,
    discrete,
    log_prob,
    allowed,
    reward=None,
    *,
    group_reward=None,
    group_id=0,
    group_size=0,
    tick=0,
):
    """Return columns of these arrays; without a word on groups, there are none."""
    rows = len(continuous)
    return Columns(
        list(observations),
        memory,
        continuous,
        discrete,
        log_prob,
        allowed,
        np.zeros(rows, np.float32) if reward is None else reward,
        np.zeros(rows, np.float32) if group_reward is None else group_reward,
        np.full(rows, group_id, np.int32),
        np.full(rows, group_size, np.int32),
        np.full(rows, tick, np.int32),
    )


def make_segment(
    observations,
    memory,
    continuous,
    discrete,
    log_prob,
    allowed,
    reward,
    terminated=False,
    truncated=False,
    *,
    behavior=BEHAVIOR,
    worker=0,
    version=0,
    **groups,
):
    """Return a segment of these arrays; `groups` as for `make_columns`."""
    columns = make_columns(observations, memory, continuous, discrete, log_prob, allowed, reward, **groups)
    return Segment(columns, behavior, worker, WeightsId(behavior.name), version, terminated, truncated)


def make_walk_segment(steps, rng, reward=None):
    """Return a segment of `Walk("hybrid")` with random numbers, and this reward for all decisions if there is one."""
    return make_segment(
        (rng.normal(size=(steps + 1, 4)).astype(np.float32),),
        np.zeros((steps, 0), np.float32),
        rng.normal(size=(steps, 1)).astype(np.float32),
        rng.integers(0, 3, (steps, 1), np.int32),
        np.full((steps, 2), -1.2, np.float32),
        np.ones((steps, 3), bool),
        rng.normal(size=steps).astype(np.float32) if reward is None else np.full(steps, reward, np.float32),
        False,
        False,
    )
