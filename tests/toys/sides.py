"""A side to go to with every action at once: the task of the reference's test of continuous and discrete actions."""

from __future__ import annotations

import numpy as np

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BaseEnv,
    BehaviorMapping,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)

NAME = "Sides?team=0"
STEP, TIME_PENALTY, ARRIVAL = 0.8, 0.01, 1.06
OPTIMUM = ARRIVAL - TIME_PENALTY
"""Two moves take every position to the right side, the first costs the penalty."""


class Sides(BaseEnv):
    """Every agent sees which side is right, -1 or +1, and has a position for each of its actions, at first 0.

    A continuous action moves its position by at most 0.8, a discrete one by 0.8 to the left (0) or right (1). Positions
    are not seen, and keep within [-1, 1]. The episode ends once all of them are at an end at the same time, and pays
    1.06 times the mean over positions of +1 on the right side and -1 on the wrong one; other steps cost 0.01.

    Attributes:
      finished: returns of the episodes so far, in order.
    """

    def __init__(self, continuous: int = 2, discrete: int = 2, agents: int = 1, seed: int = 0):
        self._agents = agents
        self._rng = np.random.default_rng(seed)
        seen = ObservationSpec((1,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "right side")
        self._spec = BehaviorSpec([seen], ActionSpec.create_hybrid(continuous, (2,) * discrete))
        self.behavior_specs = BehaviorMapping({NAME: self._spec})
        self._lines = continuous + discrete
        self._actions: ActionTuple | None = None
        self.finished: list[float] = []

    behavior_specs = None

    def reset(self):
        n = self._agents
        self._position, self._return = np.zeros((n, self._lines)), np.zeros(n)
        self._side = self._rng.choice([-1.0, 1.0], n)
        self._report(np.zeros(n), TerminalSteps.empty(self._spec))

    def _seen(self):
        return self._side[:, np.newaxis].astype(np.float32)

    def _report(self, reward, terminal):
        ids = np.arange(self._agents, dtype=np.int32)
        self._steps = DecisionSteps([self._seen()], reward.astype(np.float32), ids, None), terminal

    def step(self):
        actions = self._actions or self._spec.action_spec.empty_action(self._agents)
        moves = np.concatenate([np.clip(actions.continuous, -STEP, STEP), STEP * (2 * actions.discrete - 1)], axis=1)
        self._position = np.clip(self._position + moves, -1.0, 1.0)
        ended = (np.abs(self._position) >= 1.0).all(axis=1)
        reward = np.where(ended, ARRIVAL * (self._position * self._side[:, np.newaxis]).mean(axis=1), -TIME_PENALTY)
        self._return += reward
        self.finished += self._return[ended].tolist()
        who = np.flatnonzero(ended).astype(np.int32)
        last = self._seen()[who]
        terminal = TerminalSteps([last], reward[who].astype(np.float32), np.zeros(len(who), np.bool_), who)
        self._position[ended], self._return[ended] = 0.0, 0.0
        self._side[ended] = self._rng.choice([-1.0, 1.0], len(who))
        self._report(np.where(ended, 0.0, reward), terminal)
        self._actions = None

    def close(self):
        self._steps = None

    def set_actions(self, behavior_name, action):
        self._actions = self._spec.action_spec._validate_action(action, self._agents, behavior_name)

    def set_action_for_agent(self, behavior_name, agent_id, action):
        raise NotImplementedError("the trainer sets whole batches")

    def get_steps(self, behavior_name):
        return self._steps
