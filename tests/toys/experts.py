"""Recordings of rules that play toys as well as it can be done."""

from __future__ import annotations

import numpy as np

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.demonstrations import RecordedEnv
from toys.walk import STEP


def record(env, rule, path, steps):
    """Let a rule play and record it; `rule` makes an ActionTuple of decision steps."""
    recorded = RecordedEnv(env, path)
    recorded.reset()
    (name,) = recorded.behavior_specs
    for _ in range(steps):
        decision, _ = recorded.get_steps(name)
        if len(decision):
            recorded.set_actions(name, rule(decision))
        recorded.step()
    recorded.close()
    return path


def walk_rule(spec):
    """Straight to the goal on every line: the shortest way there is."""
    action = spec.action_spec

    def rule(decision):
        lines = action.continuous_size + action.discrete_size
        position, goal = decision.obs[0][:, :lines], decision.obs[0][:, lines:]
        way = np.clip((goal - position) / STEP, -1.0, 1.0)
        continuous = way[:, : action.continuous_size]
        left_or_right = np.where(way < 0.0, 1, np.where(way > 0.0, 2, 0))[:, action.continuous_size :]
        return ActionTuple(continuous.astype(np.float32), left_or_right.astype(np.int32))

    return rule
