"""Games that agents win or lose together, with known optima; every group has an id and earns as a group."""

from __future__ import annotations

import numpy as np

from mlagents_envs.base_env import BaseEnv, BehaviorMapping, DecisionSteps, TerminalSteps
from toys.specs import behavior

NAME = "Team?team=0"


class TeamGame(BaseEnv):
    """Groups of agents; a game says what they see, what a round brings and who leaves.

    `latest` are the group's rewards of finished episodes, oldest first.
    """

    behavior_specs = None
    most = 2
    spec = behavior(1, branches=(2,))

    def __init__(self, groups=8, seed=0):
        self._groups = groups
        self.rng = np.random.default_rng(seed)
        self.latest = []
        self.behavior_specs = BehaviorMapping({NAME: self.spec})

    def begin(self, group):
        """Start an episode."""

    def see(self, group, agent):
        """Return what an agent sees, float32 [n]."""
        raise NotImplementedError

    def play(self, group, actions):
        """Return the group's reward, who leaves, and whether the episode is over, from member -> action."""
        raise NotImplementedError

    def reset(self):
        self._alive = np.ones((self._groups, self.most), bool)
        self._earned = np.zeros(self._groups)
        for group in range(self._groups):
            self.begin(group)
        self._terminal = TerminalSteps.empty(self.spec)
        self._reward = np.zeros(self._groups)
        self._actions = None

    def step(self):
        chosen = {tuple(who): self._actions.discrete[i] for i, who in enumerate(np.argwhere(self._alive).tolist())}
        leaving = []
        for group in range(self._groups):
            actions = {agent: action for (g, agent), action in chosen.items() if g == group}
            reward, left, over = self.play(group, actions)
            self._reward[group] = reward
            self._earned[group] += reward
            left = list(actions) if over else left
            leaving += [(group, agent, self.see(group, agent), reward) for agent in left]
            for agent in left:
                self._alive[group, agent] = False
            if over:
                self.latest.append(self._earned[group])
                self._earned[group], self._reward[group] = 0.0, 0.0
                self._alive[group] = True
                self.begin(group)
        self._terminal = self._ended(leaving)

    def _ended(self, leaving):
        if not leaving:
            return TerminalSteps.empty(self.spec)
        group, agent, seen, reward = zip(*leaving, strict=True)
        group = np.array(group, np.int32)
        ids = group * self.most + np.array(agent, np.int32)
        none = np.zeros(len(ids), np.float32)
        seen = np.array(seen, np.float32)
        return TerminalSteps([seen], none, none.astype(bool), ids, group + 1, np.array(reward, np.float32))

    def get_steps(self, behavior_name):
        who = np.argwhere(self._alive)
        ids = (who[:, 0] * self.most + who[:, 1]).astype(np.int32)
        seen = np.array([self.see(group, agent) for group, agent in who.tolist()], np.float32)
        none = np.zeros(len(ids), np.float32)
        group_id = (who[:, 0] + 1).astype(np.int32)
        steps = DecisionSteps([seen], none, ids, None, group_id, self._reward[who[:, 0]].astype(np.float32))
        return steps, self._terminal

    def set_actions(self, behavior_name, action):
        self._actions = action

    def set_action_for_agent(self, behavior_name, agent_id, action):
        raise NotImplementedError

    def close(self):
        pass


class Climbing(TeamGame):
    """The climbing game (Claus & Boutilier 1998, fig. 2), divided by 11: one decision each, a reward for both.

    The best pair of actions is (0, 0); whoever plays 0 alone pays dearly, so that agents who only learn from what
    they get themselves settle for (2, 2) or (1, 1).
    """

    payoff = np.array([[11.0, -30.0, 0.0], [-30.0, 7.0, 6.0], [0.0, 0.0, 5.0]]) / 11.0
    spec = behavior(2, branches=(3,))

    def see(self, group, agent):
        return np.eye(2, dtype=np.float32)[agent]

    def play(self, group, actions):
        return self.payoff[actions[0][0], actions[1][0]], [], True


class Sacrifice(TeamGame):
    """Three prisoners and a door that opens only over somebody who stays behind, which ends that agent's episode.

    Each round everybody waits (0) or stays behind (1). Whoever does leaves at once and never sees the reward: three
    rounds later those who are left, if there are any, win 1; if nobody ever stays, everybody gets 0.2 after 6 rounds.
    If all leave, nothing is won.
    """

    most = 3
    spec = behavior(4, branches=(2,))
    far, limit, consolation = 3, 6, 0.2

    def begin(self, group):
        if not hasattr(self, "clock"):
            self.clock = np.zeros(self._groups, int)
            self.opened = np.full(self._groups, -1)
        self.clock[group], self.opened[group] = 0, -1

    def see(self, group, agent):
        return np.append(np.eye(3, dtype=np.float32)[agent], self.opened[group] >= 0)

    def play(self, group, actions):
        self.clock[group] += 1
        left = [agent for agent, action in actions.items() if action[0] == 1]
        if len(left) == len(actions):
            return 0.0, left, True
        if left and self.opened[group] < 0:
            self.opened[group] = self.clock[group]
        if self.opened[group] >= 0 and self.clock[group] - self.opened[group] >= self.far:
            return 1.0, left, True
        if self.clock[group] >= self.limit and self.opened[group] < 0:
            return self.consolation, left, True
        return 0.0, left, False


class Corridor(TeamGame):
    """Two agents at the two ends of a corridor have to stand on their plates, in the middle, at the same time.

    Moves are back (0), stay (1), forth (2). A plate lies `length` steps ahead; who steps on its plate while the other is
    not within one step of its own is thrown back to the start, and the group pays 0.1. Both there at once: 1, over.
    """

    spec = behavior(4, branches=(3,))
    length, limit = 3, 20

    def begin(self, group):
        if not hasattr(self, "place"):
            self.place = np.zeros((self._groups, 2), int)
            self.clock = np.zeros(self._groups, int)
        self.place[group], self.clock[group] = self.rng.integers(0, self.length - 1, 2), 0

    def see(self, group, agent):
        own, other = self.place[group, agent], self.place[group, 1 - agent]
        return np.array([own, other, agent, own == other], np.float32) / (self.length, self.length, 1, 1)

    def play(self, group, actions):
        self.clock[group] += 1
        moves = np.array([actions[agent][0] - 1 for agent in (0, 1)])
        place = np.maximum(self.place[group] + moves, 0)
        there = place >= self.length
        self.place[group] = np.where(there & ~there.all(), 0, np.minimum(place, self.length))
        if there.all():
            return 1.0, [], True
        return -0.1 if there.any() else -0.02, [], bool(self.clock[group] >= self.limit)
