"""A corridor of many doors whose only reward is at its far end."""

from __future__ import annotations

import numpy as np

from mlagents_envs.base_env import BaseEnv, BehaviorMapping, DecisionSteps, TerminalSteps
from toys.specs import behavior

NAME = "Corridor?team=0"


class Corridor(BaseEnv):
    """Agents start at one end and see which place they are in. There, one of four actions leads a place on.

    Which one differs from place to place; the others lead a place back. At random, one place further is reached a third
    as often. The far end gives 1 and ends the episode; after `limit` decisions it is cut. `arrived` counts.
    """

    behavior_specs = None

    def __init__(self, length: int = 12, agents: int = 64, limit: int = 40):
        self._length, self._agents, self._limit = length, agents, limit
        self._right = np.random.default_rng(0).integers(0, 4, length + 1)
        self.spec = behavior(length + 1, branches=(4,))
        self.behavior_specs = BehaviorMapping({NAME: self.spec})
        self.arrived = self.furthest = 0

    def reset(self):
        self._place, self._clock = np.zeros((2, self._agents), int)
        self._terminal = TerminalSteps.empty(self.spec)

    def _seen(self):
        return [np.eye(self._length + 1, dtype=np.float32)[self._place]]

    def set_actions(self, behavior_name, action):
        way = np.where(action.discrete[:, 0] == self._right[self._place], 1, -1)
        self._place = np.clip(self._place + way, 0, self._length)

    def step(self):
        self._clock += 1
        there = self._place == self._length
        who = np.flatnonzero(there | (self._clock >= self._limit)).astype(np.int32)
        self.arrived += int(there.sum())
        self.furthest = max(self.furthest, int(self._place.max()))
        self._terminal = TerminalSteps([self._seen()[0][who]], there[who].astype(np.float32), ~there[who], who)
        self._place[who] = self._clock[who] = 0

    def get_steps(self, behavior_name):
        ids = np.arange(self._agents, dtype=np.int32)
        masks = [np.zeros((self._agents, 4), np.bool_)]
        return DecisionSteps(self._seen(), np.zeros(self._agents, np.float32), ids, masks), self._terminal

    def set_action_for_agent(self, behavior_name, agent_id, action):
        raise NotImplementedError

    def close(self):
        pass
