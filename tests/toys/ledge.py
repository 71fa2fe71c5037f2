"""A ledge that one can fall from: who stands still longest is best, and every step aside is one towards an end."""

from __future__ import annotations

import numpy as np

from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorMapping, DecisionSteps, TerminalSteps
from toys.specs import behavior

NAME = "Ledge?team=0"
LIMIT = 20


def keep_to_the_middle(decision):
    """The rule that never falls."""
    place = decision.obs[0][:, 0]
    return ActionTuple(None, np.where(place > 0.05, 0, np.where(place < -0.05, 2, 1)).astype(np.int32)[:, None])


class Ledge(BaseEnv):
    """Agents start near the middle of [-1, 1]; a decision moves them by 0.3 to the left, not, or to the right.

    There is wind, too, of up to 0.1. Beyond 1 they fall, which ends the episode; after 20 decisions it is cut. Every
    decision gives 1, so that an episode's reward is its length.
    """

    behavior_specs = None

    def __init__(self, agents: int = 16, seed: int = 0):
        self._agents, self._rng = agents, np.random.default_rng(seed)
        self.spec = behavior(1, branches=(3,))
        self.behavior_specs = BehaviorMapping({NAME: self.spec})

    def reset(self):
        self._place, self._clock = self._rng.uniform(-0.3, 0.3, self._agents), np.zeros(self._agents, int)
        self._terminal = TerminalSteps.empty(self.spec)
        self._reward = np.zeros(self._agents, np.float32)

    def set_actions(self, behavior_name, action):
        self._place += 0.3 * (action.discrete[:, 0] - 1) + self._rng.uniform(-0.1, 0.1, self._agents)

    def step(self):
        self._clock += 1
        fell = np.abs(self._place) > 1.0
        who = np.flatnonzero(fell | (self._clock >= LIMIT)).astype(np.int32)
        self._terminal = TerminalSteps([self._seen()[who]], np.ones(len(who), np.float32), ~fell[who], who)
        self._place[who], self._clock[who] = self._rng.uniform(-0.3, 0.3, len(who)), 0
        self._reward = np.where(self._clock > 0, 1.0, 0.0).astype(np.float32)

    def _seen(self):
        return self._place[:, None].astype(np.float32)

    def get_steps(self, behavior_name):
        ids = np.arange(self._agents, dtype=np.int32)
        masks = [np.zeros((self._agents, 3), np.bool_)]
        return DecisionSteps([self._seen()], self._reward, ids, masks), self._terminal

    def set_action_for_agent(self, behavior_name, agent_id, action):
        raise NotImplementedError

    def close(self):
        pass
