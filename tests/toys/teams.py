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


class NoisyMatrix(TeamGame):
    """A matrix game with nature's move, one decision each: the payoff is half the number of agents that play 1.

    Beside it the group gets `noise` times the signs that its agents see, each only its own. What its mate saw is noise
    to an agent's own critic: advantages that are standardised to a deviation of 1 hardly show the effect of its action,
    0.5 / noise, and an entropy bonus of weight beta keeps it undecided. A critic that sees everybody takes the noise
    away. `latest` are the payoffs without nature's part; the optimum is 1, both play 1.
    """

    spec = behavior(2, branches=(2,))
    noise = 5.0

    @classmethod
    def undecided(cls, beta):
        """Return what independent agents come to: both play 1 with probability sigmoid(0.5 / noise / beta).

        That is where the policy gradient of the standardised advantage and that of the entropy cancel.
        """
        return float(1.0 / (1.0 + np.exp(-0.5 / cls.noise / beta)))

    def begin(self, group):
        if not hasattr(self, "signs"):
            self.signs = np.zeros((self._groups, 2))
        self.signs[group] = self.rng.choice([-1.0, 1.0], 2)
        self._earned[group] = -self.noise * self.signs[group].sum()

    def see(self, group, agent):
        return np.array([self.signs[group, agent], 2.0 * agent - 1.0], np.float32)

    def play(self, group, actions):
        payoff = 0.5 * sum(int(action[0]) for action in actions.values())
        return payoff + self.noise * self.signs[group].sum(), [], True


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
    """A corridor too narrow to pass one another: agent 1 stands before agent 0, and the only exit is ahead.

    Moves are back (0), stay (1), forth (2). Who walks out has left, and its episode is over. Both out: the group
    wins 1. If both are still in after `limit` rounds, the group gets 0.1; if only one is, nothing. So agent 1 has
    to walk out, which gives it nothing while it is there, and rely on agent 0 to follow.
    """

    spec = behavior(4, branches=(3,))
    length, limit, consolation, OUT = 4, 15, 0.1, 4

    def begin(self, group):
        if not hasattr(self, "place"):
            self.place = np.zeros((self._groups, 2), int)
            self.clock = np.zeros(self._groups, int)
        self.place[group], self.clock[group] = (0, 1), 0

    def see(self, group, agent):
        own, other = self.place[group, agent], self.place[group, 1 - agent]
        return np.array([own, other, agent, other == self.OUT], np.float32) / (self.length, self.length, 1, 1)

    def play(self, group, actions):
        self.clock[group] += 1
        place = self.place[group]
        left = []
        for agent in (1, 0):
            if agent in actions:
                target = max(place[agent] + actions[agent][0] - 1, 0)
                place[agent] = target if target == self.OUT or target != place[1 - agent] else place[agent]
                left += [agent] if place[agent] == self.OUT else []
        if (place == self.OUT).all():
            return 1.0, left, True
        over = bool(self.clock[group] >= self.limit)
        return self.consolation if over and (place != self.OUT).all() else 0.0, left, over
