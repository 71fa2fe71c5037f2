"""What tests of the pools do often."""

from __future__ import annotations

import numpy as np
import psutil

from mlagents_envs.base_env import ActionTuple, TerminalSteps

NAME = "Walker?team=0"


def assert_same(got, expected):
    """Compare what one behavior reports, with types."""
    for a, b in zip(got, expected, strict=True):
        assert len(a.obs) == len(b.obs)
        columns = [(x, y) for x, y in zip(a.obs, b.obs, strict=True)]
        columns += [(getattr(a, name), getattr(b, name)) for name in ("reward", "agent_id", "group_reward")]
        columns += [(a.group_id, np.asarray(b.group_id, np.int32))]
        if isinstance(a, TerminalSteps):
            columns += [(a.interrupted, b.interrupted)]
        elif b.action_mask is None:
            assert a.action_mask is None
        else:
            columns += list(zip(a.action_mask, b.action_mask, strict=True))
        for x, y in columns:
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


def receive_from(pool, workers):
    """Receive until all these workers have reported."""
    steps = {}
    while steps.keys() != workers:
        steps |= {step.worker: step for step in pool.receive()}
    return steps


def order(value: float) -> dict[str, ActionTuple]:
    """Actions of the three walkers that say `value`."""
    return {NAME: ActionTuple(np.full((3, 2), value, np.float32), np.zeros((3, 2), np.int32))}


def worker_processes() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]
