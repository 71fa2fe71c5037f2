"""A walk on one or two lines with a known optimum, for every kind of action."""

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

STEP, LIMIT, TIME_PENALTY = 0.5, 20, 0.1
OPTIMUM = 1.0 - TIME_PENALTY
"""Two steps to the goal, the first costs the penalty."""

NAME = "Walk?team=0"
SPECS = {
    "continuous": ActionSpec.create_continuous(1),
    "discrete": ActionSpec.create_discrete((3,)),
    "hybrid": ActionSpec.create_hybrid(1, (3,)),
    "branches": ActionSpec.create_discrete((3, 3)),
}
MOVES = np.array([0.0, -1.0, 1.0])


class Walk(BaseEnv):
    """Every agent starts at 0 on each of its lines and has to reach its goal, -1 or +1, on all of them.

    A move is at most 0.5 long; moves beyond a goal are forbidden where actions can be masked. Arriving gives +1 and
    ends the episode; every other step costs 0.1 times the share of lines whose goal is not reached, and after 20
    steps the episode is interrupted. Who is nearer than `tolerance` has arrived.
    """

    def __init__(self, kind: str = "continuous", agents: int = 8, seed: int = 0, tolerance: float = 1e-3):
        self._kind, self._agents, self._tolerance = kind, agents, tolerance
        self._rng = np.random.default_rng(seed)
        action = SPECS[kind]
        self._lines = action.continuous_size + action.discrete_size
        observation = ObservationSpec(
            (2 * self._lines,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "position and goal"
        )
        self._spec = BehaviorSpec([observation], action)
        self.behavior_specs = BehaviorMapping({NAME: self._spec})
        self.last_actions: ActionTuple | None = None

    behavior_specs = None

    def _restart(self, who):
        self._position[who] = 0.0
        self._goal[who] = self._rng.choice([-1.0, 1.0], (np.sum(who), self._lines))
        self._clock[who] = 0

    def reset(self):
        n = self._agents
        self._position, self._goal = np.zeros((2, n, self._lines))
        self._clock = np.zeros(n, int)
        self._restart(np.ones(n, bool))
        self._report(np.zeros(n, np.float32), TerminalSteps.empty(self._spec))

    def _observe(self):
        return np.concatenate([self._position, self._goal], axis=1).astype(np.float32)

    def _masks(self):
        if not self._spec.action_spec.discrete_size:
            return None
        lines = self._position[:, self._spec.action_spec.continuous_size :]
        free = np.zeros(len(lines), bool)
        return [np.stack([free, p <= -1.0, p >= 1.0], axis=1) for p in lines.T]

    def _report(self, reward, terminal):
        n = self._agents
        zeros = np.zeros(n, np.int32)
        ids = np.arange(n, dtype=np.int32)
        self._steps = (
            DecisionSteps([self._observe()], reward, ids, self._masks(), zeros, np.zeros(n, np.float32)),
            terminal,
        )

    def step(self):
        actions = self.last_actions or self._spec.action_spec.empty_action(self._agents)
        moves = np.concatenate([np.clip(actions.continuous, -1, 1), MOVES[actions.discrete]], axis=1)
        self._position = np.clip(self._position + STEP * moves, -1.0, 1.0)
        self._clock += 1
        there = np.abs(self._position - self._goal) < self._tolerance
        arrived = there.all(axis=1)
        cut = ~arrived & (self._clock >= LIMIT)
        reward = np.where(arrived, 1.0, -TIME_PENALTY * (1.0 - there.mean(axis=1))).astype(np.float32)
        ended = arrived | cut
        who = np.flatnonzero(ended).astype(np.int32)
        terminal = TerminalSteps(
            [self._observe()[who]],
            reward[who],
            cut[who],
            who,
            np.zeros(len(who), np.int32),
            np.zeros(len(who), np.float32),
        )
        self._restart(ended)
        self._report(np.where(ended, 0.0, reward).astype(np.float32), terminal)
        self.last_actions = None

    def close(self):
        self._steps = None

    def set_actions(self, behavior_name, action):
        self.last_actions = self._spec.action_spec._validate_action(action, self._agents, behavior_name)

    def set_action_for_agent(self, behavior_name, agent_id, action):
        raise NotImplementedError("the trainer sets whole batches")

    def get_steps(self, behavior_name):
        return self._steps
